import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dayrate.errors import DoesNotFit, SloUnreachable
from dayrate.perf.deployment import Parallelism
from dayrate.perf.efficiency import load_efficiency
from dayrate.serving.examples import CHAT, LLAMA_ON_H100
from dayrate.serving.steady import (
    Engine,
    Replica,
    Slo,
    Traffic,
    capacity,
    marginal_seconds,
    operating_point,
    require_capacity,
    static_batch_seconds,
)
from dayrate.units import Num

OFFLINE = Slo()
lengths = st.floats(1, 8000)
traffics = st.builds(
    Traffic,
    input_tokens=lengths,
    output_tokens=st.floats(1, 4000),
    cached_input_frac=st.floats(0, 0.99),
    output_cv=st.floats(0, 2),
)


def spread(replica: Replica, **changes: Num) -> Replica:
    return dataclasses.replace(
        replica, parallelism=dataclasses.replace(replica.parallelism, **changes)
    )


def hardware(replica: Replica, **changes: Any) -> Replica:
    return dataclasses.replace(
        replica, machine=dataclasses.replace(replica.machine, **changes)
    )


def engine(**changes: Any) -> Replica:
    limits = dataclasses.replace(LLAMA_ON_H100.engine, **changes)
    return dataclasses.replace(LLAMA_ON_H100, engine=limits)


@given(traffics, st.floats(1, 4))
@settings(max_examples=40, deadline=None)
def test_more_bandwidth_never_serves_less(traffic: Traffic, more: float) -> None:
    machine = LLAMA_ON_H100.machine
    faster = hardware(LLAMA_ON_H100, hbm_bytes_per_s=machine.hbm_bytes_per_s * more)
    slow, fast = (capacity(r, traffic, OFFLINE) for r in (LLAMA_ON_H100, faster))
    assert fast.requests_per_s >= slow.requests_per_s * (1 - 1e-6)


@given(traffics, st.floats(0.01, 10), st.floats(0.01, 0.5))
@settings(max_examples=40, deadline=None)
def test_targets_hold_at_capacity(traffic: Traffic, ttft: float, tpot: float) -> None:
    most = capacity(LLAMA_ON_H100, traffic, Slo(ttft_s=ttft, tpot_s=tpot))
    if np.isfinite(most.requests_per_s):
        assert most.tpot_s <= tpot
        assert most.ttft_s <= ttft
        assert most.batch <= 256
    else:
        assert most.binding in {"ttft", "tpot"}


@given(traffics)
@settings(max_examples=40, deadline=None)
def test_no_more_than_the_roofline(traffic: Traffic) -> None:
    most = capacity(LLAMA_ON_H100, traffic, OFFLINE)
    machine = LLAMA_ON_H100.machine
    # 2 FLOP per parameter and token, on 8 accelerators without any loss
    tokens = traffic.uncached_tokens + traffic.decode_steps
    flop = 2 * 68.4e9 * tokens
    assert most.requests_per_s < 8 * machine.matmul_flop_per_s / flop


@given(st.floats(0.001, 0.95))
@settings(max_examples=30, deadline=None)
def test_operating_point_obeys_little(load: float) -> None:
    full = float(capacity(LLAMA_ON_H100, CHAT, OFFLINE).requests_per_s)
    point = operating_point(LLAMA_ON_H100, CHAT, load * full)
    inside = load * full * CHAT.decode_steps * point.step_s
    assert float(point.batch) == pytest.approx(float(inside), rel=1e-3)
    assert float(point.utilisation_frac) == pytest.approx(load, rel=1e-3)
    assert point.ttft_mean_s <= point.ttft_quantile_s
    assert point.tpot_mean_s <= point.tpot_quantile_s


def test_operating_point_at_capacity_has_its_batch() -> None:
    most = capacity(LLAMA_ON_H100, CHAT, Slo(tpot_s=0.04))
    point = operating_point(LLAMA_ON_H100, CHAT, most.requests_per_s)
    assert float(point.batch) == pytest.approx(float(most.batch), rel=1e-3)
    assert float(point.tpot_quantile_s) == pytest.approx(float(most.tpot_s), rel=1e-3)


