"""Blocks of the KV cache: free, used, or kept for those who ask for the same prefix.

Every block is in one of three places. Used blocks belong to running requests, cached
ones hold a prefix that nobody uses now, oldest first, and go when others need room.
"""

from dayrate.serving.simulator.state import (
    BLOCK,
    CACHED,
    DONE,
    FIRST_IN,
    FREE,
    LAST_IN,
    LAST_REMAINS,
    LOOKAHEAD,
    N_RUNNING,
    NEWEST,
    OLDEST,
    REMAINS,
    SHARING,
    Fate,
    Requests,
    State,
)

__all__ = [
    "append",
    "attach",
    "cached_blocks",
    "forget",
    "keep",
    "publish",
    "release",
    "remove",
    "take",
]


def cached_blocks(q: Requests, s: State, i: int) -> int:
    """Count the leading prompt blocks of a request that a replica holds.

    Parameters
    ----------
    q, s : Requests, State
        The requests and the replica.
    i : int
        Position of the request. [1]

    Returns
    -------
    int
        Blocks. [1]

    Examples
    --------
    >>> from dayrate.serving.simulator.examples import TURNS, opened
    >>> q, _, s = opened(TURNS, 0.005)  # the first prompt is computed
    >>> cached_blocks(q, s, 1)
    6

    References
    ----------
    .. [1] R. Qin et al., "Mooncake", FAST 2025, arXiv:2407.00079.
    """
    start = q.block_start[i]
    j = start
    while j < q.block_answer[i] and s.users[q.block_id[j]] >= 0:
        j += 1
    return j - start


def attach(  # noqa: PLR0917
    q: Requests, w: Fate, s: State, i: int, k: int, blocks: int
) -> int:
    """Give a request its blocks: those still cached, and new ones for the rest.

    Parameters
    ----------
    q, w, s : Requests, Fate, State
        The requests, their fate, the replica.
    i, k : int
        Position of the request, and its slot, -1 before it has one. [1]
    blocks : int
        Blocks of all tokens to compute. [1]

    Returns
    -------
    int
        Those still cached; -1, and nothing is taken, where there are too few. [1]

    Examples
    --------
    >>> from dayrate.serving.simulator.examples import TURNS, opened
    >>> q, w, s = opened(TURNS, 0.005)
    >>> attach(q, w, s, 1, -1, 13), s.n[FREE]
    (6, 986)

    References
    ----------
    .. [1] W. Kwon et al., "PagedAttention", SOSP 2023, arXiv:2309.06180.
    """
    n = s.n
    if n[SHARING]:
        return _share(q, w, s, i, blocks)
    if blocks > n[FREE] + n[CACHED]:
        return -1
    if n[CACHED] == 0:
        n[FREE] -= blocks
        return 0
    hits = 0
    if k >= 0 and s.shared[k] > 0:
        hits = min(s.shared[k], blocks)
        forget(s, k)
    take(s, blocks - hits)
    n[FREE] -= hits
    return hits


def _share(q: Requests, w: Fate, s: State, i: int, blocks: int) -> int:
    """Use the cached prefix of a prompt and count it; -1 where the rest has no room."""
    n = s.n
    hits = cached_blocks(q, s, i)
    start = q.block_start[i]
    idle = 0  # of the hits, those that count as evictable until they are used
    for j in range(start, start + hits):
        idle += s.users[q.block_id[j]] == 0
    if blocks - hits > n[FREE] + n[CACHED] - idle:
        return -1
    for j in range(start, start + hits):
        _use(s, q.block_id[j])
        w.held[j] = 1
    take(s, blocks - hits)
    return hits


def forget(s: State, k: int) -> None:
    """Free what is left of the blocks of a preempted request.

    Parameters
    ----------
    s : State
        The replica.
    k : int
        Slot of the request. [1]

    Returns
    -------
    None
        The state changes.

    Examples
    --------
    >>> from dayrate.serving.simulator.examples import opened
    >>> _, _, s = opened()
    >>> keep(s, 0, 5)
    >>> forget(s, 0)
    >>> s.n[FREE], s.n[CACHED]
    (1000, 0)

    References
    ----------
    .. [1] W. Kwon et al., "PagedAttention", SOSP 2023, arXiv:2309.06180.
    """
    if s.shared[k] == 0:
        return
    s.n[CACHED] -= s.shared[k]
    s.n[FREE] += s.shared[k]
    s.shared[k] = 0
    remove(s, k, REMAINS, LAST_REMAINS)


