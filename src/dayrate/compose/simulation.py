"""A scenario simulated: its requests one by one on the replicas it asks for."""

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dayrate.compose.bill import pricing_of
from dayrate.compose.dayrequests import day_requests
from dayrate.compose.deploy import Plan, deploy
from dayrate.compose.fleetday import Asked, FleetDay, Sized, fleet_day
from dayrate.compose.policy import check_pricing, policy_of
from dayrate.compose.resolve import Resolved, resolve
from dayrate.errors import InvalidInput
from dayrate.scenario.schema import Scenario
from dayrate.scenario.working import Working
from dayrate.serving.autoscale import Autoscale, Scaling
from dayrate.serving.replica import Slo
from dayrate.serving.simulator.accrual import fixed_replicas
from dayrate.serving.simulator.engine import simulate
from dayrate.serving.simulator.fleet import simulate_fleet
from dayrate.serving.simulator.inputs import (
    EngineKind,
    Limits,
    RequestList,
    Routing,
    limits_of,
)
from dayrate.serving.simulator.law import StepLaw, step_law
from dayrate.serving.simulator.outcome import Simulation, Summary
from dayrate.units import DAY_S
from dayrate.workload.arrivals import poisson_arrivals, spread_stamps
from dayrate.workload.traces import BLOCK_TOKENS, Trace, prefix_ids, read_trace

__all__ = ["Ask", "SimulatedDay", "simulate_plan", "simulate_scenario"]

_SAMPLES = 1440
_MOST_REQUESTS = 20_000_000


@dataclass(frozen=True, slots=True)
class Ask:
    """What a simulation is asked beyond the scenario."""

    replicas: int | None = None  # None: as many as the closed form takes
    seed: int = 0
    duration_s: float = 3600.0  # where there is no trace
    day: bool = False  # 24 hours, of a trace only the lengths
    routing: Routing = Routing.ROUND_ROBIN
    engine: EngineKind = EngineKind.AUTO
    max_waiting: int | None = None
    timeout_s: float = math.inf
    chunked_prefill: bool = True
    compare: bool = True  # with the fixed fleet, where it is another


@dataclass(frozen=True, slots=True)
class SimulatedDay:
    """A simulation with what it was run on; ``fixed`` is the same on a fixed fleet."""

    model: str
    accelerator: str
    accelerators_per_replica: int
    replicas: int  # of the fixed fleet
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
    _check(ask)
    if ask.replicas is None and scenario.deployment.replicas is not None:
        ask = dataclasses.replace(ask, replicas=scenario.deployment.replicas)
    w = Working()
    r = resolve(scenario, w)
    pricing = pricing_of(scenario.economics, r.accelerator.id, w)
    plan = deploy(_sized_freely(scenario, ask), r, w)
    return simulate_plan(Sized(scenario, r, plan, pricing, w.ledger), ask)


def _whole_days_s(scenario: Scenario, ask: Ask) -> float:
    """Length of whole days that are asked for, from 0:00; 0 for anything else. [s]"""
    if ask.day:
        return float(DAY_S)
    drawn = scenario.workload.trace is None and ask.duration_s >= DAY_S
    return ask.duration_s if drawn else 0.0


