"""Which requests a test sends, and when: lengths from a preset, a trace, or fixed."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dayrate.errors import InvalidInput
from dayrate.measure.endpoint.note import mark
from dayrate.workload import DemandInput, preset, read_trace
from dayrate.workload.arrivals import spread_stamps
from dayrate.workload.demand import LengthDistribution
from dayrate.workload.lengths import fixed, scaled
from dayrate.workload.traces import Trace

__all__ = [
    "ClosedLoop",
    "OpenLoop",
    "Pace",
    "Sizes",
    "TraceTimes",
    "sizes_of",
    "within",
]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ClosedLoop:
    """A fixed number of requests in flight: the next one leaves when one is done."""

    concurrency: int

    def __post_init__(self) -> None:
        if self.concurrency < 1:
            raise InvalidInput(
                f"--concurrency is {self.concurrency}; give 1 or more requests."
            )


@dataclass(frozen=True, slots=True)
class OpenLoop:
    """Requests that leave at a rate, whatever became of those before.

    Gaps are gamma-distributed: a burstiness of 1 is a Poisson process, less comes in
    clusters, more is evener; as in vLLM's benchmark.
    """

    requests_per_s: float
    burstiness: float = 1.0

    def __post_init__(self) -> None:
        if not self.requests_per_s > 0:
            raise InvalidInput(
                f"--request-rate is {self.requests_per_s:g}; give requests per second "
                "above 0, or inf for all at once."
            )
        if not 0 < self.burstiness < math.inf:
            raise InvalidInput(
                f"--burstiness is {self.burstiness:g}; give a number above 0."
            )


@dataclass(frozen=True, slots=True)
class TraceTimes:
    """Requests that leave when the trace says, ``speedup`` times as fast."""

    speedup: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.speedup < math.inf:
            raise InvalidInput(f"--speedup is {self.speedup:g}; give a factor above 0.")


Pace = ClosedLoop | OpenLoop | TraceTimes


@dataclass(frozen=True, slots=True)
class Sizes:
    """Requests to come: lengths, and departures where they do not depend on answers.

    Parameters
    ----------
    input_tokens, output_tokens : array of int
        One per request. [token]
    at_s : array of float or None
        Since the first; None in a closed loop. [s]
    name : str
        Of the preset or trace, or ``fixed``.
    """

    input_tokens: Ints
    output_tokens: Ints
    at_s: Floats | None
    name: str
    notes: tuple[str, ...] = ()

    @property
    def fixed(self) -> bool:
        """Whether all requests are of one size."""
        sides = (self.input_tokens, self.output_tokens)
        return all(len(set(side.tolist())) == 1 for side in sides)


def sizes_of(demand: DemandInput, pace: Pace, *, most: int, seed: int = 0) -> Sizes:
    """Draw or read at most ``most`` requests.

    Parameters
    ----------
    demand : DemandInput
        Its preset, trace and mean lengths.
    pace : ClosedLoop or OpenLoop or TraceTimes
        When requests leave.
    most : int
        Requests that the budget allows. [1]
    seed : int
        Of lengths and arrivals.

    Raises
    ------
    InvalidInput
        Nothing says how long requests are, or the trace cannot be replayed.
    """
    rng = np.random.default_rng(seed)
    if demand.trace_path is not None:
        if demand.preset is not None:
            raise InvalidInput(
                f"Both a preset ({demand.preset}) and a trace ({demand.trace_path}) "
                "are given, and each says how long requests are. Give one of them."
            )
        return _of_trace(demand, pace, most, rng)
    if isinstance(pace, TraceTimes):
        raise InvalidInput("--speedup is of a trace's arrivals. Give a --trace.")
    return Sizes(
        _drawn(_lengths(demand, "input"), most, rng),
        _drawn(_lengths(demand, "output"), most, rng),
        _arrivals(pace, most, rng),
        demand.preset or "fixed",
    )


def _lengths(demand: DemandInput, side: str) -> LengthDistribution:
    mean = demand.isl if side == "input" else demand.osl
    if mean is not None and not (math.isfinite(mean) and mean >= 1):
        raise InvalidInput(
            f"The mean {side} length is {mean:g} tokens; give 1 or more."
        )
    if demand.preset is None:
        if mean is None:
            raise InvalidInput(
                "Nothing says how long requests are. Give --preset, --trace, or --isl "
                "and --osl."
            )
        return fixed(mean)
    found = preset(demand.preset)
    lengths = found.input_length if side == "input" else found.output_length
    return lengths if mean is None else scaled(lengths, mean_tokens=mean)


def _drawn(lengths: LengthDistribution, count: int, rng: np.random.Generator) -> Ints:
    return _whole(rng.choice(lengths.tokens, count))


def _whole(tokens: Floats) -> Ints:
    return np.maximum(np.round(tokens), 1.0).astype(np.int64)


def _arrivals(pace: Pace, count: int, rng: np.random.Generator) -> Floats | None:
    if not isinstance(pace, OpenLoop):
        return None
    if math.isinf(pace.requests_per_s):
        return np.zeros(count)
    mean_gap_s = 1.0 / pace.requests_per_s
    gaps_s = rng.gamma(pace.burstiness, mean_gap_s / pace.burstiness, count)
    gaps_s[0] = 0.0
    return np.cumsum(gaps_s)


def _of_trace(
    demand: DemandInput, pace: Pace, most: int, rng: np.random.Generator
) -> Sizes:
    assert demand.trace_path is not None
    trace = read_trace(Path(demand.trace_path), model=demand.trace_model)
    if trace.requests is not None:
        raise InvalidInput(
            f"{trace.name} has windows of requests; a load test needs each request. "
            "Give a trace by request, or --preset with --request-rate."
        )
    notes = list(trace.notes)
    if trace.blocks is not None:
        notes.append(mark("what requests of the trace share is not replayed"))
    at_s = _arrivals(pace, min(most, len(trace.input_tokens)), rng)
    if isinstance(pace, TraceTimes):
        at_s = _recorded(trace, pace, rng, notes)[:most]
    sides = (
        _mean_set(trace.input_tokens, demand.isl)[:most],
        _mean_set(trace.output_tokens, demand.osl)[:most],
    )
    return Sizes(_whole(sides[0]), _whole(sides[1]), at_s, trace.name, tuple(notes))


def _recorded(
    trace: Trace, pace: TraceTimes, rng: np.random.Generator, notes: list[str]
) -> Floats:
    if trace.arrival_s is None:
        raise InvalidInput(
            f"{trace.name} does not say when requests came. Give --concurrency or "
            "--request-rate."
        )
    at_s, tick = spread_stamps(trace.arrival_s - trace.arrival_s[0], rng)
    if tick is not None:
        notes.append(f"arrivals spread within the {tick:g} s that share a stamp")
    shifted: Floats = (at_s - at_s[0]) / pace.speedup
    return shifted


def _mean_set(tokens: Floats, mean: float | None) -> Floats:
    if mean is None:
        return tokens
    if not (math.isfinite(mean) and mean >= 1):
        raise InvalidInput(f"The mean length is {mean:g} tokens; give 1 or more.")
    return tokens * (mean / float(tokens.mean()))


def within(sizes: Sizes, longest_tokens: int | None) -> npt.NDArray[np.bool_]:
    """Which requests fit into a context."""
    whole = sizes.input_tokens + sizes.output_tokens
    limit = np.iinfo(np.int64).max if longest_tokens is None else longest_tokens
    return np.asarray(whole <= limit)
