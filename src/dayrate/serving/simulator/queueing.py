"""Who waits for a replica: first come first served, by rank, impatient, cancelled.

Requests that have not started wait where they arrived: from ``HEAD`` on, each follows
the last. Those preempted go before them, the last one first, as it was the first to
come. Where ranks count, both wait in one heap.
"""

from dayrate.serving.simulator.coming import come, come_after
from dayrate.serving.simulator.heap import pop, push
from dayrate.serving.simulator.memory import forget
from dayrate.serving.simulator.state import (
    AGAIN,
    BY_RANK,
    CANCELLED,
    CANCELLING,
    CANCELS,
    CLOSED,
    DROPPED,
    FRESH,
    HEAD,
    HEAPED,
    LAST,
    MAX_WAITING,
    N_WAITING,
    NEXT,
    NOW,
    REJECTED,
    SLOTS,
    SPARE,
    STRIDE,
    TIMED_OUT,
    TIMEOUT_S,
    WAITING,
    Fate,
    Requests,
    State,
)

__all__ = [
    "arrive",
    "expire",
    "leave_queue",
    "return_to_queue",
    "take_slot",
]


def arrive(q: Requests, w: Fate, s: State) -> None:
    """Queue what has arrived, or turn it away.

    Parameters
    ----------
    q, w, s : Requests, Fate, State
        The requests, their fate, the replica.

    Returns
    -------
    None
        The queue changes.

    Examples
    --------
    >>> from dayrate.serving.simulator.examples import opened
    >>> q, w, s = opened()
    >>> arrive(q, w, s)
    >>> s.n[N_WAITING]
    1

    References
    ----------
    .. [1] W. Kwon et al., "PagedAttention", SOSP 2023, arXiv:2309.06180.
    """
    n, now_s = s.n, s.x[NOW]
    i, closed = n[NEXT], n[CLOSED]
    while i >= 0 and (
        q.arrival_s[i] <= now_s or (w.status[i] != WAITING and not closed)
    ):
        taken = w.status[i] == WAITING
        if closed:
            come(q, s)
            if not taken:
                come_after(q, s, i, q.arrival_s[i])
        if taken and n[N_WAITING] >= n[MAX_WAITING]:
            taken = not _turn_away(q, w, s, i)
        if taken:
            n[N_WAITING] += 1
            if n[BY_RANK]:
                push(s.heap, q.rank, n[HEAPED], i)
                n[HEAPED] += 1
            else:
                if n[FRESH] == 0:
                    n[HEAD] = i
                elif closed:
                    q.follows[n[LAST]] = i
                if closed:
                    n[LAST] = i
                n[FRESH] += 1
            if n[CANCELLING]:
                push(s.cancels, q.cancel_s, n[CANCELS], i)
                n[CANCELS] += 1
        i = n[NEXT] if closed else _following(q, s, i)
    n[NEXT] = i


def _following(q: Requests, s: State, i: int) -> int:
    """Find the next request of the same replica, -1 where there is none."""
    if s.n[STRIDE] == 0:
        return q.follows[i]
    i += s.n[STRIDE]
    return i if i < len(q.arrival_s) else -1


def _turn_away(q: Requests, w: Fate, s: State, i: int) -> bool:
    """Say whether the queue is full for one that comes, and count it."""
    expire(q, w, s, q.arrival_s[i])
    full = s.n[N_WAITING] >= s.n[MAX_WAITING]
    if full:
        w.status[i] = REJECTED
        s.n[DROPPED] += 1
        if s.n[CLOSED]:
            come_after(q, s, i, q.arrival_s[i])
    return full


