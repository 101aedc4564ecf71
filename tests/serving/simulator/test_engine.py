"""Two engines, routing, drops, priorities, and the closed form as second oracle."""

import dataclasses
import math

import numpy as np
import pytest

from dayrate import catalog
from dayrate.errors import InvalidInput
from dayrate.serving.examples import LLAMA_ON_H100
from dayrate.serving.replica import Slo, Traffic
from dayrate.serving.simulator import state as at
from dayrate.serving.simulator.engine import simulate
from dayrate.serving.simulator.examples import FLAT, SMALL
from dayrate.serving.simulator.inputs import (
    EngineKind,
    Limits,
    RequestList,
    Routing,
    limits_of,
)
from dayrate.serving.simulator.law import Drafts, step_law
from dayrate.serving.simulator.outcome import summary
from dayrate.serving.steady import capacity, operating_point

from .made import DRAFTED, GUESSED, LAW, REGIMES, drafted, drawn, law_of, needs_numba
from .test_invariants import same


@needs_numba
@pytest.mark.slow
@pytest.mark.parametrize("regime", REGIMES)
def test_both_engines_agree(regime: str) -> None:
    requests, limits = REGIMES[regime]
    a, b = (
        simulate(requests, law_of(limits), limits, engine=kind, samples=20)
        for kind in (EngineKind.PYTHON, EngineKind.NUMBA)
    )
    same(a, b)
    assert (a.timeline.running == b.timeline.running).all()


@needs_numba
@pytest.mark.slow
@pytest.mark.parametrize("route", Routing)
def test_both_engines_route_alike(route: Routing) -> None:
    requests, limits = REGIMES["shared prefixes"]
    a, b = (
        simulate(requests, LAW, limits, replicas=3, route=route, engine=kind)
        for kind in (EngineKind.PYTHON, EngineKind.NUMBA)
    )
    same(a, b)


def test_the_regimes_are_what_they_are_called() -> None:
    runs = {
        k: simulate(q, law_of(limits), limits) for k, (q, limits) in REGIMES.items()
    }
    assert runs["calm"].queue_s.max() < 1.0
    assert runs["overload"].queue_s.max() > 5.0
    for name in ("small cache", "no recovery", "shared prefixes", "long context"):
        assert runs[name].preemptions.sum() > 0, name
    assert runs["shared prefixes"].hit_tokens.sum() > 0
    for name in ("drafts", "ranked", "all at once"):
        assert runs[name].preemptions.sum() > 0, name
    assert {at.DONE, at.CANCELLED} == set(runs["cancelled"].status)
    assert set(runs["all at once"].status) >= {at.DONE, at.CANCELLED, at.TIMED_OUT}
    assert set(runs["impatient"].status) >= {at.DONE, at.REJECTED, at.TIMED_OUT}


def test_recovered_blocks_shorten_a_run() -> None:
    kept, lost = (
        simulate(*(REGIMES[r][0], LAW, REGIMES[r][1]))
        for r in ("small cache", "no recovery")
    )
    assert kept.end_s < lost.end_s


def test_one_request_by_hand() -> None:
    """10 ms a step: two steps of 64 tokens for the prompt, then four tokens more."""
    limits = dataclasses.replace(SMALL, max_step_tokens=64)
    run = simulate(RequestList([1.0], [100], [5]), FLAT, limits)
    times = [float(t[0]) for t in (run.start_s, run.first_s, run.done_s, run.busy_s)]
    assert times == pytest.approx([1.0, 1.02, 1.06, 0.06])
    assert run.steps.tolist() == [6]


def test_what_no_replica_could_hold_is_counted() -> None:
    requests = RequestList([0.0, 0.0, 0.0], [10, 5000, 10], [10, 10, 16_100])
    limits = dataclasses.replace(SMALL, max_context_tokens=20_000, kv_blocks=200)
    run = simulate(requests, FLAT, limits)
    assert run.status.tolist() == [at.DONE, at.TOO_LONG, at.TOO_LONG]
    assert summary(run, Slo(), 200).by_state["too_long"] == 2
    short = simulate(requests, FLAT, dataclasses.replace(limits, max_context_tokens=15))
    assert summary(short, Slo(), 200).e2e.mean_s is None


