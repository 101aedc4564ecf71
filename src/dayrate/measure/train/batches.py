"""Batches of token ids with what is to be predicted, for either objective."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from dayrate.measure.train.job import Job, Objective

__all__ = ["Batch", "batch_source", "validation_batches"]

Ints = npt.NDArray[np.int64]
Passages = tuple[Ints, ...]
Batch = dict[str, Any]  # of torch tensors: what a transformers model takes

_VALIDATION_BATCHES = 8
IGNORED = -100  # a label that the loss leaves out


def batch_source(
    passages: Passages, tokenizer: Any, job: Job, seed: int
) -> Iterator[Batch]:
    """Yield batches without end, drawn from the passages."""
    rng = np.random.default_rng(seed)
    draw = _causal if job.objective is Objective.CAUSAL else _masked
    make = draw(passages, tokenizer, job)
    while True:
        yield make(rng)


def validation_batches(passages: Passages, tokenizer: Any, job: Job) -> list[Batch]:
    """Build the batches that every evaluation uses."""
    source = batch_source(passages, tokenizer, job, seed=20_260_101)
    return [next(source) for _ in range(_VALIDATION_BATCHES)]


def _causal(
    passages: Passages, tokenizer: Any, job: Job
) -> Callable[[np.random.Generator], Batch]:
    """Stretches of the text; the model shifts the labels by one itself."""
    import torch

    end = np.asarray([tokenizer.eos_token_id])
    stream = np.concatenate([x for p in passages for x in (p, end)])

    def make(rng: np.random.Generator) -> Batch:
        at = rng.integers(0, len(stream) - job.context, size=job.batch)
        ids = torch.from_numpy(stream[at[:, None] + np.arange(job.context)])
        return {"input_ids": ids, "labels": ids.clone()}

    return make


def _masked(
    passages: Passages, tokenizer: Any, job: Job
) -> Callable[[np.random.Generator], Batch]:
    """Pairs of passages with hidden tokens: BERT's two objectives."""
    import torch

    def make(rng: np.random.Generator) -> Batch:
        rows = [_pair(passages, tokenizer, job.context, rng) for _ in range(job.batch)]
        ids, kinds, follows = (np.asarray(part) for part in zip(*rows, strict=True))
        hidden, labels = _hide(ids, tokenizer, rng)
        return {
            "input_ids": torch.from_numpy(hidden),
            "token_type_ids": torch.from_numpy(kinds),
            "attention_mask": torch.from_numpy((ids != tokenizer.pad_token_id) * 1),
            "labels": torch.from_numpy(labels),
            "next_sentence_label": torch.from_numpy(follows),
        }

    return make


def _pair(
    passages: Passages, tokenizer: Any, context: int, rng: np.random.Generator
) -> tuple[Ints, Ints, int]:
    """Two passages between special tokens; label 1 where the second is not next."""
    first = int(rng.integers(0, len(passages) - 1))
    stranger = int(rng.random() < 0.5)
    second = int(rng.integers(0, len(passages))) if stranger else first + 1
    half = (context - 3) // 2
    cls, sep = [tokenizer.cls_token_id], [tokenizer.sep_token_id]
    a, b = passages[first][-half:], passages[second][: context - 3 - half]
    ids = np.concatenate([cls, a, sep, b, sep])
    kinds = np.repeat([0, 1], [len(a) + 2, len(b) + 1])
    padding = context - len(ids)
    ids = np.pad(ids, (0, padding), constant_values=tokenizer.pad_token_id)
    return ids, np.pad(kinds, (0, padding)), stranger


def _hide(ids: Ints, tokenizer: Any, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Hide 15 % of the tokens: most by a mask, some by any token, some not at all.

    J. Devlin et al., "BERT", 2018, arXiv:1810.04805, section 3.1.
    """
    special = np.isin(ids, tokenizer.all_special_ids)
    chosen = (rng.random(ids.shape) < 0.15) & ~special
    how = rng.random(ids.shape)
    hidden = np.where(chosen & (how < 0.8), tokenizer.mask_token_id, ids)
    other = rng.integers(0, len(tokenizer), size=ids.shape)
    hidden = np.where(chosen & (how >= 0.9), other, hidden)
    return hidden, np.where(chosen, ids, IGNORED)
