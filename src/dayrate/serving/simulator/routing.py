"""Which replica serves a request."""

from typing import Any

from dayrate.serving.simulator.coming import send
from dayrate.serving.simulator.core import advance
from dayrate.serving.simulator.memory import cached_blocks
from dayrate.serving.simulator.state import (
    BY_PREFIX,
    N_RUNNING,
    N_WAITING,
    NEXT,
    SHARING,
    UNBALANCED,
    UNBALANCED_TIMES,
    Fate,
    Ints,
    Law,
    Requests,
    State,
)

__all__ = ["route"]


def route(  # noqa: PLR0917
    q: Requests, law: Law, w: Fate, states: Any, count: int, replica: Ints
) -> None:
    """Send each request, when it arrives, to the replica that suits it.

    Parameters
    ----------
    q, law, w : Requests, Law, Fate
        Sequences; ``q.follows`` is written.
    states : list of State, or State of arrays with a row each
        The replicas.
    count : int
        How many they are. [1]
    replica : list of int
        By request: 0 to be sent, -1 to be left out; then who took it. [1]

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
        if replica[i] < 0:
            continue
        for r in range(count):
            advance(q, law, w, _replica_at(states, r), q.arrival_s[i])
        chosen = _choose(q, states, i, count)
        send(q, _replica_at(states, chosen), i)
        replica[i] = chosen


def _choose(q: Requests, states: Any, i: int, count: int) -> int:
    """Longest cached prefix among those not overloaded, then least loaded, first."""
    least = _load(q, _replica_at(states, 0), i)
    for r in range(1, count):
        least = min(least, _load(q, _replica_at(states, r), i))
    best, best_hits, best_load = 0, -1, 0
    for r in range(count):
        s = _replica_at(states, r)
        load, hits = _load(q, s, i), 0
        if s.n[BY_PREFIX] and s.n[SHARING]:
            over = load - least > UNBALANCED and load > UNBALANCED_TIMES * least
            hits = -1 if over else cached_blocks(q, s, i)
        if hits > best_hits or (hits == best_hits and load < best_load):
            best, best_hits, best_load = r, hits, load
    return best


def _load(q: Requests, s: State, i: int) -> int:
    """Count the requests sent to a replica, not after ``i``, that are not done. [1]"""
    j = s.n[NEXT]
    return (
        s.n[N_WAITING] + s.n[N_RUNNING] + (j >= 0 and q.arrival_s[j] <= q.arrival_s[i])
    )


def _replica_at(states: Any, r: int) -> State:
    """Pick a replica: of a list here, of arrays with one row each where compiled."""
    return states[r]
