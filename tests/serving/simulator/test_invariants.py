"""Laws of every simulation, numbered as in docs/concepts/simulation.md."""

import dataclasses
import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dayrate.serving.simulator import state as at
from dayrate.serving.simulator.engine import simulate
from dayrate.serving.simulator.inputs import Limits, RequestList
from dayrate.serving.simulator.outcome import Simulation

from .made import LAW, REGIMES, TALKS, Opened, cases, law_of, talks

few = settings(max_examples=60)


def blocks_in_use(o: Opened) -> int:
    """Blocks of running requests, counted from their tokens, shared ones once."""
    n, total = o.s.n, 0
    k = n[at.LAST_IN]
    while k >= 0:
        i = o.s.request[k]
        assert o.w.status[i] == at.RUNNING
        stored = o.s.need[k]
        if k != n[at.PARTIAL]:
            left = o.s.due[k] - n[at.CLOCK]
            stored = o.q.input_tokens[i] + o.q.output_tokens[i] - left - 1
        total += -(-(stored + n[at.LOOKAHEAD]) // n[at.BLOCK]) - o.s.shared[k]
        k = o.s.sooner[k]
    shared = sum(users > 0 for users in o.s.users)
    return int(total + shared)


@few
@given(st.one_of(cases(), talks()))
def test_1_requests_and_2_blocks_are_conserved_at_any_time(
    case: tuple[RequestList, Limits],
) -> None:
    requests, limits = case
    o = Opened.of(requests, limits)
    n = o.s.n
    taken = sum(s != at.TOO_LONG for s in o.w.status)
    for until_s in [*np.linspace(0.0, 6.0, 25), math.inf]:
        o.run(float(until_s))
        to_come = sum(
            s == at.WAITING and a > o.s.x[at.NOW]
            for s, a in zip(o.w.status, o.q.arrival_s, strict=True)
        )
        arrived = taken - to_come
        accounted = n[at.N_DONE] + n[at.N_RUNNING] + n[at.N_WAITING] + n[at.DROPPED]
        accounted += sum(s == at.CANCELLED for s in o.w.status)
        unseen = (
            sum(  # arrived while the last step ran
                s == at.WAITING and a <= o.s.x[at.NOW]
                for s, a in zip(o.w.status, o.q.arrival_s, strict=True)
            )
            - n[at.N_WAITING]
        )
        assert accounted + unseen == arrived
        assert n[at.FREE] + n[at.CACHED] + blocks_in_use(o) == limits.kv_blocks
        assert min(n[at.FREE], n[at.CACHED]) >= 0
    assert n[at.N_RUNNING] == n[at.N_WAITING] == 0


@few
@given(st.one_of(cases(), talks()))
def test_3_causality_and_4_no_token_before_its_prefill(
    case: tuple[RequestList, Limits],
) -> None:
    run = simulate(case[0], law_of(case[1]), case[1])
    done = run.status == at.DONE
    assert (run.start_s[done] >= run.arrival_s[done]).all()
    assert (run.first_s[done] > run.start_s[done]).all()
    several = done & (run.output_tokens > 1)
    assert (run.done_s[several] > run.first_s[several]).all()
    assert (run.done_s[done & ~several] == run.first_s[done & ~several]).all()
    # a prompt cannot be done before the steps that its tokens need
    steps = np.ceil((run.input_tokens - run.hit_tokens) / case[1].max_step_tokens)
    if case[1].chunked_prefill:
        least = (steps * LAW.dense_s[1])[done]
        assert (run.first_s[done] - run.start_s[done] >= least * (1 - 1e-9)).all()
    never = (run.status >= at.TOO_LONG) & (run.status != at.CANCELLED)
    assert np.isnan(run.start_s[never]).all()
    assert np.isnan(run.done_s[~done]).all()
    if case[0].cancel_s is not None:
        assert (run.start_s[done] < np.asarray(case[0].cancel_s)[done]).all()
        # a step that has begun is finished, so a token may come after one has left
        gone = run.status == at.CANCELLED
        assert np.isfinite(np.asarray(case[0].cancel_s)[gone]).all()


@few
@given(st.one_of(cases(), talks()))
def test_5_work_is_conserved(case: tuple[RequestList, Limits]) -> None:
    """A replica idles only where nobody waits or runs."""
    run = simulate(case[0], law_of(case[1]), case[1])
    if case[0].cancel_s is not None:
        return  # when they let go is not kept
    seen = np.isfinite(run.start_s)
    inside = sorted(zip(run.arrival_s[seen], run.done_s[seen], strict=True))
    busy, until = 0.0, -math.inf
    for begin, end in inside:
        busy += max(0.0, end - max(begin, until))
        until = max(until, end)
    assert math.isclose(run.busy_s.sum(), busy, rel_tol=1e-9, abs_tol=1e-12)


@few
@given(st.one_of(cases(), talks()))
def test_6_first_come_first_served(case: tuple[RequestList, Limits]) -> None:
    requests, limits = dataclasses.replace(case[0], priority=None), case[1]
    if requests.after is not None:  # who gave up is seen to be gone after a step
        limits = dataclasses.replace(limits, timeout_s=math.inf)
    run = simulate(requests, law_of(limits), limits)
    started = run.start_s[np.argsort(run.arrival_s, kind="stable")]
    assert (np.diff(started[np.isfinite(started)]) >= 0).all()


def same(a: Simulation, b: Simulation) -> None:
    for name in ("arrival_s", "start_s", "first_s", "done_s"):
        x, y = getattr(a, name), getattr(b, name)
        np.testing.assert_allclose(x, y, rtol=1e-9, atol=1e-12)
    for name in ("status", "preemptions", "hit_tokens", "steps", "replica"):
        assert (getattr(a, name) == getattr(b, name)).all(), name


def test_7_skipped_steps_are_those_taken_in_small_pieces() -> None:
    for requests, limits in (*REGIMES.values(), *TALKS.values()):
        whole, small = Opened.of(requests, limits), Opened.of(requests, limits)
        whole.run(math.inf)
        for now in np.arange(0.0, float(whole.s.x[at.NOW]) + 0.01, 0.01):
            small.run(float(now))
        small.run(math.inf)
        np.testing.assert_allclose(small.w.done_s, whole.w.done_s, rtol=1e-9)
        np.testing.assert_allclose(small.q.arrival_s, whole.q.arrival_s, rtol=1e-9)
        assert small.w.preempted == whole.w.preempted


def test_8_a_seed_gives_the_same_bytes() -> None:
    for requests, limits in (*REGIMES.values(), *TALKS.values()):
        a, b = (
            simulate(requests, law_of(limits), limits, samples=50) for _ in range(2)
        )
        assert a.done_s.tobytes() == b.done_s.tobytes()
        assert a.timeline.running.tobytes() == b.timeline.running.tobytes()
