"""From rows in human units to SI types: the one place that multiplies."""

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from dayrate.catalog.hardware import Accelerator, Link, PartPowers, Server
from dayrate.catalog.price import Offer, Pricing
from dayrate.errors import InvalidInput
from dayrate.evidence import Estimate, Grade, Source
from dayrate.units import DAY_S, GB, GIB, KWH_J, MEGA, TERA, YEAR_DAYS, DType

__all__ = [
    "JOULES_PER_KWH",
    "W_S_PER_KW_MONTH",
    "W_S_PER_W_YEAR",
    "dated",
    "estimate",
    "generic_server",
    "grade",
    "parse_accelerator",
    "parse_link",
    "parse_offer",
    "parse_parts",
    "parse_server",
    "source",
    "times",
]

Row = Mapping[str, Any]
T = TypeVar("T")

JOULES_PER_KWH = KWH_J
W_S_PER_KW_MONTH = 1000 * YEAR_DAYS * DAY_S / 12
W_S_PER_W_YEAR = YEAR_DAYS * DAY_S

#: Forms whose unit price is already a share of a whole machine.
_SHARE_OF_MACHINE = ("SXM", "OAM", "NVL", "superchip", "SH5", "SoC")


def grade(name: str) -> Grade:
    """Return the grade that a data file names."""
    return Grade[name.upper()]


def source(row: Row, *, title: str = "", date: object = "") -> Source:
    """Where a row was read; ``title`` and ``date`` of a single figure win."""
    first = row["reference"][0]
    return Source(
        title=title or first["title"],
        href="" if title else first.get("href", ""),
        date=str(date or first.get("date", "")),
        checked=str(row["checked"]),
    )


def estimate(row: Row, value: Row | float, *, factor: float = 1.0) -> Estimate:
    """Read ``{low, mid, high, grade, source, date}``, or a number, times ``factor``."""
    if not isinstance(value, Mapping):
        value = {"low": value, "mid": value, "high": value}
    low, mid, high = (value[k] * factor for k in ("low", "mid", "high"))
    return Estimate(
        low,
        mid,
        high,
        grade(value.get("grade", row.get("grade", "assumed"))),
        source(row, title=value.get("source", ""), date=value.get("date", "")),
    )


def times(a: Estimate, b: Estimate, *, extra: float = 1.0) -> Estimate:
    """Multiply two non-negative estimates end by end; the weaker grade stands."""
    return Estimate(
        a.low * b.low * extra,
        a.mid * b.mid * extra,
        a.high * b.high * extra,
        max(a.grade, b.grade),
        a.source if a.grade >= b.grade else b.source,
    )


def dated(values: Mapping[Any, T], on: dt.date | None) -> tuple[str, T] | None:
    """Return the newest value on or before a day, with its date.

    >>> dated({"2024": 1.0, "2025-06": 2.0}, dt.date(2025, 1, 31))
    ('2024', 1.0)
    """
    known: Iterable[tuple[str, T]] = ((str(d), v) for d, v in values.items())
    if on is not None:
        known = ((d, v) for d, v in known if d <= on.isoformat())
    return max(known, key=lambda item: item[0], default=None)


def _newest_estimate(row: Row, key: str) -> Estimate | None:
    found = dated(row.get(key, {}), None)
    return estimate(row, {**found[1], "date": found[0]}) if found else None


def parse_link(row: Row, world_size: int) -> Link:
    """Read a link for a device that reaches ``world_size`` others by it."""
    return Link(
        name=row["name"],
        bytes_per_s=row["bandwidth_gb_per_s"] * GB,
        latency_s=row["latency_us"] / MEGA,
        relay_frac=row.get("relay_frac", 1.0),
        relay_s=row.get("relay_us", 0.0) / MEGA,
        world_size=world_size,
    )


def parse_accelerator(row: Row, links: Mapping[str, Row]) -> Accelerator:
    """Read one row of ``data/accelerators``."""
    return Accelerator(
        id=row["id"],
        name=row["name"],
        vendor=row["vendor"],
        generation=row["generation"],
        form=row["form"],
        year=row["year"],
        hbm_bytes=row["hbm_capacity_gib"] * GIB,
        hbm_bytes_per_s=row["hbm_bandwidth_gb_per_s"] * GB,
        peak_flop_per_s={
            DType(k): v * TERA for k, v in row["peak_dense_tflops"].items()
        },
        tdp_w=row.get("tdp_w"),
        link=parse_link(links[row["link"]["id"]], row["link"]["world_size"]),
        unit_price_usd=_newest_estimate(row, "unit_price_usd"),
        aliases=tuple(row.get("aliases", ())),
        source=source(row),
        confidence=row["confidence"],
        notes=row.get("notes", ""),
    )


