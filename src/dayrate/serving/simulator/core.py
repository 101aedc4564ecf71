"""The event loop of one replica, over plain sequences of numbers.

The same functions run on lists in the interpreter and, compiled, on arrays: see
`engine`. So there are no objects here, only named tuples of sequences, and a replica's
scalars are places in ``n`` (integers) and ``x`` (seconds, context tokens).

Between two events (a request arrives, ends, or memory runs out) the batch stays the
same and each decoding sequence grows by one token per step, so the steps form an
arithmetic series and are taken at once. A replica's decode steps are numbered; a
sequence is filed under the number of its last one.
"""

import math

from dayrate.serving.simulator.lookup import decode_series, step_s
from dayrate.serving.simulator.memory import (
    attach,
    keep,
    publish,
    release,
    take,
)
from dayrate.serving.simulator.state import (
    BLOCK,
    BLOCKED,
    BUSY_S,
    BY_RANK,
    CACHED,
    CACHING,
    CHUNKED,
    COMPUTED,
    CONTEXT,
    DONE,
    DROPPED,
    ENDING,
    FREE,
    HEAD,
    HEAPED,
    ITERATIONS,
    MAX_SEQS,
    MAX_TOKENS,
    MAX_WAITING,
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
    REJECTED,
    RUNNING,
    SAMPLE,
    SAMPLE_AT,
    SAMPLE_S,
    SHARING,
    STACKED,
    STEP,
    TAIL,
    TIMED_OUT,
    TIMEOUT_S,
    TOTAL,
    WAITING,
    Law,
    Requests,
    State,
    Work,
)

__all__ = ["advance"]


def advance(q: Requests, law: Law, w: Work, s: State, until_s: float) -> None:
    """Run a replica until no step starts before ``until_s`` or nothing is left.

    Parameters
    ----------
    q, law, w, s : Requests, Law, Work, State
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
            _arrive(q, w, s)
        if n[N_RUNNING] + n[N_WAITING] == 0:
            if n[NEXT] < 0 or q.arrival_s[n[NEXT]] >= until_s:
                if until_s < math.inf:
                    _sample(s, until_s)
                return
            _sample(s, q.arrival_s[n[NEXT]])
            x[NOW] = max(x[NOW], q.arrival_s[n[NEXT]])
            continue
        _schedule(q, w, s)
        if n[PREFILL] > 0:
            _mixed_step(q, law, w, s)
        elif n[N_DECODING] > 0:
            _decode(q, law, w, s, until_s)


def _arrive(q: Requests, w: Work, s: State) -> None:
    """Queue what has arrived, or turn it away."""
    n = s.n
    i = n[NEXT]
    while i >= 0 and q.arrival_s[i] <= s.x[NOW]:
        n[NEXT] = q.follows[i]
        if n[N_WAITING] >= n[MAX_WAITING]:
            _expire(q, w, s, q.arrival_s[i])
        if n[N_WAITING] >= n[MAX_WAITING]:
            w.status[i] = REJECTED
            n[DROPPED] += 1
        elif n[BY_RANK]:
            n[N_WAITING] += 1
            _push(q, s, i)
        else:
            n[N_WAITING] += 1
            w.chain[i] = -1
            if n[HEAD] < 0:
                n[HEAD] = i
            else:
                w.chain[n[TAIL]] = i
            n[TAIL] = i
        i = n[NEXT]


def _expire(q: Requests, w: Work, s: State, when_s: float) -> None:
    """Drop the oldest that have waited too long; what ran already stays."""
    n = s.n
    i = _head(s)
    while (
        i >= 0 and when_s - q.arrival_s[i] > s.x[TIMEOUT_S] and math.isnan(w.start_s[i])
    ):
        _pop_head(q, w, s)
        n[N_WAITING] -= 1
        w.status[i] = TIMED_OUT
        n[DROPPED] += 1
        i = _head(s)


def _head(s: State) -> int:
    """Next request to start: the heap's, else the oldest; -1 where none waits."""
    if s.n[HEAPED] > 0:
        return s.heap[0]
    return s.n[HEAD]


def _pop_head(q: Requests, w: Work, s: State) -> None:
    if s.n[HEAPED] > 0:
        _pop(q, s)
    else:
        s.n[HEAD] = w.chain[s.n[HEAD]]


