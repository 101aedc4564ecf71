"""A bill: named terms over one day, whose total is computed and never stored."""

from collections.abc import Mapping
from dataclasses import dataclass

from dayrate.units import Num

__all__ = ["Cost"]


@dataclass(frozen=True, slots=True)
class Cost:
    """A sum of named terms over one period; terms may be arrays of one shape.

    The total is computed, never stored, so the parts cannot disagree with it.
    """

    terms_usd: Mapping[str, Num]

    @property
    def total_usd(self) -> Num:
        """Sum of all terms. [USD]"""
        return sum(self.terms_usd.values(), start=0.0)

    def __add__(self, other: "Cost") -> "Cost":
        names = dict.fromkeys([*self.terms_usd, *other.terms_usd])
        return Cost(
            {n: self.terms_usd.get(n, 0.0) + other.terms_usd.get(n, 0.0) for n in names}
        )

    def scaled(self, factor: Num) -> "Cost":
        """Return the same terms times ``factor`` (days, shares). [1]"""
        return Cost({n: v * factor for n, v in self.terms_usd.items()})
