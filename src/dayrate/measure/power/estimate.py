"""Energy of processor time where nothing counts joules.

A busy core is taken to draw its share of the package's rated power, as in [1]_. Between
half of that (waiting for memory; two threads on one core) and 1.2 times (short bursts
above the rating) is the interval: assumed, not measured. Memory, disks, fans and power
supplies are not in it.

References
----------
.. [1] L. Lannelongue, J. Grealey, M. Inouye, "Green Algorithms: Quantifying the Carbon
   Footprint of Computation", Advanced Science 8(12), 2021, doi:10.1002/advs.202100707.
"""

import importlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dayrate.catalog.processors import CorePower, core_power
from dayrate.measure.power.reading import Energy, EnergySource

__all__ = ["ProcessorEstimate", "processor_time_s", "this_core_power"]

LOW_FRAC, HIGH_FRAC = 0.5, 1.2
CPUINFO = Path("/proc/cpuinfo")


class ProcessorEstimate:
    """Joules of the processor time that this program and its children take."""

    def __init__(
        self, core: CorePower, processor_s: Callable[[], float] | None = None
    ) -> None:
        self._core = core
        self._processor_s = processor_s or processor_time_s
        self._before_s = 0.0

    def start(self) -> None:
        """Note the processor time spent so far."""
        self._before_s = self._processor_s()

    def energy(self) -> Energy:
        """Energy of the processor time since the start."""
        spent_s = max(self._processor_s() - self._before_s, 0.0)
        core = self._core
        watts = (
            f"{core.mid_w:.3g} W"
            if core.low_w == core.high_w
            else f"{core.low_w:.3g} to {core.high_w:.3g} W"
        )
        return Energy(
            joules=spent_s * core.mid_w,
            low_joules=spent_s * core.low_w * LOW_FRAC,
            high_joules=spent_s * core.high_w * HIGH_FRAC,
            source=EnergySource.ESTIMATED,
            meter=f"processor time at {watts} a core: {core.what}",
        )


def this_core_power(cpuinfo: Path = CPUINFO) -> CorePower | None:
    """Look this machine's processor up; None where its rating cannot be known."""
    about = read_cpuinfo(cpuinfo)
    return core_power(
        about.get("model name", ""),
        family=_int(about.get("cpu family", "")),
        model=_int(about.get("model", "")),
    )


def read_cpuinfo(file: Path = CPUINFO) -> dict[str, str]:
    """Read what the kernel says of the first processor; nothing where it does not."""
    try:
        first = file.read_text(encoding="utf-8", errors="replace").split("\n\n")[0]
    except OSError:
        return {}
    pairs = (line.partition(":") for line in first.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}


def processor_time_s() -> float:
    """Processor time of this process and all it started, ended ones included. [s]

    Children that still run are counted where ``psutil`` is installed.
    """
    t = os.times()
    ended = t.user + t.system + t.children_user + t.children_system
    return ended + sum(_running_children_s())


def _running_children_s() -> list[float]:
    try:
        psutil: Any = importlib.import_module("psutil")
    except ImportError:
        return []
    spent = []
    for child in psutil.Process().children(recursive=True):
        try:
            t = child.cpu_times()
        except psutil.Error:  # it ended meanwhile
            continue
        reaped = getattr(t, "children_user", 0.0) + getattr(t, "children_system", 0.0)
        spent.append(t.user + t.system + reaped)
    return spent


def _int(text: str) -> int:
    return int(text) if text.isdigit() else 0
