"""The bill and the energy of simulated fleets: sums, terms, and the quote beside."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dayrate
from dayrate.catalog.price import Pricing
from dayrate.compose.bill import pricing_of
from dayrate.compose.deploy import deploy
from dayrate.compose.fleetday import Asked, Sized, fleet_day, sampled
from dayrate.compose.policy import (
    answering,
    policy_of,
    prompting,
    startup_s,
    work_of,
    works_of,
)
from dayrate.compose.resolve import resolve
from dayrate.compose.simulation import Ask, SimulatedDay, simulate_scenario
from dayrate.compose.ways import Ways
from dayrate.errors import InvalidInput
from dayrate.scenario.flags import nested
from dayrate.scenario.schema import scenario_from
from dayrate.scenario.working import Working
from dayrate.serving.autoscale import Autoscale, Scaling
from dayrate.serving.simulator.disaggregated import Pools, simulate_disaggregated
from dayrate.serving.simulator.fleet import simulate_fleet
from dayrate.serving.simulator.inputs import Limits, RequestList
from dayrate.serving.simulator.law import step_law

SMALL: dict[str, Any] = {
    "model": "meta-llama/Llama-3.1-70B-Instruct",
    "accelerator": "a100-sxm-80gb",
    "isl": 500,
    "osl": 600,
    "requests_per_day": 3000,
    "ttft": 1000,
    "tpot": 40,
}


def sized(pricing: Pricing, **flags: Any) -> Sized:
    scenario = scenario_from(nested({**SMALL, "pricing": pricing.value, **flags}))
    w = Working()
    r = resolve(scenario, w)
    paid = pricing_of(scenario.economics, r.accelerator.id, w)
    plan = deploy(scenario, r, w)
    return Sized(scenario, r, plan, paid, w.ledger)


RENTED, OWNED = sized(Pricing.ON_DEMAND), sized(Pricing.OWNED)
LAW = step_law(RENTED.plan.replica, 4096)


def day_of(**flags: Any) -> SimulatedDay:
    scenario = scenario_from(nested({**SMALL, **flags}))
    return simulate_scenario(scenario, Ask(day=True))


@settings(max_examples=40)
@given(
    st.lists(st.floats(0, 3000), min_size=1, max_size=30),
    st.integers(0, 2),
    st.sampled_from([RENTED, OWNED]),
    st.booleans(),
    st.booleans(),
)
def test_energy_and_cost_are_their_sums_over_time(
    arrival: list[float], kept: int, sized: Sized, scaling: bool, apart: bool
) -> None:
    n = len(arrival)
    requests = RequestList(sorted(arrival), [300] * n, [200] * n)
    limits = Limits(4, 2048, 1000)
    policy = Autoscale(initial=3, maximum=3, kept=kept)
    if scaling:
        policy = Autoscale(
            Scaling.REACTIVE,
            initial=max(1, kept),
            minimum=0,
            maximum=4,
            startup_s=60.0,
            cooldown_s=100.0,
            in_flight=2.0,
            kept=kept,
        )
    if kept and sized.pricing is Pricing.OWNED:
        sized = RENTED
    fleet = simulate_fleet(requests, LAW, limits, policy, until_s=5000.0, samples=50)
    if apart:
        pools = Pools(2, 3, 0.01, policy=policy if scaling else None)
        fleet = simulate_disaggregated(
            requests, LAW, limits, pools, until_s=5000.0, samples=50
        ).fleet(5000.0)
    day = fleet_day(fleet, policy, Asked(sized, 5000.0, 1000, 4.0))
    total = float(day.cost.total_usd)
    for bins in (day.over_time, day.hours, sampled(day)[1]):
        assert bins.usd.sum() == pytest.approx(total, rel=1e-9)
        assert bins.kwh.sum() == pytest.approx(day.kwh, rel=1e-9)
        assert bins.amounts.arrived.sum() == n
        assert bins.amounts.held_s.sum() == pytest.approx(day.replica_hours * 3600)
    assert (day.over_time.usd >= -1e-12).all()
    assert (day.over_time.kwh >= -1e-12).all()
    assert 0 <= day.idle_frac <= 1


def test_a_fixed_fleet_costs_what_the_quote_says() -> None:
    quoted = dayrate.quote(**SMALL)
    day = day_of()
    assert day.period_s == 86_400
    assert float(day.fleet.cost.total_usd) == pytest.approx(
        quoted.bill.total_usd_per_day
    )
    assert day.fleet.kwh == pytest.approx(quoted.energy.kwh_per_day, rel=0.03)
    used = quoted.bill.used_frac
    assert used is not None
    assert 1 - day.fleet.idle_frac == pytest.approx(used, rel=0.1)


def test_an_owned_fleet_costs_what_the_quote_says() -> None:
    quoted = dayrate.quote(**SMALL, pricing="owned").bill
    bill = day_of(pricing="owned").fleet.cost
    assert bill.terms_usd.keys() == quoted.cost.terms_usd.keys()
    for term in ("capital", "colocation", "maintenance"):
        assert bill.terms_usd[term] == pytest.approx(quoted.cost.terms_usd[term])


def test_scaling_to_zero_pays_for_starts_and_makes_the_first_wait() -> None:
    shape = (0.0,) * 12 + (1.0,) * 2 + (0.0,) * 10
    flags = {"day_shape": shape, "requests_per_day": 400, "startup_delay": 300}
    day = day_of(autoscale="reactive", min_replicas=0, **flags)
    assert day.fixed is not None
    assert day.fleet.cost.total_usd < 0.25 * day.fixed.cost.total_usd
    assert day.fleet.starts >= 1
    assert day.fleet.waited_for_a_start >= 1
    assert day.summary.ttft.p99_s is not None
    assert 250 < day.summary.queue.p99_s < 400  # type: ignore[operator]
    hours = list(day.fleet.hours.rows())
    assert len(hours) == 24
    assert hours[3]["replicas_held"] == hours[3]["usd"] == 0
    assert hours[12]["replicas_held"] > hours[12]["replicas_serving"] > 0


def test_a_rented_burst_over_an_owned_base_has_both_terms() -> None:
    day = day_of(
        autoscale="scheduled",
        replicas_by_hour=(1,) * 12 + (3,) * 4 + (1,) * 8,
        owned_replicas=1,
        startup_delay=360,
    )
    terms = day.fleet.cost.terms_usd
    assert {"capital", "electricity", "accelerators"} <= terms.keys()
    price = dayrate.quote(**SMALL).ledger["economics.usd_per_accelerator_hour"].value
    each = day.accelerators_per_replica
    rent = 2 * each * (4 + 0.1) * float(price or 0)
    assert terms["accelerators"] == pytest.approx(rent, rel=1e-3)
    owned = day_of(pricing="owned", autoscale="fixed").fleet
    alone = owned.cost.terms_usd["capital"] / owned.peak_held
    assert terms["capital"] == pytest.approx(alone, rel=0.5)  # by whole servers


def test_work_at_capacity_takes_the_inverse_of_it() -> None:
    run = day_of().run
    each = work_of(run, RENTED.r, RENTED.plan)
    per_s = float(RENTED.plan.capacity.requests_per_s)
    mean = float(np.mean(each))
    assert mean == pytest.approx(1 / per_s, rel=0.05)


def test_prompts_on_their_own_replicas_draw_and_cost_too() -> None:
    """Each pool's work is that of its capacity; machines and energy are of both."""
    scenario = scenario_from(nested({**SMALL, "requests_per_day": 20_000}))
    days = [
        simulate_scenario(scenario, Ask(replicas=2, day=True, ways=Ways(False, n)))
        for n in (0, 1, 2)
    ]
    rent = [float(d.fleet.cost.total_usd) for d in days]
    assert rent == pytest.approx([rent[0], rent[0] * 1.5, rent[0] * 2])
    a = [d.fleet.over_time.amounts for d in days]
    # one more moves no work
    assert a[2].work_s.sum() == pytest.approx(a[1].work_s.sum(), rel=1e-3)
    server, drawn = RENTED.r.server, []
    for day in a:
        idle_j = server.idle_w.mid * day.held_s.sum()
        more_w = server.busy_w.mid - server.idle_w.mid
        drawn.append(idle_j + more_w * day.work_s.sum())
    each = [d.fleet.kwh / j for d, j in zip(days, drawn, strict=True)]
    assert each == pytest.approx([each[0]] * 3)
    prompts, answers = days[1].fleet.fleet.pools
    plan, r = RENTED.plan, RENTED.r
    for pool, way in ((prompts, prompting), (answers, answering)):
        of_pool, planned = way(r, plan)
        work = work_of(pool.run, of_pool, planned)
        per_s = float(planned.capacity.requests_per_s)
        assert work.mean() == pytest.approx(1 / per_s, rel=0.05)
    both = works_of(days[1].fleet.fleet, r, plan)
    assert a[1].work_s.sum() == pytest.approx(sum(w.sum() for w in both), rel=0.01)


