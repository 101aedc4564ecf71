"""What a day of machines draws and costs."""

from dataclasses import dataclass

from dayrate.catalog.price import Pricing
from dayrate.compose.bill import Machines, machines_cost
from dayrate.compose.held import Held
from dayrate.compose.money import Exchange, exchange, facility
from dayrate.compose.power import serving_energy
from dayrate.compose.resolve import Resolved
from dayrate.cost.breakdown import Cost
from dayrate.scenario.result import Energy
from dayrate.scenario.schema import EconomicsSection
from dayrate.scenario.working import Working

__all__ = ["PricedDay", "price_day"]


@dataclass(frozen=True, slots=True)
class PricedDay:
    """Energy and cost of a day, and what the cost leaves out."""

    energy: Energy
    cost: Cost
    left_out: tuple[str, ...]
    money: Exchange


def price_day(
    economics: EconomicsSection, r: Resolved, held: Held, pricing: Pricing, w: Working
) -> PricedDay:
    """Price the machines that are held for a day at a place."""
    money = exchange(economics, w)
    site = facility(money, pricing, w)
    energy = serving_energy(r, held, site, w)
    machines = Machines(
        r.accelerator.id,
        held.accelerators,
        held.accelerator_hours,
        r.server,
        energy.kwh_per_day,
    )
    cost, left_out = machines_cost(machines, pricing, money, site)
    return PricedDay(energy, cost, left_out, money)
