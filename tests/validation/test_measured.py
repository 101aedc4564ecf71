"""The published tables, where they are at hand: all rows read, nearly all predicted."""

from pathlib import Path

import numpy as np
import pytest

from dayrate.validation.calibration import Shipped
from dayrate.validation.predict import predictions
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


def test_runs_with_drafts(shared_data: Path) -> None:
    """EAGLE-3 on an H200, seven drafted and a third accepted: no fit has seen them."""
    table = read_table(shared_data / "measurements" / "inference.csv")
    drafting = [
        r for r in table.rows if r.configuration and r.configuration.draft_tokens
    ]
    assert len(drafting) == 48
    found, failed = predictions(drafting, Shipped())
    assert not failed
    errors = {
        metric: [
            e
            for r, e in zip(found.rows, found.log_error, strict=True)
            if r.metric == metric
        ]
        for metric in ("output_tokens_per_s", "tpot_ms", "ttft_ms")
    }
    assert np.abs(errors["output_tokens_per_s"]).max() < 0.18
    assert np.abs(errors["tpot_ms"]).max() < 0.21
    assert np.abs(errors["ttft_ms"]).max() < 0.29
