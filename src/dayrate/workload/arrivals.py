"""When requests come: a coarse clock spread, or arrivals drawn with a seed.

Arrivals are drawn in two steps. A process places requests on an axis on which one
comes per unit on average; a rate over time maps that axis to seconds. So the mean rate
is exact, whatever is drawn: ``n`` requests at a rate of ``r`` take ``n / r`` seconds,
as in ``vllm bench serve``.
"""

import enum
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dayrate.errors import InvalidInput
from dayrate.units import HOUR_S

__all__ = [
    "ArrivalProcess",
    "Process",
    "RateCurve",
    "curve_of",
    "draw_arrivals",
    "own_gaps",
    "spread_stamps",
]

Floats = npt.NDArray[np.float64]

#: A clock is coarse where most requests share a stamp with the one before.
_COARSE_SHARE = 0.5
_REGULAR_SHARE = 0.9  # of the gaps between stamps that are whole ticks

#: Requests of a piece of a rate curve, on average: enough that it is not all chance;
#: of a sparse trace fewer, so that no piece is longer than an hour.
_PIECE_REQUESTS, _LEAST_PIECE_REQUESTS = 400, 25
_LEAST_CV, _MOST_CV = 0.01, 100.0
_MOST_BURSTS = 1e6
_WITHIN = 1e-9


class Process(enum.Enum):
    """How requests follow each other."""

    POISSON = "poisson"  # knowing nothing of each other
    GAMMA = "gamma"  # gaps of a gamma distribution
    WEIBULL = "weibull"  # gaps of a Weibull distribution
    MMPP = "mmpp"  # Poisson, at a rate that jumps between bursts and calm


@dataclass(frozen=True, slots=True)
class ArrivalProcess:
    """A process and its parameters.

    Parameters
    ----------
    kind : Process
        Which one.
    cv : float
        Standard deviation over mean of the gaps; of gamma and Weibull. [1]
    burst_ratio : float
        Rate in a burst over the rate between bursts; of mmpp. [1]
    burst_s, calm_s : float
        Mean length of a burst and of the time between two; of mmpp. [s]
    """

    kind: Process = Process.POISSON
    cv: float = 1.0
    burst_ratio: float = 5.0
    burst_s: float = 30.0
    calm_s: float = 300.0

    def __post_init__(self) -> None:
        if not _LEAST_CV <= self.cv <= _MOST_CV:
            raise InvalidInput(
                f"The coefficient of variation of the gaps is {self.cv:g}; give one "
                f"from {_LEAST_CV:g} (even) over 1 (Poisson) to {_MOST_CV:g} (bursts)."
            )
        if not 1 <= self.burst_ratio < math.inf:
            raise InvalidInput(
                f"The burst ratio is {self.burst_ratio:g}; a burst is at least as "
                "busy as the rest, so give 1 or more."
            )
        for what, value in (("burst", self.burst_s), ("calm", self.calm_s)):
            if not 0 < value < math.inf:
                raise InvalidInput(
                    f"The mean {what} lasts {value:g} s; give seconds above 0."
                )


@dataclass(frozen=True, slots=True)
class RateCurve:
    """A rate that is constant between edges, and begins anew after the last one.

    >>> curve = RateCurve(np.array([0.0, 10.0, 20.0]), np.array([1.0, 3.0]))
    >>> curve.seconds(np.array([0.0, 10.0, 25.0, 40.0, 50.0])).tolist()
    [0.0, 10.0, 15.0, 20.0, 30.0]
    """

    edges_s: Floats  # rising, the first 0; one more than rates
    requests_per_s: Floats  # 0 or more

    @property
    def requests(self) -> float:
        """Requests of one round. [1]"""
        return float(self.requests_per_s @ np.diff(self.edges_s))

    def times(self, level: float) -> "RateCurve":
        """Raise or lower the rate at all times."""
        return RateCurve(self.edges_s, self.requests_per_s * level)

    def seconds(self, count: Floats) -> Floats:
        """Say when as many requests as ``count`` have come. [s]"""
        pieces = self.requests_per_s * np.diff(self.edges_s)
        reached = np.concatenate([[0.0], np.cumsum(pieces)])
        # the last request of a round belongs to it, whatever floats make of it
        rounds = np.maximum(np.ceil(count / reached[-1] - _WITHIN) - 1, 0.0)
        inside = np.interp(count - rounds * reached[-1], reached, self.edges_s)
        return np.asarray(rounds * self.edges_s[-1] + inside)


