"""The tables of the scorecard, from a run over the measurements that ship."""

import functools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dayrate import catalog
from dayrate.catalog.store import rows
from dayrate.validation.calibration import Shipped
from dayrate.validation.coverage import engine_name, inside, situation_of
from dayrate.validation.naive import RULES, naive_predictions
from dayrate.validation.predict import Predictions, predictions, regime
from dayrate.validation.published import published_table, sources
from dayrate.validation.ratchet import PARTS, by_part
from dayrate.validation.score import GROUP, LEVEL, Score, score
from dayrate.validation.table import Measurement

_WORST = 10
_FEW = 4  # rows; a cell of fewer is not listed among accelerators and engines


@dataclass(frozen=True)
class Run:
    """Predictions of the shipped rows, ours and those of the simple rules."""

    ours: Predictions
    within: np.ndarray
    rules: Mapping[str, Predictions]


@functools.cache
def run() -> Run:
    """Predict once for all tables of the page."""
    table = published_table().rows
    ours, _ = predictions(table, Shipped())
    rules = {name: naive_predictions(table, rule) for name, rule in RULES.items()}
    return Run(ours, inside(ours.rows, ours.log_error, LEVEL), rules)


def origin() -> Iterator[str]:
    """Write where the rows are from, and what permits them to be here."""
    yield from ("| source | rows | licence |", "| --- | ---: | --- |")
    for s in sources():
        link = s["reference"][0]
        n = sum(r.keys["source"].startswith(s["name"]) for r in published_table().rows)
        unread = "" if "licence_read" in s else "; file not read by us"
        yield f"| [{link['title']}]({link['href']}) | {n} | {s['licence']}{unread} |"


def against_rules() -> Iterator[str]:
    """Write our errors beside those of the rules that other calculators use."""
    found = {"dayrate": run().ours, **run().rules}
    scores = {name: by_part(p) for name, p in found.items()}
    yield "| rows | rule | scored | macro | median | p90 | off by (median) |"
    yield "| --- | --- |" + " ---: |" * 5
    for part in PARTS:
        for name, parts in scores.items():
            s = parts[part]
            times = f"{np.exp(s.median_abs_log_error or 0):.2f}×"
            yield f"| {part} | {name} | {s.scored} | {_three(s)} | {times} |"


def by_regime() -> Iterator[str]:
    """Write the error of every metric in every way of sending requests."""
    return _table("metric, requests", _regime, at_least=1)


def by_accelerator() -> Iterator[str]:
    """Write the error on every accelerator with some rows."""
    return _table("accelerator", lambda r: r.keys["gpu"], at_least=_FEW)


def by_engine() -> Iterator[str]:
    """Write the error on every engine with some rows."""
    return _table("engine", lambda r: engine_name(r.keys["engine"]), at_least=_FEW)


def worst() -> Iterator[str]:
    """Write the worst systems, and what is known of why."""
    ours = run().ours
    cells = _cells(lambda r: " · ".join(r.keys[c] for c in GROUP))
    ranked = sorted(
        cells.items(), key=lambda c: (-(c[1][1].median_abs_log_error or 0.0), c[0])
    )
    yield "| system | rows | median | bias | why |"
    yield "| --- | ---: | ---: | ---: | --- |"
    for name, (where, s) in ranked[:_WORST]:
        why = _reason([ours.rows[i] for i in where])
        figures = f"{s.median_abs_log_error:.2f} | {s.median_log_bias:+.2f}"
        yield f"| {name} | {s.scored} | {figures} | {why} |"


def out_of_fold() -> Iterator[str]:
    """Write errors and coverage on systems that the fit had not seen."""
    yield "| regime | rows | systems | macro | median | p90 | 50 % | 80 % | 95 % |"
    yield "| --- |" + " ---: |" * 8
    for r in rows("intervals"):
        if r["kind"] == "regime":
            errors = " | ".join(
                f"{r[f'{k}_abs_log_error']:.2f}" for k in ("macro", "median", "p90")
            )
            reached = " | ".join(f"{100 * v:.0f} %" for v in r["coverage"].values())
            head = f"`{r['id']}` | {r['rows']} | {r['groups']}"
            yield f"| {head} | {errors} | {reached} |"


def widening() -> Iterator[str]:
    """Write what each way of leaving the data widens an interval by."""
    yield from (
        "| outside the data | rows held out | factor |",
        "| --- | ---: | ---: |",
    )
    for r in rows("intervals"):
        if r["kind"] == "widening":
            yield f"| {r['of']} | {r['rows']} | {r['factor']:.2f} |"


def seen() -> Mapping[str, Any]:
    """Return the row that says what the intervals rest on."""
    return next(r for r in rows("intervals") if r["kind"] == "seen")


def _regime(row: Measurement) -> str:
    assert row.configuration is not None
    return f"`{row.metric}`, {regime(row.configuration).replace('_', ' ')}"


def _cells(name: Any) -> dict[str, tuple[list[int], Score]]:
    """Score rows by a name of each."""
    ours = run().ours
    members: dict[str, list[int]] = {}
    for i, row in enumerate(ours.rows):
        members.setdefault(name(row), []).append(i)
    groups = ours.groups(GROUP)
    return {
        key: (
            where,
            score(
                ours.log_error[where], [groups[i] for i in where], run().within[where]
            ),
        )
        for key, where in members.items()
    }


def _table(head: str, name: Any, *, at_least: int) -> Iterator[str]:
    yield f"| {head} | rows | macro | median | p90 | bias | in {LEVEL} % |"
    yield "| --- |" + " ---: |" * 6
    for key, (_, s) in sorted(_cells(name).items()):
        if s.scored >= at_least:
            bias = f"{s.median_log_bias or 0.0:+.2f}"
            share = f"{100 * (s.interval_coverage or 0.0):.0f} %"
            yield f"| {key} | {s.scored} | {_three(s)} | {bias} | {share} |"


def _three(s: Score) -> str:
    figures = (s.macro_abs_log_error, s.median_abs_log_error, s.p90_abs_log_error)
    return " | ".join("-" if x is None else f"{x:.2f}" for x in figures)


def _reason(members: Sequence[Measurement]) -> str:
    """Say what is known of a system: a note, else how it leaves the calibration."""
    row = members[0]
    for note in rows("measurements"):
        if note["kind"] == "reason" and _matches(note["match"], row):
            return str(note["why"])
    c = row.configuration
    assert c is not None
    device = catalog.accelerator(c.accelerator_id)
    level = Shipped().level(c)
    found = [f"kernel efficiencies of the {level}"] if level != "accelerator" else []
    kind = situation_of(c).architecture
    alike = Counter(
        situation_of(r.configuration).architecture
        for r in run().ours.rows
        if r.configuration is not None and r.configuration.accelerator_id == device.id
    )
    if alike[kind] == len(members):
        found.append(f"the only rows of {kind} attention on this device")
    return "; ".join(found) or "not explained"


def _matches(match: Mapping[str, str], row: Measurement) -> bool:
    return all(row.keys[c].startswith(value) for c, value in match.items())