def expire(q: Requests, w: Fate, s: State, when_s: float) -> None:
    """Drop the first in line that have waited too long; what ran already stays.

    Parameters
    ----------
    q, w, s : Requests, Fate, State
        The requests, their fate, the replica.
    when_s : float
        The time. [s]

    Returns
    -------
    None
        The queue changes.

    Examples
    --------
    >>> from dayrate.serving.simulator.examples import opened
    >>> q, w, s = opened()
    >>> s.x[TIMEOUT_S] = 5.0
    >>> arrive(q, w, s)
    >>> expire(q, w, s, 6.0)
    >>> w.status[0] == TIMED_OUT, s.n[N_WAITING]
    (True, 0)

    References
    ----------
    .. [1] L. Kleinrock, "Queueing Systems", vol. 1, 1975 (impatient customers).
    """
    n = s.n
    while n[N_WAITING] > 0 and n[AGAIN] < 0:
        i = s.heap[0] if n[BY_RANK] else n[HEAD]
        started = n[BY_RANK] and w.slot[i] >= 0
        if started or when_s - q.arrival_s[i] <= s.x[TIMEOUT_S]:
            return
        leave_queue(q, w, s)
        w.status[i] = TIMED_OUT
        n[DROPPED] += 1
        if n[CLOSED]:
            come_after(q, s, i, q.arrival_s[i] + s.x[TIMEOUT_S])


def leave_queue(q: Requests, w: Fate, s: State) -> None:
    """Take the first in line out of the queue.

    Parameters
    ----------
    q, w, s : Requests, Fate, State
        The requests, their fate, the replica.

    Returns
    -------
    None
        The queue changes.

    Examples
    --------
    >>> from dayrate.serving.simulator.examples import opened
    >>> q, w, s = opened()
    >>> arrive(q, w, s)
    >>> leave_queue(q, w, s)
    >>> s.n[N_WAITING]
    0

    References
    ----------
    .. [1] W. Kwon et al., "PagedAttention", SOSP 2023, arXiv:2309.06180.
    """
    n = s.n
    n[N_WAITING] -= 1
    if n[BY_RANK]:
        n[HEAPED] -= 1
        pop(s.heap, q.rank, n[HEAPED])
    elif n[AGAIN] >= 0:
        n[AGAIN] = s.chain[n[AGAIN]]
    else:
        _next_fresh(q, w, s)
    if n[CANCELLING]:
        _skip_cancelled(q, w, s)


def _next_fresh(q: Requests, w: Fate, s: State) -> None:
    n = s.n
    n[FRESH] -= 1
    if n[FRESH] > 0:
        i = n[HEAD] + n[STRIDE] if n[STRIDE] else q.follows[n[HEAD]]
        while w.status[i] != WAITING:
            i = i + n[STRIDE] if n[STRIDE] else q.follows[i]
        n[HEAD] = i


def _skip_cancelled(q: Requests, w: Fate, s: State) -> None:
    """Remove those from the head of the line that were cancelled while they waited."""
    n = s.n
    while n[HEAPED] > 0 and w.status[s.heap[0]] == CANCELLED:
        n[HEAPED] -= 1
        pop(s.heap, q.rank, n[HEAPED])
    while n[AGAIN] >= 0 and w.status[s.request[n[AGAIN]]] == CANCELLED:
        k = n[AGAIN]
        n[AGAIN] = s.chain[k]
        give_slot(s, k)


def return_to_queue(q: Requests, w: Fate, s: State, k: int) -> None:
    """Put a preempted request back: first in line, or to its rank.

    Parameters
    ----------
    q, w, s : Requests, Fate, State
        The requests, their fate, the replica.
    k : int
        Its slot, which it keeps. [1]

    Returns
    -------
    None
        The queue changes.

    Examples
    --------
    >>> from dayrate.serving.simulator.examples import opened
    >>> q, w, s = opened(until_s=0.005)  # one runs, in the first slot
    >>> return_to_queue(q, w, s, 0)
    >>> w.preempted[0], s.n[AGAIN], s.n[N_WAITING]
    (1, 0, 1)

    References
    ----------
    .. [1] W. Kwon et al., "PagedAttention", SOSP 2023, arXiv:2309.06180.
    """
    n, i = s.n, s.request[k]
    w.status[i] = WAITING
    w.preempted[i] += 1
    n[N_WAITING] += 1
    if n[BY_RANK]:
        push(s.heap, q.rank, n[HEAPED], i)
        n[HEAPED] += 1
    else:
        s.chain[k] = n[AGAIN]
        n[AGAIN] = k


