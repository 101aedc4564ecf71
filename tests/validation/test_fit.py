import dataclasses
import math

import numpy as np
import pytest

from dayrate.errors import InvalidInput
from dayrate.validation.bench import Bench
from dayrate.validation.calibration import Tuned
from dayrate.validation.crossval import cross_validated, fold_of
from dayrate.validation.examples import table
from dayrate.validation.fit import fit, refitting, row_weights
from dayrate.validation.predict import predictions
from dayrate.validation.priors import PRIORS
from dayrate.validation.table import Table

#: Eight pairs in static batches that memory (small) or arithmetic (large) bounds.
MODELS = ("meta-llama/Llama-3.1-8B-Instruct", "meta-llama/Llama-3.1-70B-Instruct")
GPUS = ("A100-SXM-80GB", "H100-SXM-80GB", "H200-SXM-141GB", "L40S")


def synthetic(truth: dict[tuple[str, str], float]) -> Table:
    """Rows whose values are predictions under known factors."""
    cells = [
        {
            "row_id": f"{model}/{gpu}/{batch}",
            "model": model,
            "arch": model.split("-")[2],
            "gpu": gpu,
            "gpus": "8",
            "tp": "8",
            "scenario": "static_batch",
            "concurrency_or_batch": str(batch),
            "request_rate": "",
        }
        for model in MODELS
        for gpu in GPUS
        for batch in (1, 8, 64, 256)
    ]
    exact, _ = predictions(table(*cells).rows, Tuned(truth))
    return table(
        *(c | {"value": str(v)} for c, v in zip(cells, exact.predicted, strict=True))
    )


def test_a_fit_recovers_known_factors() -> None:
    truth = {("memory", "all"): 1.3, ("layer", "all"): 1.5}
    rows = synthetic(truth).rows
    found = fit(Bench(rows), PRIORS)
    before, after = (
        predictions(rows, Tuned(f))[0].log_error for f in ({}, found.factors)
    )
    assert np.median(np.abs(before)) > 0.15
    assert np.max(np.abs(after)) < 0.03


def test_a_fit_without_errors_changes_nothing() -> None:
    found = fit(Bench(synthetic({}).rows), PRIORS)
    assert not found.factors


def test_one_wild_row_hardly_moves_a_fit() -> None:
    rows = list(synthetic({}).rows)
    wild = table(dict(rows[5].keys) | {"value": str(rows[5].value * 100)}).rows[0]
    found = fit(Bench([*rows[:5], wild, *rows[6:]]), PRIORS)
    assert all(abs(math.log(f)) < 0.15 for f in found.factors.values())


def test_a_folds_coefficients_do_not_see_its_rows() -> None:
    honest = synthetic({("memory", "all"): 1.3})
    held = fold_of(honest.rows, 3) == fold_of(honest.rows, 3)[0]
    forged = table(
        *(
            dict(r.keys) | {"value": str(r.value * (50.0 if h else 1.0))}
            for r, h in zip(honest.rows, held, strict=True)
        )
    )
    a, b = (cross_validated(t, 3) for t in (honest, forged))
    assert held.any()
    assert not held.all()
    assert b.predicted[held] == pytest.approx(a.predicted[held], rel=1e-12)
    assert np.abs(b.predicted[~held] / a.predicted[~held] - 1).max() > 1e-3


def test_folds_hold_whole_pairs() -> None:
    rows = synthetic({}).rows
    folds: dict[tuple[str, str], set[int]] = {}
    for row, fold in zip(rows, fold_of(rows, 3), strict=True):
        folds.setdefault((row.keys["arch"], row.keys["gpu"]), set()).add(int(fold))
    assert all(len(f) == 1 for f in folds.values())
    assert len({min(f) for f in folds.values()}) > 1


def test_balance_from_rows_alike_to_groups_alike() -> None:
    rows = table(*[{"gpu": "L40S"}] * 4, {"gpu": "H100-SXM-80GB"}).rows
    assert row_weights(rows, 0.0) == pytest.approx([1.0] * 5)
    assert row_weights(rows, 1.0) == pytest.approx([0.25] * 4 + [1.0])


def test_rows_without_a_prediction_are_refused_by_name() -> None:
    rows = table({"row_id": "r7", "metric": "tpot_ms", "osl": "1"}).rows
    with pytest.raises(InvalidInput, match="r7"):
        fit(Bench(rows), PRIORS)


def test_sets_of_factors_in_one_pass_are_those_one_by_one() -> None:
    bench = Bench(synthetic({}).rows)
    one, two = {("memory", "all"): 1.5}, {("layer", "family:vllm"): 2.0}
    logs = np.stack([bench.log_factors(f) for f in (one, two)])
    together = bench.log_errors(logs)
    assert together[0] == pytest.approx(bench.errors_under(one))
    assert together[1] == pytest.approx(bench.errors_under(two))


def test_a_fit_lowers_its_loss_round_by_round() -> None:
    bench = Bench(synthetic({("memory", "all"): 2.0, ("layer", "all"): 0.5}).rows)
    losses = [
        fit(bench, dataclasses.replace(PRIORS, rounds=n, idle_below=0.0)).loss
        for n in (1, 2, 6)
    ]
    assert losses[0] >= losses[1] >= losses[2]


def test_a_step_from_the_whole_fit_is_near_a_fit_of_the_part() -> None:
    rows = synthetic({("memory", "all"): 1.3, ("layer", "all"): 1.5}).rows
    bench, part = Bench(rows), [i for i in range(len(rows)) if i % 3]
    factors = refitting(bench, PRIORS)(part)
    assert np.max(np.abs(bench.errors_under(factors))) < 0.05
