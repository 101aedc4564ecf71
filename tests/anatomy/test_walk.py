"""The parts of a walk are those of the step model: nothing is lost or counted twice."""

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dayrate import catalog
from dayrate.anatomy.request import Lengths, decode_shape, prefill_shape
from dayrate.anatomy.walk import Anatomy, Phase, anatomy_of
from dayrate.anatomy.work import Work, total
from dayrate.errors import DoesNotFit, InvalidInput
from dayrate.perf.blocks import step_operators
from dayrate.perf.deployment import Parallelism, Precision, machine_of
from dayrate.perf.operators import StepShape
from dayrate.perf.parallel import accelerator_rank
from dayrate.perf.step import step_time
from dayrate.perf.tuning import calibrated_efficiency, setting_for
from dayrate.scenario.flags import nested
from dayrate.scenario.schema import scenario_from
from dayrate.units import HOUR_S, DType

BF16 = Precision(DType.BF16, DType.BF16, DType.BF16)
H200 = "h200-sxm-141gb"
#: One of each kind of layer: learned, rotary, grouped, experts, latent, windows,
#: recurrent, encoders.
MODELS = (
    "gpt2",
    "meta-llama/Llama-3.1-8B",
    "mistralai/Mixtral-8x7B-v0.1",
    "deepseek-ai/DeepSeek-V2-Lite",
    "google/gemma-3-27b-it",
    "Qwen/Qwen3.5-35B-A3B",
    "nvidia/NVIDIA-Nemotron-Nano-9B-v2",
    "google-t5/t5-large",
    "facebook/bart-base",
    "google-bert/bert-base-uncased",
)
#: In each step, but inside the engine's time: see `dayrate.perf.readout`.
UNTIMED = {"positions", "embedding_norm", "final_norm", "sampling"}


def walked(model: str, batch: int = 1, **flags: Any) -> Anatomy:
    return anatomy_of(scenario_from(nested({"model": model, **flags})), batch)