def cancel_waiting(q: Requests, w: Fate, s: State, i: int) -> None:
    """Cancel a request that waits, and let go what is left of its blocks.

    Parameters
    ----------
    q, w, s : Requests, Fate, State
        The requests, their fate, the replica.
    i : int
        Position of the request. [1]

    Returns
    -------
    None
        The queue changes.

    Examples
    --------
    >>> from dayrate.serving.simulator.examples import LEAVING, opened
    >>> q, w, s = opened(LEAVING)
    >>> arrive(q, w, s)
    >>> cancel_waiting(q, w, s, 0)
    >>> w.status[0] == CANCELLED, s.n[N_WAITING]
    (True, 0)

    References
    ----------
    .. [1] W. Kwon et al., "PagedAttention", SOSP 2023, arXiv:2309.06180.
    """
    n, k = s.n, w.slot[i]
    w.status[i] = CANCELLED
    n[N_WAITING] -= 1
    if k >= 0:
        forget(s, k)
        if n[BY_RANK]:
            give_slot(s, k)
    elif not n[BY_RANK]:
        if i == n[HEAD]:
            _next_fresh(q, w, s)
        else:
            n[FRESH] -= 1
    _skip_cancelled(q, w, s)


def next_cancelled(q: Requests, s: State) -> int:
    """Take the request whose time of cancellation has come; -1 where none has.

    Parameters
    ----------
    q, s : Requests, State
        The requests, the replica.

    Returns
    -------
    int
        Position of the request, which may have ended before. [1]

    Examples
    --------
    >>> from dayrate.serving.simulator.examples import LEAVING, opened
    >>> q, w, s = opened(LEAVING)
    >>> arrive(q, w, s)
    >>> next_cancelled(q, s), next_cancelled(q, s)
    (0, -1)

    References
    ----------
    .. [1] J. W. J. Williams, "Algorithm 232: Heapsort", CACM 7(6), 1964.
    """
    n = s.n
    if n[CANCELS] == 0 or q.cancel_s[s.cancels[0]] > s.x[NOW]:
        return -1
    i = s.cancels[0]
    n[CANCELS] -= 1
    pop(s.cancels, q.cancel_s, n[CANCELS])
    return i


def take_slot(w: Fate, s: State, i: int) -> int:
    """Give a request that starts a slot.

    Parameters
    ----------
    w, s : Fate, State
        The requests' fate, the replica.
    i : int
        Position of the request. [1]

    Returns
    -------
    int
        The slot. [1]

    Examples
    --------
    >>> from dayrate.serving.simulator.examples import opened
    >>> _, w, s = opened()
    >>> take_slot(w, s, 1), take_slot(w, s, 0), s.request[:2]
    (0, 1, [1, 0])

    References
    ----------
    .. [1] D. E. Knuth, "The Art of Computer Programming", vol. 1, 2.2.3 (free lists).
    """
    n = s.n
    k = n[SPARE]
    if k >= 0:
        n[SPARE] = s.chain[k]
    else:
        k = n[SLOTS]
        n[SLOTS] = k + 1
    s.request[k] = i
    s.shared[k] = 0
    if n[BY_RANK] or n[CANCELLING]:
        w.slot[i] = k
    return k


def give_slot(s: State, k: int) -> None:
    """Take a slot back.

    Parameters
    ----------
    s : State
        The replica.
    k : int
        The slot. [1]

    Returns
    -------
    None
        The state changes.

    Examples
    --------
    >>> from dayrate.serving.simulator.examples import opened
    >>> _, w, s = opened()
    >>> give_slot(s, take_slot(w, s, 1))
    >>> take_slot(w, s, 0)
    0

    References
    ----------
    .. [1] D. E. Knuth, "The Art of Computer Programming", vol. 1, 2.2.3 (free lists).
    """
    s.chain[k] = s.n[SPARE]
    s.n[SPARE] = k
