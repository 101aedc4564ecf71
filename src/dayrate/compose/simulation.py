"""A scenario simulated: its requests one by one on the replicas it asks for."""

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dayrate.compose.bill import pricing_of
from dayrate.compose.dayrequests import day_demand
from dayrate.compose.deploy import deploy
from dayrate.compose.fleetday import Asked, FleetDay, Sized, fleet_day
from dayrate.compose.policy import answering, check_pricing, policy_of
from dayrate.compose.requests import Demanded, demanded
from dayrate.compose.resolve import Resolved, resolve
from dayrate.compose.ways import Ways, drafts_of
from dayrate.errors import InvalidInput
from dayrate.scenario.schema import Scenario
from dayrate.scenario.working import Working
from dayrate.serving.autoscale import Autoscale, Scaling
from dayrate.serving.replica import Slo
from dayrate.serving.simulator.accrual import fixed_replicas
from dayrate.serving.simulator.disaggregated import simulate_disaggregated
from dayrate.serving.simulator.engine import simulate
from dayrate.serving.simulator.fleet import FleetRun, simulate_fleet
from dayrate.serving.simulator.inputs import (
    EngineKind,
    Limits,
    Routing,
    limits_of,
)
from dayrate.serving.simulator.law import StepLaw, step_law
from dayrate.serving.simulator.outcome import Simulation, Summary
from dayrate.units import DAY_S
from dayrate.workload.draw import Draw

__all__ = ["Ask", "SimulatedDay", "simulate_plan", "simulate_scenario"]

_SAMPLES = 1440


@dataclass(frozen=True, slots=True)
class Ask:
    """What a simulation is asked beyond the scenario."""

    replicas: int | None = None  # None: as many as the closed form takes
    seed: int = 0
    draw: Draw = field(default_factory=Draw)
    day: bool = False  # 24 hours, of a trace only the lengths
    routing: Routing = Routing.ROUND_ROBIN
    engine: EngineKind = EngineKind.AUTO
    max_waiting: int | None = None
    timeout_s: float = math.inf
    chunked_prefill: bool | None = None  # None: as the engine does
    ways: Ways = field(default_factory=Ways)
    compare: bool = True  # with the fixed fleet, where it is another

    @property
    def duration_s(self) -> float:
        """Length of the arrivals, where nothing else says it. [s]"""
        return self.draw.duration_s


@dataclass(frozen=True, slots=True)
class SimulatedDay:
    """A simulation with what it was run on; ``fixed`` is the same on a fixed fleet."""

    model: str
    accelerator: str
    accelerators_per_replica: int
    replicas: int  # of the fixed fleet
    prefill_replicas: int  # of them, those that compute prompts only
    closed_form_replicas: int
    limits: Limits
    law: StepLaw
    slo: Slo
    fleet: FleetDay
    fixed: FleetDay | None
    period_s: float
    seed: int
    routing: Routing
    notes: tuple[str, ...]

    @property
    def run(self) -> Simulation:
        """What became of each request."""
        return self.fleet.fleet.run

    @property
    def summary(self) -> Summary:
        """The simulation in a few numbers."""
        return self.fleet.summary

    def to_dict(self) -> dict[str, Any]:
        """Everything but the requests, as JSON types."""
        limits = {k: _json(v) for k, v in dataclasses.asdict(self.limits).items()}
        return {
            "model": self.model,
            "accelerator": self.accelerator,
            "accelerators_per_replica": self.accelerators_per_replica,
            "replicas": self.replicas,
            "prefill_replicas": self.prefill_replicas,
            "closed_form_replicas": self.closed_form_replicas,
            "routing": self.routing.value,
            "seed": self.seed,
            "period_s": self.period_s,
            "limits": limits,
            "step_law_error_frac": self.law.error_frac,
            "slo": {k: _json(v) for k, v in dataclasses.asdict(self.slo).items()},
            **self.fleet.to_dict(),
            "hours": list(self.fleet.hours.rows()),
            "fixed": None if self.fixed is None else self.fixed.to_dict(),
            "omissions": list(self.fleet.left_out),
            "notes": list(self.notes),
        }


def simulate_scenario(scenario: Scenario, ask: Ask) -> SimulatedDay:
    """Size the replicas as a quote does, then serve every request on them."""
    if ask.replicas is None and scenario.deployment.replicas is not None:
        ask = dataclasses.replace(ask, replicas=scenario.deployment.replicas)
    if ask.replicas is not None and ask.replicas < 1:
        raise InvalidInput(f"{ask.replicas} replicas serve nobody. Give 1 or more.")
    w, days_s = Working(), _whole_days_s(scenario, ask)
    if days_s:
        demand = day_demand(resolve(scenario, w), days_s, ask.seed)
    else:
        demand = demanded(scenario, ask.draw, ask.seed, w)
    r = demand.resolved
    pricing = pricing_of(scenario.economics, r.accelerator.id, w)
    plan = deploy(_sized_freely(scenario, ask), r, w)
    return simulate_plan(Sized(scenario, r, plan, pricing, w.ledger), ask, demand)


def _whole_days_s(scenario: Scenario, ask: Ask) -> float:
    """Length of whole days that are asked for, from 0:00; 0 for anything else. [s]"""
    by_itself = ask.draw == Draw(duration_s=ask.duration_s)
    if ask.day and not by_itself:
        raise InvalidInput(
            "--day draws its own requests, by the hours of the day shape. Leave it "
            "out, or leave out what says how requests are drawn or resampled."
        )
    if ask.day:
        return float(DAY_S)
    drawn = scenario.workload.trace is None and by_itself
    return ask.duration_s if drawn and ask.duration_s >= DAY_S else 0.0


