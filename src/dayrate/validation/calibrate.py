"""Fit the shipped factors: ``python -m dayrate.validation.calibrate TABLE...``."""

import argparse
import hashlib
import math
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from dayrate import __version__
from dayrate.perf.tuning import QUANTITIES
from dayrate.validation.bench import Bench
from dayrate.validation.calibration import Tuned, setting_of
from dayrate.validation.crossval import FOLDS, OutOfFold, cross_validated
from dayrate.validation.fit import Fit, fit
from dayrate.validation.predict import predictions, regime
from dayrate.validation.priors import PRIORS
from dayrate.validation.score import GROUP, score
from dayrate.validation.table import Table, read_table

__all__ = ["main"]

_OUT = Path(__file__).parents[1] / "data" / "calibration" / "fitted.yaml"
_Z80 = 1.2816  # standard deviations on either side of 80 %
_HEAD = """\
# Factors on times, fitted to published measurements of whole servers; see
# docs/concepts/calibration.md. Made by `python -m dayrate.validation.calibrate`, not
# by hand. `low` and `high` bound 80 % of what the data leave open.
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Fit, cross-validate, write."""
    parser = argparse.ArgumentParser(prog="python -m dayrate.validation.calibrate")
    parser.add_argument("tables", nargs="+", metavar="TABLE.csv")
    parser.add_argument("--out", default=_OUT, type=Path)
    parser.add_argument("--folds", default=FOLDS, type=int)
    asked = parser.parse_args(arguments)
    tables = [read_table(path) for path in asked.tables]
    table = Table(tuple(r for t in tables for r in t.rows), ())
    found = fitted(table)
    names = [Path(path).name for path in asked.tables]
    table_of = {
        r.keys["row_id"]: name
        for name, t in zip(names, tables, strict=True)
        for r in t.rows
    }
    scores = [_line(s) for s in _scores(cross_validated(table, asked.folds), table_of)]
    asked.out.write_text(
        _yaml(found, asked.tables, scores, asked.folds), encoding="utf-8"
    )
    print("\n".join([f"{len(found.factors)} factors in {asked.out}", *scores]))


def _line(s: Mapping[str, Any]) -> str:
    """Write a score as a mapping of YAML on one line."""
    figures = ("macro", "median", "p90")
    errors = ", ".join(f"{f}: {s[f + '_abs_log_error']:.4f}" for f in figures)
    return (
        f"{{part: {s['part']}, of: '{s['of']}', rows: {s['scored']}, "
        f"groups: {s['groups']}, {errors}}}"
    )


def fitted(table: Table, tier: str = "A") -> Fit:
    """Fit to all rows of a tier that can be predicted."""
    eligible = [r for r in table.rows if r.tier == tier]
    known, _ = predictions(eligible, Tuned({}))
    return fit(Bench(known.rows), PRIORS)


def _scores(found: OutOfFold, table_of: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """Cross-validated errors by table and metric, by regime and by engine."""
    tables = [table_of[r.keys["row_id"]] for r in found.rows]
    known = [(r, r.configuration) for r in found.rows if r.configuration]
    parts = {
        "table": tables,
        "metric": [f"{t}, {r.metric}" for t, r in zip(tables, found.rows, strict=True)],
        "regime": [regime(c).replace("_", " ") for _, c in known],
        "engine": [setting_of(c).engine for _, c in known],
        "generation": [setting_of(c).generation for _, c in known],
    }
    groups = [tuple(r.keys[c] for c in GROUP) for r in found.rows]
    for part, names in parts.items():
        for name in sorted(set(names)):
            where = [i for i, n in enumerate(names) if n == name]
            s = score(found.log_error[where], [groups[i] for i in where])
            yield {"part": part, "of": name, **s.to_dict()}


def _commit() -> str:
    """Name the commit that the fit was made at, as far as git is there to ask."""
    asked = ["git", "-C", str(_OUT.parent), "rev-parse", "--short", "HEAD"]
    try:
        return subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _hash(path: str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def _yaml(found: Fit, paths: Sequence[str], scores: list[str], folds: int) -> str:
    """Write one row that describes the fit and one for each factor."""
    tables, hashes = [Path(p).name for p in paths], [_hash(p)[:16] for p in paths]
    today = date.today().isoformat()
    common = [
        "  confidence: fitted",
        f"  date: {today}",
        f"  checked: {today}",
        "  reference: [{title: 'published measurements, each row with its source: "
        f"{', '.join(tables)}', href: ''}}]",
    ]
    lines = [
        "- id: fit",
        f"  version: dayrate {__version__}",
        f"  commit: {_commit().strip()}",
        f"  tables: [{', '.join(tables)}]",
        f"  sha256: [{', '.join(hashes)}]",
        f"  folds: {folds}",
        "  cross_validated:",
        *(f"    - {line}" for line in scores),
        "  scopes:",
        *(f"    - '{scope}'" for scope in sorted(found.scopes)),
        *common,
    ]
    order = list(QUANTITIES)
    for key in sorted(found.factors, key=lambda k: (order.index(k[0]), k[1])):
        factor, wide = found.factors[key], math.exp(_Z80 * found.log_sd[key])
        lines += [
            f"- id: '{key[0]}/{key[1]}'",
            f"  quantity: {key[0]}",
            f"  scope: '{key[1]}'",
            f"  factor: {factor:.4g}",
            f"  low: {factor / wide:.4g}",
            f"  high: {factor * wide:.4g}",
            f"  rows: {found.rows[key]}",
            f"  groups: {found.groups[key]}",
            *common,
        ]
    return _HEAD + "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
