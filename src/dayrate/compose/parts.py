"""A machine described by its parts: CPUs, memory, storage, network, accelerators."""

from dayrate import catalog
from dayrate.catalog.hardware import PartPowers
from dayrate.catalog.price import Pricing
from dayrate.compose.money import Exchange, Facility
from dayrate.compose.upkeep import side_terms
from dayrate.cost.breakdown import Cost
from dayrate.cost.capital import annual_capital
from dayrate.cost.owned import electricity_usd_per_day
from dayrate.energy.power import component_powers_w, server_parts
from dayrate.errors import InvalidInput
from dayrate.scenario.schema import Scenario, ServerSection
from dayrate.scenario.working import Working
from dayrate.units import GB, KWH_J, MEGA, TERA, YEAR_DAYS

__all__ = ["check_alone", "parts_cost", "parts_power_w"]

_RENTED = ("gpu_hour_price", "offer", "server_price")


def check_alone(scenario: Scenario) -> None:
    """Refuse what a machine priced from its parts cannot answer: it serves no model.

    Raises
    ------
    InvalidInput
        Something beside the server and its economics is given, or it is rented.
    """
    given = scenario.given
    beside = [
        f"{s}.{k}" for s in ("model", "workload", "slo") for k in given.get(s, ())
    ]
    beside += [f"deployment.{k}" for k in given.get("deployment", ()) if k != "server"]
    beside += [f"economics.{k}" for k in _RENTED if k in given.get("economics", ())]
    pricing = scenario.economics.pricing
    if pricing not in {None, Pricing.OWNED}:
        beside.append(f"economics.pricing {pricing.value}")
    if beside:
        raise InvalidInput(
            "A server priced from its parts serves no model and is owned, so "
            f"{', '.join(beside)} does not apply. Leave it out, or leave the parts out."
        )


def parts_power_w(server: ServerSection, w: Working) -> float:
    """Mean draw of all servers of this kind, part by part. [W]

    Raises
    ------
    InvalidInput
        The description has no part that draws power.
    """
    powers = catalog.parts(server.coefficients)
    accelerator_w = _accelerator_w(server, w)
    parts = server_parts(
        powers,
        cpus=float(server.cpus),
        memory_bytes=server.memory_gb * GB,
        storage_bytes=server.storage_tb * TERA,
        network_bit_per_s=server.network_mbps * MEGA,
        accelerators=float(server.accelerators),
        accelerator_w=accelerator_w,
    )
    watts = {name: float(p) for name, p in component_powers_w(parts).items()}
    if not sum(watts.values()):
        raise InvalidInput(
            "The server has no parts that draw power. "
            "Give --cpus, --memory-gb, --storage-tb, --network-mbps or accelerators."
        )
    _write_parts(server, powers, watts, w)
    total = sum(watts.values()) * server.count * server.utilisation
    w.derive(
        "energy.mean_it_power_kw",
        total / 1e3,
        "kW",
        f"({' + '.join(f'server.{name}_w' for name in watts)})"
        " * server.count * server.utilisation / 1000",
    )
    return total


def _accelerator_w(server: ServerSection, w: Working) -> float:
    if server.accelerator is None:
        return 0.0
    power = catalog.serving_power(server.accelerator)
    w.choice("server.accelerator", power.accelerator_id, given=True, why="")
    return w.estimate("server.w_per_accelerator", power.serving_w, "W")


def _write_parts(
    server: ServerSection, powers: PartPowers, watts: dict[str, float], w: Working
) -> None:
    port_w = powers.w_per_network_bit_per_s
    w.given("server.count", float(server.count), "1")
    said = "utilisation" in server.model_fields_set
    w.assumed(
        "server.utilisation",
        server.utilisation if said else None,
        "1",
        default=server.utilisation,
        why="all parts at their full watts; set --server-utilisation",
    )
    for name, amount, unit, per_unit, scale in (
        ("cpus", float(server.cpus), "1", powers.cpu_w, 1.0),
        ("memory", server.memory_gb, "GB", powers.w_per_memory_byte, GB),
        ("storage", server.storage_tb, "TB", powers.w_per_storage_byte, TERA),
        ("network", server.network_mbps, "Mbit/s", port_w, MEGA),
    ):
        w.given(f"server.{name}", amount, unit)
        per = "W" if unit == "1" else f"W/({unit})"
        w.estimate(f"server.w_per_{name}", per_unit, per, per=1 / scale)
        w.derive(
            f"server.{name}_w", watts[name], "W", f"server.{name} * server.w_per_{name}"
        )
    w.given("server.accelerators", float(server.accelerators), "1")
    used = "server.w_per_accelerator" if server.accelerator else "0"
    w.derive(
        "server.accelerators_w",
        watts["accelerators"],
        "W",
        f"server.accelerators * {used}",
    )


def parts_cost(
    server: ServerSection, kwh_per_day: float, money: Exchange, site: Facility
) -> tuple[Cost, tuple[str, ...]]:
    """Electricity of the day, and capital where a price was given."""
    w = money.w
    usd = float(
        electricity_usd_per_day(
            energy_j_per_day=kwh_per_day * KWH_J, usd_per_kwh=site.usd_per_kwh
        )
    )
    w.derive(
        "cost.electricity_usd_per_day",
        usd,
        "USD/day",
        "energy.kwh_per_day * economics.electricity_usd_per_kwh",
    )
    terms = {"electricity": usd}
    left_out = ["place in a data centre, maintenance"]
    price = money.usd("economics.usd_per_server", server.price, "USD")
    if price is None:
        left_out.insert(0, "the machine itself: set --parts-price")
    else:
        terms = {"capital": _capital(price, server.count, money), **terms}
    beside, others = side_terms(money)
    return Cost(terms) + beside, (*left_out, *others)


def _capital(price: float, count: int, money: Exchange) -> float:
    e, w, d = money.economics, money.w, catalog.owned_defaults()
    rate_name, years_name = "economics.discount_rate", "economics.lifetime_years"
    rate = w.given_or(
        rate_name, e.discount_rate, "1/year", lambda: d.discount_frac_per_year
    )
    years = w.given_or(years_name, e.lifetime_years, "year", lambda: d.lifetime_years)
    yearly = annual_capital(
        outlay_usd=price * count, discount_rate=rate, lifetime_years=years
    )
    recovery = f"{rate_name} / (1 - (1 + {rate_name}) ** -{years_name})"
    return w.derive(
        "cost.capital_usd_per_day",
        float(yearly) / YEAR_DAYS,
        "USD/day",
        f"economics.usd_per_server * server.count * "
        f"{recovery if rate else f'1 / {years_name}'} / {YEAR_DAYS}",
    )