def test_priorities_come_first() -> None:
    requests = RequestList([0.0, 0.001, 0.002], [10] * 3, [50] * 3, priority=[1, 1, 0])
    run = simulate(requests, FLAT, dataclasses.replace(SMALL, max_num_seqs=1))
    assert run.start_s[2] < run.start_s[1]


def test_a_full_queue_and_impatience() -> None:
    requests = RequestList([0.0, 0.001, 0.002, 0.003], [10] * 4, [50] * 4)
    one = dataclasses.replace(SMALL, max_num_seqs=1)
    full = simulate(requests, FLAT, dataclasses.replace(one, max_waiting=1))
    assert full.status.tolist() == [at.DONE, at.DONE, at.REJECTED, at.REJECTED]
    left = simulate(requests, FLAT, dataclasses.replace(one, timeout_s=0.6))
    assert left.status.tolist() == [at.DONE, at.DONE, at.TIMED_OUT, at.TIMED_OUT]


def test_a_cancelled_request_makes_room() -> None:
    requests = RequestList([0.0, 0.001], [10] * 2, [50] * 2, cancel_s=[0.105, math.inf])
    run = simulate(requests, FLAT, dataclasses.replace(SMALL, max_num_seqs=1))
    assert run.status.tolist() == [at.CANCELLED, at.DONE]
    assert run.start_s[1] == pytest.approx(0.11)  # the step under way is finished


def test_who_has_left_before_coming_never_starts() -> None:
    requests = RequestList([0.0, 1.0], [10] * 2, [5] * 2, cancel_s=[math.inf, 0.5])
    run = simulate(requests, FLAT, SMALL)
    assert run.status.tolist() == [at.DONE, at.CANCELLED]
    assert np.isnan(run.start_s[1])


def test_drafts_by_hand() -> None:
    """Three of four guesses right each time: four tokens a step."""
    limits = dataclasses.replace(SMALL, draft_tokens=3, tokens_per_step=4.0)
    law = dataclasses.replace(FLAT, logits_s=np.zeros(400))
    run = simulate(RequestList([0.0], [100], [10]), law, limits)
    # the first token, then nine in three steps, of which the last gives one
    assert run.steps.tolist() == [4]
    assert run.done_s[0] == pytest.approx(0.04)


def test_drafts_pay_where_memory_is_the_limit() -> None:
    assert GUESSED.tokens_per_step == pytest.approx(3.1)
    requests, limits = drawn(60, 0.5), Limits(64, 2048, 80_000)
    plain = simulate(requests, LAW, limits)
    quick = simulate(requests, DRAFTED, drafted(limits))
    gain = np.nanmean(plain.tpot_s) / np.nanmean(quick.tpot_s)
    assert 0.9 * GUESSED.tokens_per_step < gain < GUESSED.tokens_per_step * 1.05


def test_a_draft_model_costs_time_and_memory() -> None:
    small = dataclasses.replace(
        LLAMA_ON_H100, model=catalog.model("meta-llama/Llama-3.1-8B-Instruct")
    )
    drafts = Drafts(3, 0.7, small)
    requests, context = drawn(60, 0.5), 1000.0
    free = simulate(requests, DRAFTED, limits_of(LLAMA_ON_H100, context, GUESSED))
    limits = limits_of(LLAMA_ON_H100, context, drafts)
    paid = simulate(requests, step_law(LLAMA_ON_H100, 8192, drafts), limits)
    assert limits.kv_blocks < limits_of(LLAMA_ON_H100, context).kv_blocks
    assert np.nanmean(paid.tpot_s) > 1.2 * np.nanmean(free.tpot_s)
    assert np.nanmean(paid.ttft_s) > np.nanmean(free.ttft_s)


def test_routing() -> None:
    # the first is long, so the least loaded replica takes all that follow in time
    requests = RequestList([0.0, 0.1, 0.2, 0.3], [10] * 4, [1000, 5, 5, 5])
    turn, least = (
        simulate(requests, FLAT, SMALL, replicas=2, route=route)
        for route in (Routing.ROUND_ROBIN, Routing.LEAST_LOADED)
    )
    assert turn.replica.tolist() == [0, 1, 0, 1]
    assert least.replica.tolist() == [0, 1, 1, 1]


@pytest.mark.parametrize("route", Routing)
@pytest.mark.parametrize("regime", REGIMES)
def test_one_replica_serves_alike_however_sent(regime: str, route: Routing) -> None:
    requests, limits = REGIMES[regime]
    law = law_of(limits)
    same(
        simulate(requests, law, limits, route=route),
        simulate(requests, law, limits),
    )


