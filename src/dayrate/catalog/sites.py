"""Where the machines stand: electricity, PUE, grid carbon, rent, exchange rates."""

import datetime as dt
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dayrate.catalog.load import (
    JOULES_PER_KWH,
    W_S_PER_KW_MONTH,
    W_S_PER_W_YEAR,
    Row,
    dated,
    estimate,
    grade,
    source,
    times,
)
from dayrate.catalog.names import NameIndex, name_index
from dayrate.catalog.store import rows
from dayrate.errors import InvalidInput
from dayrate.evidence import Estimate
from dayrate.units import MEGA

__all__ = [
    "OwnedDefaults",
    "Site",
    "colocation",
    "electricity",
    "fx",
    "grid_carbon",
    "owned_defaults",
    "pue",
    "site",
    "site_ids",
]


@dataclass(frozen=True, slots=True)
class Site:
    """The facts of a place, in SI units."""

    id: str
    name: str
    electricity_usd_per_j: Estimate
    pue: Estimate
    carbon_kg_per_j: Estimate


@dataclass(frozen=True, slots=True)
class OwnedDefaults:
    """What owning machines takes besides their price."""

    discount_frac_per_year: Estimate
    lifetime_years: Estimate
    residual_frac: Estimate
    network_frac_of_server_capex: Estimate
    storage_frac_of_server_capex: Estimate
    maintenance_frac_per_year: Estimate
    colocation_usd_per_w_s: Estimate  # rent of provisioned power, without electricity
    staff_per_w: Estimate
    staff_usd_per_person_s: Estimate
    software_usd_per_accelerator_s: Estimate
    availability_frac: Estimate


def electricity(region: str, on: dt.date | None = None) -> Estimate:
    """Price of electricity in USD per joule, at the exchange rate of its date.

    >>> round(electricity("us-iowa").mid * 3.6e6, 4)
    0.0604
    """
    row = _row("electricity", region)
    date, value = _newest(row, "values_per_kwh", on)
    price = estimate(row, {**value, "date": date}, factor=1 / JOULES_PER_KWH)
    if row["currency"] == "USD":
        return price
    return times(price, fx(row["currency"], dt.date.fromisoformat(f"{date}-01"[:10])))


def pue(name: str, on: dt.date | None = None) -> Estimate:
    """Facility energy over IT energy. [1]

    >>> pue("google").mid
    1.09
    """
    row = _row("pue", name)
    date, value = _newest(row, "values", on)
    return estimate(row, {**value, "date": date})


def grid_carbon(country: str, on: dt.date | None = None) -> Estimate:
    """Mean carbon intensity of a country's grid in kg of CO2 per joule.

    >>> round(grid_carbon("FR").mid * 3.6e9, 1)
    56.0
    """
    row = _row("carbon", country)
    _, grams = _newest(row, "values_g_per_kwh", on)
    return estimate(row, grams, factor=1 / (1000 * JOULES_PER_KWH))


def colocation(region: str, on: dt.date | None = None) -> Estimate:
    """Rent of provisioned power without electricity, in USD per watt-second.

    >>> round(colocation("north-america").mid * 1000 * 365.25 * 86400 / 12, 2)
    184.06
    """
    row = _row("colocation", region)
    _, rent = _newest(row, "values_usd_per_kw_month", on)
    return estimate(row, rent, factor=1 / W_S_PER_KW_MONTH)


def fx(currency: str, on: dt.date | None = None) -> Estimate:
    """USD for one unit of a currency.

    >>> round(1 / fx("CNY").mid, 2)
    7.2
    """
    row = _row("fx", currency)
    date, rate = _newest(row, "values_usd_per_unit", on)
    return estimate(
        row, {"low": rate, "mid": rate, "high": rate, "date": date, **_graded(row)}
    )


def site_ids() -> tuple[str, ...]:
    """Ids of the places."""
    return tuple(_rows_of("site"))


def site(name: str) -> Site:
    """Return a place with its electricity, PUE and grid.

    >>> site("china").pue.mid
    1.4
    """
    row = _row("site", name)
    return Site(
        id=row["id"],
        name=row["name"],
        electricity_usd_per_j=electricity(row["electricity"]),
        pue=pue(row["pue"]),
        carbon_kg_per_j=grid_carbon(row["carbon"]),
    )


@functools.cache
def owned_defaults() -> OwnedDefaults:
    """Defaults of ownership, each with its range, source and grade.

    >>> owned_defaults().lifetime_years.mid
    5.0
    """
    per_w_s, per_year = 1 / W_S_PER_KW_MONTH, 1 / W_S_PER_W_YEAR
    return OwnedDefaults(
        discount_frac_per_year=_owned("discount_frac_per_year"),
        lifetime_years=_owned("lifetime_years"),
        residual_frac=_owned("residual_frac"),
        network_frac_of_server_capex=_owned("network_frac_of_server_capex"),
        storage_frac_of_server_capex=_owned("storage_frac_of_server_capex"),
        maintenance_frac_per_year=_owned("maintenance_frac_per_year"),
        colocation_usd_per_w_s=_owned("colocation_usd_per_kw_month", per_w_s),
        staff_per_w=_owned("staff_per_mw", 1 / MEGA),
        staff_usd_per_person_s=_owned("staff_usd_per_person_year", per_year),
        software_usd_per_accelerator_s=_owned(
            "software_usd_per_accelerator_year", per_year
        ),
        availability_frac=_owned("availability_frac"),
    )


def _owned(name: str, factor: float = 1.0) -> Estimate:
    row = _rows_of("owned")[name]
    return estimate(row, row["value"], factor=factor)


def _graded(row: Row) -> dict[str, str]:
    return {"grade": grade(row["grade"]).label, "source": source(row).title}


def _newest(row: Row, key: str, on: dt.date | None) -> tuple[str, Any]:
    found: tuple[str, Any] | None = dated(row[key], on)
    if found is None:
        first = min(map(str, row[key]))
        raise InvalidInput(
            f"{row['id']} has no value on {on}; its first is of {first}. "
            "Give a later date."
        )
    return found


@functools.cache
def _rows_of(kind: str) -> Mapping[str, Row]:
    return {r["id"]: r for r in rows("sites") if r["kind"] == kind}


@functools.cache
def _names(kind: str) -> NameIndex:
    known = _rows_of(kind).items()
    return name_index("site", {i: r.get("aliases", ()) for i, r in known})


def _row(kind: str, name: str) -> Row:
    return _rows_of(kind)[_names(kind).resolve(name)]
