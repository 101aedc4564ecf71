"""Prompts on some replicas, answers on others, and the cache sent between them."""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dayrate.errors import InvalidInput
from dayrate.serving.simulator import state as at
from dayrate.serving.simulator.engine import simulate
from dayrate.serving.simulator.inputs import EngineKind, Limits, RequestList, Routing
from dayrate.serving.simulator.law import StepLaw
from dayrate.serving.simulator.outcome import Simulation, Timeline

__all__ = ["Pools", "simulate_disaggregated"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True, slots=True)
class Pools:
    """Replicas for prompts and for answers, and the way between them.

    Parameters
    ----------
    prefill, decode : int
        Replicas. [1]
    transfer_s_per_token : float
        Bytes of a token's cache over the bandwidth out of a prefill replica. [s/token]
    latency_s : float
        Before the first byte arrives. [s]
    """

    prefill: int
    decode: int
    transfer_s_per_token: float
    latency_s: float = 0.0

    def __post_init__(self) -> None:
        for name in ("prefill", "decode"):
            if getattr(self, name) < 1:
                raise InvalidInput(
                    f"{getattr(self, name)} replicas for {name}; give 1 or more."
                )
        for name in ("transfer_s_per_token", "latency_s"):
            if not 0.0 <= getattr(self, name) < math.inf:
                raise InvalidInput(
                    f"{name} is {getattr(self, name)}; give seconds from 0 on."
                )


def simulate_disaggregated(
    requests: RequestList,
    law: StepLaw,
    limits: Limits,
    pools: Pools,
    *,
    route: Routing = Routing.ROUND_ROBIN,
    engine: EngineKind = EngineKind.AUTO,
    until_s: float = math.inf,
    samples: int = 0,
) -> Simulation:
    """Serve requests with prefill and decoding on different replicas.

    Parameters
    ----------
    requests : RequestList
        Who asks for what, when.
    law : StepLaw
        Time of a step, in both pools.
    limits : Limits
        Of each replica.
    pools : Pools
        How many there are, and the way between them.
    route : Routing
        Who takes a request, in both pools.
    engine : EngineKind
        Interpreted or compiled.
    until_s : float
        No step starts from then on; what runs or waits stays so. [s]
    samples : int
        Points of the timeline, at most. [1]

    Returns
    -------
    Simulation
        Prefill replicas come first in ``replica``, ``busy_s`` and ``steps``. The queue
        is that of prefill; the first token comes from the decode replica, so the
        transfer and the wait for a place there are in its time.

    Notes
    -----
    A prompt's cache leaves when all of it is computed, and caches leave a replica one
    after the other. The decode replica computes the last token of the prompt again, as
    vLLM does, which gives the first token of the answer. A prefill replica is free of
    a prompt when it is computed, before its cache has left.

    Examples
    --------
    >>> from dayrate.serving.simulator.examples import FLAT, SMALL, TWO
    >>> pools = Pools(1, 1, transfer_s_per_token=1e-4, latency_s=0.01)
    >>> run = simulate_disaggregated(TWO, FLAT, SMALL, pools)
    >>> run.first_s.round(3).tolist(), run.done_s.round(3).tolist()
    ([0.04, 1.04], [0.06, 1.06])

    References
    ----------
    .. [1] Y. Zhong et al., "DistServe", OSDI 2024, arXiv:2401.09670.
    .. [2] P. Patel et al., "Splitwise", ISCA 2024, arXiv:2311.18677.
    """
    whole = np.asarray(requests.input_tokens) + np.asarray(requests.output_tokens)
    most = limits.kv_blocks * limits.block_tokens + 1 - 2 * limits.draft_tokens
    fits = np.flatnonzero(whole <= min(most, limits.max_context_tokens))
    if len(fits) == 0:
        return simulate(requests, law, limits, replicas=pools.prefill + pools.decode)
    options: dict[str, Any] = {"route": route, "engine": engine, "until_s": until_s}
    first = simulate(
        _prompts(requests, fits),
        law,
        dataclasses.replace(limits, draft_tokens=0, tokens_per_step=1.0),
        replicas=pools.prefill,
        samples=samples,
        **options,
    )
    there_s = _arrivals(first, pools)
    passed = np.argsort(there_s, kind="stable")[: int(np.isfinite(there_s).sum())]
    second = None
    if len(passed):
        second = simulate(
            _answers(requests, fits[passed], there_s[passed]),
            law,
            dataclasses.replace(limits, max_waiting=1 << 60, timeout_s=math.inf),
            replicas=pools.decode,
            samples=samples,
            **options,
        )
    return _joined(requests, pools, first, second, (fits, fits[passed], passed))


