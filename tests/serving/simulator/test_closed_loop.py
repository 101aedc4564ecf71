"""Requests that come only when others have ended: turns of a conversation."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings

from dayrate.errors import InvalidInput
from dayrate.serving.autoscale import Autoscale
from dayrate.serving.simulator import state as at
from dayrate.serving.simulator.disaggregated import Pools, simulate_disaggregated
from dayrate.serving.simulator.engine import simulate
from dayrate.serving.simulator.examples import FLAT, SMALL, TALK
from dayrate.serving.simulator.fleet import simulate_fleet
from dayrate.serving.simulator.inputs import EngineKind, Limits, RequestList, Routing

from .made import (
    LAW,
    REGIMES,
    TALKS,
    conversations,
    drawn,
    law_of,
    needs_numba,
    talking,
    talks,
)
from .test_invariants import same


def test_a_turn_comes_thinking_time_after_the_answer() -> None:
    """10 ms a step, 5 tokens: an answer at 0.05 s, and 1 s later comes more."""
    requests = RequestList([0.0, 1.0, 1.5], [10] * 3, [5] * 3, after=[-1, 0, 1])
    run = simulate(requests, FLAT, SMALL)
    assert run.arrival_s.tolist() == pytest.approx([0.0, 1.05, 1.6])
    assert run.done_s.tolist() == pytest.approx([0.05, 1.1, 1.65])
    assert requests.arrival_s == [0.0, 1.0, 1.5]


@settings(max_examples=60)
@given(talks())
def test_each_waits_for_the_one_before_and_nobody_is_lost(
    case: tuple[RequestList, Limits],
) -> None:
    requests, limits = case
    for route in Routing:
        run = simulate(requests, law_of(limits), limits, replicas=2, route=route)
        after = np.asarray(requests.after)
        waits = np.flatnonzero(after >= 0)
        before, drawn_s = after[waits], np.asarray(requests.arrival_s)
        gave_up = run.arrival_s + np.where(
            run.status == at.TIMED_OUT, limits.timeout_s, 0.0
        )
        ended = np.where(run.status == at.DONE, run.done_s, gave_up)
        think_s = drawn_s[waits] - drawn_s[before]
        np.testing.assert_allclose(run.arrival_s[waits], ended[before] + think_s)
        own = np.flatnonzero(after < 0)
        assert (run.arrival_s[own] == drawn_s[own]).all()
        both = (run.replica[waits] >= 0) & (run.replica[before] >= 0)
        assert (run.replica[waits] == run.replica[before])[both].all()
        over = {at.DONE, at.TOO_LONG, at.REJECTED, at.TIMED_OUT}
        assert set(run.status.tolist()) <= over


@pytest.mark.parametrize("route", Routing)
@pytest.mark.parametrize("regime", TALKS)
def test_where_nobody_waits_it_is_the_open_loop(regime: str, route: Routing) -> None:
    requests, limits = REGIMES.get(regime, TALKS[regime])
    requests = dataclasses.replace(requests, priority=None, cancel_s=None, after=None)
    nobody = dataclasses.replace(requests, after=np.full(len(requests.arrival_s), -1))
    a, b = (
        simulate(q, law_of(limits), limits, replicas=3, route=route, samples=20)
        for q in (requests, nobody)
    )
    same(a, b)
    assert (a.timeline.running == b.timeline.running).all()


@needs_numba
@pytest.mark.slow
@pytest.mark.parametrize("regime", TALKS)
def test_both_engines_agree(regime: str) -> None:
    requests, limits = TALKS[regime]
    for replicas, route in ((1, Routing.ROUND_ROBIN), (3, Routing.PREFIX_AWARE)):
        a, b = (
            simulate(
                requests,
                law_of(limits),
                limits,
                replicas=replicas,
                route=route,
                engine=kind,
                samples=20,
            )
            for kind in (EngineKind.PYTHON, EngineKind.NUMBA)
        )
        same(a, b)
        assert (a.timeline.running == b.timeline.running).all()


def test_an_answer_is_found_again_where_the_cache_holds_it() -> None:
    """100 tokens and 19 stored of the answer are 7 blocks of 16, of 6 the prompt."""
    assert TALK.hit_tokens.tolist() == [0, 7 * 16]
    hits = []
    for answers in (True, False):
        requests = conversations(300, answers=answers)
        run = simulate(requests, LAW, Limits(64, 2048, 80_000))
        after = np.asarray(requests.after)
        waits = np.flatnonzero(after >= 0)
        known = run.input_tokens + answers * (run.output_tokens - 1)
        assert (run.hit_tokens[waits] == known[after[waits]] // 16 * 16).all()
        hits.append(run.hit_tokens.sum())
    assert hits[0] > 1.1 * hits[1]


def test_fewer_blocks_hold_less() -> None:
    requests, hits = conversations(300), []
    for blocks in (1000, 4000, 80_000):
        run = simulate(requests, LAW, Limits(64, 2048, blocks))
        fits = run.status == at.DONE
        hits.append(run.hit_tokens[fits].sum() / run.input_tokens[fits].sum())
    assert 0 < hits[0] < hits[1] < hits[2]


def test_a_slow_replica_is_asked_less() -> None:
    """Whoever waits for an answer asks nothing: no queue grows without end."""
    requests, limits = drawn(600, 60.0), Limits(64, 2048, 80_000)
    opened = simulate(requests, LAW, limits)
    closed = simulate(talking(requests), LAW, limits)
    assert closed.queue_s.max() < opened.queue_s.max()
    assert closed.end_s > opened.end_s


def test_a_horizon_leaves_those_unknown_who_did_not_come() -> None:
    requests = RequestList([0.0, 1.0], [10] * 2, [500] * 2, after=[-1, 0])
    run = simulate(requests, FLAT, SMALL, until_s=2.0)
    assert run.status.tolist() == [at.RUNNING, at.WAITING]
    assert math.isinf(run.arrival_s[1])


@pytest.mark.parametrize("after", [[0, -1], [-1, 1], [-1, 0, 0], [-1]])
def test_who_waits_for_the_wrong_one_is_refused(after: list[int]) -> None:
    n = max(len(after), 2)
    with pytest.raises(InvalidInput):
        RequestList([float(i) for i in range(n)], [1] * n, [1] * n, after=after)


def test_an_answer_fills_no_more_blocks_than_it_has_tokens() -> None:
    requests = RequestList(
        [0.0],
        [32],
        [16],
        block_offsets=[0, 2],
        block_ids=[0, 1],
        answer_offsets=[0, 1],
        answer_ids=[2],
    )
    with pytest.raises(InvalidInput, match="last token"):
        simulate(requests, FLAT, SMALL)


def test_what_does_not_go_with_it_is_refused() -> None:
    requests = RequestList([0.0, 1.0], [10] * 2, [5] * 2, after=[-1, 0])
    with pytest.raises(InvalidInput, match="priorities"):
        dataclasses.replace(requests, priority=[0, 1])
    with pytest.raises(InvalidInput, match="--autoscale"):
        simulate_fleet(requests, FLAT, SMALL, Autoscale())
    with pytest.raises(InvalidInput, match="--prefill-replicas"):
        simulate_disaggregated(requests, FLAT, SMALL, Pools(1, 1, 0.0))
