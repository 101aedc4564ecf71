"""Finite runs: limits in which they are closed forms or steady states."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dayrate.perf.deployment import Parallelism
from dayrate.serving.cycle import mean_cycle
from dayrate.serving.examples import CHAT, LLAMA_ON_H100
from dayrate.serving.runs import closed_loop, open_loop, queued, static_batch
from dayrate.serving.steady import operating_point

FOREVER = float("inf")


def test_an_endless_queue_runs_at_the_steady_rate_of_its_slots() -> None:
    endless = queued(LLAMA_ON_H100, CHAT, FOREVER, 128)
    loop = closed_loop(LLAMA_ON_H100, CHAT, 128, 1e9, 128)
    assert loop.requests_per_s == pytest.approx(endless.requests_per_s, rel=0.03)


def test_a_batch_beyond_its_slots_runs_in_waves() -> None:
    one, four = (static_batch(LLAMA_ON_H100, CHAT, b, 16) for b in (16, 64))
    assert four.e2e_s == pytest.approx(4 * one.e2e_s)
    assert four.requests_per_s == pytest.approx(one.requests_per_s)


def test_a_calm_open_loop_is_the_operating_point() -> None:
    run = open_loop(LLAMA_ON_H100, CHAT, 3.0, FOREVER, 256)
    point = operating_point(LLAMA_ON_H100, CHAT, 3.0)
    assert run.tpot_s == pytest.approx(point.tpot_mean_s)
    assert run.ttft_s == pytest.approx(point.ttft_mean_s)


def test_a_finite_open_loop_ends_with_its_last_answer() -> None:
    run = open_loop(LLAMA_ON_H100, CHAT, 2.0, 100, 256)
    assert run.requests_per_s == pytest.approx(100 / (50 + float(run.e2e_s)))


def test_a_flood_queues_for_longer_the_longer_it_lasts() -> None:
    few, many = (open_loop(LLAMA_ON_H100, CHAT, 1e3, n, 256) for n in (500, 5000))
    assert many.ttft_s > 5 * few.ttft_s


def test_pipelines_fill_and_drain() -> None:
    """Prompts in m micro-batches over p stages take (m + p - 1) / p passes."""
    engine = dataclasses.replace(LLAMA_ON_H100.engine, max_num_batched_tokens=256)
    replica = dataclasses.replace(
        LLAMA_ON_H100, engine=engine, parallelism=Parallelism(tensor=2, pipeline=4)
    )
    prompt = dataclasses.replace(CHAT, input_tokens=2048, output_tokens=1)
    whole = static_batch(replica, prompt, 1, 1).ttft_s
    drained = dataclasses.replace(engine, submitted_tokens=1024)
    parts = static_batch(dataclasses.replace(replica, engine=drained), prompt, 1, 1)
    assert parts.ttft_s / whole == pytest.approx((2 * (4 + 3)) / (8 + 3))


def test_a_static_batch_decodes_stage_by_stage() -> None:
    """No micro-batches: as many devices as stages are no faster than one."""
    flat, deep = (
        static_batch(
            dataclasses.replace(LLAMA_ON_H100, parallelism=Parallelism(8, stages)),
            CHAT,
            64,
            256,
        )
        for stages in (1, 4)
    )
    assert deep.tpot_s == pytest.approx(float(flat.tpot_s), rel=0.02)


def test_an_endless_run_beyond_the_prediction_was_stable_all_the_same() -> None:
    most = open_loop(LLAMA_ON_H100, CHAT, 1e6, FOREVER, 256)
    calm = open_loop(
        LLAMA_ON_H100, CHAT, 0.8 * float(most.requests_per_s), FOREVER, 256
    )
    assert most.tpot_s == pytest.approx(float(calm.tpot_s))


def test_a_closed_loop_holds_its_requests_in_flight() -> None:
    inside = np.array([1.0, 7.0, 60.0, 200.0])
    run = closed_loop(LLAMA_ON_H100, CHAT, inside, 1e12, 256)
    assert run.requests_per_s * run.e2e_s == pytest.approx(inside, rel=0.005)


def test_a_prompt_alone_has_no_time_per_token() -> None:
    prompt = dataclasses.replace(CHAT, output_tokens=1)
    assert static_batch(LLAMA_ON_H100, prompt, 8, 8).tpot_s == 0


@pytest.mark.parametrize("steps", [10.0, 30.0])
def test_polling_every_k_steps_waits_for_half_of_them(steps: float) -> None:
    """At light load: (k - 1)/2 decode steps more than always looking."""
    often, seldom = (
        closed_loop(LLAMA_ON_H100, CHAT, 2, FOREVER, 256, poll_steps=k)
        for k in (1.0, steps)
    )
    plain_s = mean_cycle(LLAMA_ON_H100, CHAT, 2 / CHAT.resident_steps).plain_s
    waited = (seldom.ttft_s - often.ttft_s) / plain_s
    # a few are found together with the other request, and computed beside it
    assert 1 <= waited / ((steps - 1) / 2) < 1.07


@given(
    concurrency=st.integers(1, 600),
    output_tokens=st.integers(2, 2000),
    steps=st.floats(1, 50),
)
@settings(max_examples=20, deadline=None)
def test_polling_less_often_never_raises_throughput(
    concurrency: int, output_tokens: int, steps: float
) -> None:
    traffic = dataclasses.replace(CHAT, output_tokens=output_tokens)
    polls = np.array([1.0, steps, 2 * steps])
    n = float(concurrency)
    run = closed_loop(LLAMA_ON_H100, traffic, n, FOREVER, 256.0, poll_steps=polls)
    assert np.all(np.diff(np.log(run.requests_per_s)) <= 1e-6)
    assert np.all(np.diff(np.log(run.ttft_s)) >= -1e-6)


def test_an_idle_engine_looks_at_once() -> None:
    often, seldom = (
        closed_loop(LLAMA_ON_H100, CHAT, 1, FOREVER, 256, poll_steps=k) for k in (1, 30)
    )
    assert seldom.ttft_s == pytest.approx(float(often.ttft_s))


def test_polling_holds_as_many_in_flight() -> None:
    inside = np.array([7.0, 60.0, 200.0])
    run = closed_loop(LLAMA_ON_H100, CHAT, inside, FOREVER, 256, poll_steps=30)
    assert run.requests_per_s * run.e2e_s == pytest.approx(inside, rel=0.005)


def test_arrays_are_their_elements() -> None:
    counts = np.array([1.0, 8.0, 64.0, 512.0])
    together = closed_loop(LLAMA_ON_H100, CHAT, counts, 10 * counts, 128.0)
    for i, n in enumerate(counts):
        alone = closed_loop(LLAMA_ON_H100, CHAT, n, 10 * n, 128.0)
        for field in ("requests_per_s", "ttft_s", "tpot_s", "compute_frac"):
            assert np.asarray(getattr(together, field))[i] == pytest.approx(
                float(getattr(alone, field)), rel=1e-9
            )


def test_shares_of_time_leave_room_for_the_rest() -> None:
    run = closed_loop(LLAMA_ON_H100, CHAT, 64, 640, 128)
    assert 0 < run.memory_frac < 1
    assert 0 < run.compute_frac + run.memory_frac < 1
