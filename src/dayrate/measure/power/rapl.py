"""Energy counters of processors: RAPL through powercap, and AMD's through hwmon.

The kernel shows counters of microjoules as files. Since the attack on them of 2020
(CVE-2020-8694) only root may read them unless the machine's owner says otherwise, so a
counter that is there and closed is reported with the way to open it.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from dayrate.units import MEGA

__all__ = ["FileCounter", "Found", "hwmon_counters", "rapl_counters"]

POWERCAP = Path("/sys/class/powercap")
HWMON = Path("/sys/class/hwmon")
#: Parts of a package that its own counter does not hold.
_BESIDE = ("dram",)


class FileCounter:
    """A file of microjoules that grows, and starts again at its end."""

    def __init__(self, name: str, file: Path, range_uj: float | None) -> None:
        self._name, self._file, self._range_uj = name, file, range_uj
        self._last_uj = _number(file)
        self._turned_uj = 0.0

    @property
    def name(self) -> str:
        """What it counts."""
        return self._name

    def joules(self) -> float:
        """Energy since some fixed moment; a file that cannot be read stands still."""
        with contextlib.suppress(OSError, ValueError):
            now = _number(self._file)
            if now < self._last_uj:  # it turned over: from the end, or from a restart
                self._turned_uj += self._range_uj or self._last_uj
            self._last_uj = now
        return (self._turned_uj + self._last_uj) / MEGA


@dataclass(frozen=True, slots=True)
class Found:
    """Counters that can be read, and what to know about those that cannot."""

    counters: tuple[FileCounter, ...] = ()
    notes: tuple[str, ...] = field(default=())

    def __add__(self, other: "Found") -> "Found":
        return Found(self.counters + other.counters, self.notes + other.notes)


def rapl_counters(root: Path = POWERCAP) -> Found:
    """Find a counter for each package, and for its memory where that is apart.

    ``psys`` (the whole board), ``core`` and ``uncore`` overlap with the package, and
    the same zones appear again under ``intel-rapl-mmio``: none of them is added.
    """
    counters: list[FileCounter] = []
    notes: list[str] = []
    for zone in _zones(root):
        file = zone / "energy_uj"
        try:
            limit = _number(zone / "max_energy_range_uj")
            counters.append(FileCounter(f"RAPL {_zone_name(zone)}", file, limit))
        except PermissionError:
            notes.append(_closed(f"RAPL {_zone_name(zone)}", file))
        except (OSError, ValueError):
            notes.append(f"RAPL {zone.name} is there and gives no number.")
    return Found(tuple(counters), tuple(notes))


def hwmon_counters(root: Path = HWMON) -> Found:
    """Find a counter for each socket that AMD's ``amd_energy`` driver shows."""
    counters: list[FileCounter] = []
    notes: list[str] = []
    for label in _socket_labels(root):
        file = label.with_name(label.name.replace("_label", "_input"))
        name = f"amd_energy {label.read_text(encoding='ascii').strip()}"
        try:
            counters.append(FileCounter(name, file, None))
        except PermissionError:
            notes.append(_closed(name, file))
        except (OSError, ValueError):
            notes.append(f"{name} is there and gives no number.")
    return Found(tuple(counters), tuple(notes))


def _zones(root: Path) -> Iterator[Path]:
    for zone in _listed(root, "intel-rapl:*"):
        name = _text(zone / "name")
        part = zone.name.count(":") > 1
        if name.startswith("package") if not part else name in _BESIDE:
            yield zone


def _zone_name(zone: Path) -> str:
    """Name a part after its package too: several packages have a ``dram``."""
    name = _text(zone / "name")
    if zone.name.count(":") < 2:
        return name
    return f"{name}-{zone.name.split(':')[1]}"


def _socket_labels(root: Path) -> Iterator[Path]:
    for chip in _listed(root, "hwmon*"):
        if _text(chip / "name") == "amd_energy":
            labels = _listed(chip, "energy*_label")
            yield from (p for p in labels if _text(p).startswith("Esocket"))


def _listed(folder: Path, pattern: str) -> list[Path]:
    try:
        return sorted(folder.glob(pattern))
    except OSError:
        return []


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""


def _number(file: Path) -> float:
    return float(file.read_text(encoding="ascii"))


def _closed(name: str, file: Path) -> str:
    return (
        f"{name} may only be read by root. To open it until the next start: "
        f"sudo chmod a+r {file}"
    )
