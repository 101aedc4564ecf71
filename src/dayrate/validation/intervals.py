"""Estimate the shipped prediction intervals from tables of published measurements.

``python -m dayrate.validation.intervals TABLE.csv ...`` rewrites
``data/intervals/intervals.yaml``: quantiles by regime from errors on (architecture,
accelerator) pairs that the fit had not seen, and what each way of leaving the data
widens them by, from holding out whole accelerators, generations, architectures and
engines, the longest and shortest requests, and the largest and smallest batches.
"""

import datetime
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import yaml

import dayrate
from dayrate.perf.interval import LEVELS, Errors
from dayrate.perf.novelty import KINDS, Situation
from dayrate.validation.calibration import Calibration, Shipped
from dayrate.validation.conformal import (
    nested_inside,
    regime_in,
    regimes_of,
    stretch,
)
from dayrate.validation.coverage import regime_names, situation_of
from dayrate.validation.crossval import OutOfFold, cross_validated
from dayrate.validation.predict import predictions
from dayrate.validation.score import GROUP, score
from dayrate.validation.table import Measurement, Table, read_table

__all__ = ["estimate", "main"]

Floats = npt.NDArray[np.float64]
Fit = Callable[[Sequence[Measurement]], Calibration]
FILE = Path(dayrate.__file__).parent / "data" / "intervals" / "intervals.yaml"
_FAR = 0.1  # share of rows at either end that stand for far lengths and batches
_PARTS = 5  # whole levels held out together
_RANGES = ("input_tokens", "output_tokens", "batch")
HEAD = """\
# How far predictions are off: quantiles of ln(predicted / measured) over published rows
# whose (architecture, accelerator) pair the fit had not seen, by regime and level, and
# what each way of leaving the data widens them by (the factor that lets the 80 % bounds
# cover rows of accelerators, engines, ... that were held out whole).
# Written by: python -m dayrate.validation.intervals TABLE.csv ...
"""


def main(paths: Sequence[str]) -> None:
    """Read the tables, estimate, and rewrite the shipped file."""
    table = _joined([read_table(p) for p in paths])
    rows = estimate(table, names=[Path(p).name for p in paths])
    FILE.write_text(HEAD + _yaml(rows), encoding="utf-8")


def estimate(table: Table, *, names: Sequence[str]) -> list[dict[str, Any]]:
    """Return the rows of the shipped file.

    Parameters
    ----------
    table : Table
        All measurements; tier A counts.
    names : sequence of str
        What the tables are called, to say where the figures come from.
    """
    found = cross_validated(table)
    labels = regime_names(found.rows)
    groups = [tuple(r.keys[c] for c in GROUP) for r in found.rows]
    regimes = regimes_of(found.log_error, labels, groups)
    reached = {
        level: nested_inside(found.log_error, labels, groups, found.fold, level)
        for level in LEVELS
    }
    settings = [situation_of(r.configuration) for r in found.rows if r.configuration]
    written = [_seen_row(settings, names)]
    written += [_regime_row(r, regimes[r], reached, found, labels) for r in regimes]
    for kind in KINDS:
        written.append(_widening_row(kind, found.rows, settings, regimes))
    return written


def _joined(tables: Sequence[Table]) -> Table:
    unknown = dict.fromkeys(c for t in tables for c in t.unknown_columns)
    return Table(tuple(r for t in tables for r in t.rows), tuple(unknown))


