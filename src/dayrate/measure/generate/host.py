"""The machine a model runs on: its idle cores, and the memory of this process."""

import functools
import math
import os
from pathlib import Path
from typing import Any

from dayrate.measure.models import needed

__all__ = ["idle_cores", "load_1min", "resident_bytes", "usable_cores"]

_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def usable_cores(quota: Path = _QUOTA) -> int:
    """Processors this process may use: those given to it, within its quota. [1]"""
    try:
        given = len(os.sched_getaffinity(0))  # type: ignore[attr-defined,unused-ignore]
    except AttributeError:  # not on every system
        given = os.cpu_count() or 1
    try:
        most, period = quota.read_text().split()[:2]
        return max(1, min(given, math.floor(int(most) / int(period))))
    except (OSError, ValueError):  # no quota, or none of this kind
        return given


def load_1min() -> float | None:
    """Mean number of processes that ran or waited in the last minute. [1]"""
    try:
        return os.getloadavg()[0]
    except (AttributeError, OSError):
        return None


def idle_cores() -> int:
    """Cores nobody else needs now, at least one. [1]

    Threads that wait for each other are slowed by the slowest: on a busy machine two
    of them are slower than one.
    """
    return max(1, usable_cores() - round(load_1min() or 0))


def resident_bytes() -> int:
    """Memory of this process in RAM. [B]"""
    return int(_process().memory_info().rss)


@functools.cache
def _process() -> Any:
    psutil: Any = needed("psutil", what="Measuring memory", extra="measure")
    return psutil.Process()
