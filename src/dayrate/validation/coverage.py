"""Whether intervals hold what they say: the share of measurements inside them."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from dayrate import catalog
from dayrate.perf.interval import METRIC_CLASS, Intervals, load_intervals
from dayrate.perf.novelty import Situation, architecture_kind, load_seen
from dayrate.validation.configuration import Configuration
from dayrate.validation.predict import regime
from dayrate.validation.table import Measurement

__all__ = ["engine_name", "inside", "regime_names", "situation_of"]

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]


def situation_of(c: Configuration) -> Situation:
    """Take from a configuration what decides whether it lies outside the data."""
    device = catalog.accelerator(c.accelerator_id)
    return Situation(
        accelerator_id=device.id,
        generation=device.generation,
        architecture=architecture_kind(catalog.model(c.model)),
        engine=engine_name(c.engine),
        input_tokens=c.input_tokens,
        output_tokens=c.output_tokens,
        batch=c.concurrency,
    )


def engine_name(engine: str) -> str:
    """Name an engine without what is said in brackets.

    >>> engine_name("vLLM (Splitwise profiling)")
    'vllm'
    """
    return engine.partition("(")[0].strip().lower()


def regime_names(rows: Sequence[Measurement]) -> list[tuple[str, str]]:
    """Class of the metric and scenario kind of each row."""
    return [
        (METRIC_CLASS[r.metric], regime(r.configuration))
        for r in rows
        if r.configuration is not None
    ]


def inside(
    rows: Sequence[Measurement], log_error: Floats, level: int, *, widen: bool = True
) -> Booleans:
    """Whether each measurement lies in the shipped interval of its prediction."""
    intervals, seen = load_intervals(), load_seen()
    bounds = np.array(
        [
            _bounds(
                intervals,
                row.metric,
                regime(c),
                seen.outside(situation_of(c)) if widen else (),
                level,
            )
            for row in rows
            if (c := row.configuration) is not None
        ]
    ).reshape(-1, 2)
    found: Booleans = (bounds[:, 0] <= log_error) & (log_error <= bounds[:, 1])
    return found


def _bounds(
    intervals: Intervals,
    metric: str,
    kind: str,
    outside: tuple[str, ...],
    level: int,
) -> tuple[float, float]:
    low, high = intervals.spread(metric, kind, outside).factors[level]
    return -float(np.log(high)), -float(np.log(low))
