"""The requests of a simulation: a trace as it is or resampled, or drawn ones."""

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from dayrate.errors import InvalidInput
from dayrate.workload.arrivals import ArrivalProcess, draw_arrivals, spread_stamps
from dayrate.workload.demand import LengthDistribution
from dayrate.workload.resample import (
    check_count,
    from_windows,
    take_rows,
    thinned,
    warped,
    with_arrivals,
    with_fresh_arrivals,
)
from dayrate.workload.sessions import (
    ENGINE_BLOCK_TOKENS,
    Dialogue,
    History,
    draw_sessions,
    one_size,
    with_history,
)
from dayrate.workload.traces import Trace

__all__ = ["Draw", "draw_requests"]

Floats = npt.NDArray[np.float64]
Lengths = tuple[LengthDistribution, LengthDistribution]  # of input and output


@dataclass(frozen=True, slots=True)
class Draw:
    """How requests are drawn or resampled; None: as the trace has it.

    Parameters
    ----------
    process : ArrivalProcess, optional
        How requests follow each other; Poisson where there is no trace.
    requests_per_s : float, optional
        Mean rate; infinite: all at once. [1/s]
    requests : int, optional
        How many. [1]
    duration_s : float
        Of the arrivals, where neither a trace nor ``requests`` says it. [s]
    time_warp : float
        How many times as fast time runs, at the end. [1]
    keep_frac : float
        Share of requests, or of sessions, that is kept. [1]
    dialogue : Dialogue, optional
        Sessions to draw in place of single requests.
    history : History, optional
        What prompts of a trace with session ids hold.
    """

    process: ArrivalProcess | None = None
    requests_per_s: float | None = None
    requests: int | None = None
    duration_s: float = 3600.0
    time_warp: float = 1.0
    keep_frac: float = 1.0
    dialogue: Dialogue | None = None
    history: History | None = None

    def __post_init__(self) -> None:
        if not 0 < self.duration_s < math.inf:
            raise InvalidInput(
                f"The duration is {self.duration_s:g} s; give a time above 0, for "
                "example 3600."
            )
        if self.requests_per_s is not None and not self.requests_per_s > 0:
            raise InvalidInput(
                f"The rate is {self.requests_per_s:g} requests a second; give one "
                "above 0."
            )
        if self.requests is not None and self.requests < 1:
            raise InvalidInput(
                f"{self.requests} requests are asked for; give 1 at least."
            )


def draw_requests(
    draw: Draw,
    trace: Trace | None,
    lengths: Lengths,
    requests_per_s: float,
    rng: np.random.Generator,
) -> Trace:
    """Draw requests, or take and resample those of a trace.

    ``lengths`` are drawn from, and ``requests_per_s`` is the mean rate, where neither a
    trace nor ``draw`` says otherwise. What comes back has an arrival for each request,
    from 0 on, whole tokens, and blocks of one size.
    """
    if trace is not None and draw.dialogue is None:
        found = _of_trace(draw, trace, requests_per_s, rng)
    else:
        found = _drawn(draw, trace, lengths, requests_per_s, rng)
    if draw.keep_frac != 1.0 and (trace is None or trace.requests is None):
        found = thinned(found, draw.keep_frac, rng)
    if draw.time_warp != 1.0:
        found = warped(found, draw.time_warp)
    return replace(
        _in_blocks(found, draw),
        input_tokens=np.ceil(found.input_tokens),
        output_tokens=np.ceil(found.output_tokens),
    )


def _in_blocks(found: Trace, draw: Draw) -> Trace:
    """Bring blocks to one size, and say so where ours is wider than an engine's."""
    if found.blocks is None:
        return found
    blocks, notes = one_size(found.blocks, found.input_tokens), found.notes
    sessions = draw.dialogue is not None or draw.history is not None
    ours = sessions or found.blocks.tokens is not None
    if ours and blocks.block_tokens > ENGINE_BLOCK_TOKENS:
        size = blocks.block_tokens
        note = f"prefix blocks of {size} tokens: there would be too many smaller ones"
        notes = (*notes, note)
    return replace(found, blocks=blocks, notes=notes)


def _drawn(
    draw: Draw,
    trace: Trace | None,
    lengths: Lengths,
    requests_per_s: float,
    rng: np.random.Generator,
) -> Trace:
    rate = _rate(draw, requests_per_s)
    if trace is not None and (trace.sessions is not None or trace.blocks is not None):
        raise InvalidInput(
            f"{trace.name} has sessions or hash_ids of its own. Leave --session-turns "
            "out, or give lengths in place of the trace."
        )
    if draw.history is not None:
        raise InvalidInput("--history is about a trace with session ids; give --trace.")
    n = _count(draw, rate)
    process = draw.process or ArrivalProcess()
    if draw.dialogue is not None:
        found = draw_sessions(draw.dialogue, process, n, rate, lengths=lengths, rng=rng)
        return replace(found, notes=() if trace is None else trace.notes)
    arrival = draw_arrivals(process, n, rate, rng)
    sides = [np.maximum(np.round(rng.choice(x.tokens, n)), 1.0) for x in lengths]
    return Trace("drawn", arrival, sides[0], sides[1], name="drawn")


def _of_trace(
    draw: Draw, trace: Trace, requests_per_s: float, rng: np.random.Generator
) -> Trace:
    n, rate, process = draw.requests, draw.requests_per_s, draw.process
    if draw.history is not None:
        trace = with_history(trace, draw.history)
    if trace.requests is not None:
        trace = thinned(trace, draw.keep_frac, rng)
        trace = from_windows(trace, n, rate, rng)
        if process is None:
            return trace
    if trace.arrival_s is None:
        rate = _rate(draw, requests_per_s)
        arrival = draw_arrivals(
            process or ArrivalProcess(), _count(draw, rate), rate, rng
        )
        if trace.blocks is not None:
            return with_arrivals(trace, arrival)
        rows = rng.integers(len(trace.input_tokens), size=len(arrival))
        return replace(take_rows(trace, rows), arrival_s=arrival)
    arrival, tick = spread_stamps(trace.arrival_s - trace.arrival_s[0], rng)
    if tick is not None:
        note = f"arrivals spread within the {tick:g} s that share a stamp"
        trace = replace(trace, notes=(*trace.notes, note))
    trace = replace(trace, arrival_s=arrival)
    if n is None and rate is None and process is None:
        return trace
    return with_fresh_arrivals(trace, n, rate, process, rng)


def _rate(draw: Draw, requests_per_s: float) -> float:
    return requests_per_s if draw.requests_per_s is None else draw.requests_per_s


def _count(draw: Draw, requests_per_s: float) -> int:
    if draw.requests is not None:
        return check_count(draw.requests, "Give fewer (--num-prompts).")
    if math.isinf(requests_per_s):
        raise InvalidInput(
            "At an infinite rate all requests come at once; say how many "
            "(--num-prompts)."
        )
    return check_count(
        requests_per_s * draw.duration_s, "Give a shorter --duration or --num-prompts."
    )
