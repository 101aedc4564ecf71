"""Who is to come to a replica, and when.

Where all arrivals are known, each request says which follows it. Where a request comes
only after another has ended, its arrival is not known before: those that are known wait
in a heap, and follow each other as they come.
"""

from dayrate.serving.simulator.heap import pop, push
from dayrate.serving.simulator.state import CLOSED, COMING, LAST, NEXT, Requests, State

__all__ = ["come", "come_after", "send"]


def send(q: Requests, s: State, i: int) -> None:
    """Let a request come to a replica, at its arrival.

    Parameters
    ----------
    q, s : Requests, State
        The requests, the replica.
    i : int
        Position of the request; where arrivals are all known, after those sent. [1]

    Returns
    -------
    None
        The replica knows of it.

    Examples
    --------
    >>> from dayrate.serving.simulator.examples import TURNS, opened
    >>> q, _, s = opened(TURNS)
    >>> q.arrival_s[1] = 0.5
    >>> send(q, s, 1)
    >>> s.n[NEXT], s.n[COMING]
    (0, 2)

    References
    ----------
    .. [1] A. M. Law, "Simulation Modeling and Analysis", 5th ed., 2015 (event lists).
    """
    n = s.n
    if n[CLOSED]:
        push(s.coming, q.arrival_s, n[COMING], i)
        n[COMING] += 1
        n[NEXT] = s.coming[0]
        return
    if n[LAST] >= 0:  # who waits is found by who came before
        q.follows[n[LAST]] = i
    if n[NEXT] < 0:
        n[NEXT] = i
    n[LAST] = i


def come_after(q: Requests, s: State, i: int, when_s: float) -> None:
    """Let the request that waits for the end of another come, a while after it.

    Parameters
    ----------
    q, s : Requests, State
        The requests, the replica.
    i : int
        Position of the request that has ended. [1]
    when_s : float
        When. [s]

    Returns
    -------
    None
        The arrival is known, and the replica knows of it.

    Examples
    --------
    A second request that comes 0.2 s after the end of the first:

    >>> from dayrate.serving.simulator.examples import TALK
    >>> TALK.arrival_s.round(2).tolist(), TALK.done_s.round(2).tolist()
    ([0.0, 0.4], [0.2, 0.43])

    References
    ----------
    .. [1] B. Schroeder, A. Wierman, M. Harchol-Balter, "Open Versus Closed: A
       Cautionary Tale", NSDI 2006.
    """
    j = q.then[i]
    if j >= 0:
        q.arrival_s[j] = when_s + q.think_s[j]
        send(q, s, j)


def come(q: Requests, s: State) -> None:
    """Take the next to come out of the heap.

    Parameters
    ----------
    q, s : Requests, State
        The requests, the replica.

    Returns
    -------
    None
        The replica knows who is next.

    Examples
    --------
    >>> from dayrate.serving.simulator.examples import TURNS, opened
    >>> q, _, s = opened(TURNS)
    >>> come(q, s)
    >>> s.n[NEXT], s.n[COMING]
    (-1, 0)

    References
    ----------
    .. [1] A. M. Law, "Simulation Modeling and Analysis", 5th ed., 2015 (event lists).
    """
    n = s.n
    n[COMING] -= 1
    pop(s.coming, q.arrival_s, n[COMING])
    n[NEXT] = s.coming[0] if n[COMING] > 0 else -1
