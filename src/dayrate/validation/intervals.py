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
from dayrate.validation.bench import Bench
from dayrate.validation.calibration import Calibration, Tuned
from dayrate.validation.conformal import (
    nested_inside,
    regime_in,
    regimes_of,
    stretch,
)
from dayrate.validation.coverage import regime_names, situation_of
from dayrate.validation.crossval import OutOfFold, cross_validated
from dayrate.validation.fit import refitting
from dayrate.validation.predict import predictions
from dayrate.validation.priors import PRIORS
from dayrate.validation.score import GROUP, score
from dayrate.validation.table import Measurement, Table, read_table

__all__ = ["estimate", "held_out", "main", "refitted"]

Floats = npt.NDArray[np.float64]
#: A calibration from the rows that are marked.
Fit = Callable[[npt.NDArray[np.bool_]], Calibration]
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
    """Read the tables, estimate, and rewrite the shipped file: some minutes."""
    found = cross_validated(_joined([read_table(p) for p in paths]))
    rows = estimate(found, refitted(found.rows), names=[Path(p).name for p in paths])
    FILE.write_text(HEAD + _yaml(rows), encoding="utf-8")


def refitted(rows: Sequence[Measurement]) -> Fit:
    """Return what fits to some of the rows: a step from the fit to all of them."""
    refit = refitting(Bench(rows), PRIORS)
    return lambda kept: Tuned(refit(np.flatnonzero(kept).tolist()))


def estimate(
    found: OutOfFold, fit_to: Fit, *, names: Sequence[str]
) -> list[dict[str, Any]]:
    """Return the rows of the shipped file.

    Parameters
    ----------
    found : OutOfFold
        Predictions of rows that the fit had not seen.
    fit_to : callable
        Fits to some of these rows.
    names : sequence of str
        What the tables are called, to say where the figures come from.
    """
    labels = regime_names(found.rows)
    groups = [tuple(r.keys[c] for c in GROUP) for r in found.rows]
    regimes = regimes_of(found.log_error, labels, groups)
    reached = {
        level: nested_inside(found.log_error, labels, groups, found.fold, level)
        for level in LEVELS
    }
    situations = [situation_of(r.configuration) for r in found.rows if r.configuration]
    written = [_seen_row(situations, names)]
    written += [_regime_row(r, regimes[r], reached, found, labels) for r in regimes]
    for kind in KINDS:
        kept, errors = held_out(found.rows, _labels(kind, situations), fit_to)
        written.append(_widening_row(kind, kept, errors, regimes))
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


def _seen_row(situations: Sequence[Situation], names: Sequence[str]) -> dict[str, Any]:
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    title = "out-of-fold errors on published measurements: " + ", ".join(names)
    return {
        "id": "seen",
        "kind": "seen",
        "date": today,
        "confidence": "fitted",
        "reference": [{"title": title}],
        "accelerator": sorted({s.accelerator_id for s in situations}),
        "generation": sorted({s.generation for s in situations}),
        "architecture": sorted({s.architecture for s in situations}),
        "engine": sorted({s.engine for s in situations if s.engine}),
        "range": {
            name: [float(min(values)), float(max(values))]
            for name in _RANGES
            if (values := _known(situations, name))
        },
    }


def _known(situations: Sequence[Situation], name: str) -> list[float]:
    values = (getattr(s, name) for s in situations)
    return [v for v in values if v is not None]


def _widening_row(
    kind: str,
    kept: Sequence[Measurement],
    errors: Floats,
    regimes: Mapping[str, Errors],
) -> dict[str, Any]:
    known = [regime_in(regimes, name) for name in regime_names(kept)]
    return {
        "id": f"outside/{kind}",
        "kind": "widening",
        "of": kind,
        "factor": round(stretch(errors, known), 3),
        "rows": len(kept),
    }


def _labels(kind: str, situations: Sequence[Situation]) -> list[str]:
    """Name what each row is held out with; "" stays in."""
    if kind == "length":
        ends = [_ends(situations, name) for name in _RANGES[:2]]
        return [a or b for a, b in zip(*ends, strict=True)]
    if kind == "batch":
        return _ends(situations, "batch")
    if kind == "accelerator":
        return _relatives(situations)
    return [getattr(s, kind) or "" for s in situations]


def _relatives(situations: Sequence[Situation]) -> list[str]:
    """Name accelerators whose generation others stand for; generation first."""
    devices = defaultdict(set)
    for s in situations:
        devices[s.generation].add(s.accelerator_id)
    return [
        f"{s.generation} {s.accelerator_id}" if len(devices[s.generation]) > 1 else ""
        for s in situations
    ]


def _ends(situations: Sequence[Situation], name: str) -> list[str]:
    low, high = np.quantile(_known(situations, name), [_FAR, 1 - _FAR])
    values = [getattr(s, name) for s in situations]
    return [
        "" if v is None or low < v < high else f"{name} {'low' if v <= low else 'high'}"
        for v in values
    ]


def held_out(
    rows: Sequence[Measurement], labels: Sequence[str], fit_to: Fit
) -> tuple[tuple[Measurement, ...], Floats]:
    """Predict each row by a fit that has seen no row of its label.

    Labels are dealt to a few parts by name, so that neighbours differ, and one part is
    held out at a time.
    """
    order = {name: i % _PARTS for i, name in enumerate(sorted(set(labels) - {""}))}
    part = np.array([order.get(label, -1) for label in labels])
    kept: list[Measurement] = []
    errors = [np.zeros(0)]
    for k in sorted(set(order.values())):
        held = [rows[i] for i in np.flatnonzero(part == k).tolist()]
        found, _ = predictions(held, fit_to(part != k))
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
