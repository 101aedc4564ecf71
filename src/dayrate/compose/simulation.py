"""A scenario simulated: its requests one by one on the replicas it asks for."""

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dayrate.compose.deploy import deploy
from dayrate.compose.resolve import Resolved, resolve
from dayrate.errors import InvalidInput
from dayrate.scenario.schema import Scenario
from dayrate.scenario.working import Working
from dayrate.serving.replica import Slo
from dayrate.serving.simulator.engine import simulate
from dayrate.serving.simulator.inputs import (
    EngineKind,
    Limits,
    RequestList,
    Routing,
    limits_of,
)
from dayrate.serving.simulator.law import StepLaw, step_law
from dayrate.serving.simulator.outcome import Simulation, Summary, summary
from dayrate.units import DAY_S
from dayrate.workload.arrivals import poisson_arrivals, spread_stamps
from dayrate.workload.traces import BLOCK_TOKENS, Trace, prefix_ids, read_trace

__all__ = ["Ask", "SimulatedDay", "simulate_scenario"]

_SAMPLES = 720
_MOST_REQUESTS = 20_000_000


@dataclass(frozen=True, slots=True)
class Ask:
    """What a simulation is asked beyond the scenario."""

    replicas: int | None = None  # None: as many as the closed form takes
    seed: int = 0
    duration_s: float = 3600.0  # where there is no trace
    routing: Routing = Routing.ROUND_ROBIN
    engine: EngineKind = EngineKind.AUTO
    max_waiting: int | None = None
    timeout_s: float = math.inf
    chunked_prefill: bool = True


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
    if not ask.duration_s > 0 or not math.isfinite(ask.duration_s):
        raise InvalidInput(
            f"The duration is {ask.duration_s:g} s; give a time above 0, for "
            "example 3600."
        )
    if ask.replicas is not None and ask.replicas < 1:
        raise InvalidInput(f"{ask.replicas} replicas serve nobody. Give 1 or more.")
    w = Working()
    r = resolve(scenario, w)
    if r.engine.speculation is not None:
        raise InvalidInput(
            "A simulation does not draft tokens. Leave out --num-speculative-tokens, "
            "or ask `dayrate quote`."
        )
    plan = deploy(_sized_freely(scenario, ask), r, w)
    rng = np.random.default_rng(ask.seed)
    requests, notes = _requests(scenario, r, ask, rng)
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
    law = step_law(replica, int(min(longest, lengths.max())))
    count = int(plan.replicas) if ask.replicas is None else ask.replicas
    run = simulate(
        requests,
        law,
        limits,
        replicas=count,
        route=ask.routing,
        engine=ask.engine,
        samples=_SAMPLES,
    )
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
        notes=notes,
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
