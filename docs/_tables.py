"""Tables of the pages, written from the code and the data that they describe.

`python docs/_tables.py` rewrites the JSON Schema of a scenario file.
"""

import dataclasses
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import dayrate
from dayrate.catalog.store import rows
from dayrate.evidence import format_value
from dayrate.perf.engines import engine_names, served_by
from dayrate.perf.tuning import QUANTITIES
from dayrate.scenario.flags import FLAGS
from dayrate.scenario.result import ClaimCheck
from dayrate.scenario.schema import Scenario

REFERENCE = Path(__file__).parent / "reference"
SCHEMA = REFERENCE / "scenario.schema.json"


def schema_text() -> str:
    """Write the JSON Schema of a scenario file."""
    schema = Scenario.model_json_schema()
    return json.dumps(schema, ensure_ascii=False, indent=2) + "\n"


# --- the keys of a scenario file ---------------------------------------------------


def scenario_keys() -> Iterator[str]:
    """Write one table per section: key, type, unit, meaning, flag."""
    schema = Scenario.model_json_schema()
    flags = {path: f"`--{flag.replace('_', '-')}`" for flag, path in FLAGS.items()}
    for path, section in _sections(schema, ()):
        yield from (
            f"## `{'.'.join(path)}`",
            section["description"].replace("``", "`"),
            "",
        )
        yield from ("| key | type | unit | meaning | flag |", "|" + " --- |" * 5)
        for key, field in section["properties"].items():
            if _section_of(schema, field) is None:
                shown = (*_type_and_unit(schema, field), field.get("description", ""))
                cells = " | ".join([*shown, flags.get((*path, key), "")])
                yield f"| `{key}` | {cells} |"
        yield ""