def parse_server(row: Row, links: Mapping[str, Row]) -> Server:
    """Read one row of kind ``server`` of ``data/servers``."""
    [(accelerator_id, n)] = row["accelerators"].items()
    return Server(
        id=row["id"],
        name=row["name"],
        accelerator_id=accelerator_id,
        accelerators=n,
        rated_w=estimate(row, row["rated_kw"], factor=1000),
        idle_w=estimate(row, row["idle_kw"], factor=1000),
        busy_w=estimate(row, row["busy_kw"], factor=1000),
        capex_usd=_newest_estimate(row, "capex_usd"),
        source=source(row),
        inter_node=parse_link(links[row["inter_node"]], 0),
        notes=row.get("notes", ""),
    )


def generic_server(
    device: Accelerator, generic: Row, links: Mapping[str, Row]
) -> Server:
    """Derive a machine that nobody catalogued from its accelerators; all assumed.

    Raises
    ------
    InvalidInput
        The power of the accelerator is not published.
    """
    if device.tdp_w is None:
        raise InvalidInput(
            f"The power of {device.id} is not published and no server with it is in "
            "the catalogue, so its energy is unknown. Choose another accelerator, or "
            "describe the server by its parts."
        )
    n = min(generic["max_accelerators"], device.link.world_size)
    rated = estimate(generic, generic["rated_frac_of_tdp"], factor=device.tdp_w * n)
    return Server(
        id=f"generic-{device.id}",
        name=f"{n} x {device.name}, derived",
        accelerator_id=device.id,
        accelerators=n,
        rated_w=rated,
        idle_w=times(rated, estimate(generic, generic["idle_frac_of_rated"])),
        busy_w=times(rated, estimate(generic, generic["busy_frac_of_rated"])),
        capex_usd=_generic_capex(device, generic, n),
        source=source(generic),
        inter_node=parse_link(links[generic["inter_node"]], 0),
        notes="not in the catalogue: derived from its accelerators, all assumed",
    )


def _generic_capex(device: Accelerator, generic: Row, n: int) -> Estimate | None:
    if device.unit_price_usd is None:
        return None
    shared = device.form.startswith(_SHARE_OF_MACHINE)
    kind = "sxm" if shared else "card"
    factor = estimate(generic, generic[f"capex_per_unit_price_{kind}"])
    return times(device.unit_price_usd, factor, extra=n)


def parse_parts(row: Row) -> PartPowers:
    """Read one row of kind ``parts`` of ``data/servers``."""
    return PartPowers(
        id=row["id"],
        name=row["name"],
        cpu_w=estimate(row, row["w_per_cpu"]),
        w_per_memory_byte=estimate(row, row["w_per_memory_gb"], factor=1 / GB),
        w_per_storage_byte=estimate(row, row["w_per_storage_tb"], factor=1 / TERA),
        w_per_network_bit_per_s=estimate(
            row, row["w_per_network_mbps"], factor=1 / MEGA
        ),
        source=source(row),
    )


def parse_offer(row: Row, on: dt.date | None) -> Offer | None:
    """Read one row of ``data/prices`` as of a day; ``None`` where it came later."""
    found = dated(row["values"], on)
    if found is None:
        return None
    date, usd_per_instance_hour = found
    seller, region, sku, pricing = row["id"].split("/")
    [(accelerator_id, n)] = row["accelerators"].items()
    return Offer(
        id=row["id"],
        seller=seller,
        sku=sku,
        region=region,
        accelerator_id=accelerator_id,
        accelerators_per_instance=n,
        pricing=Pricing(pricing),
        usd_per_accelerator_hour=usd_per_instance_hour / n,
        source=Source(
            title=row["reference"][0]["title"],
            href=row["reference"][0].get("href", ""),
            date=date,
            checked=str(row["checked"]),
        ),
        confidence=row["confidence"],
    )
