"""A scenario simulated: its requests one by one on the replicas it asks for."""

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dayrate.compose.deploy import deploy
from dayrate.compose.requests import demanded
from dayrate.compose.resolve import Resolved
from dayrate.compose.ways import Ways, drafts_of
from dayrate.errors import InvalidInput
from dayrate.scenario.schema import Scenario
from dayrate.scenario.working import Working
from dayrate.serving.replica import Slo
from dayrate.serving.simulator.disaggregated import simulate_disaggregated
from dayrate.serving.simulator.engine import simulate
from dayrate.serving.simulator.inputs import (
    EngineKind,
    Limits,
    Routing,
    limits_of,
)
from dayrate.serving.simulator.law import StepLaw, step_law
from dayrate.serving.simulator.outcome import Simulation, Summary, summary
from dayrate.workload.draw import Draw

__all__ = ["Ask", "SimulatedDay", "simulate_scenario"]

_SAMPLES = 720


@dataclass(frozen=True, slots=True)
class Ask:
    """What a simulation is asked beyond the scenario."""

    replicas: int | None = None  # None: as many as the closed form takes
    seed: int = 0
    draw: Draw = field(default_factory=Draw)
    routing: Routing = Routing.ROUND_ROBIN
    engine: EngineKind = EngineKind.AUTO
    max_waiting: int | None = None
    timeout_s: float = math.inf
    chunked_prefill: bool = True
    ways: Ways = field(default_factory=Ways)

    @property
    def duration_s(self) -> float:
        """Length of the arrivals, where nothing else says it. [s]"""
        return self.draw.duration_s


@dataclass(frozen=True, slots=True)
class SimulatedDay:
    """A simulation with what it was run on."""

    model: str
    accelerator: str
    accelerators_per_replica: int
    replicas: int
    closed_form_replicas: int
    limits: Limits
    law: StepLaw
    slo: Slo
    run: Simulation
    summary: Summary
    seed: int
    routing: Routing
    notes: tuple[str, ...]

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
            "limits": limits,
            "step_law_error_frac": self.law.error_frac,
            "slo": {k: _json(v) for k, v in dataclasses.asdict(self.slo).items()},
            "summary": dataclasses.asdict(self.summary),
            "notes": list(self.notes),
        }


def simulate_scenario(scenario: Scenario, ask: Ask) -> SimulatedDay:
    """Size the replicas as a quote does, then serve every request on them."""
    if ask.replicas is not None and ask.replicas < 1:
        raise InvalidInput(f"{ask.replicas} replicas serve nobody. Give 1 or more.")
    w = Working()
    demand = demanded(scenario, ask.draw, ask.seed, w)
    r, requests = demand.resolved, ask.ways.ordered(demand.requests)
    plan = deploy(_sized_freely(scenario, ask), r, w)
    engine = dataclasses.replace(
        plan.replica.engine, chunked_prefill=ask.chunked_prefill, speculation=None
    )
    replica = dataclasses.replace(plan.replica, engine=engine)
    drafts = drafts_of(plan.replica.engine.speculation, replica)
    longest = _longest(scenario, r)
    lengths = np.asarray(requests.input_tokens) + np.asarray(requests.output_tokens)
    limits = limits_of(
        replica,
        float(r.traffic.context_tokens),
        drafts,
        block_tokens=demand.block_tokens or 16,
        max_context_tokens=longest,
        **({} if ask.max_waiting is None else {"max_waiting": ask.max_waiting}),
        timeout_s=ask.timeout_s,
    )
    law = step_law(replica, int(min(longest, lengths.max())), drafts)
    count = int(plan.replicas) if ask.replicas is None else ask.replicas
    options: dict[str, Any] = {
        "route": ask.routing,
        "engine": ask.engine,
        "samples": _SAMPLES,
    }
    if ask.ways.prefill_replicas:
        pools = ask.ways.pools(replica, count, float(r.traffic.context_tokens))
        run = simulate_disaggregated(requests, law, limits, pools, **options)
        count += ask.ways.prefill_replicas
    else:
        run = simulate(requests, law, limits, replicas=count, **options)
    return SimulatedDay(
        model=r.model.id,
        accelerator=r.accelerator.id,
        accelerators_per_replica=plan.accelerators_per_replica,
        replicas=count,
        closed_form_replicas=int(plan.replicas),
        limits=limits,
        law=law,
        slo=plan.slo,
        run=run,
        summary=summary(run, plan.slo, count * limits.kv_blocks),
        seed=ask.seed,
        routing=ask.routing,
        notes=demand.notes,
    )


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
