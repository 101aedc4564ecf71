"""The score: medians within groups, and a report that accounts for every row."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayrate.errors import InvalidInput
from dayrate.validation.calibration import Shipped
from dayrate.validation.examples import table
from dayrate.validation.score import backtest, score

errors = st.lists(st.floats(-3, 3), min_size=1, max_size=30)


@given(errors)
def test_one_group_has_the_median(values: list[float]) -> None:
    found = score(np.array(values), ["a"] * len(values))
    assert found.macro_abs_log_error == pytest.approx(found.median_abs_log_error)


@given(errors)
def test_copies_of_a_group_do_not_change_the_macro_figure(values: list[float]) -> None:
    once = score(np.array(values), ["a"] * len(values))
    groups = ["a"] * len(values) + ["b"] * len(values)
    twice = score(np.array(values * 2), groups)
    assert twice.macro_abs_log_error == pytest.approx(once.macro_abs_log_error)


def test_groups_weigh_alike() -> None:
    found = score(np.array([0.1] * 99 + [-0.5]), ["big"] * 99 + ["small"])
    assert found.macro_abs_log_error == pytest.approx(0.3)
    assert found.median_log_bias == pytest.approx(0.1)


def test_nothing_scored_is_unknown_not_zero() -> None:
    assert score(np.array([]), []).macro_abs_log_error is None


ROWS = (
    {"row_id": "good"},
    {"row_id": "other", "metric": "requests_per_s", "gpu": "L40S"},
    {"row_id": "bad", "gpu": "Abacus"},
    {"row_id": "guess", "tier": "B", "tp": ""},
    {"row_id": "worse", "tier": "C", "isl": ""},
)


def test_every_row_is_accounted_for() -> None:
    found = backtest(table(*ROWS), Shipped())
    assert (found.rows, found.eligible, found.total.scored) == (5, 3, 2)
    assert found.unsupported == {"unknown gpu": 1}
    assert found.unsupported_rows == (
        ("bad", "unknown gpu"),
        ("worse", "isl missing"),
    )


def test_rows_of_one_id_all_count() -> None:
    found = backtest(table(*[{"gpu": "Abacus"}] * 3), Shipped())
    assert found.unsupported == {"unknown gpu": 3}
    assert found.total.scored == 0


def test_tier_b_on_request() -> None:
    found = backtest(table(*ROWS), Shipped(), tier="B")
    assert (found.eligible, found.total.scored) == (1, 1)


def test_the_keys_of_the_json() -> None:
    document = backtest(table(*ROWS), Shipped(), by=("gpu",), worst=1).to_dict()
    assert {
        *("rows", "eligible", "scored", "unsupported", "median_abs_log_error"),
        *("macro_abs_log_error", "p90_abs_log_error", "median_log_bias"),
        *("interval_level", "interval_coverage", "groups", "metrics"),
    } <= document.keys()
    assert document["interval_level"] == 0.8
    assert 0 <= document["interval_coverage"] <= 1
    assert set(document["metrics"]) == {"output_tokens_per_s", "requests_per_s"}
    assert set(document["by"]["parts"]) == {"H100-SXM-80GB", "L40S"}
    assert len(document["worst"]) == 1


def test_the_worst_group_comes_first() -> None:
    rows = ({"value": "1"}, {"value": "5000", "gpu": "L40S", "row_id": "r2"})
    worst = backtest(table(*rows), Shipped(), worst=2).worst
    assert "H100" in worst[0][0]


@pytest.mark.parametrize(("tier", "by"), [("C", ()), ("A", ("value",)), ("A", ("x",))])
def test_what_cannot_be_asked(tier: str, by: tuple[str, ...]) -> None:
    with pytest.raises(InvalidInput, match="--"):
        backtest(table(*ROWS), Shipped(), tier=tier, by=by)
