"""Errors on systems that the fit has not seen: the only ones worth quoting."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dayrate.validation.bench import Bench
from dayrate.validation.calibration import Tuned
from dayrate.validation.fit import fit
from dayrate.validation.predict import predictions
from dayrate.validation.priors import PRIORS
from dayrate.validation.table import Measurement, Table

__all__ = ["FOLDS", "OutOfFold", "cross_validated", "fold_of"]

Floats = npt.NDArray[np.float64]
FOLDS = 5
_PAIR = ("arch", "gpu")


@dataclass(frozen=True, slots=True)
class OutOfFold:
    """Each row's prediction by coefficients that were fitted without its fold.

    ``level`` says how close the coefficients of a row are: accelerator, generation or
    default. ``failed`` holds the rows that could not be predicted, and why.
    """

    rows: tuple[Measurement, ...]
    predicted: Floats
    measured: Floats
    fold: npt.NDArray[np.int64]
    level: tuple[str, ...]
    failed: tuple[tuple[Measurement, str], ...]

    @property
    def log_error(self) -> Floats:
        """ln(predicted / measured). [1]"""
        return np.log(self.predicted / self.measured)


def cross_validated(table: Table, folds: int = FOLDS, *, tier: str = "A") -> OutOfFold:
    """Predict every row with coefficients refitted without the row's fold.

    Parameters
    ----------
    table : Table
        From `read_table`; rows of several tables may be put together.
    folds : int
        Parts that whole (architecture, GPU) pairs are dealt to. [1]
    tier : str
        Which rows to fit and to predict.

    Returns
    -------
    OutOfFold
        Rows in the order of the table.
    """
    eligible = [r for r in table.rows if r.tier == tier]
    known, failed = predictions(eligible, Tuned({}))
    bench = Bench(known.rows)
    fold = fold_of(bench.rows, folds)
    errors = np.zeros(len(fold))
    level = np.empty(len(fold), dtype=object)
    for k in sorted(set(fold.tolist())):
        unseen = fold == k
        found = fit(bench, PRIORS, np.flatnonzero(~unseen).tolist())
        fitted = Tuned(found.factors, found.scopes)
        errors[unseen] = bench.errors_under(found.factors)[unseen]
        level[unseen] = [_level(bench.rows[i], fitted) for i in np.flatnonzero(unseen)]
    return OutOfFold(
        rows=bench.rows,
        predicted=known.measured * np.exp(errors),
        measured=known.measured,
        fold=fold,
        level=tuple(level),
        failed=tuple(failed),
    )


def fold_of(rows: Sequence[Measurement], folds: int) -> npt.NDArray[np.int64]:
    """Deal whole (architecture, GPU) pairs to folds, by name, the same everywhere."""
    pairs = [" on ".join(r.keys[c] for c in _PAIR) for r in rows]
    return np.array([zlib.crc32(p.encode()) % folds for p in pairs], dtype=np.int64)


def _level(row: Measurement, fitted: Tuned) -> str:
    return fitted.level(row.configuration) if row.configuration else ""