def simulate_plan(sized: Sized, ask: Ask) -> SimulatedDay:
    """Serve every request on the replicas of a plan, or as many as a policy wants."""
    scenario, r, plan = sized.scenario, sized.r, sized.plan
    if r.engine.speculation is not None:
        raise InvalidInput(
            "A simulation does not draft tokens. Leave out --num-speculative-tokens, "
            "or ask `dayrate quote` without --simulate."
        )
    check_pricing(scenario, sized.pricing)
    rng, days_s = np.random.default_rng(ask.seed), _whole_days_s(scenario, ask)
    if days_s:
        requests, notes = day_requests(r, days_s, rng)
    else:
        requests, notes = _requests(scenario, r, ask, rng)
    limits, law = _machine(scenario, r, plan, ask, requests)
    count = int(plan.replicas) if ask.replicas is None else ask.replicas
    policy = policy_of(scenario.autoscale, r, plan, count)
    per_replica = plan.accelerators_per_replica

    def run(policy: Autoscale) -> FleetDay:
        options: dict[str, Any] = {
            "route": ask.routing,
            "engine": ask.engine,
            "until_s": days_s or math.inf,
            "samples": _SAMPLES,
        }
        if policy.scaling is Scaling.FIXED:
            n = policy.initial
            served = simulate(requests, law, limits, replicas=n, **options)
            end_s = days_s or _end_s(served, scenario, ask)
            fleet = fixed_replicas(served, n, end_s)
        else:
            fleet = simulate_fleet(requests, law, limits, policy, **options)
            end_s = days_s or max(fleet.end_s, _end_s(fleet.run, scenario, ask))
        own = ask.replicas is None and policy.scaling is Scaling.FIXED
        each = plan.accelerators / plan.replicas if own else float(per_replica)
        asked = Asked(sized, end_s, limits.kv_blocks, each)
        return fleet_day(fleet, policy, asked)

    day = run(policy)
    other = None
    if ask.compare and policy.scaling is not Scaling.FIXED:
        size = max(count, policy.kept)
        other = run(Autoscale(initial=size, maximum=size, kept=policy.kept))
    return SimulatedDay(
        model=r.model.id,
        accelerator=r.accelerator.id,
        accelerators_per_replica=plan.accelerators_per_replica,
        replicas=count,
        closed_form_replicas=int(plan.replicas),
        limits=limits,
        law=law,
        slo=plan.slo,
        fleet=day,
        fixed=other,
        period_s=float(day.over_time.seconds.sum()),
        seed=ask.seed,
        routing=ask.routing,
        notes=(*notes, *_start_note(scenario, policy)),
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


def _check(ask: Ask) -> None:
    if not ask.duration_s > 0 or not math.isfinite(ask.duration_s):
        raise InvalidInput(
            f"The duration is {ask.duration_s:g} s; give a time above 0, for "
            "example 3600."
        )
    if ask.replicas is not None and ask.replicas < 1:
        raise InvalidInput(f"{ask.replicas} replicas serve nobody. Give 1 or more.")


def _end_s(run: Simulation, scenario: Scenario, ask: Ask) -> float:
    """How long the fleet is held: to the last token, or all of the time drawn. [s]"""
    drawn_s = ask.duration_s if scenario.workload.trace is None else 0.0
    return max(run.end_s, float(run.arrival_s[-1]), drawn_s)


def _machine(
    scenario: Scenario, r: Resolved, plan: Plan, ask: Ask, requests: RequestList
) -> tuple[Limits, StepLaw]:
    """Limits of a replica, and the time of its steps."""
    replica = dataclasses.replace(
        plan.replica,
        engine=dataclasses.replace(
            plan.replica.engine, chunked_prefill=ask.chunked_prefill
        ),
    )
    longest = _longest(scenario, r)
    lengths = np.asarray(requests.input_tokens) + np.asarray(requests.output_tokens)
    block = BLOCK_TOKENS if requests.block_ids is not None else 16
    limits = limits_of(
        replica,
        float(r.traffic.context_tokens),
        block_tokens=block,
        max_context_tokens=longest,
        **({} if ask.max_waiting is None else {"max_waiting": ask.max_waiting}),
        timeout_s=ask.timeout_s,
    )
    return limits, step_law(replica, int(min(longest, lengths.max())))


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


def _requests(
    scenario: Scenario, r: Resolved, ask: Ask, rng: np.random.Generator
) -> tuple[RequestList, tuple[str, ...]]:
    path = scenario.workload.trace
    if path is not None:
        return _of_trace(read_trace(Path(path)), r, rng)
    shape = r.workload.shape
    rate = r.workload.requests_per_day * shape.peak_over_mean / DAY_S
    if rate * ask.duration_s > _MOST_REQUESTS:
        raise InvalidInput(
            f"{rate * ask.duration_s:.3g} requests are more than one simulation takes "
            f"({_MOST_REQUESTS:g}). Give a shorter --duration."
        )
    arrival = poisson_arrivals(rate, ask.duration_s, rng)
    if len(arrival) == 0:
        raise InvalidInput(
            f"No request comes in {ask.duration_s:g} s at {rate:.3g} a second. "
            "Give a longer --duration."
        )
    w = r.workload
    sides = (w.input_length.tokens, w.output_length.tokens)
    drawn = [np.maximum(np.round(rng.choice(t, len(arrival))), 1.0) for t in sides]
    requests = RequestList(
        arrival,
        drawn[0].astype(np.int64),
        drawn[1].astype(np.int64),
        cached_input_frac=float(r.traffic.cached_input_frac),
    )
    return requests, ("Poisson arrivals at the busiest hour's mean rate",)


def _of_trace(
    trace: Trace, r: Resolved, rng: np.random.Generator
) -> tuple[RequestList, tuple[str, ...]]:
    if trace.requests is not None:
        raise InvalidInput(
            f"{trace.name} has windows of requests; a simulation needs each request. "
            "Give a trace by request, or lengths and --requests-per-day."
        )
    if trace.arrival_s is None:
        raise InvalidInput(
            f"{trace.name} does not say when requests came. Give a trace with "
            "arrivals, or lengths and --requests-per-day."
        )
    notes = list(trace.notes)
    arrival, tick = spread_stamps(trace.arrival_s - trace.arrival_s[0], rng)
    if tick is not None:
        notes.append(f"arrivals spread within the {tick:g} s that share a stamp")
    cached = float(r.traffic.cached_input_frac)
    blocks = trace.blocks
    if blocks is not None and blocks.tokens is not None:
        notes.append("prefix blocks of unequal size: a fixed share counts as cached")
        blocks = None
    return RequestList(
        arrival,
        np.ceil(trace.input_tokens).astype(np.int64),
        np.ceil(trace.output_tokens).astype(np.int64),
        block_offsets=None if blocks is None else blocks.offsets,
        block_ids=None if blocks is None else prefix_ids(blocks),
        cached_input_frac=cached,
    ), tuple(notes)


def _json(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, str | bool | int | type(None)) else float(value)
