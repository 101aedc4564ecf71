"""The event loop of one replica, over plain sequences of numbers.

The same functions run on lists in the interpreter and, compiled, on arrays: see
`engine`. So there are no objects here, only named tuples of sequences, and a replica's
scalars are places in ``n`` (integers) and ``x`` (seconds, context tokens).

Between two events (a request arrives, ends, or memory runs out) the batch stays the
same and each decoding sequence grows at the same pace, so the steps form an arithmetic
series and are taken at once. The clock of a replica counts the tokens that each
decoding sequence has got, one per step or, with drafts, a few; a sequence is filed
under the time of the clock at its last one.
"""

import math

from dayrate.serving.simulator.coming import come_after
from dayrate.serving.simulator.lookup import decode_series, shared_less_s, step_s
from dayrate.serving.simulator.memory import (
    append,
    attach,
    keep,
    publish,
    release,
    take,
)
from dayrate.serving.simulator.queueing import (
    arrive,
    cancel_waiting,
    expire,
    give_slot,
    leave_queue,
    next_cancelled,
    return_to_queue,
    take_slot,
)
from dayrate.serving.simulator.skipping import (
    blocks_between,
    clock_after,
    pass_time,
    sample,
    steps_at_once,
)
from dayrate.serving.simulator.state import (
    AGAIN,
    BLOCK,
    BY_RANK,
    CACHED,
    CACHED_FRAC,
    CACHING,
    CANCELLED,
    CANCELS,
    CHUNKED,
    CLOCK,
    CLOSED,
    COMPUTED,
    CONTEXT,
    DATA_RANKS,
    DONE,
    ENDING,
    FIRST_IN,
    FREE,
    HEAD,
    LAST_IN,
    LONGEST,
    LONGEST_PAIRS,
    LONGEST_READ,
    LOOKAHEAD,
    MAX_SEQS,
    MAX_TOKENS,
    N_DECODING,
    N_DONE,
    N_RUNNING,
    N_WAITING,
    NEXT,
    NEXT_END,
    NOW,
    PAIRS,
    PARTIAL,
    PREEMPTED,
    PREFILL,
    READ,
    ROWS,
    RUNNING,
    SHARING,
    STEP,
    TIMEOUT_S,
    TOKENS_PER_STEP,
    WAITING,
    Fate,
    Law,
    Requests,
    State,
)

__all__ = ["advance"]


def advance(q: Requests, law: Law, w: Fate, s: State, until_s: float) -> None:
    """Run a replica until no step starts before ``until_s`` or nothing is left.

    Parameters
    ----------
    q, law, w, s : Requests, Law, Fate, State
        Sequences; ``w`` and ``s`` change.
    until_s : float
        Time to stop at; a step that has begun is finished. [s]

    Returns
    -------
    None
        The results are in ``w`` and ``s``.

    Examples
    --------
    >>> from dayrate.serving.simulator.examples import ONE_BY_ONE
    >>> ONE_BY_ONE.done_s.tolist()
    [0.03, 1.03]

    References
    ----------
    .. [1] W. Kwon et al., "Efficient Memory Management for Large Language Model
       Serving with PagedAttention", SOSP 2023, arXiv:2309.06180 (scheduling,
       preemption by recomputation).
    .. [2] A. Agrawal et al., "Sarathi-Serve", OSDI 2024, arXiv:2403.02310.
    """
    n, x = s.n, s.x
    while x[NOW] < until_s:
        if n[NEXT] >= 0 and q.arrival_s[n[NEXT]] <= x[NOW]:
            arrive(q, w, s)
        if n[CANCELS] > 0 and q.cancel_s[s.cancels[0]] <= x[NOW]:
            _cancel(q, w, s)
        if n[N_RUNNING] + n[N_WAITING] == 0:
            if n[NEXT] < 0 or q.arrival_s[n[NEXT]] >= until_s:
                if until_s < math.inf:
                    sample(s, until_s)
                return
            sample(s, q.arrival_s[n[NEXT]])
            x[NOW] = max(x[NOW], q.arrival_s[n[NEXT]])
            continue
        _schedule(q, w, s)
        if n[PREFILL] > 0:
            _mixed_step(q, law, w, s)
        elif n[N_DECODING] > 0:
            _decode(q, law, w, s, until_s)