def simulate_plan(sized: Sized, ask: Ask, demand: Demanded) -> SimulatedDay:
    """Serve every request on the replicas of a plan, or as many as a policy wants."""
    scenario, r, plan = sized.scenario, sized.r, sized.plan
    check_pricing(scenario, sized.pricing)
    requests, days_s = ask.ways.ordered(demand.requests), _whole_days_s(scenario, ask)
    limits, law = _machine(sized, ask, demand)
    count = int(plan.replicas) if ask.replicas is None else ask.replicas
    apart = ask.ways.prefill_replicas > 0
    sized_for = answering(r, plan) if apart else (r, plan)
    policy = policy_of(scenario.autoscale, *sized_for, count)
    prompt_tokens = np.asarray(requests.input_tokens)
    options: dict[str, Any] = {
        "route": ask.routing,
        "engine": ask.engine,
        "until_s": days_s or math.inf,
        "samples": _SAMPLES,
    }

    def served(policy: Autoscale) -> tuple[FleetRun, float]:
        fixed, n = policy.scaling is Scaling.FIXED, policy.initial
        if apart:
            scaling = None if fixed else policy
            pools = ask.ways.pools(plan.replica, max(n, 1), prompt_tokens, scaling)
            halves = simulate_disaggregated(requests, law, limits, pools, **options)
            end_s = days_s or _end_s(halves.run, scenario, ask)
            return halves.fleet(end_s), end_s
        if fixed:
            run = simulate(requests, law, limits, replicas=n, **options)
            end_s = days_s or _end_s(run, scenario, ask)
            return fixed_replicas(run, n, end_s), end_s
        fleet = simulate_fleet(requests, law, limits, policy, **options)
        return fleet, days_s or max(fleet.end_s, _end_s(fleet.run, scenario, ask))

    def priced(policy: Autoscale) -> FleetDay:
        fleet, end_s = served(policy)
        own = ask.replicas is None and not apart and policy.scaling is Scaling.FIXED
        each = plan.accelerators_per_replica
        billed = plan.accelerators / plan.replicas if own else float(each)
        return fleet_day(fleet, policy, Asked(sized, end_s, limits.kv_blocks, billed))

    day = priced(policy)
    other = None
    if ask.compare and policy.scaling is not Scaling.FIXED:
        size = max(count, policy.kept)
        other = priced(Autoscale(initial=size, maximum=size, kept=policy.kept))
    return SimulatedDay(
        model=r.model.id,
        accelerator=r.accelerator.id,
        accelerators_per_replica=plan.accelerators_per_replica,
        replicas=count + ask.ways.prefill_replicas,
        prefill_replicas=ask.ways.prefill_replicas,
        closed_form_replicas=int(plan.replicas),
        limits=limits,
        law=law,
        slo=plan.slo,
        fleet=day,
        fixed=other,
        period_s=float(day.over_time.seconds.sum()),
        seed=ask.seed,
        routing=ask.routing,
        notes=(*demand.notes, *_start_note(scenario, policy)),
    )


def _start_note(scenario: Scenario, policy: Autoscale) -> tuple[str, ...]:
    if (
        policy.scaling is Scaling.FIXED
        or scenario.autoscale.startup_delay_s is not None
    ):
        return ()
    return (
        f"a start takes {policy.startup_s:.0f} s by estimate: a machine, an engine and "
        "the weights from a disk; --startup-delay sets it",
    )


def _end_s(run: Simulation, scenario: Scenario, ask: Ask) -> float:
    """How long the fleet is held: to the last token, or all of the time drawn. [s]"""
    by_time = ask.draw.requests is None and ask.draw.time_warp == 1.0
    drawn_s = 0.0
    if scenario.workload.trace is None and by_time:
        drawn_s = ask.duration_s
    return max(run.end_s, float(run.arrival_s.max()), drawn_s)


def _machine(sized: Sized, ask: Ask, demand: Demanded) -> tuple[Limits, StepLaw]:
    """Limits of a replica, and the time of its steps."""
    plan, requests = sized.plan, demand.requests
    engine = dataclasses.replace(plan.replica.engine, speculation=None)
    if ask.chunked_prefill is not None:
        engine = dataclasses.replace(engine, chunked_prefill=ask.chunked_prefill)
    replica = dataclasses.replace(plan.replica, engine=engine)
    drafts = drafts_of(plan.replica.engine.speculation, replica)
    longest = _longest(sized.scenario, sized.r)
    lengths = np.asarray(requests.input_tokens) + np.asarray(requests.output_tokens)
    limits = limits_of(
        replica,
        float(sized.r.traffic.context_tokens),
        drafts,
        block_tokens=demand.block_tokens or 16,
        max_context_tokens=longest,
        **({} if ask.max_waiting is None else {"max_waiting": ask.max_waiting}),
        timeout_s=ask.timeout_s,
    )
    return limits, step_law(replica, int(min(longest, lengths.max())), drafts)


def _sized_freely(scenario: Scenario, ask: Ask) -> Scenario:
    """Leave the number of replicas open: too few is an answer here, no mistake."""
    if ask.replicas is None:
        return scenario
    section = scenario.deployment.model_copy(update={"replicas": None})
    return scenario.model_copy(update={"deployment": section})


def _longest(scenario: Scenario, r: Resolved) -> int:
    asked, limit = scenario.model.max_model_len, r.model.max_position_embeddings
    found = asked if asked is not None else limit
    return 1 << 40 if found is None else int(found)


def _json(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, str | bool | int | type(None)) else float(value)
