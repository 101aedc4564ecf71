"""The requests of whole days, which follow the hours and the burst of a day shape."""

import numpy as np

from dayrate.compose.requests import Demanded
from dayrate.compose.resolve import Resolved
from dayrate.errors import InvalidInput
from dayrate.serving.simulator.inputs import RequestList
from dayrate.units import DAY_S
from dayrate.workload.day import day_arrivals

__all__ = ["day_demand"]

_MOST_REQUESTS = 20_000_000


def day_demand(r: Resolved, span_s: float, seed: int) -> Demanded:
    """Draw requests from 0:00 on, of the workload's lengths, and say how.

    Raises
    ------
    InvalidInput
        None come, or more than one simulation takes.
    """
    w, rng = r.workload, np.random.default_rng(seed)
    expected = w.requests_per_day * span_s / DAY_S
    if expected > _MOST_REQUESTS:
        raise InvalidInput(
            f"{expected:.3g} requests are more than one simulation takes "
            f"({_MOST_REQUESTS:g}). Give a shorter --duration."
        )
    arrival = day_arrivals(w.shape, w.requests_per_day, span_s, rng)
    if len(arrival) == 0:
        raise InvalidInput(
            f"No request comes in {span_s:g} s at {w.requests_per_day:.3g} a day. "
            "Give a longer --duration, or more --requests-per-day."
        )
    sides = (w.input_length.tokens, w.output_length.tokens)
    drawn = [np.maximum(np.round(rng.choice(t, len(arrival))), 1.0) for t in sides]
    requests = RequestList(
        arrival,
        drawn[0].astype(np.int64),
        drawn[1].astype(np.int64),
        cached_input_frac=float(r.traffic.cached_input_frac),
    )
    note = (
        f"Poisson arrivals by the hours of the day shape {w.shape.name}, with its "
        "busiest ten minutes"
    )
    return Demanded(r, requests, None, (note,))
