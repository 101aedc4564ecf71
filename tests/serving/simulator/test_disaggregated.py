"""Prefill and decoding on different replicas."""

import math

import numpy as np
import pytest
from hypothesis import given, settings

from dayrate.errors import InvalidInput
from dayrate.serving.simulator import state as at
from dayrate.serving.simulator.disaggregated import Pools, simulate_disaggregated
from dayrate.serving.simulator.engine import simulate
from dayrate.serving.simulator.examples import FLAT, SMALL
from dayrate.serving.simulator.inputs import EngineKind, Limits, RequestList

from .made import LAW, REGIMES, cases, drawn, law_of, needs_numba
from .test_invariants import same

ONE_EACH = Pools(1, 1, 1e-6, 1e-3)


def test_caches_leave_a_replica_one_after_the_other() -> None:
    """Two prompts of one step: the second cache waits for the first, 0.1 s each."""
    requests = RequestList([0.0, 0.0], [100, 100], [2, 2])
    pools = Pools(1, 1, transfer_s_per_token=1e-3, latency_s=0.05)
    run = simulate_disaggregated(requests, FLAT, SMALL, pools)
    # a step of 10 ms, transfers, and the step of the decode replica
    assert run.first_s.tolist() == pytest.approx([0.17, 0.27])
    assert run.replica.tolist() == [1, 1]
    assert len(run.busy_s) == len(run.steps) == 2


@settings(max_examples=40, deadline=None)
@given(cases())
def test_nothing_is_lost_and_order_is_kept(case: tuple[RequestList, Limits]) -> None:
    requests, limits = case
    law = law_of(limits)
    run = simulate_disaggregated(requests, law, limits, Pools(2, 3, 1e-5, 1e-3))
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
    apart = simulate_disaggregated(requests, LAW, limits, ONE_EACH)

    def longest_s(run: object) -> float:
        return float(np.nanquantile(run.tpot_s, 0.99))  # type: ignore[attr-defined]

    assert longest_s(apart) < longest_s(mixed)


def test_a_horizon_leaves_caches_on_the_way() -> None:
    requests = RequestList([0.0], [100], [50])
    run = simulate_disaggregated(requests, FLAT, SMALL, ONE_EACH, until_s=0.005)
    assert run.status.tolist() == [at.WAITING]


@needs_numba
@pytest.mark.slow
@pytest.mark.parametrize("regime", ["calm", "small cache", "all at once"])
def test_both_engines_agree(regime: str) -> None:
    requests, limits = REGIMES[regime]
    a, b = (
        simulate_disaggregated(
            requests, law_of(limits), limits, ONE_EACH, engine=kind, samples=20
        )
        for kind in (EngineKind.PYTHON, EngineKind.NUMBA)
    )
    same(a, b)


@pytest.mark.parametrize(
    "bad", [(0, 1, 1.0), (1, 0, 1.0), (1, 1, -1.0), (1, 1, math.nan)]
)
def test_bad_pools_are_refused(bad: tuple[int, int, float]) -> None:
    with pytest.raises(InvalidInput):
        Pools(*bad)
