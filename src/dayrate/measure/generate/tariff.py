"""What a second of a machine and a joule of electricity cost here."""

from collections.abc import Mapping
from dataclasses import dataclass

from dayrate import catalog
from dayrate.cost.breakdown import Cost
from dayrate.errors import InvalidInput, UnknownName
from dayrate.measure.money import machine_prices
from dayrate.measure.power import Energy
from dayrate.scenario.quantity import CURRENCIES, Money
from dayrate.units import HOUR_S, KWH_J

__all__ = ["Tariff", "tariff"]


@dataclass(frozen=True, slots=True)
class Tariff:
    """Prices in US dollars, None where none was given; shown in ``currency``."""

    usd_per_kwh: float | None = None
    machine_usd_per_h: float | None = None
    currency: str = "USD"
    currency_per_usd: float = 1.0

    @property
    def given(self) -> bool:
        """Whether any price is known."""
        return (self.usd_per_kwh, self.machine_usd_per_h) != (None, None)

    def cost(self, seconds: float, energy: Energy) -> Cost:
        """Price a stretch of work; what has no price or no joules has no term."""
        terms: dict[str, float] = {}
        if self.machine_usd_per_h is not None:
            terms["machine"] = self.machine_usd_per_h * seconds / HOUR_S
        if self.usd_per_kwh is not None and energy.joules is not None:
            terms["electricity"] = self.usd_per_kwh * energy.joules / KWH_J
        return Cost(terms)


def tariff(
    electricity: str | None,
    machine_price: str | None,
    currency: str = "USD",
    fx: float | None = None,
) -> Tariff:
    """Read prices as people type them.

    Examples
    --------
    >>> tariff("0.65 CNY/kWh", "0.10 USD/h", "CNY", 6.5).usd_per_kwh
    0.1

    Raises
    ------
    InvalidInput
        A price of the wrong unit, or a currency without a rate.
    """
    shown = CURRENCIES.get(currency.upper(), currency.upper())
    if fx is not None and shown == "USD":
        raise InvalidInput(
            f"--fx is {fx:g} and no currency is named. Add --currency, as in CNY, or "
            "leave --fx out."
        )
    if fx is not None and not 0 < fx < float("inf"):
        raise InvalidInput(f"--fx is {fx:g}; give units of {shown} per dollar.")
    rates = {"USD": 1.0} | ({shown: fx} if fx is not None else {})
    per_usd = _rate(shown, rates)
    given = machine_prices(electricity, machine_price)
    kwh, hour = _usd(given.per_kwh, rates), _usd(given.per_hour, rates)
    return Tariff(kwh, hour, shown, per_usd)


def _usd(amount: Money | None, rates: Mapping[str, float]) -> float | None:
    return None if amount is None else amount.amount / _rate(amount.currency, rates)


def _rate(currency: str, rates: Mapping[str, float]) -> float:
    """Units of a currency per dollar."""
    if currency in rates:
        return rates[currency]
    try:
        return 1 / catalog.fx(currency).mid
    except UnknownName:
        raise InvalidInput(
            f"No rate of {currency} to the US dollar is catalogued. Give --currency "
            f"{currency} with --fx, in {currency} per dollar."
        ) from None