def shapes(found: Anatomy) -> dict[str, StepShape]:
    """Shapes of the phases that are one pass."""
    lengths = found.lengths
    middle = float(lengths.isl + max(lengths.osl // 2, 1))
    return {
        "prefill": prefill_shape(found.model, lengths),
        "decode": decode_shape(found.model, lengths, middle),
    }


def timed(phase: Phase) -> Work:
    return total(c for c in phase.calls if c.name not in UNTIMED)


@pytest.mark.parametrize("tensor", [1, 4])
@pytest.mark.parametrize("name", MODELS)
def test_parts_sum_to_the_step(name: str, tensor: int) -> None:
    found = walked(
        name, 3, accelerator=H200, tensor_parallel_size=tensor, quantization="bf16"
    )
    split, device = Parallelism(tensor=tensor), catalog.accelerator(H200)
    server = catalog.server_for(device.id)
    machine = machine_of(
        device, network=server.inter_node, precision=BF16, per_server=8
    )
    efficiency = calibrated_efficiency(
        setting_for(device, found.model, DType.BF16, "vllm")
    )
    for phase in found.phases[:2]:
        shape = shapes(found)[phase.name]
        rank = accelerator_rank(found.model, split, BF16, shape)
        ops = step_operators(found.model, rank)
        work = timed(phase)
        for amount in ("flop", "bytes", "weight_bytes", "kv_bytes"):
            expected = sum(float(getattr(op, amount) * op.count) for op in ops)
            assert getattr(work, amount) == pytest.approx(tensor * expected, rel=1e-12)
        step = step_time(
            found.model, machine, split, BF16, shape, efficiency=efficiency
        )
        assert phase.total.seconds == pytest.approx(float(step.total_s), rel=1e-12)


@pytest.mark.parametrize("name", MODELS)
def test_a_phase_is_the_sum_of_its_parts(name: str) -> None:
    found = walked(name, accelerator=H200, tensor_parallel_size=4)
    for phase in found.phases:
        parts = sum(phase.by_part.values(), start=Work())
        for amount in ("flop", "bytes", "seconds", "joules", "usd"):
            whole = getattr(phase.total, amount)
            assert getattr(parts, amount) == pytest.approx(whole, rel=1e-12)
        assert {p.key for p in found.parts} >= phase.by_part.keys()


@settings(max_examples=20)
@given(
    name=st.sampled_from(MODELS[:-1]),
    isl=st.integers(1, 300),
    osl=st.integers(2, 6),
    batch=st.integers(1, 5),
)
def test_a_request_is_its_prefill_and_steps(
    name: str, isl: int, osl: int, batch: int
) -> None:
    """The steps are computed as one array; each by itself gives the same."""
    flags: dict[str, Any] = {"accelerator": H200, "tensor_parallel_size": 4}
    whole = walked(name, batch, isl=isl, osl=osl, **flags)
    steps = [_step_at(whole, isl + i) for i in range(1, osl)]
    first, request = whole.phases[0].total, whole.phases[-1].total
    expected = sum((s for s in steps), start=first.matmul_flop)
    assert request.matmul_flop == pytest.approx(expected, rel=1e-12)
    assert whole.phases[-1].passes == osl


def _step_at(found: Anatomy, context: int) -> float:
    shape = decode_shape(found.model, found.lengths, float(context))
    rank = accelerator_rank(found.model, Parallelism(tensor=4), BF16, shape)
    ops = step_operators(found.model, rank)
    kinds = {"gemm", "attention_prefill", "attention_decode"}
    return sum(4.0 * float(o.flop * o.count) for o in ops if o.kind.value in kinds)


@pytest.mark.parametrize("name", MODELS)
def test_energy_lies_between_idle_and_rated_power(name: str) -> None:
    found = walked(name, accelerator=H200, tensor_parallel_size=4)
    tdp_w = catalog.accelerator(H200).tdp_w
    assert tdp_w is not None
    for phase in found.phases:
        spent = phase.total
        assert spent.joules is not None
        assert spent.seconds is not None
        rated_j = 4 * tdp_w * spent.seconds
        assert 0.2 * rated_j < spent.joules <= rated_j * (1 + 1e-12)


def test_cost_is_the_rent_of_its_seconds() -> None:
    found = walked("gpt2", accelerator="l4", gpu_hour_price=3.6)
    spent = found.phases[-1].total
    assert spent.seconds is not None
    assert spent.usd == pytest.approx(3.6 * spent.seconds / HOUR_S, rel=1e-12)


def test_without_an_accelerator_time_is_unknown() -> None:
    found = walked("gpt2")
    for phase in found.phases:
        assert phase.total.flop > 0
        assert (phase.total.seconds, phase.total.joules, phase.total.usd) == (None,) * 3


def test_attention_counts_the_pairs_that_the_mask_allows() -> None:
    """GPT-2: 12 layers, 4 FLOP for each of 768 values and each pair."""
    found = walked("gpt2", isl=10, osl=2)
    read, written = (
        phase.by_part[next(k for k in phase.by_part if k.name == "attention")]
        for phase in found.phases[:2]
    )
    assert read.matmul_flop == 12 * 4 * 768 * (10 * 11 / 2)
    assert written.matmul_flop == 12 * 4 * 768 * 11


@pytest.mark.parametrize("isl", [100, 1024, 1025, 3000])
def test_a_window_caps_what_each_token_sees(isl: int) -> None:
    """Gemma 3 27B: 52 of 62 layers see 1,024 tokens, with heads 4,096 wide."""
    found = walked("google/gemma-3-27b-it", isl=isl, osl=1)
    flops = [
        work.matmul_flop
        for key, work in found.phases[0].by_part.items()
        if key.name == "attention"
    ]
    pairs = {
        52: sum(min(i, 1024) for i in range(1, isl + 1)),
        10: isl * (isl + 1) / 2,
    }
    assert sorted(flops) == sorted(n * 4 * 4096 * p for n, p in pairs.items())


def test_an_encoder_sees_all_and_its_decoder_too() -> None:
    """T5-small: 6 + 6 layers, heads of 512 values together."""
    found = walked("google-t5/t5-small", isl=10, osl=4)
    by_name = {
        (p.stack, p.key.name): found.phases[0].by_part[p.key].matmul_flop
        for p in found.parts
        if "attention" in p.key.name
    }
    pair = 6 * 4 * 512
    assert by_name["encoder", "attention"] == pair * 10 * 10
    assert by_name["decoder", "attention"] == pair * 1
    assert by_name["decoder", "cross_attention"] == pair * 10
    step = found.phases[1].by_part
    later = {p.key.name: step[p.key].matmul_flop for p in found.parts if p.key in step}
    assert later["cross_attention"] == pair * 10
    # the middle of four tokens: start, first, second
    assert later["attention"] == pair * 3


def test_a_step_of_one_request_reads_the_experts_it_chose() -> None:
    found = walked("mistralai/Mixtral-8x7B-v0.1")
    key = next(p.key for p in found.parts if p.key.name == "experts")
    chosen = 32 * 2 * 3 * 4096 * 14336
    assert found.phases[1].by_part[key].weight_bytes == pytest.approx(2.0 * chosen)
    assert found.phases[1].by_part[key].matmul_flop == 2.0 * chosen


@pytest.mark.parametrize("name", ["gpt2", "meta-llama/Llama-3.1-8B"])
def test_eager_attention_multiplies_the_whole_square(name: str) -> None:
    found = walked(name, isl=100)
    phase = found.phases[0]
    by_part = phase.by_part
    pairs = sum(w.matmul_flop for k, w in by_part.items() if k.name == "attention")
    more = phase.eager_matmul_flop - phase.total.matmul_flop
    assert more == pytest.approx(pairs * (100 - 50.5) / 50.5)
    step = found.phases[1]
    assert step.eager_matmul_flop == step.total.matmul_flop


def test_an_encoder_alone_reads_once() -> None:
    found = walked("google-bert/bert-base-uncased", isl=10)
    assert [phase.name for phase in found.phases] == ["prefill"]
    assert found.lengths == Lengths(10, 0, 1)
    head = next(p.key for p in found.parts if p.key.name == "lm_head")
    flop = found.phases[0].by_part[head].matmul_flop
    assert flop == 10 * 2 * (768 * 768 + 768 * 30522)


def test_one_output_token_needs_no_step() -> None:
    assert [p.name for p in walked("gpt2", osl=1).phases] == ["prefill"]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"isl": 1000, "osl": 100}, "1100 tokens .together. and .* holds 1024"),
        ({"isl": 2.5}, "--isl is 2.5; give a whole number"),
        ({"batch": 0}, "--batch is 0"),
        ({"gpu_hour_price": 3}, "--gpu-hour-price is given and no accelerator"),
        ({"accelerator": "l4", "tensor_parallel_size": 5}, "does not divide"),
        ({"accelerator": "l4", "pricing": "owned"}, "no price per hour"),
    ],
)
def test_what_cannot_be_walked_is_said(flags: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        walked("gpt2", **flags)


def test_an_encoder_is_asked_for_no_output() -> None:
    with pytest.raises(InvalidInput, match="reads text and writes none"):
        walked("google-bert/bert-base-uncased", osl=3)


def test_what_does_not_fit_is_not_timed() -> None:
    with pytest.raises(DoesNotFit, match="with its cache needs 141"):
        walked("meta-llama/Llama-3.1-70B", accelerator="h100-sxm-80gb")


def test_an_accelerator_without_a_price_has_unknown_cost() -> None:
    known = {a for a in catalog.accelerator_ids() if catalog.offers(a)}
    others = set(catalog.accelerator_ids()) - known
    halves = {DType.BF16, DType.FP16}
    free = [a for a in others if halves & {*catalog.accelerator(a).peak_flop_per_s}]
    assert free
    for name in free:
        spent = walked("gpt2", accelerator=name).phases[0].total
        assert spent.usd is None
        assert spent.seconds is not None
        assert math.isfinite(spent.seconds)