def test_arrays_equal_scalars() -> None:
    inputs = np.array([100.0, 1155.0, 6000.0, 500.0])
    outputs = np.array([400.0, 211.0, 1.0, 50.0])
    tensor = np.array([4.0, 8.0, 8.0, 1.0])  # the last does not fit
    slo = Slo(ttft_s=1.0, tpot_s=0.05)
    many = capacity(spread(LLAMA_ON_H100, tensor=tensor), Traffic(inputs, outputs), slo)
    points = operating_point(
        spread(LLAMA_ON_H100, tensor=tensor), Traffic(inputs, outputs), 1.0
    )
    for i in range(4):
        replica = spread(LLAMA_ON_H100, tensor=float(tensor[i]))
        traffic = Traffic(float(inputs[i]), float(outputs[i]))
        one = capacity(replica, traffic, slo)
        assert np.asarray(many.requests_per_s)[i] == pytest.approx(
            float(one.requests_per_s), rel=1e-4, nan_ok=True
        )
        assert np.asarray(many.binding)[i] == one.binding
        point = operating_point(replica, traffic, 1.0)
        assert np.asarray(points.batch)[i] == pytest.approx(
            float(point.batch), rel=1e-4
        )
        assert np.asarray(points.ttft_quantile_s)[i] == pytest.approx(
            float(point.ttft_quantile_s), rel=1e-4
        )


@pytest.mark.parametrize(
    ("replica", "slo", "binding"),
    [
        (engine(max_num_seqs=32), OFFLINE, "max_num_seqs"),
        (engine(max_num_seqs=100_000), OFFLINE, "memory"),
        (
            engine(max_num_seqs=100_000, max_num_batched_tokens=512),
            OFFLINE,
            "max_num_batched_tokens",
        ),
        (LLAMA_ON_H100, Slo(tpot_s=0.03), "tpot"),
        (LLAMA_ON_H100, Slo(ttft_s=0.12), "ttft"),
        (spread(LLAMA_ON_H100, tensor=1), OFFLINE, "memory"),
        (LLAMA_ON_H100, Slo(tpot_s=0.001), "tpot"),
    ],
)
def test_binding_names_the_limit(replica: Replica, slo: Slo, binding: str) -> None:
    assert capacity(replica, CHAT, slo).binding == binding


def test_what_does_not_fit_says_by_how_much() -> None:
    with pytest.raises(DoesNotFit, match=r"needs 14\d\.\d GB .* has 77\.3 GB") as e:
        require_capacity(spread(LLAMA_ON_H100, tensor=1), CHAT, OFFLINE)
    assert e.value.need_bytes > e.value.have_bytes


def test_what_is_too_fast_says_what_is_possible() -> None:
    with pytest.raises(SloUnreachable, match=r"TPOT of 1\d\.\d ms .* 5\.0 ms is asked"):
        require_capacity(LLAMA_ON_H100, CHAT, Slo(tpot_s=0.005))
    with pytest.raises(SloUnreachable, match=r"TTFT of .* 10\.0 ms is asked"):
        require_capacity(LLAMA_ON_H100, CHAT, Slo(ttft_s=0.01))


def test_feasible_deployments_pass_through() -> None:
    slo = Slo(ttft_s=1.0)
    assert require_capacity(LLAMA_ON_H100, CHAT, slo) == capacity(
        LLAMA_ON_H100, CHAT, slo
    )


def test_beyond_capacity_waits_grow_without_bound() -> None:
    full = float(capacity(LLAMA_ON_H100, CHAT, OFFLINE).requests_per_s)
    point = operating_point(LLAMA_ON_H100, CHAT, 2 * full)
    assert float(point.utilisation_frac) == pytest.approx(2, rel=1e-3)
    assert np.isinf(point.ttft_mean_s)
    assert float(point.tokens_per_s) == pytest.approx(full * (1155 + 211), rel=1e-3)


def test_one_token_answers_have_no_time_per_token() -> None:
    classify = Traffic(input_tokens=500, output_tokens=1)
    most = capacity(LLAMA_ON_H100, classify, Slo(ttft_s=0.5))
    assert most.batch == 0
    assert most.tpot_s == 0
    assert 5 < most.requests_per_s < 500
    point = operating_point(LLAMA_ON_H100, classify, most.requests_per_s / 2)
    assert 0 < point.ttft_mean_s < most.ttft_s


