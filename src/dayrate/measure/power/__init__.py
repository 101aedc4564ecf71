"""Energy of what runs here: read from a meter, else estimated, else unknown."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dayrate.catalog.processors import CorePower
from dayrate.measure.power.estimate import (
    CPUINFO,
    ProcessorEstimate,
    this_core_power,
)
from dayrate.measure.power.nvml import nvml_readers
from dayrate.measure.power.rapl import HWMON, POWERCAP, hwmon_counters, rapl_counters
from dayrate.measure.power.reading import (
    Energy,
    EnergyMeter,
    EnergySource,
    PowerReader,
)

__all__ = [
    "Energy",
    "EnergyMeter",
    "EnergySource",
    "Meters",
    "Places",
    "PowerReader",
    "energy_meter",
    "find_meters",
    "find_readers",
]


@dataclass(frozen=True, slots=True)
class Places:
    """Where meters are looked for; tests name others."""

    powercap: Path = POWERCAP
    hwmon: Path = HWMON
    cpuinfo: Path = CPUINFO
    nvml: Any | None = None  # None: the installed library


_HERE = Places()


@dataclass(frozen=True, slots=True)
class Meters:
    """What counts or estimates energy here, and what to know about the rest."""

    readers: tuple[PowerReader, ...]
    core: CorePower | None  # rated power, for an estimate where nothing counts
    notes: tuple[str, ...]

    def meter(self) -> EnergyMeter:
        """Measure one stretch of work."""
        estimate = None if self.core is None else ProcessorEstimate(self.core)
        return EnergyMeter(self.readers, estimate)


def find_meters(places: Places = _HERE) -> Meters:
    """Look for counters of processors and accelerators, and for an estimate.

    Both ways to a processor's counter show the same joules: the second is looked at
    only where the first is absent.
    """
    found = rapl_counters(places.powercap)
    if not found.counters:
        found = found + hwmon_counters(places.hwmon)
    devices = nvml_readers(places.nvml)
    notes = list(found.notes)
    if devices and not found.counters:
        notes.append("The energy is that of the accelerators, without the processor.")
    core = this_core_power(places.cpuinfo)
    return Meters((*found.counters, *devices), core, tuple(notes))


def find_readers(places: Places = _HERE) -> tuple[PowerReader, ...]:
    """Return the counters of joules that can be read here; there may be none."""
    return find_meters(places).readers


def energy_meter() -> EnergyMeter:
    """Return a meter for one stretch of work: measured, else estimated, else unknown.

    Examples
    --------
    >>> with energy_meter() as meter:
    ...     pass
    >>> meter.energy.source.value in {"measured", "estimated", "unknown"}
    True
    """
    return find_meters().meter()
