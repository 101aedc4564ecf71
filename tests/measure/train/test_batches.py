"""Batches of either objective hold what the papers say."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from dayrate.measure.train.batches import (
    IGNORED,
    batch_source,
    validation_batches,
)
from dayrate.measure.train.job import Job
from dayrate.measure.train.text import corpus

from .made import JOB, MASKED, text, tokenizer

Ints = npt.NDArray[np.int64]


def some(job: Job, seed: int = 0, count: int = 40) -> dict[str, Ints]:
    passages = corpus(text(), tokenizer(), job).training
    source = batch_source(passages, tokenizer(), job, seed)
    batches: list[dict[str, Any]] = [next(source) for _ in range(count)]
    return {k: np.concatenate([b[k].numpy() for b in batches]) for k in batches[0]}


@pytest.mark.parametrize("job", [JOB, MASKED])
def test_the_seed_decides(job: Job) -> None:
    one, again, other = some(job, 1, 2), some(job, 1, 2), some(job, 2, 2)
    assert all((one[k] == again[k]).all() for k in one)
    assert (one["input_ids"] != other["input_ids"]).any()


def test_validation_never_changes() -> None:
    passages = corpus(text(), tokenizer(), JOB).validation
    one, two = (validation_batches(passages, tokenizer(), JOB) for _ in range(2))
    for a, b in zip(one, two, strict=True):
        assert (a["input_ids"] == b["input_ids"]).all()


def test_causal_batches_are_stretches_of_the_text() -> None:
    found = some(JOB)
    assert found["input_ids"].shape == (40 * JOB.batch, JOB.context)
    assert (found["input_ids"] == found["labels"]).all()
    said = tokenizer().decode(found["input_ids"][0]).split("<|endoftext|>")
    assert all(part.strip() in text() for part in said)


def test_fifteen_in_a_hundred_are_hidden() -> None:
    found = some(MASKED)
    chosen = found["labels"] != IGNORED
    ordinary = ~np.isin(found["input_ids"], tokenizer().all_special_ids) | chosen
    assert chosen.sum() / ordinary.sum() == pytest.approx(0.15, abs=0.02)
    masks = found["input_ids"][chosen] == tokenizer().mask_token_id
    assert masks.mean() == pytest.approx(0.8, abs=0.05)
    kept = found["input_ids"][chosen] == found["labels"][chosen]
    assert kept.mean() == pytest.approx(0.1, abs=0.04)


def test_half_of_the_pairs_follow() -> None:
    found = some(MASKED)
    assert found["next_sentence_label"].mean() == pytest.approx(0.5, abs=0.1)
    assert (found["input_ids"][:, 0] == tokenizer().cls_token_id).all()
    seps = found["input_ids"] == tokenizer().sep_token_id
    assert (seps.sum(1) == 2).all()


def test_padding_is_neither_seen_nor_predicted() -> None:
    found = some(MASKED)
    padding = found["attention_mask"] == 0
    assert padding.any()
    assert (found["labels"][padding] == IGNORED).all()
    assert (found["input_ids"][padding] == tokenizer().pad_token_id).all()
