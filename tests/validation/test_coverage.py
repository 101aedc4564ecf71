"""Shipped intervals against measurements, and the tables they come from."""

from pathlib import Path

import numpy as np
import pytest

from dayrate.catalog.store import rows
from dayrate.perf.interval import LEVELS, load_intervals
from dayrate.validation.calibration import Shipped
from dayrate.validation.coverage import inside, regime_names, situation_of
from dayrate.validation.crossval import OutOfFold, fold_of
from dayrate.validation.examples import row, table
from dayrate.validation.intervals import estimate, held_out
from dayrate.validation.predict import predictions
from dayrate.validation.published import published_table
from dayrate.validation.score import backtest
from dayrate.validation.table import read_table


def test_a_measurement_is_inside_exactly_between_the_bounds() -> None:
    twice = [row()] * 2
    low, high = load_intervals().spread("output_tokens_per_s", "queued").factors[80]
    edges = -np.log([low, high])  # errors of measurements at the ends
    assert inside(twice, edges * 0.999, 80).all()
    assert not inside(twice, edges * 1.001 + [0.001, -0.001], 80).any()


def test_unmeasured_rows_get_more_room() -> None:
    near, far = row(), row(engine="an engine of my own", isl="100000")
    assert near.configuration is not None
    assert far.configuration is not None
    assert situation_of(far.configuration).engine == "an engine of my own"
    errors = np.linspace(-3, 3, 601)
    room = [inside([r] * 601, errors, 80).sum() for r in (near, far)]
    assert room[1] >= room[0]


def test_regimes_of_rows() -> None:
    closed = {"scenario": "online", "request_rate": "closed-loop"}
    closed |= {"concurrency_or_batch": "8", "metric": "tpot_ms"}
    two = table({}, closed).rows
    assert regime_names(two) == [("throughput", "queued"), ("tpot", "closed_loop")]


def predicted_as_shipped() -> OutOfFold:
    found, _ = predictions(published_table().rows, Shipped())
    return OutOfFold(
        rows=found.rows,
        predicted=found.predicted,
        measured=found.measured,
        fold=fold_of(found.rows, 5),
        level=("accelerator",) * len(found.rows),
        failed=(),
    )


def test_estimates_have_every_part() -> None:
    found = predicted_as_shipped()
    written = estimate(found, lambda _: Shipped(), names=["published.csv"])
    kinds = [r["kind"] for r in written]
    assert (kinds.count("seen"), kinds.count("widening")) == (1, 6)
    everything = next(r for r in written if r["id"] == "all")
    assert everything["rows"] == len(found.rows)
    low, high = everything["quantiles"][80]
    assert low < everything["median"] < high
    assert 0.7 < everything["coverage"][80] < 0.9


def test_held_out_rows_are_never_fitted() -> None:
    three = table(*[{"gpu": g, "row_id": g} for g in ("L40S", "H100", "A100")]).rows
    told: list[list[bool]] = []

    def refitted(kept: np.ndarray) -> Shipped:
        told.append(kept.tolist())
        return Shipped()

    kept, errors = held_out(three, ["a", "b", ""], refitted)
    assert [r.keys["gpu"] for r in kept] == ["L40S", "H100"]
    assert told == [[False, True, True], [True, False, True]]
    direct, _ = predictions(three[:2], Shipped())
    assert errors == pytest.approx(direct.log_error)


@pytest.mark.parametrize("level", LEVELS)
def test_shipped_intervals_hold_what_they_say(level: int) -> None:
    """As recorded: rows of systems that neither fit nor quantiles had seen."""
    everything = next(r for r in rows("intervals") if r["id"] == "all")
    assert everything["coverage"][level] == pytest.approx(level / 100, abs=0.05)


@pytest.mark.slow
def test_published_tables_hold_it_too(shared_data: Path) -> None:
    table = read_table(shared_data / "measurements" / "serving_closed_loop.csv")
    found = backtest(table, Shipped(), folds=5)
    assert found.total.interval_coverage == pytest.approx(0.80, abs=0.05)
