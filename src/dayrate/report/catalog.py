"""Rows of the catalogue as tables: what they say, and where it was read."""

import datetime
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from dayrate.catalog.listing import KINDS as LISTED
from dayrate.catalog.listing import catalog_rows
from dayrate.catalog.store import rows
from dayrate.errors import InvalidInput, UnknownName, did_you_mean
from dayrate.evidence import format_value
from dayrate.report.canvas import Canvas, Page
from dayrate.report.i18n import Words
from dayrate.report.labels import CONFIDENCE
from dayrate.report.numbers import significant

__all__ = ["KINDS", "found", "render_list", "render_row"]

Row = Mapping[str, Any]

KINDS = (*LISTED, "scenarios")
_ESTIMATE = {"low", "mid", "high"}
_SOURCES = ("reference", "source", "checked", "confidence")


def found(kind: str, name: str | None) -> list[dict[str, Any]]:
    """Return the rows of a kind; with ``name`` those of that id, alias or part of it.

    Raises
    ------
    InvalidInput
        There is no such kind.
    UnknownName
        No row of the kind is called so.
    """
    if kind not in KINDS:
        close = did_you_mean(kind, KINDS)
        hint = f" Did you mean {close}?" if close else ""
        raise InvalidInput(f"No catalogue of {kind!r}; give {_one_of(KINDS)}.{hint}")
    listed = rows(kind) if kind == "scenarios" else catalog_rows(kind)
    every = [_plain(row) for row in listed]
    if name is None:
        return every
    wanted = name.lower()
    exact = [row for row in every if wanted in _names(row)]
    partly = [row for row in every if any(wanted in n for n in _names(row))]
    if not partly:
        raise UnknownName(kind.removesuffix("s"), name, [str(r["id"]) for r in every])
    return exact or partly


def _one_of(choices: Sequence[str]) -> str:
    return f"{', '.join(choices[:-1])} or {choices[-1]}"


def _names(row: Row) -> list[str]:
    """Names of a row, in lower case; a model's also without its publisher."""
    names = [str(n).lower() for n in (row["id"], *row.get("aliases", ()))]
    owned = [n.rpartition("/")[2] for n in names if "config" in str(row.keys())]
    return [*names, *owned]


