import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dayrate.catalog.model import ModelSpec
from dayrate.perf.blocks import step_operators, step_transfers
from dayrate.perf.deployment import Machine, Parallelism, Precision
from dayrate.perf.efficiency import load_efficiency
from dayrate.perf.examples import BF16, H100, LLAMA_3_1_70B, TP8
from dayrate.perf.operators import StepShape
from dayrate.perf.parallel import accelerator_rank
from dayrate.perf.step import StepTime, step_time
from dayrate.units import DType, Num

EFFICIENCY = load_efficiency("h100-sxm-80gb", "hopper")
batches = st.floats(1, 4096)
contexts = st.floats(1, 1e6)


def decode(batch: Num, context: Num = 1000.0) -> StepShape:
    return StepShape(
        decode_sequences=batch, decode_context_tokens=context, logit_sequences=batch
    )


def seconds(
    shape: StepShape,
    *,
    model: ModelSpec = LLAMA_3_1_70B,
    machine: Machine = H100,
    spread: Parallelism = TP8,
) -> StepTime:
    return step_time(model, machine, spread, BF16, shape, efficiency=EFFICIENCY)


def flops(model: ModelSpec, shape: StepShape, precision: Precision = BF16) -> float:
    rank = accelerator_rank(model, Parallelism(), precision, shape)
    return float(sum(op.flop * op.count for op in step_operators(model, rank)))


@given(batches, st.floats(1, 8), contexts)
@settings(max_examples=50)
def test_never_falls_with_the_batch(b: float, more: float, context: float) -> None:
    few, many = (float(seconds(decode(x, context)).total_s) for x in (b, b * more))
    assert many >= few * (1 - 1e-12)


@given(batches, contexts, st.floats(1, 8))
@settings(max_examples=50)
def test_never_falls_with_context(b: float, context: float, more: float) -> None:
    short, long = (
        float(seconds(decode(b, c)).total_s) for c in (context, context * more)
    )
    assert long >= short * (1 - 1e-12)


@given(batches, st.floats(1, 10))
@settings(max_examples=25)
def test_never_rises_with_bandwidth(b: float, more: float) -> None:
    fast = dataclasses.replace(H100, hbm_bytes_per_s=H100.hbm_bytes_per_s * more)
    assert (
        seconds(decode(b), machine=fast).total_s <= seconds(decode(b)).total_s * 1.0001
    )


def test_every_kind_of_layer_has_a_time(any_model: ModelSpec) -> None:
    prefill = StepShape(
        prefill_tokens=2048.0, prefill_context_tokens=1024.0, logit_sequences=1.0
    )
    for shape in (decode(64.0), prefill):
        t = seconds(shape, model=any_model)
        assert 0 < t.total_s < 1
        assert sum(t.by_operator_s.values()) == pytest.approx(float(t.total_s))


def test_arrays_equal_scalars(any_model: ModelSpec) -> None:
    batch = np.array([1.0, 7.0, 300.0])
    tensor = np.array([1.0, 4.0, 8.0])
    bandwidth = np.array([2e12, 3.35e12, 8e12])
    machine = dataclasses.replace(H100, hbm_bytes_per_s=bandwidth)
    together = seconds(
        decode(batch, 3000.0),
        model=any_model,
        machine=machine,
        spread=Parallelism(tensor=tensor),
    )
    for i in range(3):
        alone = seconds(
            decode(float(batch[i]), 3000.0),
            model=any_model,
            machine=dataclasses.replace(H100, hbm_bytes_per_s=float(bandwidth[i])),
            spread=Parallelism(tensor=float(tensor[i])),
        )
        assert np.asarray(together.total_s)[i] == pytest.approx(float(alone.total_s))


@pytest.mark.parametrize("name", ["llama-70b", "llama-405b"])
def test_decode_flops_are_twice_the_parameters(
    models: dict[str, ModelSpec], name: str
) -> None:
    model = models[name]
    params = {"llama-70b": 70.55e9, "llama-405b": 405.85e9}[name]
    used = params - model.vocab_size * model.hidden_size  # the input table is looked up
    context = 1000.0
    heads = {"llama-70b": 64, "llama-405b": 128}[name]
    attention = 4 * model.n_layers * heads * 128 * context
    found = flops(model, decode(1.0, context))
    assert found == pytest.approx(2 * used + attention, rel=0.001)


