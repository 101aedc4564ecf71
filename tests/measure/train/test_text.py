"""Text to tokens: nothing is lost, and what is tested on is not trained on."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dayrate.errors import InvalidInput
from dayrate.measure.train.text import corpus, training_text

from .made import JOB, text, tokenizer


def test_tokens_are_the_text() -> None:
    parts = corpus(text(), tokenizer(), JOB)
    ids = np.concatenate([*parts.training, *parts.validation])
    paragraphs = [p.strip("\n") for p in text().split("\n\n") if p.strip()]
    assert tokenizer().decode(ids) == "".join(f"{p}\n" for p in paragraphs)


def test_a_tenth_is_kept_for_validation() -> None:
    parts = corpus(text(), tokenizer(), JOB)
    total = parts.training_tokens + parts.validation_tokens
    assert parts.validation_tokens / total == pytest.approx(0.1, abs=0.02)


def test_a_file_of_text(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("你好\n", encoding="utf-8")
    assert training_text(file) == "你好\n"


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    file = tmp_path / "a.bin"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidInput, match="UTF-8"):
        training_text(file)
    with pytest.raises(InvalidInput, match="Cannot read"):
        training_text(tmp_path / "none")


@pytest.mark.parametrize("short", ["", "\n\n", "a few words\n\nand some more\n"])
def test_a_text_too_short(short: str) -> None:
    with pytest.raises(InvalidInput, match=r"empty|longer text"):
        corpus(short, tokenizer(), replace(JOB, context=64))
