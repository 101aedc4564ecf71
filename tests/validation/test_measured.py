"""The published tables, where they are at hand: all rows read, nearly all predicted."""

from pathlib import Path

import pytest

from dayrate.validation.calibration import Shipped
from dayrate.validation.score import backtest
from dayrate.validation.table import read_table


@pytest.mark.parametrize(
    ("name", "metric", "macro"),
    [
        ("inference.csv", "output_tokens_per_s", 0.25),
        ("inference.csv", "avg_power_w", 0.15),
        ("serving_closed_loop.csv", "tpot_ms", 0.20),
    ],
)
def test_published_tables(
    shared_data: Path, name: str, metric: str, macro: float
) -> None:
    table = read_table(shared_data / "measurements" / name)
    found = backtest(table, Shipped())
    assert found.total.scored >= 0.97 * found.eligible
    assert sum(found.unsupported.values()) == found.eligible - found.total.scored
    error = found.metrics[metric].macro_abs_log_error
    assert error is not None
    assert error < macro
