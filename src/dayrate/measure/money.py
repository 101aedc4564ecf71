"""What a stretch of work on this machine costs: electricity and the machine's hour."""

from dataclasses import dataclass

from dayrate.measure.power.reading import Energy
from dayrate.scenario.quantity import Money, money
from dayrate.units import HOUR_S, KWH_J

__all__ = ["MachinePrices", "machine_prices"]


@dataclass(frozen=True, slots=True)
class MachinePrices:
    """A tariff and an hourly price, each in the currency it was given in."""

    per_kwh: Money | None = None
    per_hour: Money | None = None

    def electricity(self, energy: Energy) -> Money | None:
        """Cost of energy; None where either is unknown."""
        if self.per_kwh is None or energy.joules is None:
            return None
        amount = self.per_kwh.amount * energy.joules / KWH_J
        return Money(amount, self.per_kwh.currency)

    def machine(self, seconds: float) -> Money | None:
        """Cost of the machine's time; None where its price is unknown.

        >>> MachinePrices(None, Money(3.6)).machine(10.0)
        Money(amount=0.01, currency='USD')
        """
        if self.per_hour is None:
            return None
        amount = self.per_hour.amount * seconds / HOUR_S
        return Money(amount, self.per_hour.currency)


def machine_prices(electricity: str | None, machine_price: str | None) -> MachinePrices:
    """Read both as they were typed.

    >>> machine_prices("0.65 CNY/kWh", "0.10 USD/h").per_kwh
    Money(amount=0.65, currency='CNY')
    """
    tariff = money("kWh", what="--electricity")
    hourly = money("hour", what="--machine-price")
    return MachinePrices(
        None if electricity is None else tariff(electricity),
        None if machine_price is None else hourly(machine_price),
    )