def test_replicas_that_decode_scale_beside_those_for_prompts() -> None:
    scenario = scenario_from(
        nested({**SMALL, "requests_per_day": 20_000, "autoscale": "reactive"})
    )
    day = simulate_scenario(scenario, Ask(replicas=3, day=True, ways=Ways(False, 2)))
    assert day.fixed is not None
    hours = list(day.fleet.hours.rows())
    assert min(row["replicas_held"] for row in hours) >= 3
    assert day.fleet.cost.total_usd < day.fixed.cost.total_usd
    assert day.fixed.peak_held == 5
    assert day.prefill_replicas == 2


def test_a_larger_model_starts_later() -> None:
    parts = startup_s(RENTED.r, RENTED.plan)
    small = sized(Pricing.ON_DEMAND, model="meta-llama/Llama-3.1-8B-Instruct")
    assert startup_s(small.r, small.plan) < parts
    assert parts == pytest.approx(380 + 141e9 / (1.03 * 2**30), rel=0.05)


def test_a_policy_is_completed_from_the_closed_form() -> None:
    section = scenario_from({"autoscale": {"policy": "reactive"}}).autoscale
    policy = policy_of(section, RENTED.r, RENTED.plan, 3)
    assert (policy.minimum, policy.maximum, policy.kept) == (1, 6, 0)
    assert math.isinf(policy.in_queue)
    hourly = sized(Pricing.ON_DEMAND, scaling="hourly")
    section = hourly.scenario.autoscale
    assert policy_of(section, hourly.r, hourly.plan, 3).scaling is Scaling.SCHEDULED


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"owned_replicas": 2, "pricing": "owned"}, "Leave out --pricing owned"),
        ({"owned_replicas": 99}, "99 replicas are owned"),
        (
            {"autoscale": "reactive", "owned_replicas": 3, "max_replicas": 2},
            "max_replicas is 2",
        ),
    ],
)
def test_what_contradicts_is_refused(flags: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        day_of(**flags)


def test_a_seed_repeats() -> None:
    flags = {"autoscale": "reactive", "requests_per_day": 1000}
    assert day_of(**flags).to_dict() == day_of(**flags).to_dict()
