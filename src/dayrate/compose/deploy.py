"""How many accelerators, and how the model is spread over them.

What is not given is searched: every tensor and pipeline split that servers allow is
sized in one call over arrays, and the one that needs the fewest accelerator-hours
within the targets wins.
"""

import dataclasses
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dayrate.compose.resolve import Resolved
from dayrate.compose.splits import splits
from dayrate.errors import InvalidInput, SloUnreachable
from dayrate.evidence import Grade
from dayrate.perf.deployment import Parallelism
from dayrate.scenario.schema import DeploymentSection, Scenario
from dayrate.scenario.working import Working
from dayrate.serving.fleet import Fleet, FleetPolicy, replicas_by_hour
from dayrate.serving.replica import Replica, Slo
from dayrate.serving.steady import Capacity, capacity, require_capacity
from dayrate.units import HOUR_S

__all__ = ["Plan", "deploy", "plan_of", "write_fleet", "write_peak"]

HEADROOM_FRAC = 0.2

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Demand:
    """Requests per second by hour, and how much a burst adds."""

    rate_per_s: Floats
    burst: float
    headroom_frac: float
    policy: FleetPolicy

    @property
    def peak_per_s(self) -> float:
        """Rate of the busiest ten minutes. [1/s]"""
        return float(self.rate_per_s.max() * self.burst)

    def fleet(self, capacity_per_s: float | Floats) -> Fleet:
        """Size a fleet for this demand."""
        return replicas_by_hour(
            self.rate_per_s.reshape(-1, *(1,) * np.ndim(capacity_per_s)),
            capacity_per_s,
            burst=self.burst,
            headroom_frac=self.headroom_frac,
            policy=self.policy,
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """A deployment that carries the demand; what a given size leaves over idles."""

    replica: Replica
    capacity: Capacity
    fleet: Fleet
    accelerators: float  # at the busiest hour
    demand: Demand
    slo: Slo
    size_given: bool

    @property
    def accelerators_per_replica(self) -> int:
        """Accelerators that hold one copy of the model. [1]"""
        return int(self.replica.parallelism.accelerators)

    @property
    def replicas(self) -> float:
        """Copies at the busiest hour. [1]"""
        return float(self.fleet.replicas.max())

    @property
    def accelerator_hours(self) -> float:
        """Accelerator-hours held in a day. [h]"""
        share = float(self.fleet.replica_hours) / (24 * self.replicas)
        return 24 * self.accelerators * share

    @property
    def utilisation(self) -> float:
        """Mean demand over the capacity that is held. [1]"""
        return float(1 - self.fleet.idle_frac)


def deploy(scenario: Scenario, r: Resolved, w: Working) -> Plan:
    """Choose what was left open and size the fleet for the busiest ten minutes.

    As `plan_of`, and writes down the fleet too.
    """
    plan = plan_of(scenario, r, w)
    write_fleet(scenario.deployment, plan, w)
    return plan


def plan_of(scenario: Scenario, r: Resolved, w: Working) -> Plan:
    """Choose and size; the size of the fleet is left to write down.

    Raises
    ------
    DoesNotFit
        No split holds the model and one request.
    SloUnreachable
        No split meets the targets, or the given size is too small for the demand.
    InvalidInput
        The given sizes contradict each other.
    """
    section = scenario.deployment
    demand = _demand(section, r, w)
    candidates = splits(section, r.model, r.server)
    slo = r.slo
    found = capacity(_replica(candidates, r), r.traffic, slo)
    if not r.slo_given and not np.isfinite(found.requests_per_s).any():
        slo = Slo(quantile=slo.quantile)  # nobody asked for what cannot be met
        found = capacity(_replica(candidates, r), r.traffic, slo)
    if np.isfinite(found.requests_per_s).any():
        best = _best(section, demand, np.asarray(found.requests_per_s), candidates)
    else:
        best = _nearest(found, slo, candidates)  # its error says what is missing
    parallelism = _one(candidates, best)
    replica = _replica(parallelism, r)
    chosen = _at(found, best)
    if not np.isfinite(chosen.requests_per_s):
        chosen = require_capacity(replica, r.traffic, slo)  # raises, and says why
    fleet = _fleet(section, demand, float(chosen.requests_per_s), parallelism)
    n = float(parallelism.accelerators)
    held = section.accelerators
    accelerators = float(fleet.replicas.max()) * n if held is None else float(held)
    given = held is not None or section.replicas is not None
    plan = Plan(replica, chosen, fleet, accelerators, demand, slo, given)
    _write(section, r, plan, w)
    return plan


def _demand(section: DeploymentSection, r: Resolved, w: Working) -> Demand:
    headroom = w.assumed(
        "deployment.headroom_frac",
        section.headroom_frac,
        "1",
        default=HEADROOM_FRAC,
        why="kept free for failures and roll-outs; set --headroom-frac",
    )
    if headroom >= 1:
        raise InvalidInput(
            f"--headroom-frac is {headroom:g}; give a share of the capacity below 1."
        )
    rate_per_day = np.asarray(r.workload.shape.hour_frac) * r.workload.requests_per_day
    policy = FleetPolicy(section.scaling)
    return Demand(rate_per_day / HOUR_S, r.workload.shape.burst, headroom, policy)


def _best(
    section: DeploymentSection, demand: Demand, per_s: Floats, split: Parallelism
) -> int:
    """Position of the split with the fewest accelerator-hours, or the most served."""
    per_replica = np.asarray(split.accelerators)
    if section.accelerators is not None:
        served = np.floor(section.accelerators / per_replica) * per_s
        return int(np.argmax(np.nan_to_num(served, nan=-1.0)))
    if section.replicas is not None:
        enough = section.replicas * per_s >= demand.peak_per_s
        if not enough.any():
            return int(np.nanargmax(per_s))
        return int(np.argmin(np.where(enough, per_replica, np.inf)))
    hours = demand.fleet(np.nan_to_num(per_s, nan=1e-300)).replica_hours * per_replica
    return int(np.argmin(np.where(np.isfinite(per_s), hours, np.inf)))


def _nearest(found: Capacity, slo: Slo, split: Parallelism) -> int:
    """Position of the split that misses the targets least, else the largest."""
    per_replica = np.asarray(split.accelerators)
    fits = np.asarray(found.binding) != "memory"
    if not fits.any():
        return int(np.argmax(per_replica))
    missed = np.maximum(found.tpot_s / slo.tpot_s, found.ttft_s / slo.ttft_s)
    return int(np.argmin(np.where(fits, missed, np.inf)))


def _one(split: Parallelism, i: int) -> Parallelism:
    fields = (split.tensor, split.pipeline, split.expert, split.attention_data)
    return Parallelism(*(float(np.asarray(x)[i]) for x in fields))


def _at(found: Capacity, i: int) -> Capacity:
    """One deployment of a capacity over arrays."""
    names = [f.name for f in dataclasses.fields(found)]
    return Capacity(**{n: np.ravel(getattr(found, n))[i] for n in names})


def _replica(parallelism: Parallelism, r: Resolved) -> Replica:
    return Replica(r.model, r.machine, parallelism, r.precision, r.engine, r.efficiency)


def _fleet(
    section: DeploymentSection, demand: Demand, per_s: float, p: Parallelism
) -> Fleet:
    """Size the fleet for the demand, or hold what was given against it."""
    given = section.replicas
    if section.accelerators is not None:
        n = float(np.floor(section.accelerators / float(p.accelerators)))
        if n < 1:
            raise InvalidInput(
                f"{section.accelerators:g} accelerators are given and one copy of the "
                f"model takes {p.accelerators:g}. Give at least that many."
            )
        if given is not None and n != given:
            raise InvalidInput(
                f"{given} replicas of {p.accelerators:g} accelerators are not "
                f"{section.accelerators:g} accelerators. Leave out one of the two."
            )
        return _held(n, demand, per_s)
    return demand.fleet(per_s) if given is None else _held(given, demand, per_s)


def _held(n: float, demand: Demand, per_s: float) -> Fleet:
    if n * per_s < demand.peak_per_s:
        raise SloUnreachable(
            f"{n:g} replicas carry {n * per_s:.4g} requests/s within the targets and "
            f"the busiest ten minutes ask {demand.peak_per_s:.4g}. Use at least "
            f"{np.ceil(demand.peak_per_s / per_s):.0f} replicas, relax --ttft and "
            "--tpot, or leave the size open."
        )
    replicas = np.full(demand.rate_per_s.shape, n)
    return Fleet(replicas, demand.rate_per_s / (n * per_s))


def _write(section: DeploymentSection, r: Resolved, plan: Plan, w: Working) -> None:
    _write_targets(r, plan.slo, w)
    _write_split(section, plan, w)
    _write_capacity(plan, w)


def _write_targets(r: Resolved, slo: Slo, w: Working) -> None:
    source = r.slo_source
    grade = Grade.GIVEN if r.slo_given else Grade.ASSUMED
    for name, seconds in (("ttft_ms", slo.ttft_s), ("tpot_ms", slo.tpot_s)):
        if np.isfinite(seconds):
            w.fact(
                f"slo.{name}", float(seconds) * 1e3, "ms", grade=grade, source=source
            )
        else:
            w.unknown(f"slo.{name}", "ms", "no target: none was given that can be met")


def _write_split(section: DeploymentSection, plan: Plan, w: Working) -> None:
    p = plan.replica.parallelism
    why = "the split that needs the fewest accelerator-hours within the targets"
    for name, given, chosen in (
        ("tensor_parallel_size", section.tensor_parallel_size, p.tensor),
        ("pipeline_parallel_size", section.pipeline_parallel_size, p.pipeline),
        ("data_parallel_size", section.data_parallel_size, p.attention_data),
        ("expert_parallel_size", section.enable_expert_parallel, p.expert),
    ):
        grade = Grade.GIVEN if given is not None else Grade.FITTED
        source = "the scenario" if given is not None else why
        w.fact(f"deployment.{name}", float(chosen), "1", grade=grade, source=source)
    w.derive(
        "deployment.accelerators_per_replica",
        float(plan.accelerators_per_replica),
        "1",
        "deployment.tensor_parallel_size * deployment.pipeline_parallel_size"
        " * deployment.data_parallel_size",
    )


def _write_capacity(plan: Plan, w: Working) -> None:
    c = plan.capacity
    w.solved(
        "serving.capacity_batch",
        float(c.batch),
        "1",
        f"sequences decoding together at capacity; {c.binding} allows no more",
    )
    w.solved(
        "serving.capacity_requests_per_s",
        float(c.requests_per_s),
        "1/s",
        "rate of one replica at that batch, by Little's law over its step times",
    )


def write_peak(plan: Plan, w: Working) -> None:
    """Write the rate of the busiest ten minutes."""
    w.derive(
        "serving.peak_requests_per_s",
        plan.demand.peak_per_s,
        "1/s",
        "workload.requests_per_day / 86400 * workload.peak_hour_over_mean"
        " * workload.burst",
    )


def write_fleet(section: DeploymentSection, plan: Plan, w: Working) -> None:
    """Write how many machines carry the busiest ten minutes."""
    write_peak(plan, w)
    if section.accelerators is not None:
        w.given("deployment.accelerators", plan.accelerators, "1")
    if section.replicas is not None:
        w.given("deployment.replicas", plan.replicas, "1")
    elif section.accelerators is not None:
        w.derive(
            "deployment.replicas",
            plan.replicas,
            "1",
            "floor(deployment.accelerators / deployment.accelerators_per_replica)",
        )
    else:
        w.derive(
            "deployment.replicas",
            plan.replicas,
            "1",
            "max(1, ceil(serving.peak_requests_per_s / (serving.capacity_requests_per_s"
            " * (1 - deployment.headroom_frac))))",
        )
    if section.accelerators is None:
        w.derive(
            "deployment.accelerators",
            plan.accelerators,
            "1",
            "deployment.replicas * deployment.accelerators_per_replica",
        )
    hours = plan.accelerator_hours
    if plan.demand.policy is FleetPolicy.PEAK:
        w.derive(
            "deployment.accelerator_hours",
            hours,
            "h/day",
            "24 * deployment.accelerators",
        )
    else:
        how = "replicas of each hour, times the accelerators of one"
        w.solved("deployment.accelerator_hours", hours, "h/day", how)
