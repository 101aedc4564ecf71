"""Transformers in this process: a tiny model, one thread, no time asserted."""

import importlib
from typing import Any

import pytest

from dayrate.errors import InvalidInput, MissingExtra
from dayrate.measure.calibrate import hf
from dayrate.measure.calibrate.hf import TransformersRunner
from dayrate.measure.calibrate.points import Kind, Point

TINY = {
    "model_type": "llama",
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "vocab_size": 64,
    "max_position_embeddings": 128,
}


@pytest.mark.slow
def test_prompts_and_batches_run(monkeypatch: pytest.MonkeyPatch) -> None:
    torch: Any = importlib.import_module("torch")
    before = torch.get_num_threads()
    monkeypatch.setattr(hf, "model_config", lambda _name: TINY)
    with TransformersRunner("tiny", threads=1) as runner:
        assert runner.device in {"cpu", "cuda"}
        for point in (Point(Kind.PREFILL, 8), Point(Kind.DECODE, 8, 2)):
            assert runner.time(point).own_s > 0
    assert torch.get_num_threads() == before


@pytest.mark.slow
def test_a_type_that_transformers_does_not_know_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hf, "model_config", lambda _name: {"model_type": "abacus"})
    with (
        pytest.raises(InvalidInput, match="cannot build a model of type 'abacus'"),
        TransformersRunner("abacus", threads=1),
    ):
        pass


def test_without_it_the_command_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(_name: str) -> Any:
        raise ImportError

    monkeypatch.setattr("importlib.import_module", absent)
    with (
        pytest.raises(MissingExtra, match=r"pip install 'dayrate\[torch\]'"),
        TransformersRunner("gpt2", threads=1),
    ):
        pass
