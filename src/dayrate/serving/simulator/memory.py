"""Blocks of the KV cache: free, used, or kept for those who ask for the same prefix.

Every block is in one of three places. Used blocks belong to running requests, cached
ones hold a prefix that nobody uses now, oldest first, and go when others need room.
"""

import math

from dayrate.serving.simulator.state import (
    BLOCK,
    CACHED,
    COMPUTED,
    FREE,
    LAST_REMAINS,
    N_RUNNING,
    NEWEST,
    OLDEST,
    REMAINS,
    SHARING,
    Requests,
    State,
    Work,
)

__all__ = ["attach", "cached_blocks", "keep", "publish", "release", "take"]


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
    >>> from dayrate.serving.simulator.examples import ONE_BY_ONE
    >>> ONE_BY_ONE.hit_tokens.tolist()
    [0, 0]

    References
    ----------
    .. [1] R. Qin et al., "Mooncake", FAST 2025, arXiv:2407.00079.
    """
    start = q.block_start[i]
    j = start
    while j < q.block_start[i + 1] and s.users[q.block_id[j]] >= 0:
        j += 1
    return j - start


def attach(q: Requests, w: Work, s: State, i: int, blocks: int) -> bool:
    """Give a request its blocks: those still cached, and new ones for the rest.

    Parameters
    ----------
    q, w, s : Requests, Work, State
        The requests, their fate, the replica.
    i : int
        Position of the request. [1]
    blocks : int
        Blocks of all tokens to compute. [1]

    Returns
    -------
    bool
        Whether there were enough.

    Examples
    --------
    >>> from dayrate.serving.simulator.examples import ONE_BY_ONE
    >>> ONE_BY_ONE.hit_tokens.tolist()
    [0, 0]

    References
    ----------
    .. [1] W. Kwon et al., "PagedAttention", SOSP 2023, arXiv:2309.06180.
    """
    n = s.n
    if n[SHARING]:
        hits = _share(q, w, s, i, blocks)
    elif blocks > n[FREE] + n[CACHED]:
        hits = -1
    elif w.shared[i] > 0:
        hits = _recover(w, s, i)
    else:
        hits = 0
    if hits < 0:
        return False
    take(w, s, blocks - hits)
    tokens = min(hits * n[BLOCK], w.need[i] - 1)  # the last is always computed
    if math.isnan(w.start_s[i]):
        tokens = max(tokens, min(q.cached_tokens[i], w.need[i] - 1))
        w.hit_tokens[i] = tokens
    n[COMPUTED] = tokens
    return True


def _share(q: Requests, w: Work, s: State, i: int, blocks: int) -> int:
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
    w.shared[i] = hits
    return hits


def _recover(w: Work, s: State, i: int) -> int:
    """Give a preempted request back what is left of its blocks, and count it."""
    n = s.n
    hits = w.shared[i]
    w.shared[i] = 0
    n[CACHED] -= hits
    before, j = -1, n[REMAINS]
    while j != i:
        before, j = j, w.chain[j]
    if before < 0:
        n[REMAINS] = w.chain[i]
    else:
        w.chain[before] = w.chain[i]
    if n[LAST_REMAINS] == i:
        n[LAST_REMAINS] = before
    return hits


def take(w: Work, s: State, blocks: int) -> None:
    """Take free blocks; where there are too few, evict the least recently used.

    Parameters
    ----------
    w, s : Work, State
        The requests' fate, the replica.
    blocks : int
        Blocks to take; there must be as many. [1]

    Returns
    -------
    None
        The state changes.

    Examples
    --------
    >>> from dayrate.serving.simulator.examples import ONE_BY_ONE
    >>> ONE_BY_ONE.preemptions.tolist()
    [0, 0]

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
    else:
        rest = blocks
        while rest > 0 and n[REMAINS] >= 0:
            rest -= _evict(w, s, rest)
    n[FREE] -= blocks


def _evict(w: Work, s: State, blocks: int) -> int:
    """Free some of what the first preempted request left, and count it.

    There is no free block when one is preempted, so all that are free now have become
    so later and are younger.
    """
    n = s.n
    i = n[REMAINS]
    freed = min(blocks, w.shared[i])
    w.shared[i] -= freed
    n[CACHED] -= freed
    n[FREE] += freed
    if w.shared[i] == 0:
        n[REMAINS] = w.chain[i]
        if n[REMAINS] < 0:
            n[LAST_REMAINS] = -1
    return freed


def keep(w: Work, s: State, i: int, blocks: int) -> None:
    """Leave the full blocks of a preempted request cached until others need them.

    Parameters
    ----------
    w, s : Work, State
        The requests' fate, the replica.
    i : int
        Position of the request. [1]
    blocks : int
        Its full blocks, which are free now. [1]

    Returns
    -------
    None
        The state changes.

    Examples
    --------
    >>> from dayrate.serving.simulator.examples import ONE_BY_ONE
    >>> ONE_BY_ONE.preemptions.tolist()
    [0, 0]

    References
    ----------
    .. [1] W. Kwon et al., "PagedAttention", SOSP 2023, arXiv:2309.06180.
    """
    n = s.n
    if blocks == 0:
        return
    w.shared[i] = blocks
    w.chain[i] = -1
    n[FREE] -= blocks
    n[CACHED] += blocks
    if n[REMAINS] < 0:
        n[REMAINS] = i
    else:
        w.chain[n[LAST_REMAINS]] = i
    n[LAST_REMAINS] = i


def publish(q: Requests, w: Work, s: State, i: int) -> None:
    """Let others share the blocks of a prompt that has been computed.

    Parameters
    ----------
    q, w, s : Requests, Work, State
        The requests, their fate, the replica.
    i : int
        Position of the request. [1]

    Returns
    -------
    None
        The state changes.

    Examples
    --------
    >>> from dayrate.serving.simulator.examples import ONE_BY_ONE
    >>> ONE_BY_ONE.hit_tokens.tolist()
    [0, 0]

    References
    ----------
    .. [1] W. Kwon et al., "PagedAttention", SOSP 2023, arXiv:2309.06180.
    """
    for j in range(q.block_start[i], q.block_start[i + 1]):
        block = q.block_id[j]
        if s.users[block] < 0:
            s.users[block] = 1
            w.held[j] = 1
            w.shared[i] += 1


def release(q: Requests, w: Work, s: State, i: int, tokens: int) -> None:
    """Give the blocks of a request back; shared ones stay cached.

    Parameters
    ----------
    q, w, s : Requests, Work, State
        The requests, their fate, the replica.
    i : int
        Position of the request. [1]
    tokens : int
        Tokens that it has stored. [token]

    Returns
    -------
    None
        The state changes.

    Examples
    --------
    >>> from dayrate.serving.simulator.examples import ONE_BY_ONE
    >>> ONE_BY_ONE.preemptions.tolist()
    [0, 0]

    References
    ----------
    .. [1] W. Kwon et al., "PagedAttention", SOSP 2023, arXiv:2309.06180.
    """
    n = s.n
    n[FREE] += (tokens + n[BLOCK] - 1) // n[BLOCK] - w.shared[i]
    n[N_RUNNING] -= 1
    if n[SHARING]:
        for j in range(q.block_start[i], q.block_start[i + 1]):
            if w.held[j]:
                _unuse(s, q.block_id[j])
                w.held[j] = 0
        w.shared[i] = 0


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
