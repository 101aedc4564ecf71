"""What adds up over time: sums are totals, and work is where the loop counted it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dayrate.serving.autoscale import Autoscale, Scaling
from dayrate.serving.replica import Slo
from dayrate.serving.simulator.accrual import (
    accrual_of,
    accrued,
    busy_spans,
    fixed_replicas,
)
from dayrate.serving.simulator.engine import simulate
from dayrate.serving.simulator.fleet import simulate_fleet
from dayrate.serving.simulator.inputs import Limits, RequestList, Routing

from .made import LAW, REGIMES, cases

times = st.floats(0, 100)


@given(
    st.lists(st.tuples(times, times, st.floats(0.1, 10)), max_size=20),
    st.lists(times, min_size=1, max_size=10),
)
def test_bins_add_up_to_the_whole(
    rates: list[tuple[float, float, float]], cuts: list[float]
) -> None:
    begin = np.array([min(a, b) for a, b, _ in rates])
    end = np.array([max(a, b) for a, b, _ in rates])
    rate = np.array([r for _, _, r in rates])
    edges = np.unique([0.0, *cuts, 101.0])
    amounts = accrued(begin, end, rate, edges)
    assert amounts.sum() == pytest.approx(float(((end - begin) * rate).sum()))
    for a, b, amount in zip(edges, edges[1:], amounts, strict=False):
        inside = np.clip(np.minimum(end, b) - np.maximum(begin, a), 0, None)
        assert amount == pytest.approx(float((inside * rate).sum()), abs=1e-9)


@pytest.mark.parametrize("route", Routing)
@pytest.mark.parametrize("regime", REGIMES)
def test_a_replica_is_busy_while_it_has_requests(regime: str, route: Routing) -> None:
    requests, limits = REGIMES[regime]
    run = simulate(requests, LAW, limits, replicas=3, route=route)
    begin, end, whose = busy_spans(run, run.end_s)
    spent = np.bincount(whose, weights=end - begin, minlength=3)
    np.testing.assert_allclose(spent, run.busy_s, rtol=1e-9)


@settings(max_examples=40)
@given(cases(), st.floats(0.1, 20), st.integers(1, 3))
def test_amounts_over_time_are_the_totals(
    case: tuple[RequestList, Limits], period_s: float, owned: int
) -> None:
    requests, limits = case
    policy = Autoscale(
        Scaling.REACTIVE,
        initial=owned,
        maximum=5,
        startup_s=0.5,
        cooldown_s=0.2,
        interval_s=0.1,
        in_flight=2.0,
        kept=owned,
    )
    fleet = simulate_fleet(requests, LAW, limits, policy)
    end_s = fleet.end_s or 1.0
    work = np.full(len(fleet.run.arrival_s), 0.01)
    edges = np.append(np.arange(0.0, end_s, period_s), end_s)
    life, slo = fleet.replicas, Slo(ttft_s=0.2)
    whole = accrual_of(fleet, work, slo, edges)
    assert whole.held_s.sum() == pytest.approx(float((life.end_s - life.start_s).sum()))
    assert (whole.serving_s <= whole.held_s + 1e-9).all()
    assert (whole.work_s <= whole.serving_s + 1e-12).all()
    assert (whole.busy_s <= whole.serving_s + 1e-6).all()
    assert whole.arrived.sum() == len(work)
    assert (whole.late <= whole.done).all()
    parts = [
        accrual_of(fleet, work, slo, edges, last=owned),
        accrual_of(fleet, work, slo, edges, first=owned),
    ]
    for name in ("held_s", "serving_s", "busy_s", "arrived", "done", "dropped"):
        both = sum(getattr(p, name) for p in parts)
        np.testing.assert_allclose(both, getattr(whole, name), atol=1e-6)


def test_coarser_bins_hold_the_same() -> None:
    requests, limits = REGIMES["overload"]
    run = simulate(requests, LAW, limits, replicas=2)
    fleet = fixed_replicas(run, 2, run.end_s)
    edges = np.linspace(0.0, run.end_s, 41)
    fine = accrual_of(fleet, np.full(600, 0.02), Slo(), edges)
    coarse = fine.summed(np.arange(0, 40, 8))
    assert len(coarse.held_s) == 5
    for name in ("held_s", "busy_s", "work_s", "arrived", "done"):
        total = getattr(fine, name).sum()
        assert getattr(coarse, name).sum() == pytest.approx(total)