def _regime_row(
    name: str,
    errors: Errors,
    reached: Mapping[int, npt.NDArray[np.bool_]],
    found: OutOfFold,
    labels: Sequence[tuple[str, str]],
) -> dict[str, Any]:
    where = np.array([name in {"all", m, f"{m}/{kind}"} for m, kind in labels])
    groups = [
        tuple(r.keys[c] for c in GROUP)
        for r, here in zip(found.rows, where, strict=True)
        if here
    ]
    scored = score(found.log_error[where], groups)
    return {
        "id": name,
        "kind": "regime",
        "rows": errors.n,
        "groups": scored.groups,
        "median": round(errors.median, 4),
        "quantiles": {
            level: [round(low, 4), round(high, 4)]
            for level, (low, high) in errors.quantiles.items()
        },
        "coverage": {k: round(float(v[where].mean()), 3) for k, v in reached.items()},
        "macro_abs_log_error": round(scored.macro_abs_log_error or 0.0, 4),
        "median_abs_log_error": round(scored.median_abs_log_error or 0.0, 4),
        "p90_abs_log_error": round(scored.p90_abs_log_error or 0.0, 4),
    }


def _seen_row(settings: Sequence[Situation], names: Sequence[str]) -> dict[str, Any]:
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    title = "out-of-fold errors on published measurements: " + ", ".join(names)
    return {
        "id": "seen",
        "kind": "seen",
        "date": today,
        "confidence": "fitted",
        "reference": [{"title": title}],
        "accelerator": sorted({s.accelerator_id for s in settings}),
        "generation": sorted({s.generation for s in settings}),
        "architecture": sorted({s.architecture for s in settings}),
        "engine": sorted({s.engine for s in settings if s.engine}),
        "range": {
            name: [float(min(values)), float(max(values))]
            for name in _RANGES
            if (values := _known(settings, name))
        },
    }


def _known(settings: Sequence[Situation], name: str) -> list[float]:
    values = (getattr(s, name) for s in settings)
    return [v for v in values if v is not None]


def _widening_row(
    kind: str,
    rows: Sequence[Measurement],
    settings: Sequence[Situation],
    regimes: Mapping[str, Errors],
) -> dict[str, Any]:
    kept, errors = held_out(rows, _labels(kind, settings))
    known = [regime_in(regimes, name) for name in regime_names(kept)]
    return {
        "id": f"outside/{kind}",
        "kind": "widening",
        "of": kind,
        "factor": round(stretch(errors, known), 3),
        "rows": len(kept),
    }


def _labels(kind: str, settings: Sequence[Situation]) -> list[str]:
    """Name what each row is held out with; "" stays in."""
    if kind == "length":
        ends = [_ends(settings, name) for name in _RANGES[:2]]
        return [a or b for a, b in zip(*ends, strict=True)]
    if kind == "batch":
        return _ends(settings, "batch")
    name = "accelerator_id" if kind == "accelerator" else kind
    return [getattr(s, name) or "" for s in settings]


def _ends(settings: Sequence[Situation], name: str) -> list[str]:
    low, high = np.quantile(_known(settings, name), [_FAR, 1 - _FAR])
    values = [getattr(s, name) for s in settings]
    return [
        "" if v is None or low < v < high else f"{name} {'low' if v <= low else 'high'}"
        for v in values
    ]


def held_out(
    rows: Sequence[Measurement], labels: Sequence[str], fit: Fit = lambda _: Shipped()
) -> tuple[tuple[Measurement, ...], Floats]:
    """Predict each row by a fit that has seen no row of its label.

    Labels are dealt to a few parts, held out one part at a time.
    """
    parts: dict[int, list[int]] = defaultdict(list)
    order = {name: i % _PARTS for i, name in enumerate(sorted(set(labels) - {""}))}
    for i, label in enumerate(labels):
        if label:
            parts[order[label]].append(i)
    kept: list[Measurement] = []
    errors = [np.zeros(0)]
    for where in parts.values():
        out = set(where)
        calibration = fit([r for i, r in enumerate(rows) if i not in out])
        found, _ = predictions([rows[i] for i in where], calibration)
        kept += found.rows
        errors.append(found.log_error)
    return tuple(kept), np.concatenate(errors)


def _yaml(rows: Sequence[Mapping[str, Any]]) -> str:
    plain = [dict(r) for r in rows]
    return yaml.safe_dump(
        plain, sort_keys=False, width=100, allow_unicode=True, default_flow_style=None
    )


if __name__ == "__main__":
    main(sys.argv[1:])
