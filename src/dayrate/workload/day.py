"""Arrivals over days: the hours of a shape and its busiest ten minutes."""

import math

import numpy as np
import numpy.typing as npt

from dayrate.units import DAY_S
from dayrate.workload.demand import DayShape
from dayrate.workload.shape import BURST_S

__all__ = ["day_arrivals", "window_fracs"]

Floats = npt.NDArray[np.float64]


def window_fracs(shape: DayShape) -> Floats:
    """Shares of the day's requests in each of its 144 windows of ten minutes.

    The middle of the busiest hour has the burst of the shape: as many times the mean
    of that hour as the busiest ten minutes on record. All others give that up evenly,
    so that the day keeps its requests.

    >>> flat = DayShape((1 / 24,) * 24, burst=2.0)
    >>> fracs = window_fracs(flat)
    >>> round(float(fracs.max() * 144), 6), round(float(fracs.sum()), 6)
    (2.0, 1.0)
    """
    per_hour = round(3600 / BURST_S)
    fracs = np.repeat(np.asarray(shape.hour_frac) / per_hour, per_hour)
    busiest = int(np.argmax(shape.hour_frac)) * per_hour + per_hour // 2
    burst = min(float(fracs[busiest]) * shape.burst, 1.0)
    fracs *= (1.0 - burst) / (1.0 - fracs[busiest])
    fracs[busiest] = burst
    return fracs


def day_arrivals(
    shape: DayShape, requests_per_day: float, span_s: float, rng: np.random.Generator
) -> Floats:
    """Draw arrivals, independent within ten minutes, that follow the day from 0:00.

    >>> rng = np.random.default_rng(1)
    >>> shape = DayShape((0.5, *[0.5 / 23] * 23))
    >>> arrival_s = day_arrivals(shape, 1000, 86_400, rng)
    >>> bool(450 < (arrival_s < 3600).sum() < 550)
    True
    """
    windows = math.ceil(span_s / BURST_S)
    begin = np.arange(windows) * float(BURST_S)
    length = np.minimum(begin + BURST_S, span_s) - begin
    days = math.ceil(span_s / DAY_S)
    fracs = np.tile(window_fracs(shape), days)[:windows]
    counts = rng.poisson(fracs * requests_per_day * length / BURST_S)
    each = np.repeat(np.arange(windows), counts)
    return np.sort(begin[each] + length[each] * rng.random(len(each)))
