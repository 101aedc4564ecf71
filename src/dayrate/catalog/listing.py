"""Catalogue rows as shown to people: human units, sources, newest values."""

from typing import Any

from dayrate.catalog.load import parse_offer
from dayrate.catalog.store import Row, rows
from dayrate.errors import InvalidInput, did_you_mean

__all__ = ["KINDS", "catalog_rows"]

#: What ``dayrate catalog`` lists, by the folder of the data.
KINDS = ("models", "accelerators", "servers", "links", "prices", "sites", "workloads")


def catalog_rows(kind: str) -> list[dict[str, Any]]:
    """All rows of a kind, as in the data files, with one readable ``source``.

    Prices also get their newest value per accelerator-hour and its date.

    >>> catalog_rows("links")[0]["id"]
    'nvlink1'
    """
    if kind not in KINDS:
        close = did_you_mean(kind, KINDS)
        hint = f" Did you mean {close}?" if close else ""
        raise InvalidInput(
            f"There is no catalogue of {kind!r}.{hint} There are {', '.join(KINDS)}."
        )
    return [_shown(kind, row) for row in rows(kind)]


def _shown(kind: str, row: Row) -> dict[str, Any]:
    shown = {**row, "source": _sources(row)}
    if kind == "prices":
        offer = parse_offer(row, None)
        if offer:
            shown["usd_per_accelerator_hour"] = offer.usd_per_accelerator_hour
            shown["date"] = offer.source.date
    return shown


def _sources(row: Row) -> str:
    references = row.get("reference", ())
    return "; ".join(
        f"{r['title']} ({r['date']})" if r.get("date") else r["title"]
        for r in references
    )
