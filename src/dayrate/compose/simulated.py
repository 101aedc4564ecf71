"""A quote whose day is simulated: the fleet, the speed and the load come from there."""

import dataclasses
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dayrate.catalog.price import Pricing
from dayrate.compose.dayrequests import day_demand
from dayrate.compose.deploy import Plan, write_fleet, write_peak
from dayrate.compose.fleetday import Sized
from dayrate.compose.held import HeldDay
from dayrate.compose.physics import write_memory, write_step
from dayrate.compose.resolve import Resolved
from dayrate.compose.simulation import Ask, SimulatedDay, simulate_plan
from dayrate.compose.speed import deployment_of, write_speed
from dayrate.errors import InvalidInput
from dayrate.scenario.result import Deployment, Serving
from dayrate.scenario.schema import Scenario
from dayrate.scenario.working import Working
from dayrate.serving.autoscale import Scaling
from dayrate.serving.simulator.accrual import accrued
from dayrate.serving.steady import OperatingPoint, operating_point
from dayrate.units import DAY_S, HOUR_S

__all__ = [
    "OfDay",
    "Sized",
    "deployment_simulated",
    "serving_simulated",
    "simulate_day",
]

HOW = "requests one by one over the day, simulated"


@dataclass(frozen=True, slots=True)
class OfDay:
    """A simulated day, and the machines it held."""

    day: SimulatedDay
    held: HeldDay


def simulate_day(sized: Sized, seed: int, w: Working) -> OfDay:
    """Serve the requests of 24 hours, and write down the machines they took.

    Raises
    ------
    InvalidInput
        The fleet is owned in part, so that there would be two bills.
    """
    scenario, plan = sized.scenario, sized.plan
    if scenario.autoscale.owned_replicas:
        raise InvalidInput(
            "A quote has one kind of price, and --owned-replicas makes two. Leave it "
            "out, or take `dayrate simulate --day`."
        )
    aside = Working(w.ledger)
    write_fleet(scenario.deployment, plan, aside)
    sized = dataclasses.replace(sized, ledger=aside.ledger)
    demand = day_demand(sized.r, float(DAY_S), seed)
    day = simulate_plan(sized, Ask(day=True, seed=seed, compare=False), demand)
    held = _write_held(scenario, plan, day, w)
    return OfDay(day, held)


def _write_held(
    scenario: Scenario, plan: Plan, day: SimulatedDay, w: Working
) -> HeldDay:
    fleet = day.fleet
    work = 1.0 - fleet.idle_frac
    why = "replicas as the closed form sizes them for the busiest ten minutes"
    w.solved("deployment.closed_form_replicas", plan.replicas, "1", why)
    if fleet.policy.scaling is Scaling.FIXED:
        write_fleet(scenario.deployment, plan, w)
        return HeldDay(plan.accelerators, 24 * plan.accelerators, work)
    write_peak(plan, w)
    each = plan.accelerators_per_replica
    peak = float(fleet.peak_held)
    w.solved("deployment.replicas", peak, "1", "most held at once in the simulated day")
    accelerators = w.derive(
        "deployment.accelerators",
        peak * each,
        "1",
        "deployment.replicas * deployment.accelerators_per_replica",
    )
    hours = "deployment.replica_hours"
    held = "replicas serving, starting or ending in the simulated day"
    w.solved(hours, fleet.replica_hours, "h/day", held)
    accelerator_hours = w.derive(
        "deployment.accelerator_hours",
        fleet.replica_hours * each,
        "h/day",
        f"{hours} * deployment.accelerators_per_replica",
    )
    return HeldDay(accelerators, accelerator_hours, work)


def serving_simulated(
    scenario: Scenario, r: Resolved, plan: Plan, of: OfDay, w: Working
) -> tuple[Serving, OperatingPoint]:
    """Speed as the requests of the day found it; the split of the bill at the peak."""
    per_replica = plan.demand.peak_per_s / plan.replicas
    quantile = scenario.slo.percentile / 100
    point = operating_point(plan.replica, r.traffic, per_replica, quantile=quantile)
    run, demand, summary = of.day.run, r.workload, of.day.summary
    tokens = demand.input_tokens_per_day + demand.output_tokens_per_day
    ttft, tpot = run.ttft_s, run.tpot_s
    serving = Serving(
        requests_per_day=demand.requests_per_day,
        input_tokens_per_day=demand.input_tokens_per_day,
        cached_input_tokens_per_day=demand.cached_input_tokens_per_day,
        output_tokens_per_day=demand.output_tokens_per_day,
        peak_requests_per_s=plan.demand.peak_per_s,
        capacity_requests_per_s=float(plan.capacity.requests_per_s),
        batch=_busiest_batch(of.day),
        ttft_ms=_ms(_quantile(ttft, quantile)),
        ttft_mean_ms=_ms(summary.ttft.mean_s),
        tpot_ms=_ms(_quantile(tpot, quantile)),
        tpot_mean_ms=_ms(summary.tpot.mean_s),
        percentile=scenario.slo.percentile,
        tokens_per_s_per_accelerator=tokens / (of.held.accelerator_hours * HOUR_S),
        utilisation=of.held.utilisation,
        binding=str(plan.capacity.binding),
    )
    write_memory(r, plan, w)
    write_step(r, plan, point, w)
    write_speed(serving, w, HOW)
    return serving, point


def _quantile(seconds: npt.NDArray[np.float64], quantile: float) -> float | None:
    known = seconds[np.isfinite(seconds)]
    return float(np.quantile(known, quantile)) if len(known) else None


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1e3


def _busiest_batch(day: SimulatedDay) -> float:
    """Count who runs on a replica, mean over the hour in which they are most. [1]"""
    run, hours = day.run, day.fleet.hours.amounts
    ran = np.isfinite(run.start_s)
    end = np.where(np.isnan(run.done_s), day.period_s, run.done_s)[ran]
    running = accrued(run.start_s[ran], end, np.ones(len(end)), hours.edges_s)
    serving = np.maximum(hours.serving_s, 1e-12)
    return float(np.max(running / serving))


def deployment_simulated(
    r: Resolved, plan: Plan, pricing: Pricing, of: OfDay
) -> Deployment:
    """Name the machines, with the replicas of the simulated day."""
    hours = of.day.fleet.hours
    held = hours.amounts.held_s / hours.seconds
    found = deployment_of(r, plan, pricing)
    servers = of.held.accelerators / r.server.accelerators
    if pricing is Pricing.OWNED:
        servers = float(np.ceil(servers))
    return dataclasses.replace(
        found,
        accelerators=of.held.accelerators,
        servers=servers,
        replicas=float(of.day.fleet.peak_held),
        replicas_by_hour=tuple(float(n) for n in held),
        closed_form_replicas=plan.replicas,
    )
