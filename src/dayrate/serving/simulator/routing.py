"""Which replica serves a request."""

from dayrate.serving.simulator.core import advance
from dayrate.serving.simulator.memory import cached_blocks
from dayrate.serving.simulator.state import (
    BY_PREFIX,
    LAST,
    N_RUNNING,
    N_WAITING,
    NEXT,
    UNBALANCED,
    UNBALANCED_TIMES,
    Law,
    Requests,
    State,
    Work,
)

__all__ = ["route"]


def route(
    q: Requests, law: Law, w: Work, states: tuple[State, ...], replica: list[int]
) -> None:
    """Send each request, when it arrives, to the replica that suits it.

    Parameters
    ----------
    q, law, w : Requests, Law, Work
        Sequences; ``q.follows`` is written.
    states : tuple of State
        The replicas.
    replica : list of int
        By request: -1 to be sent, -2 to be left out; then who took it. [1]

    Returns
    -------
    None
        The replicas are as they were when the last request arrived.

    Examples
    --------
    >>> from dayrate.serving.simulator.examples import ONE_BY_ONE
    >>> ONE_BY_ONE.replica.tolist()
    [0, 0]

    References
    ----------
    .. [1] L. Zheng et al., "SGLang", NeurIPS 2024, arXiv:2312.07104 (cache-aware
       routing within a bound on imbalance).
    """
    for i in range(len(replica)):
        if replica[i] == -1:
            for s in states:
                advance(q, law, w, s, q.arrival_s[i])
            chosen = _choose(q, states, i)
            n = states[chosen].n
            if n[NEXT] < 0:
                n[NEXT] = i
            else:
                q.follows[n[LAST]] = i
            n[LAST] = i
            replica[i] = chosen


def _choose(q: Requests, states: tuple[State, ...], i: int) -> int:
    """Longest cached prefix among those not overloaded, then least loaded, first."""
    least = _load(states[0])
    for s in states:
        least = min(least, _load(s))
    best, best_hits, best_load = 0, -1, 0
    for r in range(len(states)):
        s = states[r]
        load, hits = _load(s), 0
        if s.n[BY_PREFIX]:
            over = load - least > UNBALANCED and load > UNBALANCED_TIMES * least
            hits = -1 if over else cached_blocks(q, s, i)
        if hits > best_hits or (hits == best_hits and load < best_load):
            best, best_hits, best_load = r, hits, load
    return best


def _load(s: State) -> int:
    """Count the requests sent to a replica that are not done. [1]"""
    return s.n[N_WAITING] + s.n[N_RUNNING] + (s.n[NEXT] >= 0)