def _cancel(q: Requests, w: Fate, s: State) -> None:
    """Let go those whose users have left, wherever they are."""
    i = next_cancelled(q, s)
    while i >= 0:
        if w.status[i] == WAITING or w.status[i] == RUNNING:
            w.gone_s[i] = s.x[NOW]
        if w.status[i] == WAITING:
            cancel_waiting(q, w, s, i)
        elif w.status[i] == RUNNING:
            k = w.slot[i]
            release(q, w, s, k, _stop(q, s, k))
            w.status[i] = CANCELLED
            give_slot(s, k)
        i = next_cancelled(q, s)


def _stop(q: Requests, s: State, k: int) -> int:
    """Take a running request out of prefill or decoding; return its stored tokens."""
    n = s.n
    if k == n[PARTIAL]:
        n[PARTIAL] = -1
        return s.need[k]
    _unfile(s, k)
    i = s.request[k]
    s.left[k] = s.due[k] - n[CLOCK]
    s.need[k] = q.input_tokens[i] + q.output_tokens[i] - s.left[k]
    _leave(q, s, k)
    return s.need[k] - 1


def _schedule(q: Requests, w: Fate, s: State) -> None:
    """Put a step together: decoding first, then prompts while there is room.

    Without chunked prefill, prompts come first, whole, and decoding waits.
    """
    n, x = s.n, s.x
    n[PREFILL] = n[ENDING] = n[PREEMPTED] = n[LONGEST] = 0
    if n[N_DECODING] > 0 and n[CHUNKED]:
        _grow(q, w, s)
    if n[N_WAITING] == 0 and n[PARTIAL] < 0:
        if n[CHUNKED] == 0:
            _grow(q, w, s)
        return
    x[PAIRS] = x[READ] = 0.0
    budget = n[MAX_TOKENS] - n[N_DECODING] * n[ROWS] * n[CHUNKED]
    if n[PARTIAL] >= 0 and budget > 0:
        budget = _compute(s, n[PARTIAL], n[COMPUTED], budget)
    while budget > 0 and n[N_WAITING] > 0 and n[PREEMPTED] == 0:
        if x[TIMEOUT_S] < math.inf:
            expire(q, w, s, x[NOW])
            if n[N_WAITING] == 0:
                break
        if n[N_RUNNING] >= n[MAX_SEQS]:
            break
        budget = _start(q, w, s, budget)
    if n[CHUNKED] == 0 and n[PREFILL] == 0 and n[N_DECODING] > 0:
        _grow(q, w, s)


def _start(q: Requests, w: Fate, s: State, budget: int) -> int:
    """Start the first in line if there are blocks for all its tokens.

    Returns what is left of the budget: nothing where it could not start.
    """
    n = s.n
    if n[BY_RANK]:
        i = s.heap[0]
        k = w.slot[i]
    elif n[AGAIN] >= 0:
        k = n[AGAIN]
        i = s.request[k]
    else:
        i, k = n[HEAD], -1
    need = s.need[k] if k >= 0 else q.input_tokens[i]
    if n[CHUNKED] == 0 and n[PREFILL] > 0 and need > budget:
        return 0
    blocks = (need + n[LOOKAHEAD] + n[BLOCK] - 1) // n[BLOCK]
    hits = attach(q, w, s, i, k, blocks)
    if hits < 0:
        return 0
    leave_queue(q, w, s)
    n[N_RUNNING] += 1
    w.status[i] = RUNNING
    tokens = min(hits * n[BLOCK], need - 1)  # the last is always computed
    if k < 0:
        k = take_slot(w, s, i)
        w.start_s[i] = s.x[NOW]
        s.need[k], s.left[k] = need, q.output_tokens[i]
        if s.x[CACHED_FRAC] > 0.0:
            tokens = max(tokens, min(int(need * s.x[CACHED_FRAC]), need - 1))
        w.hit_tokens[i] = tokens
    if n[SHARING]:
        s.shared[k] = hits
    append(s, k, FIRST_IN, LAST_IN)
    return _compute(s, k, tokens, budget)


