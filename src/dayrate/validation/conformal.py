"""Split-conformal quantiles: intervals whose coverage needs no law of the errors.

Of n exchangeable errors and a new one, the new one lies between the order statistics of
ranks floor((n + 1) a / 2) and ceil((n + 1) (1 - a / 2)) with probability of at least
1 - a (V. Vovk, A. Gammerman, G. Shafer, "Algorithmic Learning in a Random World", 2005;
Y. Romano, E. Patterson, E. Candès, "Conformalized Quantile Regression", NeurIPS 2019).
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from dayrate.perf.interval import LEVELS, Errors

__all__ = [
    "GROUPS",
    "ROWS",
    "conformal_bounds",
    "nested_inside",
    "regime_in",
    "regimes_of",
    "stretch",
]

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]
#: A regime with fewer rows has no 95 % bounds on both sides; with fewer groups its rows
#: are a few systems, which say little of another.
ROWS, GROUPS = 39, 4


def conformal_bounds(errors: Floats, level: float) -> tuple[float, float]:
    """Bounds that a further exchangeable error keeps with probability ``level``.

    Half of what is left may lie beyond either bound; where the data are too few to
    promise that, the bound is infinite.

    >>> conformal_bounds(np.arange(1.0, 100.0), 0.8)
    (10.0, 90.0)
    >>> conformal_bounds(np.arange(1.0, 10.0), 0.95)
    (-inf, inf)
    """
    ordered, n = np.sort(errors), errors.size
    tail = (1.0 - level) / 2
    below = math.floor(_whole((n + 1) * tail))
    above = math.ceil(_whole((n + 1) * (1.0 - tail)))
    low = float(ordered[below - 1]) if below >= 1 else -math.inf
    high = float(ordered[above - 1]) if above <= n else math.inf
    return low, high


def _whole(x: float) -> float:
    """Take 90.00000000000001 for 90: a rank is exact."""
    return round(x) if math.isclose(x, round(x), rel_tol=1e-12) else x


def regimes_of(
    errors: Floats, names: Sequence[tuple[str, str]], groups: Sequence[object]
) -> Mapping[str, Errors]:
    """Estimate every regime that has the rows and groups for it.

    Parameters
    ----------
    errors : ndarray
        ln(predicted / measured) of rows that the fit has not seen. [1]
    names : sequence of (str, str)
        Class of the metric and scenario kind of each row.
    groups : sequence
        System of each row.

    Returns
    -------
    mapping
        ``metric/scenario``, ``metric`` and ``all``.
    """
    found: dict[str, Errors] = {}
    labels = [("all", metric, f"{metric}/{kind}") for metric, kind in names]
    for name in sorted({label for row in labels for label in row}):
        where = np.array([name in row for row in labels])
        systems = {g for g, here in zip(groups, where, strict=True) if here}
        enough = where.sum() >= ROWS and len(systems) >= GROUPS
        if enough or name == "all":
            found[name] = _errors(name, errors[where])
    return found


def _errors(name: str, errors: Floats) -> Errors:
    quantiles = {k: conformal_bounds(errors, k / 100) for k in LEVELS}
    return Errors(name, int(errors.size), float(np.median(errors)), quantiles)


def regime_in(regimes: Mapping[str, Errors], name: tuple[str, str]) -> Errors:
    """Take the regime, else that of the metric, else all."""
    metric, kind = name
    for label in (f"{metric}/{kind}", metric):
        if label in regimes:
            return regimes[label]
    return regimes["all"]


def nested_inside(
    errors: Floats,
    names: Sequence[tuple[str, str]],
    groups: Sequence[object],
    folds: Sequence[int] | npt.NDArray[np.int64],
    level: int,
) -> Booleans:
    """Whether each error lies between quantiles estimated on the other folds.

    With errors of predictions that had not seen their fold either, the share that
    does is an honest coverage.
    """
    fold = np.asarray(folds)
    found: Booleans = np.zeros(errors.size, dtype=bool)
    for k in set(fold.tolist()):
        other = np.flatnonzero(fold != k).tolist()
        if not other:
            return found  # one fold: there is no other to estimate from
        regimes = regimes_of(
            errors[other], [names[i] for i in other], [groups[i] for i in other]
        )
        for i in np.flatnonzero(fold == k).tolist():
            low, high = regime_in(regimes, names[i]).quantiles[level]
            found[i] = low <= errors[i] <= high
    return found


def stretch(errors: Floats, regimes: Sequence[Errors], level: int = 80) -> float:
    """Factor on the bounds that lets them cover ``errors`` at ``level``, 1 or more.

    ``regimes`` are those of the rows; an error at its own bound has distance 1.
    """
    if not errors.size:
        return 1.0
    distance = np.array(
        [_distance(e, r, level) for e, r in zip(errors, regimes, strict=True)]
    )
    rank = min(math.ceil(_whole((errors.size + 1) * level / 100)), errors.size)
    return max(1.0, float(np.sort(distance)[rank - 1]))


def _distance(error: float, regime: Errors, level: int) -> float:
    low, high = regime.quantiles[level]
    bound = high if error > regime.median else low
    return abs(error - regime.median) / abs(bound - regime.median)
