"""Currencies to US dollars, and the rates of the place where machines stand."""

from dataclasses import dataclass

from dayrate import catalog
from dayrate.catalog.price import Pricing
from dayrate.errors import InvalidInput, UnknownName
from dayrate.scenario.quantity import Money
from dayrate.scenario.schema import EconomicsSection
from dayrate.scenario.working import Working
from dayrate.units import KWH_J

__all__ = ["Exchange", "Facility", "exchange", "facility"]

RENTED_SITE, OWNED_SITE = "us-hyperscale", "us-colocation"
SITE_OF_CURRENCY = {"CNY": "china", "EUR": "eu-colocation"}


@dataclass(frozen=True, slots=True)
class Exchange:
    """Turns what was given in any currency into US dollars."""

    currency: str
    per_usd: float
    economics: EconomicsSection
    w: Working

    def usd(self, name: str, money: Money | None, unit: str) -> float | None:
        """Record an amount that was given, in dollars; ``None`` stays ``None``."""
        if money is None:
            return None
        if money.currency == "USD":
            return self.w.given(name, money.amount, unit)
        rate = self._line(money.currency)
        original = f"{name}_{money.currency.lower()}"
        self.w.given(original, money.amount, unit.replace("USD", money.currency))
        per_usd = self.w.ledger[rate].value
        assert isinstance(per_usd, float)
        return self.w.derive(name, money.amount / per_usd, unit, f"{original} / {rate}")

    def _line(self, currency: str) -> str:
        """Name of the line with units of ``currency`` per dollar."""
        name = f"economics.{currency.lower()}_per_usd"
        if name not in self.w.ledger:
            _per_usd(currency, None, self.w)
        return name


def exchange(economics: EconomicsSection, w: Working) -> Exchange:
    """Fix the currency that amounts are shown in, and its rate."""
    if economics.currency == "USD":
        if economics.fx is not None:
            raise InvalidInput(
                f"--fx is {economics.fx:g} and no currency is named. "
                "Add --currency, as in CNY, or leave --fx out."
            )
        return Exchange("USD", 1.0, economics, w)
    per_usd = _per_usd(economics.currency, economics.fx, w)
    return Exchange(economics.currency, per_usd, economics, w)


def _per_usd(currency: str, given: float | None, w: Working) -> float:
    name, unit = f"economics.{currency.lower()}_per_usd", f"{currency}/USD"
    if given is not None:
        return w.given(name, given, unit)
    try:
        usd = catalog.fx(currency)
    except UnknownName:
        raise InvalidInput(
            f"No rate of {currency} to the US dollar is catalogued. "
            f"Give --currency {currency} with --fx, in {currency} per dollar."
        ) from None
    source = f"{usd.source}; set --fx"
    return w.fact(name, 1 / usd.mid, unit, grade=usd.grade, source=source)


@dataclass(frozen=True, slots=True)
class Facility:
    """What the building adds: cooling, a tariff, a grid."""

    pue: float
    usd_per_kwh: float
    kg_co2_per_kwh: float


def facility(money: Exchange, pricing: Pricing, w: Working) -> Facility:
    """Take the site's PUE, tariff and grid, each unless given."""
    economics = money.economics
    found = catalog.site(economics.site or _usual_site(economics.currency, pricing))
    why = f"{found.name}; set --site"
    w.choice("economics.site", found.id, given=economics.site, why=why)
    pue = w.given_or("economics.pue", economics.pue, "1", lambda: found.pue)
    tariff = "economics.electricity_usd_per_kwh"
    usd_per_kwh = money.usd(tariff, economics.electricity, "USD/kWh")
    if usd_per_kwh is None:
        usd_per_kwh = w.estimate(
            tariff, found.electricity_usd_per_j, "USD/kWh", per=1 / KWH_J
        )
    carbon = "economics.carbon_kg_per_kwh"
    grams = economics.carbon_g_per_kwh
    if grams is not None:
        kg_per_kwh = w.given(carbon, grams / 1e3, "kg/kWh")
    else:
        kg_per_kwh = w.estimate(carbon, found.carbon_kg_per_j, "kg/kWh", per=1 / KWH_J)
    return Facility(pue, usd_per_kwh, kg_per_kwh)


def _usual_site(currency: str, pricing: Pricing) -> str:
    """Take who counts in a currency to stand where it is used."""
    usual = OWNED_SITE if pricing is Pricing.OWNED else RENTED_SITE
    return SITE_OF_CURRENCY.get(currency, usual)
