"""When requests come: the day by hour, measured, shipped or given."""

import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from dayrate.catalog import store
from dayrate.errors import InvalidInput, UnknownName
from dayrate.evidence import Grade, Source
from dayrate.units import DAY_S, HOUR_S
from dayrate.workload.demand import DayShape

__all__ = [
    "DEFAULT_SHAPE",
    "day_shape",
    "given_shape",
    "measured_shape",
    "peak_over_hour",
    "shape_names",
    "source_of",
]

Floats = npt.NDArray[np.float64]

#: Taken, as an assumption, where nobody says how the day goes.
DEFAULT_SHAPE = "azure-2024-conversation"

BURST_S = 600
_HOURS = 24


def day_shape(value: str | Sequence[float]) -> DayShape:
    """Look up a shipped shape by name, or take 24 numbers, one per hour.

    >>> day_shape("flat").peak_over_mean
    1.0
    """
    if not isinstance(value, str):
        return given_shape(value)
    known = _shapes()
    if value not in known:
        raise UnknownName("day-shape", value, known)
    return known[value]


def shape_names() -> tuple[str, ...]:
    """Names of the shipped day shapes."""
    return tuple(_shapes())


def given_shape(hours: Sequence[float], *, burst: float = 1.0) -> DayShape:
    """Take relative rates for the 24 hours; only their proportions count."""
    rates = np.asarray(hours, dtype=np.float64)
    if rates.shape != (_HOURS,):
        raise InvalidInput(
            f"A day shape has {rates.size} numbers; give 24, one per hour from 0:00, "
            f"or a name: {', '.join(shape_names())}."
        )
    bad = [h for h in rates.tolist() if not 0 <= h < math.inf]
    if bad or not rates.any():
        raise InvalidInput(
            f"A day shape holds {bad[0] if bad else 'only zeros'}; the 24 numbers are "
            "relative rates, zero or positive, not all zero."
        )
    if not 1 <= burst < math.inf:
        raise InvalidInput(
            f"A burst of {burst:g} is impossible: the highest ten minutes are at least "
            "1 times the busiest hour."
        )
    return DayShape(tuple((rates / rates.sum()).tolist()), burst)


def measured_shape(
    time_s: Floats,
    requests: Floats,
    *,
    window_s: float = 0.0,
    start_s_of_day: float = 0.0,
) -> DayShape:
    """Fold a load of a day or more by hour of day.

    Parameters
    ----------
    time_s : ndarray
        Sorted time of each request, or start of each window. [s]
    requests : ndarray
        Requests of each row; ones for single requests. [1]
    window_s : float
        Length of a window, 0 for single requests. [s]
    start_s_of_day : float
        Time of day at time 0, where known. [s]
    """
    clock = time_s + start_s_of_day
    start, end = float(clock[0]), float(clock[-1]) + window_s
    if end - start < DAY_S:
        raise InvalidInput(
            f"A load of {(end - start) / HOUR_S:.2f} h has no hours of the day; "
            "24 h at least are needed."
        )
    hour = (clock // HOUR_S).astype(np.int64) % _HOURS
    count = np.bincount(hour, weights=requests, minlength=_HOURS)
    rate = count / _exposure_s(start, end)
    peak = _highest_rate(clock - start, requests, max(window_s, BURST_S))
    burst = max(1.0, float(peak / rate.max()))
    return DayShape(tuple((rate / rate.sum()).tolist()), burst, grade=Grade.MEASURED)


def peak_over_hour(time_s: Floats, requests: Floats) -> float:
    """Rate of the highest ten minutes over the mean of their hour, 1 at least.

    Only whole ten-minute windows count; a load shorter than two of them gives 1.
    """
    since = time_s - time_s[0]
    windows = int(since[-1] // BURST_S)
    if windows < 2:
        return 1.0
    inside = since < windows * BURST_S
    bins = (since[inside] // BURST_S).astype(np.int64)
    count = np.bincount(bins, weights=requests[inside], minlength=windows)
    hours = [count[i : i + 6] for i in range(0, windows, 6)]
    ratios = [float(h.max() / h.mean()) for h in hours if len(h) > 1 and h.any()]
    return max([1.0, *ratios])


def source_of(row: Mapping[str, Any]) -> Source:
    """Read the first reference of a catalogue row."""
    reference = row["reference"][0]
    return Source(
        title=str(reference["title"]),
        href=str(reference.get("href", "")),
        date=str(reference.get("date", "")),
        checked=str(row["checked"]),
    )


def _exposure_s(start: float, end: float) -> Floats:
    """Seconds that the record spends in each hour of the day."""
    hours = np.arange(start // HOUR_S, math.ceil(end / HOUR_S))
    inside = np.minimum((hours + 1) * HOUR_S, end) - np.maximum(hours * HOUR_S, start)
    index = hours.astype(np.int64) % _HOURS
    return np.bincount(index, weights=inside).astype(np.float64)


def _highest_rate(since_s: Floats, requests: Floats, window_s: float) -> float:
    count = np.bincount((since_s // window_s).astype(np.int64), weights=requests)
    return float(count.max()) / window_s


@functools.cache
def _shapes() -> Mapping[str, DayShape]:
    rows = (row for row in store.rows("workloads") if row["kind"] == "day-shape")
    return {row["id"]: _shape(row) for row in rows}


def _shape(row: Mapping[str, Any]) -> DayShape:
    rates = np.asarray(row["hour_over_mean"], dtype=np.float64)
    return DayShape(
        hour_frac=tuple((rates / rates.sum()).tolist()),
        burst=float(row["burst"]),
        name=row["id"],
        grade=Grade[row["grade"].upper()],
        source=source_of(row),
    )
