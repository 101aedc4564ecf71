"""Run requests through replicas, interpreted or compiled."""

import importlib.util
import math
from collections.abc import Sequence
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
Ints = npt.NDArray[np.integer[Any]]
Bools = npt.NDArray[np.bool_]

#: Requests from which compiling, which takes a minute once, is worth it.
_MANY = 500_000


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
    in_turn = route is Routing.ROUND_ROBIN
    arrays = _requests(requests, limits, routed=not in_turn)
    taken = _fits(arrays, limits)
    fate, first = _fate(arrays, taken), _first_turns(requests)
    replica = _turns(taken, first, replicas, in_turn)
    states = [
        _state(requests, arrays, limits, samples, r if in_turn else -1, replicas)
        for r in range(replicas)
    ]
    q, w, tables = (_ready(x, compiled) for x in (arrays, fate, law.tables))
    advance, send = core.advance, routing.route
    if compiled:
        advance, send = (compiled_core()[f] for f in ("advance", "route"))
        s: Any = at.State(*(np.stack(x) for x in zip(*states, strict=True)))
        states = [at.State(*(x[r] for x in s)) for r in range(replicas)]
    else:
        s = states = [_ready(x, False) for x in states]
    if not in_turn:
        for one in states:
            one.n[at.BY_PREFIX] = route is Routing.PREFIX_AWARE
        sent: Any = replica if compiled else replica.tolist()
        send(q, tables, w, s, replicas, sent)
        replica = np.asarray(sent, dtype=np.int32)
        if first is not None:
            replica = np.where(taken, replica[first], np.int32(-1))
    for one in states:
        advance(q, tables, w, one, until_s)
    end_s = max(float(one.x[at.NOW]) for one in states)
    if samples:
        for one in states:  # those that are done sooner stay as they are
            advance(q, tables, w, one, math.nextafter(end_s, math.inf))
    if first is not None:
        arrays = arrays._replace(arrival_s=np.asarray(q.arrival_s))
    return _outcome(arrays, w, states, replica, end_s)


def _compiled(engine: EngineKind, requests: int) -> bool:
    if engine is EngineKind.AUTO:
        return requests >= _MANY and importlib.util.find_spec("numba") is not None
    return engine is EngineKind.NUMBA


def _ready(named: Any, compiled: bool) -> Any:
    """Turn arrays into lists, which the interpreter reads faster."""
    if compiled:
        return named
    return type(named)(*(x.tolist() for x in named))


def _column(values: Any, dtype: Any) -> Any:
    """Make an array that the compiled loop takes, without a copy where it is one."""
    array = np.ascontiguousarray(values, dtype=dtype)
    return array if array.flags.writeable else array.copy()


def _requests(
    requests: RequestList, limits: Limits, *, routed: bool = True
) -> at.Requests:
    n = len(requests.arrival_s)
    rank, cancel = np.zeros(0, dtype=np.int32), np.zeros(0)
    if requests.priority is not None:
        rank = np.empty(n, dtype=np.int32)
        rank[np.argsort(requests.priority, kind="stable")] = np.arange(n)
    if requests.cancel_s is not None:
        cancel = _column(requests.cancel_s, float)
    arrival, then, think = _waits(requests)
    offsets, answers, ids = _blocks(requests, limits)
    return at.Requests(
        arrival_s=arrival,
        input_tokens=_column(requests.input_tokens, np.int32),
        output_tokens=_column(requests.output_tokens, np.int32),
        rank=rank,
        cancel_s=cancel,
        follows=np.full(n if routed or len(then) else 0, -1, dtype=np.int32),
        then=then,
        think_s=think,
        block_start=offsets,
        block_answer=answers,
        block_id=ids,
    )


def _blocks(requests: RequestList, limits: Limits) -> tuple[Ints, Ints, Ints]:
    """Line the blocks of each prompt up, and after them those of its answer."""
    none = np.zeros(0, dtype=np.int64)
    if not limits.prefix_caching or requests.block_ids is None:
        return np.zeros(1, dtype=np.int64), none, none
    offsets, ids = _column(requests.block_offsets, np.int64), requests.block_ids
    answers = offsets[1:]
    if requests.answer_ids is not None and requests.answer_offsets is not None:
        prompts, later = np.diff(offsets), np.diff(requests.answer_offsets)
        _check_full(requests, prompts + later, limits.block_tokens)
        offsets = np.concatenate([[0], np.cumsum(prompts + later)])
        answers = offsets[:-1] + prompts
        own = np.arange(offsets[-1]) < np.repeat(answers, prompts + later)
        both = np.empty(offsets[-1], dtype=np.int64)
        both[own], both[~own] = ids, requests.answer_ids
        ids = both
    _, numbers = np.unique(ids, return_inverse=True)
    return offsets, np.ascontiguousarray(answers), numbers.astype(np.int64).ravel()