def _push(q: Requests, s: State, i: int) -> None:
    """Add a request to the heap of ranks."""
    heap, rank = s.heap, q.rank
    at = s.n[HEAPED]
    s.n[HEAPED] = at + 1
    while at > 0 and rank[i] < rank[heap[(at - 1) // 2]]:
        heap[at] = heap[(at - 1) // 2]
        at = (at - 1) // 2
    heap[at] = i


def _pop(q: Requests, s: State) -> None:
    """Remove the lowest rank from the heap."""
    heap, rank = s.heap, q.rank
    size = s.n[HEAPED] - 1
    s.n[HEAPED] = size
    i = heap[size]
    at, child = 0, 1
    while child < size:
        if child + 1 < size and rank[heap[child + 1]] < rank[heap[child]]:
            child += 1
        if rank[i] <= rank[heap[child]]:
            break
        heap[at] = heap[child]
        at, child = child, 2 * child + 1
    heap[at] = i


def _schedule(q: Requests, w: Work, s: State) -> None:
    """Put a step together: decoding first, then prompts while there is room.

    Without chunked prefill, prompts come first, whole, and decoding waits.
    """
    n, x = s.n, s.x
    n[PREFILL] = n[ENDING] = n[BLOCKED] = n[PREEMPTED] = 0
    x[PAIRS] = x[READ] = 0.0
    if n[CHUNKED] and n[N_DECODING] > 0:
        _grow(q, w, s)
    budget = n[MAX_TOKENS] - n[N_DECODING] * n[CHUNKED]
    if n[PARTIAL] >= 0 and budget > 0:
        budget = _compute(w, s, n[PARTIAL], budget)
    while budget > 0 and n[N_WAITING] > 0 and n[PREEMPTED] == 0:
        if x[TIMEOUT_S] < math.inf:
            _expire(q, w, s, x[NOW])
        i = _head(s)
        if i < 0:
            break
        whole = n[CHUNKED] == 0 and n[PREFILL] > 0 and w.need[i] > budget
        if n[N_RUNNING] >= n[MAX_SEQS] or whole or not _admit(q, w, s, i):
            n[BLOCKED] = 1
            break
        budget = _compute(w, s, i, budget)
    if n[CHUNKED] == 0 and n[PREFILL] == 0 and n[N_DECODING] > 0:
        _grow(q, w, s)


def _compute(w: Work, s: State, i: int, budget: int) -> int:
    """Take as much of a prompt as the step has room for; return what room is left."""
    n = s.n
    done = n[COMPUTED]
    rest = w.need[i] - done
    take = budget if n[CHUNKED] and rest > budget else rest
    n[PREFILL] += take
    s.x[PAIRS] += take * (done + 0.5 * take)
    s.x[READ] += done
    if take == rest:
        s.batch[n[ENDING]] = i
        n[ENDING] += 1
        n[PARTIAL] = -1
    else:
        n[PARTIAL] = i
        n[COMPUTED] = done + take
    return budget - take


def _admit(q: Requests, w: Work, s: State, i: int) -> bool:
    """Give a request blocks for all tokens to compute, if there are enough."""
    n = s.n
    blocks = (w.need[i] + n[BLOCK] - 1) // n[BLOCK]
    n[COMPUTED] = 0
    if not attach(q, w, s, i, blocks):
        return False
    _pop_head(q, w, s)
    n[N_WAITING] -= 1
    n[N_RUNNING] += 1
    w.status[i] = RUNNING
    if math.isnan(w.start_s[i]):
        w.start_s[i] = s.x[NOW]
    if n[STACKED] == len(s.stack):
        _compact(w, s)
    s.stack[n[STACKED]] = i
    n[STACKED] += 1
    return True


def _compact(w: Work, s: State) -> None:
    """Forget the requests on the stack that run no more."""
    kept = 0
    for at in range(s.n[STACKED]):
        i = s.stack[at]
        if w.status[i] == RUNNING:
            s.stack[kept] = i
            kept += 1
    s.n[STACKED] = kept


def _grow(q: Requests, w: Work, s: State) -> None:
    """Give decoding sequences the blocks of this step; preempt while there are none."""
    n = s.n
    at = n[STEP] % n[BLOCK]
    while s.grows[at] > n[FREE] + n[CACHED]:
        _preempt(q, w, s)
    take(w, s, s.grows[at])


def _preempt(q: Requests, w: Work, s: State) -> None:
    """Take the blocks of the last in rank; it will compute all its tokens again."""
    n = s.n
    i = _victim(q, w, s)
    if i == n[PARTIAL]:
        n[PARTIAL] = -1
        tokens = w.need[i]
    else:
        _remove(w, s, i)
        w.left[i] = w.due[i] - n[STEP]
        w.need[i] = q.input_tokens[i] + q.output_tokens[i] - w.left[i]
        tokens = w.need[i] - 1
        _leave(s, tokens)
    release(q, w, s, i, tokens)
    if n[CACHING] and not n[SHARING]:
        keep(w, s, i, tokens // n[BLOCK])
    w.status[i] = WAITING
    w.preempted[i] += 1
    n[N_WAITING] += 1
    n[PREEMPTED] = 1
    _push(q, s, i)


def _victim(q: Requests, w: Work, s: State) -> int:
    """Find the running request that is last in rank: in order of arrival, the top."""
    _compact(w, s)
    stack, best = s.stack, 0
    for at in range(1, s.n[STACKED]):
        if q.rank[stack[at]] > q.rank[stack[best]]:
            best = at
    return stack[best]


def _remove(w: Work, s: State, i: int) -> None:
    """Take a sequence out of those that end at its last step."""
    at = w.due[i] & (len(s.ends) - 1)
    j = s.ends[at]
    if j == i:
        s.ends[at] = w.chain[i]
    else:
        while w.chain[j] != i:
            j = w.chain[j]
        w.chain[j] = w.chain[i]


def _leave(s: State, tokens: int) -> None:
    """Count out a decoding sequence that has stored so many tokens."""
    n = s.n
    n[N_DECODING] -= 1
    s.x[CONTEXT] -= tokens + 1
    s.grows[(n[STEP] - tokens) % n[BLOCK]] -= 1


def _mixed_step(q: Requests, law: Law, w: Work, s: State) -> None:
    """One step with prefill, and whatever decodes beside it."""
    n, x = s.n, s.x
    decoding = n[N_DECODING] * n[CHUNKED]
    sampled = decoding + n[ENDING]
    context = x[CONTEXT]
    seconds = step_s(law, n[PREFILL], x[PAIRS], x[READ], decoding, context, sampled)
    _pass(s, seconds, 1)
    if decoding > 0:
        x[CONTEXT] += decoding
        n[STEP] += 1
        if s.ends[n[STEP] & (len(s.ends) - 1)] >= 0:
            _end(q, w, s)
    for at in range(n[ENDING]):
        _first_token(q, w, s, s.batch[at])


def _first_token(q: Requests, w: Work, s: State, i: int) -> None:
    """Note the token that a whole prompt gives; now the sequence decodes."""
    n = s.n
    if math.isnan(w.first_s[i]):
        w.first_s[i] = s.x[NOW]
    if n[SHARING]:
        publish(q, w, s, i)
    tokens = w.need[i]
    left = w.left[i] - 1
    if left == 0:
        _done(q, w, s, i, tokens)
        return
    due = n[STEP] + left
    w.due[i] = due
    at = due & (len(s.ends) - 1)
    w.chain[i] = s.ends[at]
    s.ends[at] = i
    if n[NEXT_END] > due or n[NEXT_END] <= n[STEP]:
        # 0 asks for a new search, unless nothing else decodes
        n[NEXT_END] = due if n[NEXT_END] > n[STEP] or n[N_DECODING] == 0 else 0
    n[N_DECODING] += 1
    s.x[CONTEXT] += tokens + 1
    s.grows[(n[STEP] - tokens) % n[BLOCK]] += 1


def _done(q: Requests, w: Work, s: State, i: int, tokens: int) -> None:
    w.status[i] = DONE
    w.done_s[i] = s.x[NOW]
    w.left[i] = 0
    s.n[N_DONE] += 1
    release(q, w, s, i, tokens)


def _end(q: Requests, w: Work, s: State) -> None:
    """End the sequences whose last step this was."""
    at = s.n[STEP] & (len(s.ends) - 1)
    i = s.ends[at]
    while i >= 0:
        tokens = q.input_tokens[i] + q.output_tokens[i] - 1
        _leave(s, tokens)
        _done(q, w, s, i, tokens)
        i = w.chain[i]
    s.ends[at] = -1


def _decode(q: Requests, law: Law, w: Work, s: State, until_s: float) -> None:
    """Take steps without prefill until a sequence ends, arrives or finds no block."""
    n, x, decoding = s.n, s.x, s.n[N_DECODING]
    first_s, slower_s, room = decode_series(law, decoding, x[CONTEXT])
    steps = _steps_to_end(s)
    if steps > room:
        steps = int(room) + 1
    if n[NEXT] >= 0 and (n[N_WAITING] == 0 or n[BY_RANK]):  # else behind others
        until_s = min(until_s, q.arrival_s[n[NEXT]])
    if n[N_WAITING] > 0 and x[TIMEOUT_S] < math.inf:  # a smaller one may be behind
        until_s = min(until_s, q.arrival_s[_head(s)] + x[TIMEOUT_S])
    if steps > 1:
        steps = _steps_until(first_s, slower_s, until_s - x[NOW], steps)
    if steps > 1:
        steps = _steps_with_room(w, s, steps)
    n[STEP] += steps
    x[CONTEXT] += decoding * steps
    _pass(s, steps * first_s + slower_s * (0.5 * steps * (steps - 1)), steps)
    if s.ends[n[STEP] & (len(s.ends) - 1)] >= 0:
        _end(q, w, s)


def _steps_to_end(s: State) -> int:
    """Count the steps to the next end of a sequence."""
    n, mask = s.n, len(s.ends) - 1
    if n[NEXT_END] <= n[STEP]:
        at = n[STEP] + 1
        while s.ends[at & mask] < 0:
            at += 1
        n[NEXT_END] = at
    return n[NEXT_END] - n[STEP]


def _steps_until(first_s: float, slower_s: float, rest_s: float, most: int) -> int:
    """Count the steps, each slower than the last, that begin within ``rest_s``."""
    if most * first_s + slower_s * (0.5 * most * (most - 1)) <= rest_s:
        return most
    if slower_s <= 0.0:
        return max(1, min(most, math.ceil(rest_s / first_s)))
    linear = first_s / slower_s - 0.5
    root = math.sqrt(linear * linear + 2.0 * max(rest_s, 0.0) / slower_s)
    return max(1, min(most, math.ceil(root - linear)))


def _steps_with_room(w: Work, s: State, steps: int) -> int:
    """Limit steps to those that find blocks, and take these; the first has its own."""
    n = s.n
    spare = n[FREE] + n[CACHED]
    rounds, rest = divmod(steps - 1, n[BLOCK])
    taken = rounds * n[N_DECODING]
    if taken + n[N_DECODING] > spare:  # it may not be enough: go step by step
        rounds, rest, taken = 0, steps - 1, 0
    for k in range(1, rest + 1):
        more = s.grows[(n[STEP] + k) % n[BLOCK]]
        if taken + more > spare:
            steps = k
            break
        taken += more
    take(w, s, taken)
    return steps


def _pass(s: State, seconds: float, steps: int) -> None:
    """Let time pass at work."""
    n, x = s.n, s.x
    after = x[NOW] + seconds
    if after > x[SAMPLE_AT]:
        _sample(s, after)
    x[NOW] = after
    x[BUSY_S] += seconds
    n[ITERATIONS] += steps


def _sample(s: State, until_s: float) -> None:
    """Write the state down at the regular times before ``until_s``.

    Where there is no room left, every second entry goes and times are twice as far.
    """
    n, x, rows = s.n, s.x, s.samples
    while x[SAMPLE_AT] < until_s:
        at = 4 * n[SAMPLE]
        if at == len(rows):
            for k in range(at // 2):
                rows[k] = rows[k + k // 4 * 4]
            n[SAMPLE] //= 2
            x[SAMPLE_S] *= 2.0
            x[SAMPLE_AT] = n[SAMPLE] * x[SAMPLE_S]
            continue
        rows[at] = n[N_RUNNING]
        rows[at + 1] = n[N_WAITING]
        rows[at + 2] = n[TOTAL] - n[FREE] - n[CACHED]
        rows[at + 3] = n[CACHED]
        n[SAMPLE] += 1
        x[SAMPLE_AT] = n[SAMPLE] * x[SAMPLE_S]
