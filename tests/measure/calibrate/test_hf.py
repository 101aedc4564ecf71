"""Transformers in this process: a tiny model, one thread, no time asserted."""

import contextlib
import importlib
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from dayrate.errors import InvalidInput, MissingExtra
from dayrate.measure.calibrate import hf
from dayrate.measure.calibrate.hf import TransformersRunner
from dayrate.measure.calibrate.points import DECODE_STEPS, Kind, Point

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


class FakeTorch:
    """As much of torch as is asked, with a device; notes what happens in order."""

    float32, bfloat16 = "fp32", "bf16"

    def __init__(self) -> None:
        self.happened: list[str] = []
        self.cuda = SimpleNamespace(
            is_available=lambda: True,
            synchronize=lambda: self.happened.append("waited"),
        )

    def get_num_threads(self) -> int:
        return 8

    def set_num_threads(self, _count: int) -> None:
        pass

    def inference_mode(self) -> Any:
        return contextlib.nullcontext()

    def full(self, shape: tuple[int, int], value: int, *, device: str) -> Any:
        assert device == "cuda"
        return np.full(shape, value)


class FakeModel:
    """A model that only says that it ran."""

    def __init__(self, torch: FakeTorch) -> None:
        self.torch, self.dtype = torch, ""

    def to(self, *, device: str, dtype: str) -> "FakeModel":
        assert device == "cuda"
        self.dtype = dtype
        return self

    def eval(self) -> "FakeModel":
        return self

    def __call__(self, **_inputs: Any) -> Any:
        self.torch.happened.append("forward")
        return SimpleNamespace(past_key_values=None)


def test_on_cuda_it_computes_in_16_bits_and_waits_for_the_device(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch = FakeTorch()
    made: list[FakeModel] = []

    def from_config(_config: Any) -> FakeModel:
        made.append(FakeModel(torch))
        return made[0]

    transformers = SimpleNamespace(
        AutoConfig=SimpleNamespace(for_model=lambda _kind, **_fields: None),
        AutoModelForCausalLM=SimpleNamespace(from_config=from_config),
    )
    modules = {"torch": torch, "transformers": transformers}
    monkeypatch.setattr("importlib.import_module", modules.__getitem__)
    monkeypatch.setattr(hf, "model_config", lambda _name: TINY)
    with TransformersRunner("tiny", threads=1) as runner:
        assert runner.device == "cuda"
        assert made[0].dtype == "bf16"
        torch.happened.clear()
        runner.time(Point(Kind.DECODE, 8, 2))
    steps = ["forward"] * DECODE_STEPS
    assert torch.happened == ["forward", "waited", *steps, "waited"]