def _sections(
    schema: Mapping[str, Any], path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every section below ``path``, with where it is."""
    section: Any = schema
    for key in path:
        section = _section_of(schema, section["properties"][key])
    if path:
        yield path, section
    for key, field in section["properties"].items():
        if _section_of(schema, field) is not None:
            yield from _sections(schema, (*path, key))


def _section_of(schema: Mapping[str, Any], field: Mapping[str, Any]) -> Any:
    """Return the section that a field holds, or ``None`` for a value."""
    for option in _options(field):
        target = schema["$defs"].get(option.get("$ref", "").rpartition("/")[2], {})
        if "properties" in target:
            return target
    return None


def _options(field: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for option in field.get("anyOf", [field]):
        if "anyOf" in option:
            yield from _options(option)
        elif option.get("type") != "null":
            yield option


def _type_and_unit(
    schema: Mapping[str, Any], field: Mapping[str, Any]
) -> tuple[str, str]:
    kinds, unit = [], ""
    for option in _options(field):
        name = option.get("$ref", "").rpartition("/")[2]
        target = schema["$defs"].get(name, option)
        about = option.get("description", "")
        if about.startswith("with a unit, read as "):
            unit = about.removeprefix("with a unit, read as ")
            continue
        if isinstance(target.get("type"), list):
            kinds.append("number, ≥ 0")
            unit = about
        elif "enum" in target:
            kinds.append(_choice(target["enum"]))
        else:
            kinds.append(_TYPES[target["type"]] + _domain(target))
    return " or ".join(kinds), unit


def _choice(names: Sequence[str]) -> str:
    if len(names) > _MANY:
        return "a number format"
    return " \\| ".join(f"`{name}`" for name in names)


_MANY = 8  # more are listed on the page
_TYPES = {
    "string": "text",
    "number": "number",
    "integer": "whole number",
    "boolean": "true or false",
    "array": "list of numbers",
}


def _domain(target: Mapping[str, Any]) -> str:
    signs = {
        "exclusiveMinimum": "> ",
        "minimum": "≥ ",
        "maximum": "≤ ",
        "exclusiveMaximum": "< ",
    }
    return "".join(f", {sign}{target[k]:g}" for k, sign in signs.items() if k in target)


# --- the JSON document -------------------------------------------------------------


def json_text(value: Any) -> str:
    """Write JSON with rounded floats: the last digits differ between machines."""
    return json.dumps(_rounded(value), ensure_ascii=False, indent=2)


def _rounded(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _rounded(v) for key, v in value.items()}
    if isinstance(value, list):
        return [_rounded(v) for v in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value


def document_fields(kind: Any, *, skip: tuple[str, ...] = ()) -> Iterator[str]:
    """Write the fields of a part of an answer, with the glossary's unit and meaning."""
    glossary = _glossary()
    yield from ("| key | type | unit | meaning |", "|" + " --- |" * 4)
    for field in dataclasses.fields(kind):
        if field.name in skip:
            continue
        unit, meaning = glossary[field.name]
        yield f"| `{field.name}` | {_json_type(str(field.type))} | {unit} | {meaning} |"


def _glossary() -> dict[str, tuple[str, str]]:
    rows = {}
    text = (REFERENCE / "nomenclature.md").read_text(encoding="utf-8")
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `") and len(cells) == 3:
            for name in cells[0].split(","):
                rows[name.strip(" `")] = (cells[1], cells[2])
    return rows


def _json_type(annotation: str) -> str:
    numbers = {"int", "float"}
    kind = annotation.replace("<class '", "").replace("'>", "")
    names = [part.strip() for part in kind.split("|")]
    known = [_json_name(n, numbers) for n in names if n != "None"]
    return " or ".join(known + ["null"] * ("None" in names))


def _json_name(name: str, numbers: set[str]) -> str:
    if name.startswith("tuple"):
        return "array"
    return "number" if name in numbers else {"str": "string"}.get(name, name)


# --- published estimates -----------------------------------------------------------


def published_claims() -> Iterator[str]:
    """Write every claim of the shipped scenarios beside what its assumptions give."""
    head = "| scenario | claim | unit | published | recomputed | ratio | verdict |"
    yield from (head, "|" + " --- |" * 3 + " ---: |" * 3 + " --- |")
    for file in dayrate.shipped_scenarios():
        for claim in dayrate.quote(file).published:
            unit = "" if claim.unit == "1" else claim.unit
            cells = (
                f"`{file.id}`",
                claim.name,
                unit,
                format_value(claim.published),
                _short(claim.computed, 6),
                _short(claim.ratio, 3),
                verdict(claim),
            )
            yield f"| {' | '.join(cells)} |"


def verdict(claim: ClaimCheck) -> str:
    """Say whether a published figure follows from its own assumptions."""
    if claim.holds:
        return "holds"
    return "does not hold" if claim.expected else "**wrong**"


_BESIDE = (
    ("USD/day", "bill", "total_usd_per_day"),
    ("USD/1k token", "bill", "usd_per_1k_tokens"),
    ("accelerators", "deployment", "accelerators"),
    ("Wh/request", "energy", "wh_per_request"),
    ("kWh/day", "energy", "kwh_per_day"),
)


def own_answers() -> Iterator[str]:
    """Write what dayrate answers for the same demand, where the source says enough."""
    head = "| scenario | quantity | its own inputs | dayrate | ratio |"
    yield from (head, "|" + " --- |" * 2 + " ---: |" * 3)
    for file in dayrate.shipped_scenarios():
        theirs = dayrate.quote(file)
        if not theirs.published or theirs.engine is None:
            continue
        for unit, part, name in _BESIDE:
            published = getattr(getattr(theirs, part), name)
            own = getattr(getattr(theirs.engine, part), name)
            if published and own:
                pair = f"{_short(published)} | {_short(own)}"
                ratio = _short(own / published, 3)
                yield f"| `{file.id}` | {unit} | {pair} | {ratio} |"


def _short(value: float, digits: int = 4) -> str:
    return format_value(float(f"{value:.{digits}g}"))


if __name__ == "__main__":
    SCHEMA.write_text(schema_text(), encoding="utf-8")


# --- calibration --------------------------------------------------------------------


def engines() -> Iterator[str]:
    """Write the engines that a deployment may name, and what they admit."""
    head = "| engine | era | sequences | tokens of a step | chunked prefill | memory |"
    yield from (head, "|" + " --- |" * 6)
    for found in map(served_by, engine_names()):
        share = f"{found.gpu_memory_utilization:.0%}"
        if found.free_memory_frac < 1:
            share = f"{found.free_memory_frac:.0%} of what weights leave"
        chunked = "yes" if found.chunked_prefill else "no"
        limits = f"{found.max_num_seqs:,} | {found.max_num_batched_tokens:,}"
        yield f"| `{found.id}` | {found.era} | {limits} | {chunked} | {share} |"


def quantities() -> Iterator[str]:
    """Write what each factor multiplies, and how many there are by kind of scope."""
    fitted = [r for r in rows("calibration") if "quantity" in r]
    yield f"| quantity | what a factor multiplies | {' | '.join(_KINDS)} |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for name, meaning in QUANTITIES.items():
        kinds = [_kind(r["scope"]) for r in fitted if r["quantity"] == name]
        counts = [kinds.count(k) or "" for k in _KINDS]
        yield "| " + " | ".join(map(str, [f"`{name}`", meaning, *counts])) + " |"


_KINDS = ("all", "hardware", "engine", "engine on hardware", "model")


def _kind(scope: str) -> str:
    """Group the kinds of scopes."""
    kind = scope.split(":", maxsplit=1)[0]
    if kind == "engine" and " on " in scope:
        return "engine on hardware"
    hardware = dict.fromkeys(("vendor", "generation", "accelerator"), "hardware")
    other = {"all": "all", "family": "engine", "engine": "engine"}
    return (hardware | other).get(kind, "model")


def largest_factors(number: int) -> Iterator[str]:
    """Write the factors that are farthest from 1."""
    fitted = [r for r in rows("calibration") if "quantity" in r]
    fitted.sort(key=lambda r: -abs(math.log(r["factor"])))
    yield "| quantity | scope | factor | 80 % interval | rows | groups |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for r in fitted[:number]:
        interval = f"{r['low']:.2g} to {r['high']:.2g}"
        yield (
            f"| `{r['quantity']}` | {r['scope']} | {r['factor']:.2f} | {interval} | "
            f"{r['rows']:,} | {r['groups']} |"
        )


def fit_scores() -> Iterator[str]:
    """Write the cross-validated errors that the fit recorded."""
    fit = next(r for r in rows("calibration") if "cross_validated" in r)
    yield "| of | rows | macro | median | p90 |"
    yield "| --- | --- | --- | --- | --- |"
    for s in fit["cross_validated"]:
        yield (
            f"| {s['of']} | {s['rows']:,} | {s['macro']:.3f} | "
            f"{s['median']:.3f} | {s['p90']:.3f} |"
        )
