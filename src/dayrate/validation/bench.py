"""A table made ready to be predicted again and again, under other factors.

Stacking rows into arrays takes longer than predicting them, and does not depend on the
factors. Several sets of factors are predicted in one pass: arrays are short here, so
ten times the values take only a little longer.
"""

from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt

from dayrate.errors import InvalidInput
from dayrate.perf.tuning import QUANTITIES, Factors, Setting, factors_of
from dayrate.validation.calibration import setting_of
from dayrate.validation.configuration import Configuration
from dayrate.validation.predict import Group, prepare
from dayrate.validation.table import Measurement

__all__ = ["Bench"]

Floats = npt.NDArray[np.float64]
_Where = tuple[str, npt.NDArray[np.int64], npt.NDArray[np.int64]]


class Bench:
    """Rows that can be predicted, with their settings."""

    def __init__(self, rows: Sequence[Measurement]) -> None:
        """Stack the rows.

        Raises
        ------
        InvalidInput
            A row has no configuration.
        """
        for r in rows:
            if r.configuration is None or r.reason:
                raise _unpredictable(r, r.reason)
        self.rows = tuple(rows)
        each = [r.configuration for r in rows if r.configuration is not None]
        self.groups = prepare(list(dict.fromkeys(each)))
        order: dict[Setting, int] = {}
        of_row = [order.setdefault(setting_of(c), len(order)) for c in each]
        self.settings = tuple(order)
        self.setting_of_row = np.array(of_row, dtype=np.int64)
        self.log_measured = np.log([r.value for r in rows])
        at: dict[Configuration, list[int]] = {}
        for i, c in enumerate(each):
            at.setdefault(c, []).append(i)
        self._members = [
            np.array([order[setting_of(c)] for c in g.members]) for g in self.groups
        ]
        self._where = [_rows_by_metric(g, at, self.rows) for g in self.groups]

    def log_errors(
        self, logs: Floats, metrics: Collection[str] | None = None
    ) -> Floats:
        """ln(predicted / measured) of every row under several sets of factors. [1]

        Parameters
        ----------
        logs : ndarray
            Sets x settings x quantities: logs of factors. [1]
        metrics : collection of str, optional
            Rows of other metrics may be left out, as NaN.

        Raises
        ------
        InvalidInput
            A row cannot be predicted.
        """
        found = np.full((len(logs), len(self.rows)), np.nan)
        pairs = zip(self.groups, self._members, self._where, strict=True)
        for group, settings, parts in pairs:
            if metrics is not None and not any(m in metrics for m, _, _ in parts):
                continue
            factors = np.exp(logs[:, settings, :]).reshape(-1, len(QUANTITIES))
            values = group.metrics(dict(zip(QUANTITIES, factors.T, strict=True)))
            for metric, rows, members in parts:
                of_rows = values[metric].reshape(len(logs), -1)[:, members]
                with np.errstate(divide="ignore", invalid="ignore"):
                    found[:, rows] = np.log(of_rows)
        bad = ~np.isfinite(found).all(axis=0)
        if metrics is None and bad.any():
            raise _unpredictable(self.rows[int(np.argmax(bad))], "no finite prediction")
        found -= self.log_measured
        return found

    def errors_under(self, factors: Factors) -> Floats:
        """ln(predicted / measured) of every row under the factors of a fit. [1]"""
        found: Floats = self.log_errors(self.log_factors(factors)[None])[0]
        return found

    def log_factors(self, factors: Factors) -> Floats:
        """Take logs of the factors of a fit, by setting (rows) and quantity. [1]"""
        each = [factors_of(s, factors) for s in self.settings]
        return np.log([[f[q] for q in QUANTITIES] for f in each])


def _rows_by_metric(
    group: Group,
    at: dict[Configuration, list[int]],
    rows: Sequence[Measurement],
) -> list[_Where]:
    """Rows of a group by metric, and which of its members each is of."""
    found: dict[str, tuple[list[int], list[int]]] = {}
    for member, c in enumerate(group.members):
        for i in at[c]:
            here = found.setdefault(rows[i].metric, ([], []))
            here[0].append(i)
            here[1].append(member)
    return [(m, np.array(i), np.array(j)) for m, (i, j) in found.items()]


def _unpredictable(row: Measurement, reason: str) -> InvalidInput:
    return InvalidInput(
        f"Row {row.keys['row_id']} cannot be predicted ({reason}). Fit only rows that "
        "the shipped calibration predicts."
    )