def _waits(requests: RequestList) -> tuple[Floats, Ints, Floats]:
    """Arrivals as far as they are known, who comes after whom, and how long after."""
    arrival = _column(requests.arrival_s, float)
    if requests.after is None:
        return arrival, np.zeros(0, dtype=np.int32), np.zeros(0)
    after = np.asarray(requests.after)
    waits = np.flatnonzero(after >= 0)
    then, think = np.full(len(after), -1, dtype=np.int32), np.zeros(len(after))
    then[after[waits]] = waits
    think[waits] = arrival[waits] - arrival[after[waits]]
    arrival = arrival.copy()
    arrival[waits] = math.inf
    return arrival, then, think


def _first_turns(requests: RequestList) -> Ints | None:
    """Find the request that waits for nobody's end, before each; None without such."""
    if requests.after is None:
        return None
    after = np.asarray(requests.after)
    first = np.where(after >= 0, after, np.arange(len(after)))
    while (after[first] >= 0).any():
        first = first[first]  # twice as far back each time
    return first


def _check_full(requests: RequestList, blocks: Ints, block_tokens: int) -> None:
    """Refuse blocks that a request does not fill, its last token not stored."""
    whole = np.asarray(requests.input_tokens) + np.asarray(requests.output_tokens)
    if (blocks * block_tokens >= whole).any():
        raise InvalidInput(
            "A prompt and its answer say more blocks than they fill. Give full blocks "
            f"of {block_tokens} tokens, the last token of the answer left out."
        )


def _cached_frac(requests: RequestList, limits: Limits) -> float:
    """Share of prompts cached whatever happens: where they do not say their blocks."""
    known = requests.block_ids is not None and limits.prefix_caching
    return 0.0 if known else requests.cached_input_frac


def _fits(q: at.Requests, limits: Limits) -> Bools:
    """Say which requests a replica could hold, were it alone."""
    tokens = q.input_tokens + q.output_tokens
    # the last token is never stored; of drafts there may be too many, and more ahead
    most = (limits.kv_blocks * limits.block_tokens) + 1 - 2 * limits.draft_tokens
    return np.asarray(tokens <= min(most, limits.max_context_tokens))


def _fate(q: at.Requests, taken: Bools) -> at.Fate:
    """Nothing has happened yet, but some requests no replica could ever hold."""
    n = len(taken)
    looked_for = len(q.rank) > 0 or len(q.cancel_s) > 0
    return at.Fate(
        start_s=np.full(n, math.nan),
        first_s=np.full(n, math.nan),
        done_s=np.full(n, math.nan),
        status=np.where(taken, at.WAITING, at.TOO_LONG).astype(np.int8),
        preempted=np.zeros(n, dtype=np.int32),
        hit_tokens=np.zeros(n, dtype=np.int32),
        slot=np.full(n if looked_for else 0, -1, dtype=np.int32),
        held=np.zeros(len(q.block_id), dtype=np.int8),
        gone_s=np.full(len(q.cancel_s), math.nan),
    )


def _turns(taken: Bools, first: Ints | None, replicas: int, in_turn: bool) -> Ints:
    """Deal requests out in turn, or leave them to be sent; -1 where nobody can.

    Those that wait for the end of others go where the first of them goes.
    """
    if first is not None:
        own = first == np.arange(len(first))
        if not in_turn:
            return np.asarray(own - np.int32(1), dtype=np.int32)
        in_line = ((np.cumsum(own) - 1) % replicas).astype(np.int32)
        return np.where(taken, in_line[first], np.int32(-1))
    if not in_turn or replicas == 1:
        return taken.astype(np.int32) - np.int32(1)
    turn = np.arange(len(taken), dtype=np.int32) % np.int32(replicas)
    turn[~taken] = -1
    return turn