def draw_arrivals(
    process: ArrivalProcess, n: int, requests_per_s: float, rng: np.random.Generator
) -> Floats:
    """Draw ``n`` arrivals at a mean rate; the last comes at ``n / requests_per_s``.

    At an infinite rate all come at once.

    >>> rng = np.random.default_rng(1)
    >>> bursty = ArrivalProcess(Process.GAMMA, cv=3.0)
    >>> arrival = draw_arrivals(bursty, 1000, 2.0, rng)
    >>> len(arrival), float(arrival[-1])
    (1000, 500.0)
    """
    if not requests_per_s > 0:
        raise InvalidInput(
            f"The rate is {requests_per_s:g} requests a second; give one above 0."
        )
    if n < 1:
        raise InvalidInput(f"{n} requests are to be drawn; give 1 or more.")
    if math.isinf(requests_per_s):
        return np.zeros(n)
    span_s = n / requests_per_s
    position = _positions(_gaps(process, n, rng))
    if process.kind is not Process.MMPP:
        return position / requests_per_s
    curve = _bursts(process, span_s, rng)
    return curve.seconds(position * (curve.requests / n))


def own_gaps(
    arrival_s: Floats, curve: RateCurve, n: int, rng: np.random.Generator
) -> Floats:
    """Place ``n`` requests with the gaps that a trace has, where one comes per unit.

    Gaps are taken with the trace's rate divided out, so that a busy hour does not pass
    for a burst, and drawn anew in any order.

    >>> rng = np.random.default_rng(1)
    >>> old = np.cumsum(rng.exponential(0.5, 2000))
    >>> new = own_gaps(old, curve_of(old, old[-1]), 4000, rng)
    >>> bool((np.diff(new) >= 0).all()), float(new[-1])
    (True, 4000.0)
    """
    pieces = curve.requests_per_s * np.diff(curve.edges_s)
    reached = np.concatenate([[0.0], np.cumsum(pieces)])
    gaps = np.diff(np.interp(arrival_s, curve.edges_s, reached))
    return _positions(rng.choice(gaps, n) if len(gaps) else np.ones(n))


def curve_of(arrival_s: Floats, span_s: float) -> RateCurve:
    """Count arrivals, the first at 0, in pieces of equal length.

    >>> curve_of(np.array([0.0, 1.0, 2.0, 3.0]), 4.0).requests
    4.0
    """
    n = len(arrival_s)
    hours = min(math.ceil(span_s / HOUR_S), n // _LEAST_PIECE_REQUESTS)
    pieces = max(1, n // _PIECE_REQUESTS, hours)
    edges = np.linspace(0.0, span_s, pieces + 1)
    counts = np.histogram(arrival_s, edges)[0]
    return RateCurve(edges, counts / np.diff(edges))


def _positions(gaps: Floats) -> Floats:
    """Add gaps up, scaled to a mean of one: the last position is their number."""
    reached = np.cumsum(gaps)
    if not reached[-1] > 0:  # every gap too small for a float
        return np.arange(1.0, len(gaps) + 1)
    position = reached * (len(gaps) / reached[-1])
    position[-1] = len(gaps)
    return np.asarray(np.minimum(position, len(gaps)))


def _gaps(process: ArrivalProcess, n: int, rng: np.random.Generator) -> Floats:
    match process.kind:
        case Process.GAMMA:
            return rng.gamma(process.cv**-2, process.cv**2, n)
        case Process.WEIBULL:
            return rng.weibull(_weibull_shape(process.cv), n)
        case _:
            return rng.exponential(1.0, n)


def _weibull_shape(cv: float) -> float:
    """Find the shape k of which Γ(1 + 2/k) / Γ(1 + 1/k)² - 1 = cv²."""
    from scipy.optimize import brentq  # noqa: PLC0415 - slow
    from scipy.special import gammaln  # noqa: PLC0415

    def excess(log_shape: float) -> float:
        x = math.exp(-log_shape)
        return float(gammaln(1 + 2 * x) - 2 * gammaln(1 + x) - math.log1p(cv**2))

    return math.exp(brentq(excess, math.log(0.05), math.log(1e4), xtol=1e-12))


def _bursts(
    process: ArrivalProcess, span_s: float, rng: np.random.Generator
) -> RateCurve:
    """Draw bursts and calms over a span, beginning as at any time of a long run."""
    mean = np.array([process.calm_s, process.burst_s])
    first = int(rng.random() < mean[1] / mean.sum())
    if mean.sum() * _MOST_BURSTS < span_s:
        raise InvalidInput(
            f"Bursts {mean.sum():g} s apart are too many for {span_s:g} s of arrivals. "
            "Give longer bursts, or poisson, which they amount to."
        )
    most = 2 * (int(span_s / mean.sum()) + 32)
    state = (first + np.arange(most)) % 2
    ends = np.cumsum(rng.exponential(mean[state]))
    while ends[-1] < span_s:
        more = np.cumsum(rng.exponential(mean[state])) + ends[-1]
        ends = np.concatenate([ends, more])  # an even number, so the order goes on
    edges = np.concatenate([[0.0], ends[ends < span_s], [span_s]])
    state = (first + np.arange(len(edges) - 1)) % 2
    return RateCurve(edges, np.where(state == 1, process.burst_ratio, 1.0))


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
