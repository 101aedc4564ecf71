"""Fit the shipped factors: ``python -m dayrate.validation.calibrate TABLE...``."""

import argparse
import math
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

from dayrate import __version__
from dayrate.perf.tuning import QUANTITIES
from dayrate.validation.calibration import Tuned
from dayrate.validation.crossval import FOLDS, OutOfFold, cross_validated
from dayrate.validation.fit import Fit, fit, linearise
from dayrate.validation.predict import predictions
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
    scores = list(_scores(cross_validated(table, asked.folds)))
    names = [Path(path).name for path in asked.tables]
    asked.out.write_text(_yaml(found, names, scores, asked.folds), encoding="utf-8")
    print("\n".join([f"{len(found.factors)} factors in {asked.out}", *scores]))


def fitted(table: Table, tier: str = "A") -> Fit:
    """Fit to all rows of a tier that can be predicted."""
    eligible = [r for r in table.rows if r.tier == tier]
    known, _ = predictions(eligible, Tuned({}))
    return fit(linearise(known.rows, {}), PRIORS)


def _scores(found: OutOfFold) -> Iterator[str]:
    """Cross-validated errors by metric, one a line."""
    groups = [tuple(r.keys[c] for c in GROUP) for r in found.rows]
    for metric in ("", *sorted({r.metric for r in found.rows})):
        where = [i for i, r in enumerate(found.rows) if metric in {"", r.metric}]
        s = score(found.log_error[where], [groups[i] for i in where])
        yield (
            f"{metric or 'all'}: macro {s.macro_abs_log_error:.3f}, median "
            f"{s.median_abs_log_error:.3f}, p90 {s.p90_abs_log_error:.3f}, {s.scored} rows"
        )


def _yaml(found: Fit, tables: list[str], scores: list[str], folds: int) -> str:
    """Write one row that describes the fit and one for each factor."""
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
        f"  tables: [{', '.join(tables)}]",
        f"  folds: {folds}",
        "  cross_validated:",
        *(f"    - '{line}'" for line in scores),
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