def _compute(s: State, k: int, done: int, budget: int) -> int:
    """Take as much of a prompt as the step has room for; return what room is left."""
    n = s.n
    rest = s.need[k] - done
    taken = budget if n[CHUNKED] and rest > budget else rest
    pairs = taken * (done + 0.5 * taken)
    n[PREFILL] += taken
    s.x[PAIRS] += pairs
    s.x[READ] += done
    if taken > n[LONGEST]:
        n[LONGEST] = taken
        s.x[LONGEST_PAIRS], s.x[LONGEST_READ] = pairs, done
    if taken == rest:
        s.batch[n[ENDING]] = k
        n[ENDING] += 1
        n[PARTIAL] = -1
    else:
        n[PARTIAL] = k
        n[COMPUTED] = done + taken
    return budget - taken


def _grow(q: Requests, w: Fate, s: State) -> None:
    """Give decoding sequences the blocks of this step; preempt while there are none."""
    n = s.n
    if n[ROWS] == 1:
        blocks = s.grows[n[CLOCK] % n[BLOCK]]
    else:
        blocks = blocks_between(s, n[CLOCK], clock_after(s, 1))
    if blocks <= n[FREE] and n[CACHED] == 0:
        n[FREE] -= blocks
        return
    while blocks > n[FREE] + n[CACHED]:
        _preempt(q, w, s)
        blocks = blocks_between(s, n[CLOCK], clock_after(s, 1))
    take(s, blocks)


