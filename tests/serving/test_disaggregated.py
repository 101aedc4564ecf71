"""Prefill and decode apart: Little's law, bounds, and when it helps."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dayrate.serving.disaggregated import Pools, disaggregated_loop, kv_transfer_s
from dayrate.serving.examples import CHAT, LLAMA_ON_H100
from dayrate.serving.replica import Traffic
from dayrate.serving.runs import closed_loop

ONE_EACH = Pools(LLAMA_ON_H100, LLAMA_ON_H100)
LONG = Traffic(input_tokens=8000, output_tokens=400)


@settings(max_examples=25)
@given(st.floats(1.0, 5000.0), st.integers(1, 4), st.integers(1, 4))
def test_requests_in_flight_are_the_rate_times_their_stay(
    concurrency: float, prefill: int, decode: int
) -> None:
    pools = dataclasses.replace(
        ONE_EACH, prefill_replicas=prefill, decode_replicas=decode
    )
    run = disaggregated_loop(pools, CHAT, concurrency, 256.0)
    assert run.requests_per_s * run.e2e_s == pytest.approx(concurrency)
    assert run.ttft_s > 0
    assert run.e2e_s == pytest.approx(
        run.ttft_s + (CHAT.output_tokens - 1) * run.tpot_s
    )


@settings(max_examples=25)
@given(st.floats(1.0, 2000.0), st.floats(1.0, 4.0))
def test_more_in_flight_is_never_less_throughput(n: float, more: float) -> None:
    few, many = (
        disaggregated_loop(ONE_EACH, CHAT, x, 256.0).requests_per_s
        for x in (n, n * more)
    )
    assert many >= few * (1 - 1e-3)  # as near as the search comes to the most


def test_neither_pool_does_more_than_it_can() -> None:
    starved = disaggregated_loop(ONE_EACH, LONG, 1e5, 256.0)
    alone = closed_loop(
        LLAMA_ON_H100,
        dataclasses.replace(LONG, output_tokens=1.0),
        1e5,
        np.inf,
        256.0,
    )
    assert starved.requests_per_s <= alone.requests_per_s * 1.001
    more = dataclasses.replace(ONE_EACH, prefill_replicas=2)
    assert disaggregated_loop(more, LONG, 1e5, 256.0).requests_per_s == pytest.approx(
        2 * starved.requests_per_s, rel=0.02
    )


def test_answers_are_undisturbed_by_long_prompts() -> None:
    """DistServe's point: no prompt lengthens the steps of those who wait for a word."""
    apart = disaggregated_loop(ONE_EACH, LONG, 64.0, 256.0)
    both = dataclasses.replace(LLAMA_ON_H100)
    mixed = closed_loop(both, LONG, 32.0, np.inf, 256.0)  # half of them on each
    assert apart.tpot_s < mixed.tpot_s


def test_a_slow_transfer_delays_the_first_token_only() -> None:
    slow = dataclasses.replace(ONE_EACH, transfer_s=0.5)
    fast_run, slow_run = (
        disaggregated_loop(p, CHAT, 1.0, 256.0) for p in (ONE_EACH, slow)
    )
    assert slow_run.ttft_s - fast_run.ttft_s == pytest.approx(0.5, rel=0.05)
    assert slow_run.tpot_s == pytest.approx(fast_run.tpot_s, rel=1e-3)


def test_the_cache_moves_in_parts() -> None:
    one = kv_transfer_s(LLAMA_ON_H100, 1000.0, bytes_per_s=1e9)
    assert one == pytest.approx(1000 * 327_680 / 8 / 1e9)
    late = kv_transfer_s(LLAMA_ON_H100, 1000.0, bytes_per_s=1e9, latency_s=0.01)
    assert late - one == pytest.approx(0.01)


def test_arrays_are_many_scalars() -> None:
    n = np.array([1.0, 50.0, 3000.0])
    together = disaggregated_loop(ONE_EACH, CHAT, n, 256.0)
    alone = [float(disaggregated_loop(ONE_EACH, CHAT, x, 256.0).tpot_s) for x in n]
    assert np.asarray(together.tpot_s).tolist() == pytest.approx(alone)


@pytest.mark.parametrize("prefill", [1, 3])
def test_behind_a_full_prefill_pool_each_request_waits_for_one_more(
    prefill: int,
) -> None:
    """Little's law: answers are as before, all further requests wait for prefill."""
    pools = dataclasses.replace(ONE_EACH, prefill_replicas=prefill)
    few, many = (disaggregated_loop(pools, LONG, n, 256.0) for n in (2000.0, 3000.0))
    assert many.tpot_s == pytest.approx(few.tpot_s, rel=0.01)
    assert many.requests_per_s == pytest.approx(few.requests_per_s, rel=0.01)
    grown = many.ttft_s - few.ttft_s
    assert grown == pytest.approx(1000.0 / many.requests_per_s, rel=0.05)


def test_the_pool_of_prompts_does_not_change_the_steps_of_answers() -> None:
    """At 200 in flight decode is what both wait for; prompts only start sooner."""
    chat = Traffic(input_tokens=300, output_tokens=1000)
    wide = dataclasses.replace(ONE_EACH, prefill_replicas=4)
    one, four = (disaggregated_loop(p, chat, 200.0, 256.0) for p in (ONE_EACH, wide))
    assert four.tpot_s == pytest.approx(one.tpot_s, rel=0.01)
    assert four.ttft_s <= one.ttft_s


def test_nobody_waits_alone_and_two_wait_for_one_at_most() -> None:
    one, two = (disaggregated_loop(ONE_EACH, LONG, n, 256.0) for n in (1.0, 2.0))
    assert one.ttft_s < two.ttft_s < 2.0 * one.ttft_s


@given(st.floats(2.0, 2000.0), st.floats(1.0, 50.0))
@settings(max_examples=25)
def test_a_short_run_holds_more_of_the_first_burst(n: float, rounds: float) -> None:
    endless = disaggregated_loop(ONE_EACH, CHAT, n, 256.0)
    short, longer = (
        disaggregated_loop(ONE_EACH, CHAT, n, 256.0, n * r)
        for r in (rounds, 2.0 * rounds)
    )
    assert endless.ttft_s <= longer.ttft_s <= short.ttft_s
    assert short.tpot_s == endless.tpot_s
