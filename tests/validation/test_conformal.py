"""Conformal quantiles: the coverage that theory promises, and how regimes fall back."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayrate.perf.interval import LEVELS
from dayrate.validation.conformal import (
    GROUPS,
    ROWS,
    conformal_bounds,
    nested_inside,
    regime_in,
    regimes_of,
    stretch,
)

samples = st.lists(st.floats(-3, 3), min_size=ROWS, max_size=120).map(np.array)


@pytest.mark.parametrize("n", [39, 60, 199])
@pytest.mark.parametrize("level", [0.5, 0.8, 0.95])
def test_a_further_error_is_covered_as_often_as_ranks_say(n: int, level: float) -> None:
    """Of n + 1 exchangeable errors each rank is as likely: coverage is exact."""
    rng = np.random.default_rng(n)
    tail = (1 - level) / 2
    ranks = math.ceil((n + 1) * (1 - tail) - 1e-9) - math.floor((n + 1) * tail + 1e-9)
    drawn = rng.standard_cauchy((8000, n + 1))  # tails that no mean survives
    bounds = np.array([conformal_bounds(row[:-1], level) for row in drawn])
    held = (bounds[:, 0] <= drawn[:, -1]) & (drawn[:, -1] <= bounds[:, 1])
    assert held.mean() == pytest.approx(ranks / (n + 1), abs=0.015)
    assert ranks / (n + 1) >= level - 1e-9


@given(samples)
def test_a_higher_level_is_wider(errors: np.ndarray) -> None:
    low50, high50 = conformal_bounds(errors, 0.5)
    low95, high95 = conformal_bounds(errors, 0.95)
    assert low95 <= low50 <= high50 <= high95


@given(samples, st.floats(-2, 2))
def test_shifted_errors_shift_the_bounds(errors: np.ndarray, by: float) -> None:
    moved = conformal_bounds(errors + by, 0.8)
    assert moved == pytest.approx([b + by for b in conformal_bounds(errors, 0.8)])


def test_too_few_errors_promise_nothing() -> None:
    below = conformal_bounds(np.zeros(ROWS - 1), 0.95)
    enough = conformal_bounds(np.zeros(ROWS), 0.95)
    assert below == (-math.inf, math.inf)
    assert enough == (0.0, 0.0)


def test_small_regimes_fall_back() -> None:
    names = [("tpot", "closed_loop")] * 200
    names += [("tpot", "open_loop")] * (ROWS - 1)
    names += [("power", "queued")] * 200
    few = [i % (GROUPS - 1) for i in range(200)]
    groups = [i % GROUPS for i in range(len(names) - 200)] + few
    errors = np.random.default_rng(2).normal(size=len(names))
    found = regimes_of(errors, names, groups)
    assert set(found) == {"all", "tpot", "tpot/closed_loop"}
    assert regime_in(found, ("tpot", "open_loop")).regime == "tpot"
    assert regime_in(found, ("power", "queued")).regime == "all"
    assert found["tpot"].n == 200 + ROWS - 1


def test_coverage_on_other_folds_is_the_level() -> None:
    rng = np.random.default_rng(1)
    errors = rng.gumbel(size=6000)  # lopsided
    names = [("tpot", "queued")] * 6000
    groups, folds = list(range(6000)), rng.integers(0, 5, 6000)
    for level in LEVELS:
        within = nested_inside(errors, names, groups, folds, level)
        assert within.mean() == pytest.approx(level / 100, abs=0.02)
        below = errors < np.quantile(errors, (1 - level / 100) / 2)
        assert not within[below].mean() > 0.1  # either side keeps its own share


def test_one_fold_has_no_other_to_learn_from() -> None:
    within = nested_inside(
        np.zeros(50), [("tpot", "queued")] * 50, [0] * 50, [0] * 50, 80
    )
    assert not within.any()


@given(st.floats(1.2, 4))
def test_wider_errors_stretch_by_as_much(factor: float) -> None:
    errors = np.random.default_rng(3).normal(size=4001)
    regime = regimes_of(errors, [("tpot", "queued")] * 4001, list(range(4001)))["all"]
    about = regime.median + (errors - regime.median) * factor
    assert stretch(errors, [regime] * 4001) == pytest.approx(1.0, abs=0.05)
    assert stretch(about, [regime] * 4001) == pytest.approx(factor, rel=0.05)


def test_narrower_errors_do_not_narrow() -> None:
    errors = np.random.default_rng(4).normal(size=400)
    regime = regimes_of(errors, [("tpot", "queued")] * 400, list(range(400)))["all"]
    assert stretch(errors * 0.1, [regime] * 400) == 1.0
    assert stretch(np.zeros(0), []) == 1.0
