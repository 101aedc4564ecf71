"""Writes the working of a quote line by line while it is computed.

Each method records a line and hands the number back, so that the composition reads as
arithmetic and nothing can be used without being written down.
"""

from collections.abc import Callable
from typing import Any

from dayrate.evidence import Estimate, Grade, Ledger, Source

__all__ = ["Working"]


class Working:
    """A ledger under construction; private to one quote."""

    def __init__(self, ledger: Ledger | None = None) -> None:
        self.ledger = ledger or Ledger()

    def given(self, name: str, value: float, unit: str) -> float:
        """Record a number that the user stated."""
        return self.fact(name, value, unit, grade=Grade.GIVEN, source="the scenario")

    def fact(
        self, name: str, value: float, unit: str, *, grade: Grade, source: str
    ) -> float:
        """Record a number from outside."""
        self.ledger = self.ledger.fact(name, value, unit, grade=grade, source=source)
        return value

    def cited(self, name: str, value: float, unit: str, source: Source) -> float:
        """Record a number of the catalogue."""
        return self.fact(name, value, unit, grade=Grade.CITED, source=str(source))

    def choice(
        self,
        name: str,
        value: str,
        *,
        given: Any,
        why: str,
        grade: Grade = Grade.ASSUMED,
    ) -> str:
        """Record a name that was given, or else chosen and why."""
        if given is not None:
            grade, why = Grade.GIVEN, "the scenario"
        self.ledger = self.ledger.fact(name, value, "", grade=grade, source=why)
        return value

    def estimate(
        self, name: str, estimate: Estimate, unit: str, *, per: float = 1.0
    ) -> float:
        """Record the middle of a catalogued range, in ``unit``: SI over ``per``."""
        low, high = estimate.low / per, estimate.high / per
        spread = f"; range {low:.4g} to {high:.4g}" if low < high else ""
        return self.fact(
            name,
            estimate.mid / per,
            unit,
            grade=estimate.grade,
            source=f"{estimate.source}{spread}",
        )

    def given_or(
        self, name: str, given: float | None, unit: str, other: Callable[[], Estimate]
    ) -> float:
        """Record what the user stated, else a catalogued figure in the same unit."""
        if given is not None:
            return self.given(name, given, unit)
        return self.estimate(name, other(), unit)

    def assumed(
        self, name: str, given: float | None, unit: str, *, default: float, why: str
    ) -> float:
        """Record what the user stated, else an assumption and its reason."""
        if given is not None:
            return self.given(name, given, unit)
        return self.fact(name, default, unit, grade=Grade.ASSUMED, source=why)

    def solved(self, name: str, value: float, unit: str, how: str) -> float:
        """Record a number that the performance model found, as good as its fit."""
        return self.fact(name, value, unit, grade=Grade.FITTED, source=how)

    def unknown(self, name: str, unit: str, why: str) -> None:
        """Record that there is no number, and why."""
        self.ledger = self.ledger.fact(
            name, None, unit, grade=Grade.ASSUMED, source=why
        )

    def derive(
        self, name: str, value: float, unit: str, formula: str, why: str = ""
    ) -> float:
        """Record a number computed from earlier lines by ``formula``."""
        self.ledger = self.ledger.derive(name, value, unit, formula=formula, why=why)
        return value
