import dataclasses

import numpy as np
import pytest

from dayrate.catalog.model import ModelSpec
from dayrate.perf.deployment import Parallelism, Precision
from dayrate.perf.examples import BF16, H100, LLAMA_3_1_70B, TP8
from dayrate.perf.memory import (
    kv_bytes_per_sequence,
    kv_bytes_per_token,
    memory_plan,
    weight_bytes_per_accelerator,
)
from dayrate.units import DType


@pytest.mark.parametrize(
    ("name", "published_bytes"),
    [
        ("gpt2", 36_864),
        ("gpt3", 4_718_592),
        ("llama-70b", 327_680),
        ("llama-405b", 516_096),
        ("deepseek-v3", 70_272),
    ],
)
def test_cache_per_token(
    models: dict[str, ModelSpec], name: str, published_bytes: int
) -> None:
    assert kv_bytes_per_token(models[name], DType.BF16) == published_bytes


@pytest.mark.parametrize(
    ("name", "published_params", "rtol"),
    [
        # published totals; biases and MTP layers are not part of these specs
        ("llama-70b", 70.55e9, 0.001),
        ("llama-405b", 405.9e9, 0.001),
        ("mixtral", 46.70e9, 0.001),
        ("deepseek-v3", 671.0e9, 0.001),
    ],
)
def test_weights_hold_the_published_parameters(
    models: dict[str, ModelSpec], name: str, published_params: float, rtol: float
) -> None:
    size = weight_bytes_per_accelerator(models[name], Parallelism(), BF16)
    assert size / 2 == pytest.approx(published_params, rel=rtol)


def test_windows_cap_the_cache(models: dict[str, ModelSpec]) -> None:
    def cache(tokens: int) -> float:
        return float(
            kv_bytes_per_sequence(models["windowed"], Parallelism(), BF16, tokens)
        )

    per_layer = 2 * 8 * 128 * 2
    assert cache(1000) == 32 * per_layer * 1000
    assert cache(8192) == 16 * per_layer * (1024 + 8192)


def test_recurrent_layers_keep_a_constant_state(models: dict[str, ModelSpec]) -> None:
    one, two = (
        float(kv_bytes_per_sequence(models["hybrid"], Parallelism(), BF16, n))
        for n in (1000, 2000)
    )
    assert two - one == pytest.approx(4 * 2 * 8 * 128 * 2 * 1000)
    assert one > two - one


def test_heads_replicate_and_latents_too(models: dict[str, ModelSpec]) -> None:
    def cache(name: str, tensor: int) -> float:
        spread = Parallelism(tensor=tensor)
        return float(kv_bytes_per_sequence(models[name], spread, BF16, 1))

    assert cache("llama-70b", 8) == cache("llama-70b", 16) == 327_680 / 8
    assert cache("deepseek-v3", 8) == cache("deepseek-v3", 1) == 70_272


def test_a_quantised_checkpoint_keeps_its_head_in_16_bits() -> None:
    fp8 = Precision(DType.FP8, DType.FP8, DType.BF16)
    wide = float(weight_bytes_per_accelerator(LLAMA_3_1_70B, Parallelism(), BF16))
    narrow = float(weight_bytes_per_accelerator(LLAMA_3_1_70B, Parallelism(), fp8))
    tables = 2 * 128_256 * 8192 * 2
    vectors = 81 * 2 * 8192 * 2 - 8192 * 2
    assert narrow == pytest.approx((wide - tables - vectors) / 2 + tables + vectors)


def test_only_experts_are_quantised_when_the_checkpoint_says_so(
    models: dict[str, ModelSpec],
) -> None:
    fp4 = Precision(DType.MXFP4, DType.BF16, DType.BF16)
    all_of_it = models["mixtral"]
    experts = dataclasses.replace(all_of_it, quantized_experts_only=True)
    a, b = (
        float(weight_bytes_per_accelerator(m, Parallelism(), fp4))
        for m in (all_of_it, experts)
    )
    attention = 32 * (4096 * 6144 + 4096 * 4096)
    assert b - a == pytest.approx(attention * (2 - 4.25 / 8))


def test_stages_share_layers_and_end_tables() -> None:
    whole, half = (
        float(
            weight_bytes_per_accelerator(LLAMA_3_1_70B, Parallelism(pipeline=p), BF16)
        )
        for p in (1, 2)
    )
    assert half == pytest.approx(whole / 2)


def test_a_model_that_does_not_fit_leaves_no_room() -> None:
    plan = memory_plan(
        LLAMA_3_1_70B,
        H100,
        Parallelism(tensor=np.array([1.0, 8.0])),
        BF16,
        context_tokens=1000.0,
        usable_bytes=72e9,
        workspace=2e9,
    )
    none, many = np.asarray(plan.kv_sequences)
    assert none == 0
    assert many == pytest.approx(np.asarray(plan.cache_bytes)[1] / 40.96e6)
    assert np.asarray(plan.need_bytes)[0] > 72e9


def test_attention_ranks_hold_sequences_of_their_own(
    models: dict[str, ModelSpec],
) -> None:
    def sequences(spread: Parallelism) -> float:
        plan = memory_plan(
            models["deepseek-v3"],
            H100,
            spread,
            Precision(DType.FP8, DType.BF16, DType.BF16),
            context_tokens=5000.0,
            usable_bytes=140e9,
            workspace=2e9,
        )
        return float(plan.kv_sequences)

    replicated = sequences(Parallelism(tensor=16))
    shared_out = sequences(Parallelism(tensor=1, expert=16, attention_data=16))
    assert shared_out > 5 * replicated
    assert TP8.accelerators == 8