def test_prefixes_are_found_where_they_are() -> None:
    requests, limits = drawn(400, 20.0, sharing=True), Limits(256, 8192, 4000)
    hits = [
        simulate(requests, LAW, limits, replicas=4, route=route).hit_tokens.sum()
        for route in (Routing.ROUND_ROBIN, Routing.PREFIX_AWARE)
    ]
    assert hits[1] > 1.05 * hits[0]


def test_a_horizon_leaves_the_rest_as_it_is() -> None:
    requests, limits = REGIMES["overload"]
    run = simulate(requests, LAW, limits, until_s=5.0)
    states = summary(run, Slo(), limits.kv_blocks).by_state
    assert states["running"] > 0 < states["waiting"]
    assert sum(states.values()) == len(run.status)


def test_the_timeline_ends_with_the_run() -> None:
    requests, limits = REGIMES["overload"]
    run = simulate(requests, LAW, limits, replicas=2, samples=100)
    lines = run.timeline
    assert 25 <= len(lines.time_s) <= 100
    assert lines.time_s[-1] <= run.end_s < 2 * lines.time_s[-1]
    assert lines.running.max() <= 2 * limits.max_num_seqs
    at_time = (run.start_s <= lines.time_s[:, None]) & (
        run.done_s > lines.time_s[:, None]
    )
    # a sample shows the state when the step under way began
    assert np.abs(at_time.sum(axis=1) - lines.running).mean() < 3


@pytest.mark.parametrize("load", [0.1, 0.3, 0.5, 0.7])
def test_the_closed_form_agrees(load: float) -> None:
    """Hold batch and token time together for requests of one length.

    At 70 % the token time differs by 5.1 %. Where it does not agree, and that the time
    to first token does not, is in docs/concepts/simulation.md.
    """
    traffic = Traffic(1155, 211)
    rate = load * float(capacity(LLAMA_ON_H100, traffic, Slo()).requests_per_s)
    n = 4000
    arrival = np.sort(np.random.default_rng(0).uniform(0, n / rate, n))
    limits = limits_of(LLAMA_ON_H100, float(traffic.context_tokens))
    law = step_law(LLAMA_ON_H100, 2048)
    run = simulate(RequestList(arrival, [1155] * n, [211] * n), law, limits)
    point = operating_point(LLAMA_ON_H100, traffic, rate)
    batch = (run.done_s - run.first_s).sum() / run.end_s
    assert float(point.tpot_mean_s) == pytest.approx(np.nanmean(run.tpot_s), rel=0.055)
    assert float(point.batch) == pytest.approx(batch, rel=0.05)


def test_the_closed_form_knows_the_most() -> None:
    traffic = Traffic(1155, 211)
    most = float(capacity(LLAMA_ON_H100, traffic, Slo()).requests_per_s)
    n = 4000
    limits = limits_of(LLAMA_ON_H100, float(traffic.context_tokens))
    law = step_law(LLAMA_ON_H100, 2048)
    run = simulate(RequestList(np.zeros(n), [1155] * n, [211] * n), law, limits)
    assert n / run.end_s == pytest.approx(most, rel=0.05)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"arrival_s": []}, "no request"),
        ({"arrival_s": [1.0, 0.0]}, "not sorted"),
        ({"arrival_s": [0.0, math.nan]}, "not a time"),
        ({"input_tokens": [1, 0]}, "input token"),
        ({"output_tokens": [0, 1]}, "output token"),
        ({"output_tokens": [1]}, "differ in number"),
    ],
)
def test_bad_requests_are_refused(change: dict[str, list[float]], said: str) -> None:
    good = {"arrival_s": [0.0, 1.0], "input_tokens": [1, 1], "output_tokens": [1, 1]}
    with pytest.raises(InvalidInput, match=said):
        RequestList(**{**good, **change})  # type: ignore[arg-type]


def test_no_replica_and_no_room_are_refused() -> None:
    with pytest.raises(InvalidInput, match="0 replicas"):
        simulate(RequestList([0.0], [1], [1]), FLAT, SMALL, replicas=0)
    with pytest.raises(InvalidInput, match="kv_blocks is 0"):
        Limits(1, 1, 0)