def test_active_parameters_of_deepseek_v3(models: dict[str, ModelSpec]) -> None:
    # 37 B active per token by the publisher, counting both vocabulary tables
    found = flops(models["deepseek-v3"], decode(1.0, 0.0)) / 2
    assert found + 129_280 * 7168 == pytest.approx(37e9, rel=0.03)


def test_absorbed_latent_attention(models: dict[str, ModelSpec]) -> None:
    v3 = models["deepseek-v3"]
    near, far = (flops(v3, decode(1.0, c)) for c in (1000.0, 2000.0))
    assert far - near == pytest.approx(2 * 61 * 128 * 1000 * (2 * 512 + 64))


def test_windows_stop_the_growth(models: dict[str, ModelSpec]) -> None:
    m = models["windowed"]
    near, far = (flops(m, decode(1.0, c)) for c in (2000.0, 3000.0))
    assert far - near == pytest.approx(4 * 16 * 4096 * 1000)


def test_a_sparse_indexer_caps_attention(models: dict[str, ModelSpec]) -> None:
    m = models["sparse"]
    near, far = (flops(m, decode(1.0, c)) for c in (4000.0, 5000.0))
    assert far - near == pytest.approx(2 * 61 * 64 * 128 * 1000)


def test_encoders_run_for_prompts_and_decoders_for_tokens(
    models: dict[str, ModelSpec],
) -> None:
    t5 = models["t5"]
    layer = 2 * 1024 * (4 * 1024 + 3 * 4096)
    prompt = StepShape(prefill_tokens=100.0, prefill_context_tokens=50.0)
    read = flops(t5, prompt)
    cross_kv = 2 * 100 * 24 * 2 * 1024 * 1024
    attention = 4 * 24 * 1024 * 100 * 100
    assert read == pytest.approx(24 * layer * 100 + cross_kv + attention, rel=0.01)
    written = flops(t5, decode(1.0, 100.0))
    cross = 24 * 2 * 2 * 1024 * 1024
    own = 24 * layer + cross + 4 * 24 * 1024 * 100 + 2 * 1024 * 32128
    assert written == pytest.approx(own, rel=0.01)


def test_cross_attention_sees_the_input_and_no_more(
    models: dict[str, ModelSpec],
) -> None:
    """A decoder's two attentions share the context, and none of it is lost."""
    apart = dataclasses.replace(decode(1.0, 120.0), decode_cross_tokens=100.0)
    rank = accelerator_rank(models["t5"], Parallelism(), BF16, apart)
    ops = {op.name: op for op in step_operators(models["t5"], rank) if op.m_tokens}
    assert ops["cross_attention"].flop == 4 * 1024 * 100
    assert ops["attention_decode"].flop == 4 * 1024 * 20
    assert flops(models["t5"], apart) == flops(models["t5"], decode(1.0, 120.0))


def test_windows_cap_each_token_of_a_whole_prompt(
    models: dict[str, ModelSpec],
) -> None:
    length = 3000
    mean = StepShape(prefill_tokens=length, prefill_context_tokens=(length + 1) / 2)
    whole = dataclasses.replace(mean, prefill_prompt_tokens=length)
    pairs = sum(min(i, 1024) for i in range(1, length + 1))
    saved = length * min((length + 1) / 2, 1024) - pairs
    less = flops(models["windowed"], mean) - flops(models["windowed"], whole)
    assert less == pytest.approx(16 * 4 * 4096 * saved)


def test_one_rank_sends_nothing() -> None:
    assert seconds(decode(64.0), spread=Parallelism()).collective_s == 0
    assert seconds(decode(64.0)).collective_s > 0


