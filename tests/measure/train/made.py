"""A text, a tokenizer and small jobs that several tests train on."""

import functools
from dataclasses import replace
from pathlib import Path
from typing import Any

from dayrate.measure.train.job import Job, Objective, Shape
from dayrate.measure.train.loop import Trained, train
from dayrate.measure.train.text import learnt_tokenizer, training_text

JOB = Job(
    shape=Shape(layers=1, hidden=32, heads=2, vocabulary=400),
    steps=12,
    batch=8,
    context=32,
    learning_rate=0.01,
    evaluate_every=6,
)
MASKED = replace(JOB, objective=Objective.MASKED)


@functools.cache
def text() -> str:
    """Return the first part of what ships with Python: enough, and quick."""
    return training_text(None)[:80_000]


@functools.cache
def tokenizer() -> Any:
    return learnt_tokenizer(text(), JOB.shape.vocabulary)


def text_file(folder: Path) -> Path:
    file = folder / "text.txt"
    file.write_text(text(), encoding="utf-8")
    return file


def trained(folder: Path, job: Job = JOB) -> Trained:
    return train(replace(job, text=text_file(folder)))