def take(s: State, blocks: int) -> None:
    """Take free blocks; where there are too few, evict the least recently used.

    Parameters
    ----------
    s : State
        The replica.
    blocks : int
        Blocks to take; there must be as many. [1]

    Returns
    -------
    None
        The state changes.

    Examples
    --------
    >>> from dayrate.serving.simulator.examples import opened
    >>> _, _, s = opened()
    >>> keep(s, 0, 5)
    >>> take(s, 3)
    >>> s.n[FREE], s.n[CACHED]
    (995, 2)

    References
    ----------
    .. [1] W. Kwon et al., "PagedAttention", SOSP 2023, arXiv:2309.06180.
    """
    n = s.n
    if n[SHARING]:
        while n[FREE] < blocks:
            oldest = n[OLDEST]
            _unlink(s, oldest)
            s.users[oldest] = -1
            n[CACHED] -= 1
            n[FREE] += 1
    elif n[CACHED] > 0:
        rest = blocks
        while rest > 0 and n[REMAINS] >= 0:
            rest -= _evict(s, rest)
    n[FREE] -= blocks


def _evict(s: State, blocks: int) -> int:
    """Free some of what the first preempted request left, and count it.

    There is no free block when one is preempted, so all that are free now have become
    so later and are younger.
    """
    n = s.n
    k = n[REMAINS]
    freed = min(blocks, s.shared[k])
    if freed == s.shared[k]:
        forget(s, k)
        return freed
    s.shared[k] -= freed
    n[CACHED] -= freed
    n[FREE] += freed
    return freed


def keep(s: State, k: int, blocks: int) -> None:
    """Leave the full blocks of a preempted request cached until others need them.

    Parameters
    ----------
    s : State
        The replica.
    k : int
        Slot of the request. [1]
    blocks : int
        Its full blocks, which are free now. [1]

    Returns
    -------
    None
        The state changes.

    Examples
    --------
    >>> from dayrate.serving.simulator.examples import opened
    >>> _, _, s = opened()
    >>> keep(s, 0, 5)
    >>> s.n[FREE], s.n[CACHED]
    (995, 5)

    References
    ----------
    .. [1] W. Kwon et al., "PagedAttention", SOSP 2023, arXiv:2309.06180.
    """
    n = s.n
    if blocks == 0:
        return
    s.shared[k] = blocks
    n[FREE] -= blocks
    n[CACHED] += blocks
    append(s, k, REMAINS, LAST_REMAINS)


def append(s: State, k: int, first: int, last: int) -> None:
    """Put a slot last in a list.

    Parameters
    ----------
    s : State
        The replica.
    k : int
        The slot. [1]
    first, last : int
        Places of the list's ends. [1]

    Returns
    -------
    None
        The state changes.

    Examples
    --------
    >>> from dayrate.serving.simulator.examples import opened
    >>> _, _, s = opened()
    >>> for k in (0, 1):
    ...     append(s, k, FIRST_IN, LAST_IN)
    >>> s.n[FIRST_IN], s.later[0], s.n[LAST_IN]
    (0, 1, 1)

    References
    ----------
    .. [1] D. E. Knuth, "The Art of Computer Programming", vol. 1, 2.2.5.
    """
    before = s.n[last]
    s.sooner[k] = before
    s.later[k] = -1
    s.n[last] = k
    if before < 0:
        s.n[first] = k
    else:
        s.later[before] = k


def remove(s: State, k: int, first: int, last: int) -> None:
    """Take a slot out of a list.

    Parameters
    ----------
    s : State
        The replica.
    k : int
        The slot. [1]
    first, last : int
        Places of the list's ends. [1]

    Returns
    -------
    None
        The state changes.

    Examples
    --------
    >>> from dayrate.serving.simulator.examples import opened
    >>> _, _, s = opened()
    >>> for k in (0, 1):
    ...     append(s, k, FIRST_IN, LAST_IN)
    >>> remove(s, 0, FIRST_IN, LAST_IN)
    >>> s.n[FIRST_IN], s.n[LAST_IN]
    (1, 1)

    References
    ----------
    .. [1] D. E. Knuth, "The Art of Computer Programming", vol. 1, 2.2.5.
    """
    before, after = s.sooner[k], s.later[k]
    if before < 0:
        s.n[first] = after
    else:
        s.later[before] = after
    if after < 0:
        s.n[last] = before
    else:
        s.sooner[after] = before