def _state(  # noqa: PLR0917
    requests: RequestList,
    q: at.Requests,
    limits: Limits,
    samples: int,
    first: int = -1,
    every: int = 1,
) -> at.State:
    """Set an idle replica up.

    It takes every so many of the requests from the first on, or those sent to it.
    """
    total = len(q.arrival_s)
    seqs = min(limits.max_num_seqs, total)
    most = total if first < 0 else -(-total // every)
    by_rank, cancelling = len(q.rank) > 0, len(q.cancel_s) > 0
    slots = most + 1 if by_rank else seqs + 1
    blocks = int(q.block_id.max(initial=-1)) + 1
    rows = limits.draft_tokens + 1
    ends = 1 << (int(q.output_tokens.max()) + rows).bit_length()
    n = _numbers(q, limits, seqs, first, every)
    coming = _coming(q, n, first, every)
    return at.State(
        n=n,
        x=_times(requests, q, limits, samples),
        **{
            name: np.zeros(slots, dtype=np.int64)
            for name in ("request", "need", "left", "due", "chain", "shared")
        },
        sooner=np.zeros(slots, dtype=np.int64),
        later=np.zeros(slots, dtype=np.int64),
        ends=np.full(ends, -1),
        grows=np.zeros(limits.block_tokens, dtype=np.int64),
        batch=np.zeros(seqs + 1, dtype=np.int64),
        heap=np.zeros(most + 1 if by_rank else 1, dtype=np.int32),
        cancels=np.zeros(most + 1 if cancelling else 1, dtype=np.int32),
        coming=coming,
        users=np.full(blocks, -1),
        older=np.full(blocks, -1),
        newer=np.full(blocks, -1),
        samples=np.zeros(4 * (samples + samples % 2)),
    )


def _coming(q: at.Requests, n: Ints, first: int, every: int) -> Ints:
    """Put the requests of a replica that wait for nobody in line to come."""
    if len(q.then) == 0:
        return np.zeros(1, dtype=np.int32)
    coming = np.zeros(len(q.then) + 1, dtype=np.int32)
    own = np.zeros(0, dtype=np.int32)
    if first >= 0:
        own = np.flatnonzero(np.isfinite(q.arrival_s))[first::every].astype(np.int32)
    coming[: len(own)] = own  # sorted, which is a heap
    n[at.CLOSED], n[at.STRIDE], n[at.COMING] = True, 0, len(own)
    n[at.NEXT] = own[0] if len(own) else -1
    return coming


def _numbers(q: at.Requests, limits: Limits, seqs: int, first: int, every: int) -> Ints:
    n = np.zeros(at.N_PLACES, dtype=np.int64)
    nobody = (at.HEAD, at.AGAIN, at.OLDEST, at.NEWEST, at.REMAINS, at.LAST_REMAINS)
    n[[*nobody, at.FIRST_IN, at.LAST_IN, at.SPARE, at.PARTIAL, at.LAST, at.NEXT]] = -1
    if first >= 0:
        n[at.STRIDE] = every
        n[at.NEXT] = first if first < len(q.arrival_s) else -1
    n[at.MAX_SEQS], n[at.MAX_TOKENS] = seqs, limits.max_step_tokens
    n[at.BLOCK], n[at.TOTAL] = limits.block_tokens, limits.kv_blocks
    n[at.FREE], n[at.MAX_WAITING] = limits.kv_blocks, limits.max_waiting
    n[at.CHUNKED], n[at.BY_RANK] = limits.chunked_prefill, len(q.rank) > 0
    n[at.CACHING] = limits.prefix_caching
    n[at.SHARING] = len(q.block_start) > 1
    n[at.CANCELLING] = len(q.cancel_s) > 0
    n[at.ROWS], n[at.LOOKAHEAD] = limits.draft_tokens + 1, limits.draft_tokens
    n[at.PACE] = round(limits.tokens_per_step * (1 << at.PACE_BITS))
    return n


def _times(
    requests: RequestList, q: at.Requests, limits: Limits, samples: int
) -> Floats:
    x = np.zeros(at.X_PLACES)
    x[at.TIMEOUT_S] = limits.timeout_s
    x[at.SAMPLE_AT] = 0.0 if samples else math.inf
    last_s = float(requests.arrival_s[-1])
    x[at.SAMPLE_S] = max(last_s, 1.0) / max(samples, 2) * 2.0
    x[at.CACHED_FRAC] = _cached_frac(requests, limits)
    steps = 1 << at.PACE_BITS
    x[at.TOKENS_PER_STEP] = round(limits.tokens_per_step * steps) / steps
    return x


def _outcome(
    q: at.Requests, w: at.Fate, states: Sequence[Any], replica: Ints, end_s: float
) -> Simulation:
    return Simulation(
        arrival_s=q.arrival_s,
        input_tokens=q.input_tokens,
        output_tokens=q.output_tokens,
        start_s=np.asarray(w.start_s),
        first_s=np.asarray(w.first_s),
        done_s=np.asarray(w.done_s),
        status=np.asarray(w.status, dtype=np.int8),
        preemptions=np.asarray(w.preempted, dtype=np.int32),
        hit_tokens=np.asarray(w.hit_tokens, dtype=np.int32),
        replica=np.where(replica < 0, -1, replica),
        busy_s=np.array([s.x[at.BUSY_S] for s in states]),
        steps=np.array([s.n[at.ITERATIONS] for s in states]),
        gone_s=np.asarray(w.gone_s) if len(w.gone_s) else None,
        end_s=end_s,
        timeline=_timeline(states),
    )


def _timeline(states: Sequence[Any]) -> Timeline:
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
