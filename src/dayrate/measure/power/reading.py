"""Joules of a stretch of work, and how much they are worth."""

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

from dayrate.errors import InvalidInput

__all__ = ["Energy", "EnergyMeter", "EnergySource", "PowerReader"]


class EnergySource(enum.Enum):
    """Where joules come from."""

    MEASURED = "measured"  # a counter of the hardware
    ESTIMATED = "estimated"  # processor time and a share of rated power
    UNKNOWN = "unknown"  # neither


@dataclass(frozen=True, slots=True)
class Energy:
    """Energy of a stretch of work with its interval.

    Parameters
    ----------
    joules, low_joules, high_joules : float or None
        None where it is unknown. [J]
    source : EnergySource
        Where the figure comes from.
    meter : str
        Which counters, or what was assumed: for people.
    """

    joules: float | None
    low_joules: float | None
    high_joules: float | None
    source: EnergySource
    meter: str

    @classmethod
    def unknown(cls, why: str) -> "Energy":
        """Energy nobody can tell, and why.

        >>> Energy.unknown("no meter").joules is None
        True
        """
        return cls(None, None, None, EnergySource.UNKNOWN, why)

    @classmethod
    def measured(cls, joules: float, meter: str) -> "Energy":
        """Energy that a counter of the hardware counted.

        >>> Energy.measured(3.5, "RAPL package").source.value
        'measured'
        """
        return cls(joules, joules, joules, EnergySource.MEASURED, meter)


class PowerReader(Protocol):
    """A counter of joules of one part of the machine.

    Counters that wrap around are unwrapped by their reader, as long as it is read at
    least once a minute; ``joules`` never falls.
    """

    @property
    def name(self) -> str:
        """What it counts, for people: "RAPL package-0", "NVML NVIDIA H100 0"."""

    def joules(self) -> float:
        """Energy since some fixed moment. [J]"""


class Estimator(Protocol):
    """Energy of a stretch of work where nothing counts it."""

    def start(self) -> None:
        """Note the time and the processor time spent so far."""

    def energy(self) -> Energy:
        """Energy since the start."""


class EnergyMeter:
    """Energy of a ``with`` block: the sum of all counters, else an estimate.

    Examples
    --------
    >>> with EnergyMeter([]) as meter:
    ...     pass
    >>> meter.energy.source.value
    'unknown'
    """

    def __init__(
        self, readers: Sequence[PowerReader], fallback: Estimator | None = None
    ) -> None:
        self._readers = tuple(readers)
        self._fallback = fallback
        self._before: tuple[float, ...] = ()
        self._energy: Energy | None = None

    def __enter__(self) -> Self:
        self._before = tuple(r.joules() for r in self._readers)
        if self._fallback is not None and not self._readers:
            self._fallback.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._energy = self.so_far()

    def so_far(self) -> Energy:
        """Energy since the block began, while it runs. [J]"""
        if self._readers:
            spent = (
                r.joules() - b for r, b in zip(self._readers, self._before, strict=True)
            )
            names = " + ".join(r.name for r in self._readers)
            return Energy.measured(sum(spent), names)
        if self._fallback is not None:
            return self._fallback.energy()
        return Energy.unknown("this machine has no energy counter that can be read")

    @property
    def energy(self) -> Energy:
        """Energy of the finished block. [J]"""
        if self._energy is None:
            raise InvalidInput("The energy of a block is known when the block ends.")
        return self._energy
