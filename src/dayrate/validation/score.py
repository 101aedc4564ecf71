"""How far predictions are from measurements: log errors, by group and by metric."""

import statistics
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dayrate.errors import InvalidInput
from dayrate.validation.calibration import Calibration
from dayrate.validation.conformal import nested_inside
from dayrate.validation.coverage import inside, regime_names
from dayrate.validation.crossval import cross_validated
from dayrate.validation.predict import Predictions, predictions
from dayrate.validation.table import OPTIONAL, REQUIRED, Measurement, Table

__all__ = ["GROUP", "LEVEL", "Backtest", "Score", "backtest", "score"]

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]
#: Level of the intervals whose coverage is reported. [%]
LEVEL = 80
#: One system under test: the score weighs these alike, however many rows each has.
GROUP = ("source", "arch", "gpu")
_OUTCOMES = frozenset({"value", "achieved_frac", "bound_value", "bound_kind"})


@dataclass(frozen=True, slots=True)
class Score:
    """Errors of some rows: |ln(predicted / measured)|. [1]"""

    scored: int
    groups: int
    median_abs_log_error: float | None
    macro_abs_log_error: float | None  # median within groups, then their mean
    p90_abs_log_error: float | None
    median_log_bias: float | None
    interval_coverage: float | None = None  # share within the 80 % interval

    def to_dict(self) -> dict[str, Any]:
        """Return the figures under their names."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Backtest:
    """The whole answer.

    ``folds`` is 0 where rows were predicted and bounded by what ships; else each was
    predicted, and its interval estimated, without the part it belongs to.
    """

    rows: int
    eligible: int
    tier: str
    unknown_columns: tuple[str, ...]
    unsupported: dict[str, int]  # of eligible rows, by reason
    unsupported_rows: tuple[tuple[str, str], ...]  # of all rows: id, reason
    total: Score
    metrics: dict[str, Score]
    by: tuple[str, ...]
    parts: dict[str, Score]
    worst: tuple[tuple[str, Score], ...]
    predictions: Predictions
    folds: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return what ``--json`` prints."""
        return {
            "rows": self.rows,
            "eligible": self.eligible,
            "tier": self.tier,
            **self.total.to_dict(),
            "unsupported": self.unsupported,
            "unsupported_rows": [
                {"row_id": i, "reason": why} for i, why in self.unsupported_rows
            ],
            "unknown_columns": list(self.unknown_columns),
            "interval_level": LEVEL / 100,
            "folds": self.folds,
            "metrics": {m: s.to_dict() for m, s in self.metrics.items()},
            "by": {
                "columns": list(self.by),
                "parts": {k: s.to_dict() for k, s in self.parts.items()},
            },
            "worst": [{"group": k, **s.to_dict()} for k, s in self.worst],
        }


def backtest(
    table: Table,
    calibration: Calibration,
    *,
    tier: str = "A",
    by: Sequence[str] = (),
    worst: int = 0,
    folds: int = 0,
) -> Backtest:
    """Predict the rows of a tier and compare.

    Parameters
    ----------
    table : Table
        From `read_table`.
    calibration : Calibration
        Coefficients.
    tier : str
        "A": everything is known; "B": something is missing. C never counts.
    by : sequence of str
        Columns whose values get a score of their own.
    worst : int
        How many of the worst groups to list.
    folds : int
        Refit, and estimate intervals, this many times without a part of the
        (architecture, GPU) pairs, and predict that part; ``calibration`` is then not
        used. 0: do neither. [1]

    Raises
    ------
    InvalidInput
        An unknown tier, a column that no table has, or a single fold.
    """
    _check(tier, by)
    eligible = [r for r in table.rows if r.tier == tier]
    if folds:
        found, failed, within = _out_of_fold(table, folds, tier)
    else:
        found, failed = predictions(eligible, calibration)
        within = inside(found.rows, found.log_error, LEVEL)
    others = [(r, r.reason) for r in table.rows if r.tier != tier and r.reason]
    groups = _named(found, GROUP, within)
    ranked = sorted(
        groups, key=lambda g: groups[g].median_abs_log_error or 0.0, reverse=True
    )
    return Backtest(
        rows=len(table.rows),
        eligible=len(eligible),
        tier=tier,
        unknown_columns=table.unknown_columns,
        unsupported=dict(Counter(why for _, why in failed).most_common()),
        unsupported_rows=tuple((r.keys["row_id"], why) for r, why in failed + others),
        total=score(found.log_error, found.groups(GROUP), within),
        metrics=_named(found, ("metric",), within),
        by=tuple(by),
        parts=_named(found, by, within) if by else {},
        worst=tuple((g, groups[g]) for g in ranked[:worst]),
        predictions=found,
        folds=folds,
    )


def _out_of_fold(
    table: Table, folds: int, tier: str
) -> tuple[Predictions, list[tuple[Measurement, str]], Booleans]:
    """Predict and bound every row by what the other folds tell."""
    if folds < 2:
        raise InvalidInput(f"--folds is {folds}; give 2 or more, or 0 for none.")
    held = cross_validated(table, folds, tier=tier)
    found = Predictions(held.rows, held.predicted, held.measured)
    names = regime_names(found.rows)
    within = nested_inside(
        found.log_error, names, found.groups(GROUP), held.fold, LEVEL
    )
    return found, list(held.failed), within


def score(
    log_error: Floats, groups: Sequence[Hashable], within: Booleans | None = None
) -> Score:
    """Summarise log errors whose rows belong to ``groups``.

    ``within`` says which measurements lie in their interval, where that is known.

    >>> score(np.array([0.1, -0.3, 0.5]), ["a", "a", "b"]).macro_abs_log_error
    0.35
    """
    errors = np.abs(log_error)
    if not errors.size:
        return Score(0, 0, None, None, None, None)
    members: dict[Hashable, list[float]] = defaultdict(list)
    for group, error in zip(groups, errors, strict=True):
        members[group].append(float(error))
    return Score(
        scored=errors.size,
        groups=len(members),
        median_abs_log_error=float(np.median(errors)),
        macro_abs_log_error=statistics.fmean(map(statistics.median, members.values())),
        p90_abs_log_error=float(np.quantile(errors, 0.9)),
        median_log_bias=float(np.median(log_error)),
        interval_coverage=None if within is None else float(within.mean()),
    )


def _named(
    found: Predictions, columns: Sequence[str], within: Booleans
) -> dict[str, Score]:
    """Score each value of some columns, most rows first."""
    positions: dict[str, list[int]] = defaultdict(list)
    for i, key in enumerate(found.groups(columns)):
        positions[" · ".join(key)].append(i)
    groups, errors = found.groups(GROUP), found.log_error
    ordered = sorted(positions.items(), key=lambda item: (-len(item[1]), item[0]))
    return {
        name: score(errors[where], [groups[i] for i in where], within[where])
        for name, where in ordered
    }


def _check(tier: str, by: Iterable[str]) -> None:
    if tier not in {"A", "B"}:
        raise InvalidInput(
            f"--tier is {tier!r}; it is A (everything known) or B (something missing)."
        )
    known = {*REQUIRED, *OPTIONAL} - _OUTCOMES
    unknown = [c for c in by if c not in known]
    if unknown:
        raise InvalidInput(
            f"--by names {', '.join(unknown)}, which no table has. Choose from "
            f"{', '.join(sorted(known))}."
        )
