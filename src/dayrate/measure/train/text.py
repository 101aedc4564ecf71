"""The text that is trained on, as tokens: a tokenizer learnt from it, two parts."""

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dayrate.errors import InvalidInput
from dayrate.measure.train.job import Job

__all__ = ["Corpus", "corpus", "learnt_tokenizer", "training_text"]

Ints = npt.NDArray[np.int64]

#: Share of the text that is kept from training, its last part.
VALIDATION_FRAC = 0.1
SPECIAL = {
    "pad_token": "<pad>",
    "cls_token": "<cls>",
    "sep_token": "<sep>",
    "mask_token": "<mask>",
    "eos_token": "<|endoftext|>",
    "bos_token": "<|endoftext|>",
}


@dataclass(frozen=True, slots=True)
class Corpus:
    """Passages as tokens, in the order of the text."""

    training: tuple[Ints, ...]
    validation: tuple[Ints, ...]

    @property
    def training_tokens(self) -> int:
        """Tokens to train on. [token]"""
        return sum(map(len, self.training))

    @property
    def validation_tokens(self) -> int:
        """Tokens kept from training. [token]"""
        return sum(map(len, self.validation))


def training_text(file: Path | None) -> str:
    """Text of a file, else the help texts that ship with every Python.

    >>> len(training_text(None)) > 100_000
    True
    """
    if file is None:
        topics = importlib.import_module("pydoc_data.topics").topics
        return "\n\n".join(topics[name] for name in sorted(topics))
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(
            f"Cannot read {file} as text: {error}. Give a file in UTF-8."
        ) from None


def learnt_tokenizer(text: str, vocabulary: int) -> Any:
    """Learn byte pairs from the text, for a transformers model."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=sorted(set(SPECIAL.values())),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(text.splitlines(keepends=True), trainer)
    fast: Any = PreTrainedTokenizerFast
    return fast(tokenizer_object=tokenizer, **SPECIAL)


def corpus(text: str, tokenizer: Any, job: Job) -> Corpus:
    """Cut the text into paragraphs, turn them into tokens, keep the last for testing.

    Raises
    ------
    InvalidInput
        Either part is shorter than a batch of sequences takes.
    """
    paragraphs = [p.strip("\n") + "\n" for p in text.split("\n\n") if p.strip()]
    if not paragraphs:
        raise InvalidInput("The text is empty. Give a file with some pages of text.")
    found = tokenizer(paragraphs, add_special_tokens=False)["input_ids"]
    passages = [np.asarray(p, dtype=np.int64) for p in found if p]
    total = sum(map(len, passages))
    ends = np.cumsum([len(p) for p in passages])
    cut = int(np.searchsorted(ends, total * (1 - VALIDATION_FRAC)))
    parts = Corpus(tuple(passages[:cut]), tuple(passages[cut:]))
    if min(parts.training_tokens, parts.validation_tokens) < 2 * job.context:
        raise InvalidInput(
            f"The text has {total:,} tokens; --context {job.context} needs "
            f"{int(2 * job.context / VALIDATION_FRAC):,} or more. Give a longer text "
            "or a shorter --context."
        )
    return parts
