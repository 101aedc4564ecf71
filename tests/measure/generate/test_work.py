"""Operations from the model's shape are those that torch counts, to the last one."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayrate.catalog.hf_config import spec_from_config
from dayrate.catalog.model import Attention, ModelSpec
from dayrate.catalog.models import model
from dayrate.measure.generate.counted import counted_flop
from dayrate.measure.generate.trace import Pass
from dayrate.measure.generate.work import decode_flop, prefill_flop

SHAPES = {
    "a prompt alone": (7, 0, 1, 1),
    "and ten steps": (7, 0, 1, 11),
    "five beams": (12, 0, 5, 9),
    "a second turn": (30, 22, 1, 6),
}


def a_pass(prompt: int, cached: int, width: int, tokens: int) -> Pass:
    return Pass(prompt, cached, width, tuple(0.1 * i for i in range(tokens)), 1.0)


def masked_flop(spec: ModelSpec, one: Pass) -> float:
    """Products of queries with later keys: computed by torch, and thrown away."""
    new = one.computed_tokens
    pairs = one.width * (new * new - new * (new + 1) / 2)
    total = 0.0
    for block in spec.blocks:
        assert isinstance(block.mixer, Attention)
        per_pair = 4 * block.mixer.n_heads * block.mixer.head_dim
        total += block.count * per_pair * pairs
    return total


CONFIGS: dict[str, dict[str, Any]] = {
    "gpt2": {"n_layer": 2, "n_embd": 48, "n_head": 3, "vocab_size": 101},
    "llama": {
        "hidden_size": 48,
        "intermediate_size": 100,
        "num_hidden_layers": 3,
        "num_attention_heads": 6,
        "num_key_value_heads": 2,
        "vocab_size": 101,
        "tie_word_embeddings": True,
    },
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("kind", CONFIGS)
def test_torch_counts_the_same(
    kind: str, shape: tuple[int, int, int, int], torch: Any
) -> None:
    transformers = pytest.importorskip("transformers")
    config = transformers.AutoConfig.for_model(kind, **CONFIGS[kind])
    spec, one = spec_from_config(config.to_dict(), id="small"), a_pass(*shape)
    ours = prefill_flop(spec, one) + decode_flop(spec, one) + masked_flop(spec, one)
    assert counted_flop(config, [one], transformers, torch) == ours


def test_a_model_that_needs_data_is_not_counted(torch: Any) -> None:
    transformers = pytest.importorskip("transformers")
    odd = transformers.AutoConfig.for_model("gpt2", **CONFIGS["gpt2"])
    one = a_pass(0, 0, 1, 1)  # no token at all: the network refuses
    assert counted_flop(odd, [one], transformers, torch) is None


@given(
    prompt=st.integers(1, 500),
    steps=st.integers(1, 50),
    width=st.integers(1, 8),
)
def test_work_grows_with_the_sequences_that_run(
    prompt: int, steps: int, width: int
) -> None:
    spec = model("gpt2")
    one, many = (a_pass(prompt, 0, w, steps + 1) for w in (1, width))
    for flop in (prefill_flop, decode_flop):
        assert flop(spec, many) == pytest.approx(width * flop(spec, one))


def test_a_cached_prompt_costs_its_rest_alone() -> None:
    spec = model("gpt2")
    whole, rest = a_pass(100, 0, 1, 1), a_pass(100, 60, 1, 1)
    first = a_pass(60, 0, 1, 1)
    head = 2 * spec.hidden_size * spec.vocab_size  # once for each of the two
    assert prefill_flop(spec, rest) + prefill_flop(spec, first) - head == pytest.approx(
        prefill_flop(spec, whole)
    )


def test_a_small_gpt2_on_disk(gpt2: Path) -> None:
    assert decode_flop(model(str(gpt2)), a_pass(5, 0, 1, 2)) > 0
