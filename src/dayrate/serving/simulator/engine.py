"""Run requests through replicas, interpreted or compiled."""

import importlib.util
import math
from typing import Any

import numpy as np
import numpy.typing as npt

from dayrate.errors import InvalidInput
from dayrate.serving.simulator import core, routing
from dayrate.serving.simulator import state as at
from dayrate.serving.simulator.compiled import compiled_core
from dayrate.serving.simulator.inputs import EngineKind, Limits, RequestList, Routing
from dayrate.serving.simulator.law import StepLaw
from dayrate.serving.simulator.outcome import Simulation, Timeline

__all__ = ["simulate"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

#: Requests from which compiling, which takes half a minute, is worth it.
_MANY = 2_000_000
_IN_REPLICA_TURN, _LEFT_OUT = -1, -2


def simulate(
    requests: RequestList,
    law: StepLaw,
    limits: Limits,
    *,
    replicas: int = 1,
    route: Routing = Routing.ROUND_ROBIN,
    engine: EngineKind = EngineKind.AUTO,
    until_s: float = math.inf,
    samples: int = 0,
) -> Simulation:
    """Serve requests on replicas that batch continuously.

    Parameters
    ----------
    requests : RequestList
        Who asks for what, when.
    law : StepLaw
        Time of a step.
    limits : Limits
        Of each replica.
    replicas : int
        How many there are. [1]
    route : Routing
        Who takes a request.
    engine : EngineKind
        Interpreted or compiled.
    until_s : float
        No step starts from then on; what runs or waits stays so. [s]
    samples : int
        Points of the timeline, at most. [1]

    Returns
    -------
    Simulation
        By request.

    Raises
    ------
    InvalidInput
        There is no replica, or the compiled engine is asked for and not installed.

    Examples
    --------
    >>> from dayrate.serving.simulator.examples import FLAT, SMALL, TWO
    >>> simulate(TWO, FLAT, SMALL).first_s.tolist()
    [0.01, 1.01]

    References
    ----------
    .. [1] G.-I. Yu et al., "Orca", OSDI 2022.
    .. [2] W. Kwon et al., "PagedAttention", SOSP 2023, arXiv:2309.06180.
    """
    if replicas < 1:
        raise InvalidInput(f"{replicas} replicas serve nobody. Give 1 or more.")
    compiled = _compiled(engine, len(requests.arrival_s))
    arrays = _requests(requests, limits)
    taken = _fits(arrays, limits)
    chosen, first = _turns(
        arrays, taken & (arrays.arrival_s < until_s), replicas, route
    )
    kept = _work(arrays, taken)
    q, w, tables = (_ready(x, compiled) for x in (arrays, kept, law.tables))
    states = tuple(
        _ready(_state(requests, arrays, limits, samples, int(i)), compiled)
        for i in first
    )
    advance, send = core.advance, routing.route
    if compiled:
        advance, send = (compiled_core()[f] for f in ("advance", "route"))
    replica: Any = chosen if compiled else chosen.tolist()
    if route is not Routing.ROUND_ROBIN:
        for s in states:
            s.n[at.BY_PREFIX] = route is Routing.PREFIX_AWARE
        send(q, tables, w, states, replica)
    for s in states:
        advance(q, tables, w, s, until_s)
    end_s = max(float(s.x[at.NOW]) for s in states)
    if samples:
        for s in states:  # those that are done sooner stay as they are
            advance(q, tables, w, s, math.nextafter(end_s, math.inf))
    return _outcome(arrays, w, states, np.asarray(replica), end_s)


def _compiled(engine: EngineKind, requests: int) -> bool:
    if engine is EngineKind.AUTO:
        return requests >= _MANY and importlib.util.find_spec("numba") is not None
    return engine is EngineKind.NUMBA


def _ready(named: Any, compiled: bool) -> Any:
    """Turn arrays into lists, which the interpreter reads faster."""
    if compiled:
        return named
    return type(named)(*(x.tolist() for x in named))


def _requests(requests: RequestList, limits: Limits) -> at.Requests:
    n = len(requests.arrival_s)
    rank = np.arange(n)
    if requests.priority is not None:
        rank[np.argsort(requests.priority, kind="stable")] = np.arange(n)
    offsets, ids = np.zeros(n + 1, dtype=np.int64), np.zeros(0, dtype=np.int64)
    if limits.prefix_caching and requests.block_ids is not None:
        offsets = np.asarray(requests.block_offsets, dtype=np.int64)
        _, ids = np.unique(requests.block_ids, return_inverse=True)
    return at.Requests(
        arrival_s=np.asarray(requests.arrival_s, dtype=float),
        input_tokens=np.asarray(requests.input_tokens, dtype=np.int64),
        output_tokens=np.asarray(requests.output_tokens, dtype=np.int64),
        rank=rank,
        follows=np.full(n, -1),
        cached_tokens=_cached(requests, limits),
        block_start=offsets,
        block_id=ids.astype(np.int64),
    )


def _cached(requests: RequestList, limits: Limits) -> Ints:
    """Count tokens cached whatever happens: where prompts do not say their blocks."""
    known = requests.block_ids is not None and limits.prefix_caching
    if requests.cached_input_frac == 0.0 or known:
        return np.zeros(len(requests.arrival_s), dtype=np.int64)
    tokens = np.asarray(requests.input_tokens) * requests.cached_input_frac
    return np.floor(tokens).astype(np.int64)


def _fits(q: at.Requests, limits: Limits) -> Bools:
    """Say which requests a replica could hold, were it alone."""
    tokens = q.input_tokens + q.output_tokens
    # the last token is never stored
    blocks = -(-(tokens - 1) // limits.block_tokens)
    fits = (blocks <= limits.kv_blocks) & (tokens <= limits.max_context_tokens)
    return np.asarray(fits)


def _turns(
    q: at.Requests, taken: Bools, replicas: int, route: Routing
) -> tuple[Ints, Ints]:
    """Deal requests out in turn, or leave them to be sent; and each replica's first."""
    chosen = np.where(taken, _IN_REPLICA_TURN, _LEFT_OUT)
    first = np.full(replicas, -1)
    if route is Routing.ROUND_ROBIN:
        turn = np.flatnonzero(taken)
        chosen[turn] = np.arange(len(turn)) % replicas
        q.follows[turn[:-replicas]] = turn[replicas:]
        first[: len(turn)] = turn[:replicas]
    return chosen, first


def _work(q: at.Requests, taken: Bools) -> at.Work:
    n = len(taken)
    return at.Work(
        start_s=np.full(n, math.nan),
        first_s=np.full(n, math.nan),
        done_s=np.full(n, math.nan),
        status=np.where(taken, at.WAITING, at.TOO_LONG),
        preempted=np.zeros(n, dtype=np.int64),
        hit_tokens=np.zeros(n, dtype=np.int64),
        need=q.input_tokens.copy(),
        left=q.output_tokens.copy(),
        due=np.zeros(n, dtype=np.int64),
        chain=np.full(n, -1),
        shared=np.zeros(n, dtype=np.int64),
        held=np.zeros(len(q.block_id), dtype=np.int64),
    )


def _state(
    requests: RequestList, q: at.Requests, limits: Limits, samples: int, first: int
) -> at.State:
    seqs = min(limits.max_num_seqs, len(q.rank))
    by_rank = requests.priority is not None
    n, x = np.zeros(at.N_PLACES, dtype=np.int64), np.zeros(at.X_PLACES)
    n[[at.REMAINS, at.LAST_REMAINS]] = -1
    for place in (at.NEXT, at.HEAD, at.TAIL, at.OLDEST, at.NEWEST, at.PARTIAL, at.LAST):
        n[place] = -1
    n[at.NEXT] = first
    n[at.MAX_SEQS], n[at.MAX_TOKENS] = seqs, limits.max_step_tokens
    n[at.BLOCK], n[at.TOTAL] = limits.block_tokens, limits.kv_blocks
    n[at.FREE], n[at.MAX_WAITING] = limits.kv_blocks, limits.max_waiting
    n[at.CHUNKED], n[at.BY_RANK] = limits.chunked_prefill, by_rank
    n[at.CACHING] = limits.prefix_caching
    n[at.SHARING] = limits.prefix_caching and requests.block_ids is not None
    x[at.TIMEOUT_S] = limits.timeout_s
    x[at.SAMPLE_AT] = 0.0 if samples else math.inf
    x[at.SAMPLE_S] = max(float(q.arrival_s[-1]), 1.0) / max(samples, 2) * 2.0
    ends = 1 << int(q.output_tokens.max()).bit_length()
    blocks = int(q.block_id.max(initial=-1)) + 1
    return at.State(
        n=n,
        x=x,
        ends=np.full(ends, -1),
        grows=np.zeros(limits.block_tokens, dtype=np.int64),
        stack=np.zeros(2 * seqs + 16, dtype=np.int64),
        heap=np.zeros(len(q.rank) if by_rank else seqs + 1, dtype=np.int64),
        batch=np.zeros(seqs + 1, dtype=np.int64),
        users=np.full(blocks, -1),
        older=np.full(blocks, -1),
        newer=np.full(blocks, -1),
        samples=np.zeros(4 * (samples + samples % 2)),
    )


def _outcome(
    q: at.Requests, w: at.Work, states: tuple[Any, ...], replica: Ints, end_s: float
) -> Simulation:
    return Simulation(
        arrival_s=q.arrival_s,
        input_tokens=q.input_tokens,
        output_tokens=q.output_tokens,
        start_s=np.asarray(w.start_s),
        first_s=np.asarray(w.first_s),
        done_s=np.asarray(w.done_s),
        status=np.asarray(w.status),
        preemptions=np.asarray(w.preempted),
        hit_tokens=np.asarray(w.hit_tokens),
        replica=np.where(np.asarray(replica) < 0, -1, replica),
        busy_s=np.array([s.x[at.BUSY_S] for s in states]),
        steps=np.array([s.n[at.ITERATIONS] for s in states]),
        end_s=end_s,
        timeline=_timeline(states),
    )


def _timeline(states: tuple[Any, ...]) -> Timeline:
    """Add the replicas' samples up at the times that all of them have."""
    apart = max(float(s.x[at.SAMPLE_S]) for s in states)
    rows = []
    for s in states:
        every = round(apart / s.x[at.SAMPLE_S])
        own = np.asarray(s.samples).reshape(-1, 4)[: s.n[at.SAMPLE] : every]
        rows.append(own)
    shortest = min(len(r) for r in rows)
    total = np.sum([r[:shortest] for r in rows], axis=0).astype(np.int64)
    return Timeline(np.arange(shortest, dtype=float) * apart, *total.T)