def _preempt(q: Requests, w: Fate, s: State) -> None:
    """Take the blocks of the last in rank; it will compute all its tokens again."""
    n = s.n
    k = n[LAST_IN]  # in order of arrival, who came last is also the last in rank
    if n[BY_RANK]:
        other = k
        while other >= 0:
            if q.rank[s.request[other]] > q.rank[s.request[k]]:
                k = other
            other = s.sooner[other]
    tokens = _stop(q, s, k)
    release(q, w, s, k, tokens)
    if n[CACHING] and not n[SHARING]:
        keep(s, k, tokens // n[BLOCK])
    n[PREEMPTED] = 1
    return_to_queue(q, w, s, k)


def _unfile(s: State, k: int) -> None:
    """Take a sequence out of those that end with it."""
    at = s.due[k] & (len(s.ends) - 1)
    j = s.ends[at]
    if j == k:
        s.ends[at] = s.chain[k]
    else:
        while s.chain[j] != k:
            j = s.chain[j]
        s.chain[j] = s.chain[k]


def _mixed_step(q: Requests, law: Law, w: Fate, s: State) -> None:
    """One step with prefill, and whatever decodes beside it.

    Attention-data ranks compute prompts of their own, and all wait for the longest: as
    if each had as much, but for the experts.
    """
    n, x = s.n, s.x
    prefill, ending = n[PREFILL], n[ENDING]
    pairs, read, less_s, ranks = x[PAIRS], x[READ], 0.0, law.numbers[DATA_RANKS]
    decoding = n[N_DECODING] * n[CHUNKED]
    rows = decoding * n[ROWS]
    context = x[CONTEXT] + decoding * (n[STEP] * x[TOKENS_PER_STEP])
    if ranks * n[LONGEST] > prefill:
        tokens = prefill + rows
        prefill = int(ranks) * n[LONGEST]
        pairs, read = ranks * x[LONGEST_PAIRS], ranks * x[LONGEST_READ]
        less_s = shared_less_s(law, tokens, prefill + rows)
    seconds = step_s(law, prefill, pairs, read, rows, decoding, context, rows + ending)
    pass_time(s, seconds + less_s, 1)
    if decoding > 0:
        _tick(q, w, s, 1)
    for at in range(ending):
        _first_token(q, w, s, s.batch[at])


def _first_token(q: Requests, w: Fate, s: State, k: int) -> None:
    """Note the token that a whole prompt gives; now the sequence decodes."""
    n, i = s.n, s.request[k]
    if s.left[k] == q.output_tokens[i]:
        w.first_s[i] = s.x[NOW]
    if n[SHARING]:
        publish(q, w, s, k)
    left = s.left[k] - 1
    if left == 0:
        _done(q, w, s, k, s.need[k])
        return
    clock = n[CLOCK]
    due = clock + left
    s.due[k] = due
    at = due & (len(s.ends) - 1)
    s.chain[k] = s.ends[at]
    s.ends[at] = k
    if n[NEXT_END] > due or n[NEXT_END] <= clock:
        # 0 asks for a new search, unless nothing else decodes
        n[NEXT_END] = due if n[NEXT_END] > clock or n[N_DECODING] == 0 else 0
    n[N_DECODING] += 1
    # its context less the clock stays the same
    tokens = q.input_tokens[i] + q.output_tokens[i] - due
    s.x[CONTEXT] += tokens
    s.grows[(1 - tokens - n[LOOKAHEAD]) % n[BLOCK]] += 1


def _leave(q: Requests, s: State, k: int) -> None:
    """Count a decoding sequence out."""
    n, i = s.n, s.request[k]
    tokens = q.input_tokens[i] + q.output_tokens[i] - s.due[k]
    n[N_DECODING] -= 1
    s.x[CONTEXT] -= tokens
    s.grows[(1 - tokens - n[LOOKAHEAD]) % n[BLOCK]] -= 1


def _done(q: Requests, w: Fate, s: State, k: int, tokens: int) -> None:
    i = s.request[k]
    w.status[i] = DONE
    w.done_s[i] = s.x[NOW]
    s.n[N_DONE] += 1
    release(q, w, s, k, tokens)
    give_slot(s, k)
    if s.n[CLOSED]:
        come_after(q, s, i, s.x[NOW])


def _tick(q: Requests, w: Fate, s: State, steps: int) -> None:
    """Move the clock on; end the sequences that have all their tokens.

    Before the last of the steps no sequence ends.
    """
    n = s.n
    n[STEP] += steps
    if n[ROWS] == 1:
        n[CLOCK] = n[STEP]
        if s.ends[n[STEP] & (len(s.ends) - 1)] >= 0:
            _end(q, w, s, n[STEP])
        return
    n[CLOCK] = clock_after(s, 0)
    for time in range(clock_after(s, -1) + 1, n[CLOCK] + 1):
        _end(q, w, s, time)


def _end(q: Requests, w: Fate, s: State, time: int) -> None:
    """End the sequences that are filed under a time of the clock."""
    at = time & (len(s.ends) - 1)
    k = s.ends[at]
    s.ends[at] = -1
    beyond = s.n[CLOCK] - time - 1  # drafts that were not asked for; the last token
    while k >= 0:
        after, i = s.chain[k], s.request[k]
        _leave(q, s, k)
        _done(q, w, s, k, q.input_tokens[i] + q.output_tokens[i] + beyond)
        k = after


def _decode(q: Requests, law: Law, w: Fate, s: State, until_s: float) -> None:
    """Take steps without prefill until a sequence ends, arrives or finds no block."""
    n, x, decoding = s.n, s.x, s.n[N_DECODING]
    context = x[CONTEXT] + decoding * (n[STEP] * x[TOKENS_PER_STEP])
    first_s, slower_s, room = decode_series(
        law, n[ROWS], decoding, context, x[TOKENS_PER_STEP]
    )
    steps = steps_at_once(q, s, first_s, slower_s, room, until_s)
    pass_time(s, steps * first_s + slower_s * (0.5 * steps * (steps - 1)), steps)
    _tick(q, w, s, steps)
