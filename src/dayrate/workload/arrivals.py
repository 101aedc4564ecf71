"""When requests come, one by one: from a trace as it is, or drawn with a seed."""

import numpy as np
import numpy.typing as npt

__all__ = ["poisson_arrivals", "spread_stamps"]

Floats = npt.NDArray[np.float64]

#: A clock is coarse where most requests share a stamp with the one before.
_COARSE_SHARE = 0.5
_REGULAR_SHARE = 0.9  # of the gaps between stamps that are whole ticks


def poisson_arrivals(
    requests_per_s: float, span_s: float, rng: np.random.Generator
) -> Floats:
    """Draw arrivals that know nothing of each other, over a span.

    >>> rng = np.random.default_rng(1)
    >>> len(poisson_arrivals(10.0, 100.0, rng))
    1001
    """
    count = int(rng.poisson(requests_per_s * span_s))
    return np.sort(rng.uniform(0.0, span_s, count))


def spread_stamps(
    arrival_s: Floats, rng: np.random.Generator
) -> tuple[Floats, float | None]:
    """Spread requests evenly within the tick of a coarse clock, in their order.

    Returns the arrivals and the tick, or None where the clock is fine.

    >>> rng = np.random.default_rng(1)
    >>> spread, tick = spread_stamps(np.array([0.0, 0, 0, 3, 3, 3, 6, 6]), rng)
    >>> tick, bool((np.diff(spread) > 0).all()), bool(spread.max() < 9)
    (3.0, True, True)
    """
    stamps = np.unique(arrival_s)
    steps = np.diff(stamps)
    if len(steps) == 0 or len(stamps) > _COARSE_SHARE * len(arrival_s):
        return arrival_s, None
    tick = float(np.median(steps))
    whole = np.isclose(steps / tick, np.round(steps / tick), atol=1e-2)
    if whole.mean() < _REGULAR_SHARE:
        return arrival_s, None
    return np.sort(arrival_s + rng.uniform(0.0, tick, len(arrival_s))), tick
