"""From a scenario's autoscaling to a policy: what is open is sized or estimated."""

import dataclasses
import math

import numpy as np
import numpy.typing as npt

from dayrate import catalog
from dayrate.catalog.price import Pricing
from dayrate.compose.deploy import Plan
from dayrate.compose.resolve import Resolved
from dayrate.errors import InvalidInput
from dayrate.scenario.autoscale import AutoscaleSection
from dayrate.scenario.schema import Scenario
from dayrate.serving.autoscale import Autoscale, Scaling
from dayrate.serving.fleet import FleetPolicy, replicas_by_hour
from dayrate.serving.replica import Slo
from dayrate.serving.simulator.fleet import FleetRun
from dayrate.serving.simulator.outcome import Simulation
from dayrate.serving.steady import (
    marginal_seconds,
    operating_point,
    require_capacity,
)

__all__ = [
    "answering",
    "check_pricing",
    "policy_of",
    "prompting",
    "startup_s",
    "work_of",
    "works_of",
]

# As Kubernetes' HPA has them, and the share of a replica that Knative aims at.
COOLDOWN_S, INTERVAL_S, TARGET_FRAC = 300.0, 15.0, 0.7
#: A reactive fleet may be so many times the fixed one, to catch up after a start.
_MOST_TIMES = 2


def check_pricing(scenario: Scenario, pricing: Pricing) -> None:
    """Refuse to rent at the price of owned machines.

    Raises
    ------
    InvalidInput
        Some replicas are owned, and the price is of owned ones too.
    """
    if scenario.autoscale.owned_replicas and pricing is Pricing.OWNED:
        raise InvalidInput(
            "--owned-replicas says what is owned, and --pricing is then of the rest, "
            "which is rented. Leave out --pricing owned or --owned-replicas."
        )


def policy_of(
    section: AutoscaleSection, r: Resolved, plan: Plan, fixed: int
) -> Autoscale:
    """Complete a policy; ``fixed`` is the fleet that would carry the peak all day.

    Raises
    ------
    InvalidInput
        More replicas are owned than a fixed fleet has.
    """
    owned = section.owned_replicas or 0
    scaling = Scaling(section.policy)
    if plan.demand.policy is FleetPolicy.HOURLY and not section.model_fields_set:
        scaling = Scaling.SCHEDULED  # deployment.scaling, by the hour
    delay = section.startup_delay_s
    start_s = startup_s(r, plan) if delay is None else delay
    if scaling is Scaling.FIXED:
        if owned > fixed:
            raise InvalidInput(
                f"{owned} replicas are owned and the fixed fleet has {fixed}. Give at "
                f"most {fixed} --owned-replicas, or more --replicas."
            )
        return Autoscale(initial=fixed, maximum=fixed, kept=owned)
    by_hour = section.replicas_by_hour or _sized_by_hour(plan)
    if scaling is Scaling.SCHEDULED:
        return Autoscale(
            scaling,
            initial=max(by_hour[0], owned),
            maximum=max(*by_hour, owned),
            by_hour=by_hour,
            startup_s=start_s,
            kept=owned,
        )
    fewest = 1 if section.min_replicas is None else section.min_replicas
    most = section.max_replicas
    if most is None:
        most = max(_MOST_TIMES * fixed, fewest, owned)
    fewest = max(fewest, owned)
    share = section.target_utilisation
    queue, cooldown = section.target_queue, section.cooldown_s
    return Autoscale(
        scaling,
        initial=min(max(by_hour[0], fewest), most) if fewest else 0,
        minimum=fewest,
        maximum=most,
        startup_s=start_s,
        cooldown_s=COOLDOWN_S if cooldown is None else cooldown,
        interval_s=section.interval_s or INTERVAL_S,
        per_s=float(plan.capacity.requests_per_s) * (share or TARGET_FRAC),
        in_flight=max(float(plan.capacity.batch), 1.0),
        in_queue=math.inf if queue is None else queue,
        kept=owned,
    )


def startup_s(r: Resolved, plan: Plan) -> float:
    """Estimate the start of a replica: a machine, an engine, its weights. [s]"""
    parts = catalog.startup()
    memory = plan.replica.memory(r.traffic.context_tokens)
    weights = float(memory.weight_bytes) * plan.accelerators_per_replica
    load_s = weights / parts.weights_bytes_per_s.mid
    return parts.machine_s.mid + parts.engine_s.mid + load_s


def work_of(run: Simulation, r: Resolved, plan: Plan) -> npt.NDArray[np.float64]:
    """Time that each request takes a replica at its capacity. [s]

    Shared by marginal work, as the bill is; a request of the mean lengths takes the
    inverse of the capacity.
    """
    t, per_s = r.traffic, float(plan.capacity.requests_per_s)
    point = operating_point(plan.replica, t, plan.demand.peak_per_s / plan.replicas)
    seconds = [float(s) for s in marginal_seconds(plan.replica, t, point)]
    fresh, cached, output = (s if math.isfinite(s) else 0.0 for s in seconds)
    mean = (
        float(t.uncached_tokens) * fresh
        + float(t.cached_tokens) * cached
        + float(t.output_tokens) * output
    )
    if not mean > 0:
        return np.full(len(run.arrival_s), 1.0 / per_s)
    each = (
        (run.input_tokens - run.hit_tokens) * fresh
        + run.hit_tokens * cached
        + run.output_tokens * output
    )
    return np.asarray(each / (mean * per_s))


def works_of(fleet: FleetRun, r: Resolved, plan: Plan) -> list[npt.NDArray[np.float64]]:
    """Time that each request takes a replica at its capacity, for each pool. [s]"""
    if fleet.apart is None:
        return [work_of(fleet.run, r, plan)]
    prompts, answers = fleet.apart
    return [
        work_of(prompts.run, *prompting(r, plan)),
        work_of(answers.run, *answering(r, plan)),
    ]


def prompting(r: Resolved, plan: Plan) -> tuple[Resolved, Plan]:
    """See a plan as replicas that compute prompts only: as fast as they can."""
    t = dataclasses.replace(r.traffic, output_tokens=1.0, tokens_per_step=1.0)
    found = require_capacity(plan.replica, t, Slo(quantile=plan.slo.quantile))
    of_pool = dataclasses.replace(plan, capacity=found)
    return dataclasses.replace(r, traffic=t), of_pool


def answering(r: Resolved, plan: Plan) -> tuple[Resolved, Plan]:
    """See a plan as replicas that decode only, within the target per token."""
    t = dataclasses.replace(r.traffic, cached_input_frac=1.0)
    slo = dataclasses.replace(plan.slo, ttft_s=math.inf)
    found = require_capacity(plan.replica, t, slo)
    of_pool = dataclasses.replace(plan, capacity=found)
    return dataclasses.replace(r, traffic=t), of_pool


def _sized_by_hour(plan: Plan) -> tuple[int, ...]:
    """Replicas of each hour, as a quote sizes them."""
    demand = plan.demand
    fleet = replicas_by_hour(
        demand.rate_per_s,
        float(plan.capacity.requests_per_s),
        burst=demand.burst,
        headroom_frac=demand.headroom_frac,
        policy=FleetPolicy.HOURLY,
    )
    return tuple(int(n) for n in fleet.replicas)