def _prompts(requests: RequestList, which: Ints) -> RequestList:
    """Ask for the first token of some requests."""
    blocks: dict[str, Any] = {}
    if requests.block_ids is not None:
        offsets = np.asarray(requests.block_offsets)
        counts = np.diff(offsets)[which]
        kept = np.concatenate([[0], np.cumsum(counts)])
        place = np.arange(kept[-1]) + np.repeat(offsets[which] - kept[:-1], counts)
        ids = np.asarray(requests.block_ids)[place]
        blocks = {"block_offsets": kept, "block_ids": ids}
    return RequestList(
        np.asarray(requests.arrival_s, dtype=float)[which],
        np.asarray(requests.input_tokens)[which],
        np.ones(len(which), dtype=np.int32),
        priority=_of(requests.priority, which),
        cancel_s=_of(requests.cancel_s, which),
        cached_input_frac=requests.cached_input_frac,
        **blocks,
    )


def _answers(requests: RequestList, which: Ints, there_s: Floats) -> RequestList:
    """Ask for the answers, when the caches of the prompts are there."""
    return RequestList(
        there_s,
        np.asarray(requests.input_tokens)[which],
        np.asarray(requests.output_tokens)[which],
        priority=_of(requests.priority, which),
        cancel_s=_of(requests.cancel_s, which),
        cached_input_frac=1.0,
    )


def _of(column: Any, which: Ints) -> Any:
    return None if column is None else np.asarray(column)[which]


def _arrivals(first: Simulation, pools: Pools) -> Floats:
    """Send the caches, of each replica one after the other; NaN where there is none."""
    there_s = np.full(len(first.done_s), np.nan)
    sent_s = first.input_tokens * pools.transfer_s_per_token
    for replica in range(pools.prefill):
        own = np.flatnonzero((first.replica == replica) & (first.status == at.DONE))
        own = own[np.argsort(first.done_s[own], kind="stable")]
        busy_s = np.cumsum(sent_s[own])
        begin_s = np.maximum.accumulate(first.done_s[own] - busy_s + sent_s[own])
        there_s[own] = begin_s + busy_s + pools.latency_s
    return there_s


def _joined(
    requests: RequestList,
    pools: Pools,
    first: Simulation,
    second: Simulation | None,
    rows: tuple[Ints, Ints, Ints],
) -> Simulation:
    """Put both halves of each request's life together."""
    n, (taken, answered, passed) = len(requests.arrival_s), rows

    def column(name: str, other: float, *, adds: bool = False) -> Any:
        a = getattr(first, name)
        out = np.full(n, other, dtype=a.dtype)
        out[taken] = a
        if second is not None:
            b = getattr(second, name)
            out[answered] = b + a[passed] if adds else b
        return out

    nothing_yet = first.first_s.copy()
    nothing_yet[:] = np.nan
    first = dataclasses.replace(
        first,
        first_s=nothing_yet,
        done_s=nothing_yet,
        status=np.where(first.status == at.DONE, at.WAITING, first.status).astype(
            np.int8
        ),
        replica=first.replica.astype(np.int32),
    )
    idle = np.zeros(pools.decode)
    start = np.full(n, np.nan)
    start[taken] = first.start_s
    hits = np.zeros(n, dtype=np.int32)
    hits[taken] = first.hit_tokens
    replica = column("replica", -1)
    if second is not None:
        replica[answered] += pools.prefill
    lines = first.timeline
    if second is not None:
        lines = _both(lines, second.timeline)
    return Simulation(
        arrival_s=np.asarray(requests.arrival_s, dtype=float),
        input_tokens=np.asarray(requests.input_tokens, dtype=np.int32),
        output_tokens=np.asarray(requests.output_tokens, dtype=np.int32),
        start_s=start,
        first_s=column("first_s", np.nan),
        done_s=column("done_s", np.nan),
        status=column("status", at.TOO_LONG),
        preemptions=column("preemptions", 0, adds=True),
        hit_tokens=hits,
        replica=replica,
        busy_s=np.append(first.busy_s, idle if second is None else second.busy_s),
        steps=np.append(first.steps, idle if second is None else second.steps),
        gone_s=None if first.gone_s is None else column("gone_s", np.nan),
        end_s=max(first.end_s, 0.0 if second is None else second.end_s),
        timeline=lines,
    )


def _both(a: Timeline, b: Timeline) -> Timeline:
    """Add two pools up, at the times of the one that lasted longer."""
    longer = max(a, b, key=lambda x: float(x.time_s[-1]) if len(x.time_s) else -1.0)
    columns = []
    for name in ("running", "waiting", "kv_used_blocks", "kv_cached_blocks"):
        total = np.zeros(len(longer.time_s), dtype=np.int64)
        for lines in (a, b):
            values = getattr(lines, name)
            if len(values) == 0:
                continue
            place = np.searchsorted(lines.time_s, longer.time_s, side="right") - 1
            total += values[np.clip(place, 0, len(values) - 1)]
        columns.append(total)
    return Timeline(longer.time_s, *columns)
