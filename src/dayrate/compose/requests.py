"""The requests that a simulation serves, and the demand they amount to."""

import dataclasses
import math
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dayrate.compose.resolve import Resolved, resolve
from dayrate.errors import InvalidInput
from dayrate.scenario.schema import Scenario, WorkloadSection
from dayrate.scenario.working import Working
from dayrate.serving.simulator.inputs import RequestList
from dayrate.units import DAY_S
from dayrate.workload.draw import Draw, draw_requests
from dayrate.workload.sessions import History
from dayrate.workload.traces import Trace, prefix_ids, read_trace

__all__ = ["Demanded", "demanded"]

_SAME = 1e-6


@dataclasses.dataclass(frozen=True, slots=True)
class Demanded:
    """Requests, and the scenario resolved for the rate at which they come."""

    resolved: Resolved
    requests: RequestList
    block_tokens: int | None  # of the prefix blocks, where prompts say them
    notes: tuple[str, ...]


def demanded(scenario: Scenario, draw: Draw, seed: int, w: Working) -> Demanded:
    """Resolve a scenario and draw its requests; a rate drawn anew sizes the fleet."""
    path = scenario.workload.trace
    model = scenario.workload.trace_model
    trace = None if path is None else read_trace(Path(path), model=model)
    r = resolve(_with_a_rate(scenario, trace, draw), w)
    busiest = r.workload.requests_per_day * r.workload.shape.peak_over_mean / DAY_S
    own = busiest
    if trace is not None:
        trace, own = _as_long(trace, r), _mean_rate(trace) or busiest
    lengths = (r.workload.input_length, r.workload.output_length)
    found = draw_requests(draw, trace, lengths, own, np.random.default_rng(seed))
    drawn = _mean_rate(found)
    if drawn is not None and _redrawn(draw):
        r = _at_rate(r, drawn / own)
    if draw.history is History.ADDED:
        r = _with_prompts(r, found)
    notes = list(found.notes)
    if trace is None or trace.arrival_s is None:
        notes += _how_drawn(draw)
    return Demanded(
        r,
        _request_list(found, float(r.traffic.cached_input_frac), draw),
        None if found.blocks is None else found.blocks.block_tokens,
        tuple(notes),
    )


def _with_a_rate(scenario: Scenario, trace: Trace | None, draw: Draw) -> Scenario:
    """Let --request-rate say how many requests there are, where nothing else does."""
    rate, section = draw.requests_per_s, scenario.workload
    if rate is None or _says_how_many(section):
        return scenario
    if trace is not None and trace.arrival_s is not None:
        return scenario
    if math.isinf(rate):
        raise InvalidInput(
            "An infinite --request-rate does not say what a day brings, by which "
            "replicas are sized. Add --requests-per-day."
        )
    section = section.model_copy(update={"requests_per_day": rate * DAY_S})
    return scenario.model_copy(update={"workload": section})


def _says_how_many(section: WorkloadSection) -> bool:
    said = (
        section.requests_per_day,
        section.users,
        section.input_tokens_per_day,
        section.output_tokens_per_day,
    )
    return any(x is not None for x in said)


def _mean_rate(trace: Trace) -> float | None:
    """Say how many requests come in a second; None where they have no time. [1/s]"""
    per_day = trace.requests_per_day
    return None if per_day is None else per_day / DAY_S


def _redrawn(draw: Draw) -> bool:
    return (draw.requests_per_s, draw.time_warp, draw.keep_frac) != (None, 1.0, 1.0)


def _at_rate(r: Resolved, factor: float) -> Resolved:
    per_day = r.workload.requests_per_day * factor
    workload = dataclasses.replace(r.workload, requests_per_day=per_day)
    return dataclasses.replace(r, workload=workload)


def _with_prompts(r: Resolved, found: Trace) -> Resolved:
    """Size for prompts with their history, which the trace does not hold."""
    traffic = dataclasses.replace(
        r.traffic,
        input_tokens=float(found.input_tokens.mean()),
        input_tokens_p95=float(np.quantile(found.input_tokens, 0.95)),
    )
    return dataclasses.replace(r, traffic=traffic)


def _as_long(trace: Trace, r: Resolved) -> Trace:
    """Scale lengths to the means asked for; blocks do not fit other prompts."""
    count = float(trace.request_counts.sum())
    means = [float(x.sum()) / count for x in (trace.input_tokens, trace.output_tokens)]
    asked = (r.workload.input_length, r.workload.output_length)
    factors = [a.mean_tokens / m for a, m in zip(asked, means, strict=True)]
    kept = [math.isclose(f, 1.0, rel_tol=_SAME) for f in factors]
    if all(kept):
        return trace
    least = 0.0 if trace.requests is not None else 1.0
    sides = [
        x if k else np.maximum(x * f, least)
        for x, f, k in zip(
            (trace.input_tokens, trace.output_tokens), factors, kept, strict=True
        )
    ]
    notes, blocks = list(trace.notes), trace.blocks
    notes.append("lengths scaled to the means asked for")
    if blocks is not None and not kept[0]:
        notes.append("hash_ids left out, since prompts were scaled")
        blocks = None
    return dataclasses.replace(
        trace,
        input_tokens=sides[0],
        output_tokens=sides[1],
        blocks=blocks,
        notes=tuple(notes),
    )


def _how_drawn(draw: Draw) -> list[str]:
    notes = []
    if draw.process is None and draw.requests_per_s is None:
        notes.append("Poisson arrivals at the busiest hour's mean rate")
    if draw.dialogue is not None and draw.dialogue.closed:
        notes += [
            "the next turn of a session comes think time after the answer has ended",
            "turns of a session stay on the replica that took the first",
        ]
    elif draw.dialogue is not None:
        notes.append("turns of a session come when they are drawn, answered or not")
    return notes


def _turn_before(sessions: npt.NDArray[np.str_]) -> npt.NDArray[np.int64]:
    """Find the turn before each, of requests by arrival; -1 where there is none."""
    _, session = np.unique(sessions, return_inverse=True)
    order = np.argsort(session, kind="stable")
    follows = np.diff(session[order]) == 0
    before = np.full(len(session), -1)
    before[order[1:][follows]] = order[:-1][follows]
    return before


def _request_list(found: Trace, cached_input_frac: float, draw: Draw) -> RequestList:
    blocks, patience = found.blocks, found.patience_s
    after = None
    if draw.dialogue is not None and draw.dialogue.closed:
        assert found.sessions is not None
        after = _turn_before(found.sessions)
    assert found.arrival_s is not None
    shared: dict[str, npt.NDArray[np.int64]] = {}
    if blocks is not None:
        shared["block_ids"] = np.asarray(prefix_ids(blocks))
        shared["block_offsets"] = blocks.offsets
        if blocks.answers is not None:
            shared["answer_ids"] = blocks.answers.ids
            shared["answer_offsets"] = blocks.answers.offsets
    return RequestList(
        found.arrival_s,
        found.input_tokens.astype(np.int64),
        found.output_tokens.astype(np.int64),
        priority=found.priority,
        cached_input_frac=cached_input_frac,
        cancel_s=None if patience is None else found.arrival_s + patience,
        after=after,
        **shared,
    )
