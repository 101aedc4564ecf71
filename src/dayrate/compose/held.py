"""What a day holds of machines, which is what its bill and its energy are for."""

from dataclasses import dataclass
from typing import Protocol

__all__ = ["Held", "HeldDay"]


class Held(Protocol):
    """Machines of a day: those of a plan, or of a simulated fleet."""

    @property
    def accelerators(self) -> float:
        """Accelerators at the busiest time. [1]"""

    @property
    def accelerator_hours(self) -> float:
        """Accelerator-hours held in the day. [h]"""

    @property
    def utilisation(self) -> float:
        """Work over what the machines held could do. [1]"""


@dataclass(frozen=True, slots=True)
class HeldDay:
    """Machines of a day, by their numbers."""

    accelerators: float
    accelerator_hours: float
    utilisation: float
