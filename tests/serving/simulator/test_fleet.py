"""Fleets that scale: laws of the lives of replicas, and a fixed fleet as the oracle."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dayrate.errors import InvalidInput
from dayrate.serving.autoscale import Autoscale, Scaling
from dayrate.serving.simulator import state as at
from dayrate.serving.simulator.engine import simulate
from dayrate.serving.simulator.fleet import FleetRun, simulate_fleet
from dayrate.serving.simulator.inputs import EngineKind, Limits, RequestList, Routing

from .made import LAW, REGIMES, cases, drawn, law_of, needs_numba

LIMITS = Limits(256, 8192, 80_000)
THREE = Autoscale(initial=3, maximum=3)
TWO_HOURS = Autoscale(
    Scaling.SCHEDULED, initial=1, by_hour=(1, 3, 1) * 8, startup_s=200.0
)


def reactive(**fields: float) -> Autoscale:
    usual = {"initial": 1, "maximum": 6, "startup_s": 60.0, "in_flight": 20.0}
    return Autoscale(Scaling.REACTIVE, **{**usual, **fields})  # type: ignore[arg-type]


@pytest.mark.parametrize("route", Routing)
@pytest.mark.parametrize("regime", REGIMES)
def test_a_fixed_fleet_is_the_plain_simulation(regime: str, route: Routing) -> None:
    requests, limits = REGIMES[regime]
    plain = simulate(requests, LAW, limits, replicas=3, route=route)
    fleet = simulate_fleet(requests, LAW, limits, THREE, route=route).run
    for name in ("start_s", "first_s", "done_s", "status", "replica", "hit_tokens"):
        np.testing.assert_array_equal(getattr(fleet, name), getattr(plain, name))


@pytest.mark.parametrize("regime", ["calm", "overload", "small cache"])
def test_windows_change_nothing(regime: str) -> None:
    requests, limits = REGIMES[regime]
    plain = simulate(requests, LAW, limits, replicas=3)
    same = reactive(initial=3, minimum=3, maximum=3, interval_s=0.7)
    fleet = simulate_fleet(requests, LAW, limits, same).run
    np.testing.assert_allclose(fleet.done_s, plain.done_s, rtol=1e-9)


def check_lives(fleet: FleetRun, policy: Autoscale) -> None:
    """No replica serves before it is ready or takes who comes after it drains."""
    run, life = fleet.run, fleet.replicas
    assert (life.start_s <= life.drain_s).all()
    assert (life.drain_s <= life.end_s).all()
    ready = np.where(np.isinf(life.ready_s), life.end_s, life.ready_s)
    started = life.start_s > 0
    late = ready - life.start_s >= policy.startup_s - 1e-9
    assert (late | ~started | np.isinf(life.ready_s)).all()
    for i, number in enumerate(fleet.serving):
        if number < 0:
            continue
        mine = run.replica == number
        begun = run.start_s[mine & np.isfinite(run.start_s)]
        assert (begun >= life.ready_s[i]).all()
        assert (fleet.sent_s[mine] <= life.drain_s[i]).all()
        done = run.done_s[mine & (run.status == at.DONE)]
        # a step that has begun when time is over is finished
        ended = math.inf if life.end_s[i] == fleet.end_s else life.end_s[i]
        assert (done <= ended * (1 + 1e-12)).all()
    assert (fleet.serving[np.isfinite(life.ready_s)] >= 0).all() or len(run.done_s)


def check_requests(fleet: FleetRun) -> None:
    """Injected = done + running + waiting + dropped, in causal order."""
    run = fleet.run
    counts = [(run.status == s).sum() for s in np.unique(run.status)]
    assert sum(counts) == len(run.arrival_s)
    sent = ~np.isnan(fleet.sent_s)
    assert (fleet.sent_s[sent] >= run.arrival_s[sent]).all()
    begun = np.isfinite(run.start_s)
    assert (run.start_s[begun] >= fleet.sent_s[begun]).all()
    assert (run.replica[begun] >= 0).all()


@settings(max_examples=60)
@given(
    cases(),
    st.integers(0, 2),
    st.integers(1, 4),
    st.tuples(st.sampled_from([0.0, 0.3, 2.0]), st.sampled_from([0.0, 0.5])),
    st.floats(0.5, 8),
    st.sampled_from([math.inf, 1.5]),
)
def test_nothing_is_lost_and_lives_are_in_order(  # noqa: PLR0917
    case: tuple[RequestList, Limits],
    fewest: int,
    more: int,
    times: tuple[float, float],
    each: float,
    until_s: float,
) -> None:
    policy = reactive(
        initial=fewest,
        minimum=fewest,
        maximum=fewest + more,
        startup_s=times[0],
        cooldown_s=times[1],
        in_flight=each,
        interval_s=0.1,
    )
    fleet = simulate_fleet(case[0], law_of(case[1]), case[1], policy, until_s=until_s)
    check_requests(fleet)
    check_lives(fleet, policy)
    if math.isinf(until_s):
        ended = (at.DONE, at.TOO_LONG, at.REJECTED, at.TIMED_OUT, at.CANCELLED)
        assert np.isin(fleet.run.status, ended).all()
    life = fleet.replicas
    for t in np.concatenate([life.start_s, life.drain_s]):
        held = ((life.start_s <= t) & (t < life.drain_s)).sum()
        assert held <= fewest + more


def test_a_burst_starts_replicas_that_are_stopped_when_it_is_over() -> None:
    requests = drawn(1500, 30.0)
    quiet = np.arange(60) * 10.0 + float(np.asarray(requests.arrival_s)[-1])
    requests = dataclasses.replace(
        requests,
        arrival_s=np.concatenate([requests.arrival_s, quiet]),
        input_tokens=np.concatenate([requests.input_tokens, np.full(60, 100)]),
        output_tokens=np.concatenate([requests.output_tokens, np.full(60, 10)]),
    )
    policy = reactive(startup_s=5.0, cooldown_s=30.0, interval_s=1.0)
    fleet = simulate_fleet(requests, LAW, LIMITS, policy)
    life = fleet.replicas
    alone = simulate(requests, LAW, LIMITS)
    assert len(life.start_s) > 1
    assert np.nanquantile(fleet.run.ttft_s, 0.95) < np.nanquantile(alone.ttft_s, 0.95)
    assert (life.end_s < quiet[-1]).sum() >= len(life.start_s) - 1
    check_lives(fleet, policy)


def test_scaled_to_zero_the_first_waits_for_a_start() -> None:
    requests = RequestList([100.0, 4000.0], [100, 100], [10, 10])
    policy = reactive(initial=0, minimum=0, startup_s=90.0, cooldown_s=300.0)
    fleet = simulate_fleet(requests, LAW, LIMITS, policy, until_s=8000.0)
    assert fleet.sent_s.tolist() == [105.0 + 90.0, 4005.0 + 90.0]
    life = fleet.replicas
    assert life.start_s.tolist() == [105.0, 4005.0]
    assert ((life.end_s - life.ready_s) < 400.0).all()


def test_a_schedule_serves_from_the_hour_and_drains_after_it() -> None:
    requests = drawn(8000, 1.0)
    fleet = simulate_fleet(requests, LAW, LIMITS, TWO_HOURS, until_s=3 * 3600.0)
    life = fleet.replicas
    assert life.start_s.tolist() == [0.0, 3400.0, 3400.0]
    assert life.ready_s.tolist() == [0.0, 3600.0, 3600.0]
    assert sorted(life.drain_s.tolist()) == [7200.0, 7200.0, 10800.0]
    assert (life.end_s >= life.drain_s).all()
    check_lives(fleet, TWO_HOURS)


def test_owned_replicas_never_stop() -> None:
    requests = drawn(2000, 4.0)
    policy = reactive(initial=2, minimum=0, kept=2, startup_s=5.0, cooldown_s=0.0)
    fleet = simulate_fleet(requests, LAW, LIMITS, policy)
    end_s = fleet.run.end_s
    assert fleet.replicas.end_s[:2].tolist() == [end_s, end_s]


def test_who_starts_is_stopped_first_and_never_serves() -> None:
    arrival = np.zeros(200)
    requests = RequestList(arrival, [100] * 200, [2] * 200)
    policy = reactive(startup_s=1000.0, cooldown_s=0.0, interval_s=1.0)
    fleet = simulate_fleet(requests, LAW, LIMITS, policy, until_s=5000.0)
    life = fleet.replicas
    assert np.isinf(life.ready_s[1:]).all()
    assert (life.end_s[1:] < 1000.0).all()
    assert (fleet.run.replica == 0).all()


@needs_numba
@pytest.mark.slow
def test_both_engines_agree() -> None:
    requests, policy = drawn(3000, 15.0), reactive(startup_s=20.0, interval_s=5.0)
    runs = [
        simulate_fleet(requests, LAW, LIMITS, policy, engine=kind, samples=100)
        for kind in (EngineKind.PYTHON, EngineKind.NUMBA)
    ]
    np.testing.assert_allclose(runs[0].run.done_s, runs[1].run.done_s, rtol=1e-9)
    np.testing.assert_allclose(
        runs[0].replicas.end_s, runs[1].replicas.end_s, rtol=1e-9
    )
    lines = [r.run.timeline.running for r in runs]
    np.testing.assert_array_equal(lines[0], lines[1])


def test_the_compiled_engine_has_one_routing_here() -> None:
    with pytest.raises(InvalidInput, match="round-robin"):
        simulate_fleet(
            drawn(3, 1.0),
            LAW,
            LIMITS,
            THREE,
            route=Routing.LEAST_LOADED,
            engine=EngineKind.NUMBA,
        )


def test_a_policy_by_the_rate_is_steady_where_one_in_flight_is_not() -> None:
    requests = drawn(12_000, 6.0)
    by_rate = reactive(initial=2, maximum=4, per_s=4.0, in_flight=200.0)
    fleet = simulate_fleet(requests, LAW, LIMITS, by_rate)
    assert len(fleet.replicas.start_s) == 2
    assert fleet.replicas.end_s.tolist() == [fleet.end_s] * 2