def test_arithmetic_hides_exchange_between_servers_only(
    models: dict[str, ModelSpec],
) -> None:
    deepseek = models["deepseek-v3"]
    prompt = StepShape(prefill_tokens=64e3, prefill_context_tokens=500.0)
    inside, across = (
        seconds(prompt, model=deepseek, spread=Parallelism(1, 1, n, n)) for n in (8, 32)
    )
    assert inside.collective_s > 0
    rank = accelerator_rank(deepseek, Parallelism(1, 1, 32, 32), BF16, prompt)
    sent = next(
        t for t in step_transfers(deepseek, rank, H100) if t.name == "all_to_all"
    )
    whole = float(EFFICIENCY.transfer_s(sent, H100))
    assert 0.15 * whole < across.collective_s < whole
    # memory traffic hides nothing: halves would read the weights twice
    alone = seconds(decode(64.0), model=deepseek, spread=Parallelism(1, 1, 32, 32))
    assert alone.compute_s == 0
    assert alone.by_operator_s["all_to_all"] > 0


def test_logits_only_where_sampled() -> None:
    prompt = StepShape(prefill_tokens=1000.0, prefill_context_tokens=500.0)
    one = dataclasses.replace(prompt, logit_sequences=1.0)
    head = flops(LLAMA_3_1_70B, one) - flops(LLAMA_3_1_70B, prompt)
    assert head == pytest.approx(2 * 8192 * 128_256)


def test_a_step_without_work_takes_no_time() -> None:
    assert seconds(StepShape()).total_s == 0


def test_pipeline_keeps_the_latency_and_fills_the_stages() -> None:
    # a micro-batch passes all layers; the weights it reads are the whole model's
    tp8 = seconds(decode(64.0))
    deeper = seconds(decode(128.0), spread=Parallelism(tensor=8, pipeline=2))
    assert float(deeper.total_s) == pytest.approx(float(tp8.total_s), rel=0.02)


def test_no_efficiency_exceeds_the_roofline() -> None:
    t = seconds(decode(256.0, 2000.0))
    rank = accelerator_rank(LLAMA_3_1_70B, TP8, BF16, decode(256.0, 2000.0))
    ops = step_operators(LLAMA_3_1_70B, rank)
    moved = sum(op.bytes * op.count for op in ops)
    done = sum(op.flop * op.count for op in ops)
    assert t.total_s > moved / H100.hbm_bytes_per_s
    assert t.total_s > done / H100.matmul_flop_per_s


def test_narrow_weights_read_less() -> None:
    fp8 = Precision(DType.FP8, DType.BF16, DType.BF16)
    machine = dataclasses.replace(H100, matmul_flop_per_s=1979e12)
    narrow = step_time(
        LLAMA_3_1_70B,
        machine,
        Parallelism(tensor=2),
        fp8,
        decode(16.0),
        efficiency=EFFICIENCY,
    )
    wide = seconds(decode(16.0), spread=Parallelism(tensor=2))
    assert 0.5 < narrow.total_s / wide.total_s < 0.8


def test_deepseek_day_six(models: dict[str, ModelSpec]) -> None:
    """DeepSeek's disclosed day (Feb 2025): 14.8k output tokens/s per node of 8 x H800.

    At 4,989 cached tokens and 20 to 22 tokens/s per user, decoding on 18 nodes.
    """
    h800 = dataclasses.replace(
        H100,
        accelerator_id="h800-sxm",
        matmul_flop_per_s=1979e12,
        link_bytes_per_s=200e9,
    )
    spread = Parallelism(tensor=1, expert=144, attention_data=144)
    precision = Precision(DType.FP8, DType.BF16, DType.BF16)
    per_gpu = np.arange(16.0, 160.0)
    t = step_time(
        models["deepseek-v3"],
        h800,
        spread,
        precision,
        decode(per_gpu * 144, 4989.0),
        efficiency=load_efficiency("h800-sxm", "hopper"),
    )
    at_21 = np.argmin(np.abs(1 / np.asarray(t.total_s) - 21.0))
    per_node = 8 * per_gpu[at_21] / np.asarray(t.total_s)[at_21]
    assert per_node == pytest.approx(14_800, rel=0.15)
