"""The day's bill: rented or owned machines, and what is paid beside them.

Every term is computed by `dayrate.cost` and written down with a formula over earlier
lines. A term that nobody gave and no source states is left out and listed as omitted.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from dayrate import catalog
from dayrate.catalog.hardware import Server
from dayrate.catalog.price import Offer, Pricing
from dayrate.compose.money import Exchange, Facility
from dayrate.compose.upkeep import side_terms
from dayrate.cost.breakdown import Cost
from dayrate.cost.capital import annual_capital
from dayrate.cost.owned import OwnedMachines, OwnedRates, owned_cost
from dayrate.cost.rented import RentedMachines, billed_accelerators, rented_cost
from dayrate.errors import InvalidInput, UnknownName
from dayrate.evidence import Grade
from dayrate.scenario.schema import EconomicsSection
from dayrate.scenario.working import Working
from dayrate.units import KWH_J, YEAR_DAYS

__all__ = ["Machines", "hourly_price", "machines_cost", "pricing_of", "write_total"]

INSIDE_RENT = "electricity, cooling, hosts and their network: inside the seller's price"
KW_MONTH_IN_W_S = 1e3 * YEAR_DAYS / 12 * 86_400
PER_DAY = f" / {YEAR_DAYS}"


@dataclass(frozen=True, slots=True)
class Machines:
    """What a bill is for; ``server`` is ``None`` where none is catalogued."""

    accelerator_id: str
    accelerators: float  # at the busiest hour
    accelerator_hours: float  # of the day
    server: Server | None
    kwh_per_day: float | None


def pricing_of(e: EconomicsSection, accelerator_id: str, w: Working) -> Pricing:
    """Take how the machines are paid for, and refuse two answers to that.

    Raises
    ------
    InvalidInput
        A price by the hour for owned machines, or two prices that differ.
    """
    offer = None if e.offer is None else _offer(e.offer, accelerator_id)
    named = "--offer" if offer else "--gpu-hour-price" if e.gpu_hour_price else ""
    if e.pricing is Pricing.OWNED and named:
        raise InvalidInput(
            f"{named} is a price of rented machines and --pricing is owned. "
            "Leave out one of the two."
        )
    if offer and e.gpu_hour_price:
        raise InvalidInput(
            "--offer and --gpu-hour-price both say what an hour costs. Give one."
        )
    if offer and e.pricing not in {None, offer.pricing}:
        raise InvalidInput(
            f"{offer.id} is a price for {offer.pricing.value} and --pricing says "
            "otherwise. Leave out one of the two."
        )
    given = e.pricing or (offer.pricing if offer else None)
    chosen = given or Pricing.ON_DEMAND
    why = "a price without commitment; set --pricing"
    w.choice("economics.pricing", chosen.value, given=given, why=why)
    return chosen


def machines_cost(
    m: Machines, pricing: Pricing, money: Exchange, site: Facility
) -> tuple[Cost, tuple[str, ...]]:
    """Price the day, and say what the price leaves out."""
    if pricing is Pricing.OWNED:
        return _owned(m, money, site)
    return _rented(m, pricing, money)


def write_total(cost: Cost, w: Working) -> None:
    """Write the total as the sum of its terms."""
    names = [_line(term) for term in cost.terms_usd]
    formula = " + ".join(names) if names else "0"
    w.derive("cost.total_usd_per_day", float(cost.total_usd), "USD/day", formula)


def _line(term: str) -> str:
    return f"cost.{term}_usd_per_day"


def _write_terms(cost: Cost, formulas: Mapping[str, str], w: Working) -> None:
    for term, usd in cost.terms_usd.items():
        if _line(term) not in w.ledger:
            w.derive(_line(term), float(usd), "USD/day", formulas[term])


def _rented(
    m: Machines, pricing: Pricing, money: Exchange
) -> tuple[Cost, tuple[str, ...]]:
    price, per_instance = hourly_price(m.accelerator_id, pricing, money)
    hours, line = _billed_hours(m, per_instance, money.w)
    rent = rented_cost(
        machines=RentedMachines(
            accelerators=m.accelerators,
            usd_per_accelerator_hour=price,
            hours_per_day=hours / m.accelerators,
        )
    )
    _write_terms(
        rent,
        {"accelerators": f"{line} * economics.usd_per_accelerator_hour"},
        money.w,
    )
    beside, left_out = side_terms(money)
    return rent + beside, (INSIDE_RENT, *left_out)


def hourly_price(
    accelerator_id: str, pricing: Pricing, money: Exchange
) -> tuple[float, int]:
    """Price of one accelerator for an hour, and how many a seller bills together."""
    e, name = money.economics, "economics.usd_per_accelerator_hour"
    given = money.usd(name, e.gpu_hour_price, "USD/h")
    if given is not None:
        return given, 1
    if e.offer is not None:
        offer = _offer(e.offer, accelerator_id)
        price = offer.usd_per_accelerator_hour
        money.w.fact(name, price, "USD/h", grade=Grade.CITED, source=str(offer.source))
        return price, offer.accelerators_per_instance
    listed = catalog.price_estimate(accelerator_id, pricing)
    return money.w.estimate(name, listed, "USD/h"), 1


def _offer(name: str, accelerator_id: str) -> Offer:
    known = {o.id: o for o in catalog.offers(accelerator_id)}
    if name not in known:
        raise UnknownName("price", name, known)
    return known[name]


def _billed_hours(m: Machines, per_instance: int, w: Working) -> tuple[float, str]:
    """Accelerator-hours that are paid for, and the line that says so."""
    name = "deployment.accelerator_hours"
    if per_instance == 1:
        return m.accelerator_hours, name
    count, billed = "economics.accelerators_per_instance", "economics.billed_hours"
    why = "the seller bills whole instances"
    w.fact(count, float(per_instance), "1", grade=Grade.CITED, source=why)
    whole = billed_accelerators(
        accelerators=m.accelerators, accelerators_per_instance=per_instance
    )
    hours = m.accelerator_hours * float(whole) / m.accelerators
    n = "deployment.accelerators"
    formula = f"{name} / {n} * ceil({n} / {count}) * {count}"
    return w.derive(billed, hours, "h/day", formula), billed


def _owned(
    m: Machines, money: Exchange, site: Facility
) -> tuple[Cost, tuple[str, ...]]:
    w = money.w
    if m.server is None or m.kwh_per_day is None:
        raise InvalidInput(
            f"No server with {m.accelerator_id} is catalogued, so owning it cannot be "
            "priced. Choose another --accelerator, or rent with --pricing on-demand."
        )
    machines = _bought(m, m.server, money)
    rates = _rates(money, site)
    _annuity(rates, w)
    bought = owned_cost(
        machines=machines, rates=rates, energy_j_per_day=m.kwh_per_day * KWH_J
    )
    _write_terms(bought, _OWNED_FORMULAS, w)
    beside, left_out = side_terms(money, provisioned_w=float(machines.provisioned_w))
    return bought + beside, (
        *left_out,
        "taxes, insurance, and machines for development and tests",
    )


_OUTLAY = "deployment.servers * economics.usd_per_server"
_CAPITAL = f"{_OUTLAY} * economics.annuity_frac_per_year{PER_DAY}"
_PLACE = (
    "deployment.provisioned_kw * economics.colocation_usd_per_kw_month * 12" + PER_DAY
)
_NETWORK = "economics.network_capex_frac"
_OWNED_FORMULAS = {
    "capital": _CAPITAL,
    "network_capital": f"{_CAPITAL} * {_NETWORK}",
    "storage_capital": f"{_CAPITAL} * economics.storage_capex_frac",
    "colocation": _PLACE,
    "spares": f"({_CAPITAL} * (1 + {_NETWORK}) + {_PLACE}) * economics.spares_frac",
    "electricity": "energy.kwh_per_day * economics.electricity_usd_per_kwh",
    "maintenance": f"{_OUTLAY} * (1 + {_NETWORK})"
    f" * economics.maintenance_frac_per_year{PER_DAY}",
}


def _bought(m: Machines, server: Server, money: Exchange) -> OwnedMachines:
    e, w = money.economics, money.w
    defaults = catalog.owned_defaults()
    name = "economics.usd_per_server"
    price = money.usd(name, e.server_price, "USD")
    if price is None:
        if server.capex_usd is None:
            raise InvalidInput(
                f"No price of a server with {m.accelerator_id} is known. "
                "Give --server-price, or rent it with --gpu-hour-price."
            )
        price = w.estimate(name, server.capex_usd, "USD")
    servers = float(
        billed_accelerators(
            accelerators=m.accelerators / server.accelerators,
            accelerators_per_instance=1,
        )
    )
    w.derive(
        "deployment.servers",
        servers,
        "1",
        "ceil(deployment.accelerators / server.accelerators)",
    )
    rated_kw = w.estimate("server.rated_kw", server.rated_w, "kW", per=1e3)
    w.derive(
        "deployment.provisioned_kw",
        servers * rated_kw,
        "kW",
        "deployment.servers * server.rated_kw",
    )
    network = w.given_or(
        _NETWORK,
        e.network_capex_frac,
        "1",
        lambda: defaults.network_frac_of_server_capex,
    )
    storage = w.estimate(
        "economics.storage_capex_frac", defaults.storage_frac_of_server_capex, "1"
    )
    up = w.given_or(
        "economics.availability",
        e.availability,
        "1",
        lambda: defaults.availability_frac,
    )
    spares = 1 / up - 1
    w.derive("economics.spares_frac", spares, "1", "1 / economics.availability - 1")
    return OwnedMachines(
        servers=servers,
        usd_per_server=price,
        provisioned_w_per_server=rated_kw * 1e3,
        network_frac=network,
        storage_usd=servers * price * storage,
        spares_frac=spares,
    )


def _rates(money: Exchange, site: Facility) -> OwnedRates:
    e, w = money.economics, money.w
    d = catalog.owned_defaults()
    place = "economics.colocation_usd_per_kw_month"
    colocation = money.usd(place, e.colocation, "USD/kW/month")
    if colocation is None:
        colocation = w.estimate(
            place, d.colocation_usd_per_w_s, "USD/kW/month", per=1 / KW_MONTH_IN_W_S
        )
    return OwnedRates(
        discount_rate=w.given_or(
            "economics.discount_rate",
            e.discount_rate,
            "1/year",
            lambda: d.discount_frac_per_year,
        ),
        lifetime_years=w.given_or(
            "economics.lifetime_years",
            e.lifetime_years,
            "year",
            lambda: d.lifetime_years,
        ),
        usd_per_kwh=site.usd_per_kwh,
        residual_frac=w.given_or(
            "economics.residual_frac", e.residual_frac, "1", lambda: d.residual_frac
        ),
        usd_per_kw_month=colocation,
        maintenance_frac=w.given_or(
            "economics.maintenance_frac_per_year",
            e.maintenance_frac_per_year,
            "1/year",
            lambda: d.maintenance_frac_per_year,
        ),
    )


def _annuity(rates: OwnedRates, w: Working) -> None:
    """Write the yearly share of the outlay, less what a resale brings."""
    r, n = "economics.discount_rate", "economics.lifetime_years"
    left = "economics.residual_frac"
    share = annual_capital(
        outlay_usd=1.0,
        discount_rate=rates.discount_rate,
        lifetime_years=rates.lifetime_years,
        residual_frac=rates.residual_frac,
    )
    formula = f"{r} / (1 - (1 + {r}) ** -{n}) - {left} * {r} / ((1 + {r}) ** {n} - 1)"
    if rates.discount_rate == 0:
        formula = f"(1 - {left}) / {n}"
    w.derive("economics.annuity_frac_per_year", float(share), "1/year", formula)