def publish(q: Requests, w: Fate, s: State, k: int) -> None:
    """Let others share the blocks of a prompt that has been computed.

    Parameters
    ----------
    q, w, s : Requests, Fate, State
        The requests, their fate, the replica.
    k : int
        Slot of the request. [1]

    Returns
    -------
    None
        The state changes.

    Examples
    --------
    >>> from dayrate.serving.simulator.examples import TURNS, opened
    >>> q, w, s = opened(TURNS)
    >>> publish(q, w, s, 0)
    >>> s.shared[0], cached_blocks(q, s, 1)
    (6, 6)

    References
    ----------
    .. [1] W. Kwon et al., "PagedAttention", SOSP 2023, arXiv:2309.06180.
    """
    i = s.request[k]
    for j in range(q.block_start[i], q.block_answer[i]):
        block = q.block_id[j]
        if s.users[block] < 0:
            s.users[block] = 1
            w.held[j] = 1
            s.shared[k] += 1


def release(q: Requests, w: Fate, s: State, k: int, tokens: int) -> None:
    """Give the blocks of a running request back; shared ones stay cached.

    So do those that its answer has filled, once it is done, for prompts that go on from
    there.

    Parameters
    ----------
    q, w, s : Requests, Fate, State
        The requests, their fate, the replica.
    k : int
        Slot of the request. [1]
    tokens : int
        Tokens that it has stored. [token]

    Returns
    -------
    None
        The state changes.

    Examples
    --------
    >>> from dayrate.serving.simulator.examples import opened
    >>> q, w, s = opened(until_s=0.005)  # one runs, in the first slot
    >>> before = s.n[FREE]
    >>> release(q, w, s, 0, 101)
    >>> before, s.n[FREE], s.n[N_RUNNING]
    (993, 1000, 0)

    References
    ----------
    .. [1] W. Kwon et al., "PagedAttention", SOSP 2023, arXiv:2309.06180.
    .. [2] vLLM, "Automatic Prefix Caching" (full blocks are hashed as they fill, with
       generated tokens too; of a request's, the last is freed first; checked
       2026-11-22).
    """
    n = s.n
    n[FREE] -= -(tokens + n[LOOKAHEAD]) // n[BLOCK]
    n[N_RUNNING] -= 1
    remove(s, k, FIRST_IN, LAST_IN)
    if n[SHARING]:
        n[FREE] -= s.shared[k]
        i = s.request[k]
        # oldest is what comes last: without what is before, it is of no use
        if w.status[i] == DONE:
            for j in range(q.block_start[i + 1] - 1, q.block_answer[i] - 1, -1):
                if s.users[q.block_id[j]] < 0:
                    s.users[q.block_id[j]] = 1
                    n[FREE] -= 1
                    _unuse(s, q.block_id[j])
        for j in range(q.block_answer[i] - 1, q.block_start[i] - 1, -1):
            if w.held[j]:
                _unuse(s, q.block_id[j])
                w.held[j] = 0
        s.shared[k] = 0


def _use(s: State, block: int) -> None:
    """Pin a cached block: it leaves the list of those that may be evicted."""
    if s.users[block] == 0:
        _unlink(s, block)
        s.n[CACHED] -= 1
    s.users[block] += 1


def _unlink(s: State, block: int) -> None:
    n = s.n
    before, after = s.older[block], s.newer[block]
    if before < 0:
        n[OLDEST] = after
    else:
        s.newer[before] = after
    if after < 0:
        n[NEWEST] = before
    else:
        s.older[after] = before


def _unuse(s: State, block: int) -> None:
    n = s.n
    s.users[block] -= 1
    if s.users[block] == 0:
        s.older[block] = n[NEWEST]
        s.newer[block] = -1
        if n[NEWEST] >= 0:
            s.newer[n[NEWEST]] = block
        else:
            n[OLDEST] = block
        n[NEWEST] = block
        n[CACHED] += 1