def _plain(value: Any) -> Any:
    """Turn what YAML reads into JSON types: dates become text."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_plain(v) for v in value]
    return value.isoformat() if isinstance(value, datetime.date) else value


def render_list(kind: str, rows_: Sequence[Row], page: Page) -> str:
    """Write a row per entry: its id and what matters most about it."""
    canvas = Canvas(page)
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(overflow="fold", max_width=page.width * 5 // 8)
    table.add_column(ratio=1)
    about = _ABOUT.get(kind, _name)
    for row in rows_:
        table.add_row(Text(str(row["id"]), style="bold"), Text(about(row, page.words)))
    canvas.write(table)
    return canvas.text()


def render_row(row: Row, page: Page) -> str:
    """Write all that the catalogue says about one entry, sources last."""
    _ = page.words
    canvas = Canvas(page)
    canvas.write(Text(str(row["id"]), style="bold"))
    facts = {k: v for k, v in row.items() if k not in {"id", *_SOURCES}}
    canvas.rows(_lines(facts))
    canvas.write()
    canvas.rows(
        (_(title), value)
        for title, value in (
            (_("source"), "\n".join(_references(row))),
            (_("last checked"), str(row.get("checked", ""))),
            (_("confidence"), _confidence(row, _)),
        )
        if value
    )
    return canvas.text()


def _confidence(row: Row, words: Words) -> str:
    level = str(row.get("confidence", ""))
    return words(CONFIDENCE.get(level, level))


def _lines(facts: Row, inside: str = "") -> Iterator[tuple[str, str]]:
    for key, value in facts.items():
        name = f"{inside}{key}"
        if isinstance(value, Mapping) and not value.keys() >= _ESTIMATE:
            yield from _lines(value, f"{name} ")
        elif isinstance(value, list) and any(isinstance(v, Mapping) for v in value):
            for i, item in enumerate(value, 1):
                inner = item if isinstance(item, Mapping) else {"": item}
                yield from _lines(inner, f"{name} {i} ")
        else:
            yield name, str(value) if key == "year" else _shown(value)


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        text = format_value(value["mid"])
        if value["low"] != value["high"]:
            low, high = format_value(value["low"]), format_value(value["high"])
            text += f" ({low} to {high})"
        grade = str(value.get("grade", ""))
        told = ", ".join(filter(None, (grade, str(value.get("date", "")))))
        source = str(value.get("source", ""))
        return "\n".join(filter(None, (f"{text}  {told}".rstrip(), source)))
    if isinstance(value, list):
        return ", ".join(_shown(v) for v in value)
    if isinstance(value, bool):
        return str(value).lower()
    return format_value(value)


def _references(row: Row) -> Iterator[str]:
    given = row.get("reference") or row.get("source") or ()
    for source in [given] if isinstance(given, Mapping | str) else given:
        if isinstance(source, str):
            yield source
            continue
        dated = f" ({source['date']})" if source.get("date") else ""
        link = f"\n{source['href']}" if source.get("href") else ""
        yield f"{source.get('title', '')}{dated}{link}"


def _name(row: Row, words: Words) -> str:
    told = (row.get(key) for key in ("title", "name", "notes", "how"))
    title = next(filter(None, told), "")
    if isinstance(title, Mapping):
        title = title.get(words.language) or title.get("en", "")
    return " ".join(title) if isinstance(title, list) else str(title)


def _model(row: Row, words: Words) -> str:
    """Write the published parameters, or what the row is made of."""
    total = row.get("published", {}).get("total_params")
    if isinstance(total, int | float):
        return f"{significant(total / 1e9)} × 10⁹ {words('parameters')}"
    return str(row.get("config_of") or _name(row, words))


def _accelerator(row: Row, _words: Words) -> str:
    peaks = row.get("peak_dense_tflops", {})
    fastest = next((k for k in ("bf16", "fp16", "fp32") if k in peaks), None)
    parts = [
        _with(row.get("hbm_capacity_gib"), "GiB"),
        _with(row.get("hbm_bandwidth_gb_per_s"), "GB/s"),
        _with(peaks.get(fastest), f"TFLOP/s {fastest}"),
        _with(row.get("tdp_w"), "W"),
    ]
    return ", ".join(filter(None, parts))


def _price(row: Row, words: Words) -> str:
    """Write the newest price; a row without one is of another kind."""
    price = row.get("usd_per_accelerator_hour")
    if price is None:
        return _fact(row, words)
    machines = ", ".join(
        f"{_shown(n)} × {k}" for k, n in row.get("accelerators", {}).items()
    )
    return f"{price:.2f} USD/h, {machines} ({row['date']})"


def _fact(row: Row, words: Words) -> str:
    """Write the kind and name of a row, then its newest figure."""
    name = ": ".join(filter(None, (str(row.get("kind", "")), _name(row, words))))
    for key, value in row.items():
        if key.startswith("values") and isinstance(value, Mapping) and value:
            day = max(value)
            unit = _unit(key, str(row.get("currency", "")))
            return f"{name}, {_newest(value[day])}{unit} ({day})"
    return name


def _unit(key: str, currency: str) -> str:
    """Read the unit in a key.

    >>> _unit("values_per_kwh", "CNY"), _unit("values_g_per_kwh", "")
    (' CNY/kWh', ' g/kWh')
    """
    text = key.removeprefix("values").replace("_per_", "/").replace("_", " ")
    text = text.replace("kwh", "kWh").replace("kw ", "kW-").replace("usd", "USD")
    return f" {currency}{text.strip()}" if currency or text else ""


def _newest(value: Any) -> str:
    return format_value(value["mid"] if isinstance(value, Mapping) else value)


def _with(value: Any, unit: str) -> str:
    return "" if value is None else f"{format_value(value)} {unit}"


_ABOUT: Mapping[str, Callable[[Row, Words], str]] = {
    "accelerators": _accelerator,
    "models": _model,
    "prices": _price,
    "servers": _fact,
    "sites": _fact,
}
