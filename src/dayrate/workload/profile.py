"""What requests look like and when they come, before anyone says how many."""

import math
from dataclasses import dataclass, replace

import numpy as np

from dayrate.evidence import Grade, Source
from dayrate.units import DAY_S, HOUR_S
from dayrate.workload.demand import DayShape, LengthDistribution
from dayrate.workload.lengths import empirical, fixed
from dayrate.workload.shape import (
    DEFAULT_SHAPE,
    day_shape,
    measured_shape,
    peak_over_hour,
)
from dayrate.workload.traces import Trace, hit_rate

__all__ = ["Profile", "profile_of_trace"]


@dataclass(frozen=True, slots=True)
class Profile:
    """The demand of one service for an unknown number of requests."""

    name: str
    input_length: LengthDistribution
    output_length: LengthDistribution
    length_grade: Grade
    cached_input_frac: float
    cached_source: str
    shape: DayShape
    source: Source
    tokenizer: str | None = None
    requests_per_day: float | None = None  # of a trace with arrivals
    rate_grade: Grade = Grade.MEASURED
    rate_source: str = ""
    requests_per_user_per_day: float | None = None
    user_source: str = ""
    notes: tuple[str, ...] = ()


def profile_of_trace(trace: Trace, *, cache_blocks: float = math.inf) -> Profile:
    """Take lengths, prefix reuse, rate and day shape from a trace.

    Reuse is that of a cache of ``cache_blocks`` blocks; without a number it is an
    infinite cache's, an upper bound. A trace without block ids counts no reuse.
    """
    lengths, length_notes = _lengths(trace)
    cached, cached_source = _reuse(trace, cache_blocks)
    shape, shape_notes = _shape(trace)
    hours = trace.span_s / HOUR_S
    return Profile(
        name=trace.name,
        input_length=lengths[0],
        output_length=lengths[1],
        length_grade=Grade.MEASURED,
        cached_input_frac=cached,
        cached_source=cached_source,
        shape=shape,
        source=Source(f"the trace {trace.name}"),
        requests_per_day=trace.requests_per_day,
        rate_grade=Grade.MEASURED if trace.span_s >= DAY_S else Grade.ASSUMED,
        rate_source=f"the requests of {trace.name} in {hours:.2f} h, per day",
        notes=(*trace.notes, *length_notes, *shape_notes, *_rate_notes(trace)),
    )


def _lengths(
    trace: Trace,
) -> tuple[tuple[LengthDistribution, LengthDistribution], tuple[str, ...]]:
    if trace.requests is None:
        return (empirical(trace.input_tokens), empirical(trace.output_tokens)), ()
    total = float(trace.requests.sum())
    means = (trace.input_tokens.sum() / total, trace.output_tokens.sum() / total)
    note = "windows give totals, so every request has the mean length"
    return (fixed(float(means[0])), fixed(float(means[1]))), (note,)


def _reuse(trace: Trace, cache_blocks: float) -> tuple[float, str]:
    if trace.blocks is None:
        return 0.0, "the trace has no block ids: reuse is unknown, none is counted"
    rate = hit_rate(trace, cache_blocks)
    if math.isinf(cache_blocks):
        return rate, "an infinite prefix cache over the trace's blocks: an upper bound"
    return rate, f"a prefix cache of {cache_blocks:g} of the trace's blocks"


def _shape(trace: Trace) -> tuple[DayShape, tuple[str, ...]]:
    """Measure the shape in a trace of a day or more, else assume the default one."""
    if trace.arrival_s is not None and trace.span_s >= DAY_S:
        shape = measured_shape(
            trace.arrival_s,
            trace.request_counts,
            window_s=trace.window_s,
            start_s_of_day=trace.start_s_of_day,
        )
        return replace(
            shape, name=trace.name, source=Source(f"the trace {trace.name}")
        ), ()
    default = replace(day_shape(DEFAULT_SHAPE), grade=Grade.ASSUMED)
    note = f"a trace of under a day has no day shape: {DEFAULT_SHAPE} assumed"
    if trace.arrival_s is None:
        return default, (note,)
    burst = peak_over_hour(trace.arrival_s, trace.request_counts)
    if burst > default.burst:
        note += f", with the trace's own burst of {burst:.2f}"
    return replace(default, burst=max(burst, default.burst)), (note,)


def _rate_notes(trace: Trace) -> tuple[str, ...]:
    hours = trace.span_s / HOUR_S
    if 0 < trace.span_s < DAY_S:
        return (
            f"{np.sum(trace.request_counts):,.0f} requests in {hours:.2f} h are scaled "
            "to a day; the hour traced may be a busy or a quiet one",
        )
    return ()
