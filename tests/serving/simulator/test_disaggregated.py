"""Prefill and decoding on different replicas."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dayrate.errors import InvalidInput
from dayrate.serving.autoscale import Autoscale, Scaling
from dayrate.serving.replica import Slo
from dayrate.serving.simulator import state as at
from dayrate.serving.simulator.accrual import accrual_of_pools, busy_spans
from dayrate.serving.simulator.disaggregated import Pools, simulate_disaggregated
from dayrate.serving.simulator.engine import simulate
from dayrate.serving.simulator.examples import FLAT, SMALL, TWO
from dayrate.serving.simulator.inputs import EngineKind, Limits, RequestList

from .made import LAW, REGIMES, cases, drawn, law_of, needs_numba
from .test_invariants import same

ONE_EACH = Pools(1, 1, 1e-3, 1e-3)
SCALED = Autoscale(
    Scaling.REACTIVE,
    initial=1,
    maximum=4,
    startup_s=0.4,
    cooldown_s=0.2,
    interval_s=0.1,
    in_flight=3.0,
)


def test_caches_leave_a_replica_one_after_the_other() -> None:
    """Two prompts of one step: the second cache waits for the first, 0.1 s each."""
    requests = RequestList([0.0, 0.0], [100, 100], [2, 2])
    pools = Pools(1, 1, transfer_s=np.array([0.1, 0.1]), latency_s=0.05)
    run = simulate_disaggregated(requests, FLAT, SMALL, pools).run
    # a step of 10 ms, transfers, and the step of the decode replica
    assert run.first_s.tolist() == pytest.approx([0.17, 0.27])
    assert run.replica.tolist() == [1, 1]
    assert len(run.busy_s) == len(run.steps) == 2


@settings(max_examples=40, deadline=None)
@given(cases())
def test_nothing_is_lost_and_order_is_kept(case: tuple[RequestList, Limits]) -> None:
    requests, limits = case
    law = law_of(limits)
    pools = Pools(2, 3, np.asarray(requests.input_tokens) * 1e-5, 1e-3)
    run = simulate_disaggregated(requests, law, limits, pools).run
    done = run.status == at.DONE
    over = {at.DONE, at.TOO_LONG, at.REJECTED, at.TIMED_OUT, at.CANCELLED}
    assert set(run.status.tolist()) <= over
    assert (run.start_s[done] >= run.arrival_s[done]).all()
    # a step, the transfer and another step come before the first token
    sent = run.input_tokens[done] * 1e-5 + 1e-3
    assert (run.first_s[done] > run.start_s[done] + sent).all()
    assert (run.done_s[done] >= run.first_s[done]).all()
    assert np.isnan(run.done_s[~done]).all()


def test_decoding_is_steady_beside_others_prompts() -> None:
    requests, limits = drawn(300, 8.0), Limits(256, 8192, 80_000)
    mixed = simulate(requests, LAW, limits, replicas=2)
    apart = simulate_disaggregated(requests, LAW, limits, ONE_EACH).run

    def longest_s(run: object) -> float:
        return float(np.nanquantile(run.tpot_s, 0.99))  # type: ignore[attr-defined]

    assert longest_s(apart) < longest_s(mixed)


@settings(max_examples=40, deadline=None)
@given(cases(), st.booleans(), st.sampled_from([math.inf, 1.5]))
def test_each_replica_is_busy_with_its_half_and_nothing_counts_twice(
    case: tuple[RequestList, Limits], scaling: bool, until_s: float
) -> None:
    requests, limits = case
    policy = SCALED if scaling else None
    pools = Pools(2, 1, np.asarray(requests.input_tokens) * 1e-5, 1e-3, policy)
    halves = simulate_disaggregated(
        requests, law_of(limits), limits, pools, until_s=until_s, samples=10
    )
    end_s = max(halves.run.end_s, 1.0)
    fleet = halves.fleet(end_s)
    assert len(fleet.pools[0].replicas.start_s) == 2
    assert halves.run.busy_s.sum() == pytest.approx(
        halves.prompts.busy_s.sum() + halves.answers.busy_s.sum()
    )
    for half in (halves.prompts, halves.answers):
        if math.isinf(until_s):  # else a step runs on after the end
            begin, end, whose = busy_spans(half, end_s)
            spent = np.bincount(whose, end - begin, minlength=len(half.busy_s))
            np.testing.assert_allclose(spent, half.busy_s, rtol=1e-9, atol=1e-12)
    edges = np.linspace(0.0, end_s, 8)
    works = [np.full(len(p.run.arrival_s), 0.01) for p in fleet.pools]
    whole = accrual_of_pools(fleet, works, Slo(), edges)
    life = fleet.replicas
    held_s = np.minimum(life.end_s, end_s) - life.start_s
    assert whole.held_s.sum() == pytest.approx(held_s.sum())
    assert (whole.work_s <= whole.serving_s + 1e-9).all()
    assert (whole.busy_s <= whole.serving_s + 1e-6).all()
    counted = (np.asarray(requests.arrival_s) <= end_s).sum()
    assert whole.arrived.sum() == counted
    parts = [
        accrual_of_pools(fleet, works, Slo(), edges, last=1),
        accrual_of_pools(fleet, works, Slo(), edges, first=1),
    ]
    for name in ("held_s", "serving_s", "busy_s"):
        both = sum(getattr(p, name) for p in parts)
        np.testing.assert_allclose(both, getattr(whole, name), atol=1e-6)


def test_replicas_for_answers_scale_beside_those_for_prompts() -> None:
    """Nobody decodes yet: caches wait for the start, and the wait is in the TTFT."""
    cold = Autoscale(Scaling.REACTIVE, initial=0, minimum=0, startup_s=60.0)
    pools = Pools(1, 1, transfer_s=0.01, latency_s=0.01, policy=cold)
    halves = simulate_disaggregated(TWO, FLAT, SMALL, pools)
    # a decision at 15 s, a start of 60 s, a step
    assert halves.run.first_s.tolist() == pytest.approx([75.01, 75.01])
    assert halves.run.replica.tolist() == [1, 1]
    fleet = halves.fleet(100.0)
    assert fleet.replicas.start_s.tolist() == [0.0, 15.0]
    assert fleet.serving.tolist() == [0, 1]
    same(halves.answers, fleet.pools[1].run)


def test_replicas_are_held_where_nobody_fits() -> None:
    requests = RequestList([0.0], [100_000], [2])
    halves = simulate_disaggregated(requests, FLAT, SMALL, ONE_EACH)
    assert halves.run.status.tolist() == [at.TOO_LONG]
    fleet = halves.fleet(5.0)
    assert np.isnan(fleet.sent_s).all()
    assert fleet.replicas.end_s.tolist() == [5.0, 5.0]


def test_a_horizon_leaves_caches_on_the_way() -> None:
    requests = RequestList([0.0], [100], [50])
    apart = simulate_disaggregated(requests, FLAT, SMALL, ONE_EACH, until_s=0.005)
    run = apart.run
    assert run.status.tolist() == [at.WAITING]


@needs_numba
@pytest.mark.slow
@pytest.mark.parametrize("regime", ["calm", "small cache", "all at once"])
@pytest.mark.parametrize("policy", [None, SCALED])
def test_both_engines_agree(regime: str, policy: Autoscale | None) -> None:
    requests, limits = REGIMES[regime]
    pools = dataclasses.replace(ONE_EACH, policy=policy)
    a, b = (
        simulate_disaggregated(
            requests, law_of(limits), limits, pools, engine=kind, samples=20
        ).run
        for kind in (EngineKind.PYTHON, EngineKind.NUMBA)
    )
    same(a, b)


@pytest.mark.parametrize(
    "bad", [(0, 1, 1.0), (1, 0, 1.0), (1, 1, -1.0), (1, 1, math.nan)]
)
def test_bad_pools_are_refused(bad: tuple[int, int, float]) -> None:
    with pytest.raises(InvalidInput):
        Pools(*bad)
