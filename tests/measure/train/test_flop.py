"""Predicted operations are those that torch counts, matrix by matrix."""

from dataclasses import replace
from pathlib import Path

import pytest

from dayrate.measure.train.batches import batch_source
from dayrate.measure.train.flop import (
    counted_step_flop,
    peak_flop_per_s,
    predicted_step_flop,
)
from dayrate.measure.train.job import Job
from dayrate.measure.train.model import build_model, config_of
from dayrate.measure.train.text import corpus

from .made import JOB, MASKED, text, tokenizer


def counted_and_predicted(job: Job) -> tuple[float, float]:
    model = build_model(job, config_of(job, tokenizer()))
    passages = corpus(text(), tokenizer(), job).training
    batch = next(batch_source(passages, tokenizer(), job, 0))
    counted = counted_step_flop(model, job, batch)
    assert counted is not None
    return counted, predicted_step_flop(model.config, job)


@pytest.mark.parametrize("job", [JOB, MASKED, replace(JOB, context=64, batch=3)])
def test_predicted_is_counted(job: Job) -> None:
    counted, predicted = counted_and_predicted(job)
    assert predicted == pytest.approx(counted, rel=1e-12)


def test_lora_spares_the_gradients_of_frozen_weights() -> None:
    whole, _ = counted_and_predicted(JOB)
    lora = replace(JOB, start=Path("checkpoint"), lora_rank=2)
    model = build_model(JOB, config_of(JOB, tokenizer()))
    passages = corpus(text(), tokenizer(), JOB).training
    batch = next(batch_source(passages, tokenizer(), JOB, 0))
    counted = counted_step_flop(model, lora, batch)
    assert counted is not None
    assert counted < 0.8 * whole
    assert predicted_step_flop(model.config, lora) == pytest.approx(counted, rel=0.1)


def test_the_peak_is_a_rate() -> None:
    assert 1e8 < peak_flop_per_s("cpu", seconds=0.02, width=128) < 1e15