@given(
    st.floats(50, 8000), st.floats(2, 2000), st.floats(0, 0.95), st.floats(0.01, 0.9)
)
@settings(max_examples=40, deadline=None)
def test_an_uncached_token_costs_more_than_a_cached_one(
    isl: float, osl: float, cached_frac: float, load: float
) -> None:
    traffic = Traffic(isl, osl, cached_frac)
    full = capacity(LLAMA_ON_H100, traffic, OFFLINE).requests_per_s
    point = operating_point(LLAMA_ON_H100, traffic, load * full)
    new, cached, out = marginal_seconds(LLAMA_ON_H100, traffic, point)
    assert new > cached >= 0
    assert out > 0


def test_caching_serves_more() -> None:
    rates = [
        float(
            capacity(
                LLAMA_ON_H100,
                dataclasses.replace(CHAT, cached_input_frac=frac),
                OFFLINE,
            ).requests_per_s
        )
        for frac in (0.0, 0.5, 0.9)
    ]
    assert rates == sorted(rates)
    assert rates[2] > 1.1 * rates[0]


def test_prefill_that_stops_decoding_delays_tokens() -> None:
    mixed, apart = (engine(chunked_prefill=flag) for flag in (True, False))
    a, b = (operating_point(r, CHAT, 8.0) for r in (mixed, apart))
    assert b.tpot_quantile_s > a.tpot_quantile_s


def test_long_prompts_make_the_tail() -> None:
    long = dataclasses.replace(CHAT, input_tokens_p95=4083)
    fixed, mixed = (operating_point(LLAMA_ON_H100, t, 5.0) for t in (CHAT, long))
    assert mixed.ttft_quantile_s > fixed.ttft_quantile_s * 1.5
    # they make some steps long, in which more requests arrive
    assert fixed.ttft_mean_s < mixed.ttft_mean_s < 1.3 * fixed.ttft_mean_s


def test_steady_state_beats_the_static_batch() -> None:
    # the same slots: continuous batching mixes prefill into decode steps
    most = capacity(LLAMA_ON_H100, CHAT, OFFLINE)
    static = 256 / float(static_batch_seconds(LLAMA_ON_H100, CHAT, 256.0))
    assert static == pytest.approx(float(most.requests_per_s), rel=0.25)


@pytest.mark.parametrize(
    ("tensor", "isl", "osl", "published", "rtol"),
    [
        (4, 128, 128, 2733.48, 0.30),
        (4, 128, 2048, 2811.27, 0.30),
        (4, 1000, 1000, 1921.77, 0.30),
        (4, 2048, 128, 325.15, 0.30),
        (4, 2048, 2048, 1393.64, 0.30),
    ],
)
def test_published_throughput_of_llama_70b_on_a100(
    tensor: int, isl: int, osl: int, published: float, rtol: float
) -> None:
    """TensorRT-LLM 0.17, perf-overview.md (2025-02-06), FP16, all requests queued."""
    machine = dataclasses.replace(
        LLAMA_ON_H100.machine,
        generation="ampere",
        accelerator_id="a100-sxm-80gb",
        matmul_flop_per_s=312e12,
        attention_flop_per_s=312e12,
        hbm_bytes_per_s=2.039e12,
        link_bytes_per_s=300e9,
    )
    a100 = dataclasses.replace(
        spread(LLAMA_ON_H100, tensor=tensor),
        machine=machine,
        engine=Engine(max_num_seqs=2048, max_num_batched_tokens=8192),
        efficiency=load_efficiency("a100-sxm-80gb", "ampere"),
    )
    most = capacity(a100, Traffic(isl, osl), OFFLINE)
    assert float(most.requests_per_s) * osl == pytest.approx(published, rel=rtol)


def test_engine_limits_are_per_scheduler() -> None:
    replica = spread(
        dataclasses.replace(LLAMA_ON_H100, engine=Engine(100, 2048)),
        tensor=2,
        pipeline=2,
        attention_data=2,
    )
    assert replica.max_sequences == 200
    assert replica.max_step_tokens == 4 * 2048
    assert replica.parallelism == Parallelism(2, 2, 1, 2)


def test_room_for_whole_answers_holds_fewer_requests() -> None:
    free, kept = (
        capacity(engine(gpu_memory_utilization=0.32, reserves_output=r), CHAT, OFFLINE)
        for r in (False, True)
    )
    assert free.binding == kept.binding == "memory"
    whole = CHAT.input_tokens + CHAT.output_tokens
    ratio = float(kept.kv_sequences) / float(free.kv_sequences)
    assert ratio == pytest.approx(float(CHAT.context_tokens / whole))
    assert kept.requests_per_s < free.requests_per_s
