"""How many steps may be taken at once, and time passing over them."""

import math

from dayrate.serving.simulator.memory import take
from dayrate.serving.simulator.state import (
    AGAIN,
    BLOCK,
    BUSY_S,
    BY_RANK,
    CACHED,
    CANCELLING,
    CANCELS,
    CLOCK,
    FREE,
    HEAD,
    ITERATIONS,
    N_DECODING,
    N_RUNNING,
    N_WAITING,
    NEXT,
    NEXT_END,
    NOW,
    PACE,
    PACE_BITS,
    PREEMPTED,
    ROWS,
    SAMPLE,
    SAMPLE_AT,
    SAMPLE_S,
    STEP,
    TIMEOUT_S,
    TOTAL,
    Requests,
    State,
)

__all__ = ["blocks_between", "clock_after", "pass_time", "sample", "steps_at_once"]


def steps_at_once(  # noqa: PLR0917
    q: Requests,
    s: State,
    first_s: float,
    slower_s: float,
    room: float,
    until_s: float,
) -> int:
    """Count the steps until something may change, and take the blocks for them.

    Parameters
    ----------
    q, s : Requests, State
        The requests, the replica.
    first_s, slower_s : float
        Time of the first step, and what each further one takes more. [s]
    room : float
        Steps for which that is so. [1]
    until_s : float
        No step starts from then on. [s]

    Returns
    -------
    int
        At least 1. [1]

    Examples
    --------
    >>> from dayrate.serving.simulator.examples import opened
    >>> q, _, s = opened(until_s=0.005)  # one of three tokens is there
    >>> steps_at_once(q, s, 0.01, 0.0, math.inf, math.inf)
    2

    References
    ----------
    .. [1] A. M. Law, "Simulation Modeling and Analysis", 5th ed., 2015 (next-event
       time advance).
    """
    # who waits may start when another has lost its blocks
    steps = 1 if s.n[PREEMPTED] else _steps_to_end(s)
    if steps > room:
        steps = int(room) + 1
    if steps > 1:
        rest_s = _next_event_s(q, s, until_s) - s.x[NOW]
        if steps * first_s + slower_s * (0.5 * steps * (steps - 1)) > rest_s:
            steps = _steps_until(first_s, slower_s, rest_s, steps)
    if steps > 1:
        steps = _steps_with_room(s, steps)
    return steps


def clock_after(s: State, steps: int) -> int:
    """Read the clock as it will be after so many steps.

    Parameters
    ----------
    s : State
        The replica.
    steps : int
        So many. [1]

    Returns
    -------
    int
        Tokens that each decoding sequence has got. [token]

    Examples
    --------
    >>> from dayrate.serving.simulator.examples import opened
    >>> _, _, s = opened(until_s=0.015)  # one step of decoding
    >>> clock_after(s, 3)
    4

    References
    ----------
    .. [1] A. M. Law, "Simulation Modeling and Analysis", 5th ed., 2015 (next-event
       time advance).
    """
    return ((s.n[STEP] + steps) * s.n[PACE]) >> PACE_BITS


def blocks_between(s: State, start: int, end: int) -> int:
    """Count the blocks that are taken while the clock goes from start to end.

    Parameters
    ----------
    s : State
        The replica.
    start, end : int
        Times of the clock. [token]

    Returns
    -------
    int
        Blocks. [1]

    Examples
    --------
    >>> from dayrate.serving.simulator.examples import opened
    >>> _, _, s = opened(until_s=0.005)  # one sequence decodes
    >>> blocks_between(s, 0, 16)
    1

    References
    ----------
    .. [1] A. M. Law, "Simulation Modeling and Analysis", 5th ed., 2015 (next-event
       time advance).
    """
    grows, size, blocks = s.grows, s.n[BLOCK], 0
    for at in range(start, end):
        blocks += grows[at % size]
    return blocks


def pass_time(s: State, seconds: float, steps: int) -> None:
    """Let time pass at work.

    Parameters
    ----------
    s : State
        The replica.
    seconds : float
        So long. [s]
    steps : int
        Steps taken. [1]

    Returns
    -------
    None
        The replica's time and counts change.

    Examples
    --------
    >>> from dayrate.serving.simulator.examples import opened
    >>> _, _, s = opened()
    >>> pass_time(s, 0.5, 3)
    >>> s.x[NOW], s.x[BUSY_S], s.n[ITERATIONS]
    (0.5, 0.5, 3)

    References
    ----------
    .. [1] A. M. Law, "Simulation Modeling and Analysis", 5th ed., 2015 (next-event
       time advance).
    """
    x = s.x
    after = x[NOW] + seconds
    if after > x[SAMPLE_AT]:
        sample(s, after)
    x[NOW] = after
    x[BUSY_S] += seconds
    s.n[ITERATIONS] += steps


def sample(s: State, until_s: float) -> None:
    """Write the state down at the regular times before ``until_s``.

    Where there is no room left, every second entry goes and times are twice as far.

    Parameters
    ----------
    s : State
        The replica.
    until_s : float
        Until then. [s]

    Returns
    -------
    None
        The samples change.

    Examples
    --------
    >>> from dayrate.serving.simulator.examples import opened
    >>> _, _, s = opened(samples=8)  # every quarter of a second
    >>> sample(s, 0.6)
    >>> s.n[SAMPLE]
    3

    References
    ----------
    .. [1] A. M. Law, "Simulation Modeling and Analysis", 5th ed., 2015 (next-event
       time advance).
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


def _next_event_s(q: Requests, s: State, until_s: float) -> float:
    """Find when something may change from outside."""
    n = s.n
    # who comes behind others changes nothing, unless it goes before them, or leaves
    if n[NEXT] >= 0 and (n[N_WAITING] == 0 or n[BY_RANK] or n[CANCELLING]):
        until_s = min(until_s, q.arrival_s[n[NEXT]])
    if n[CANCELS] > 0:
        until_s = min(until_s, q.cancel_s[s.cancels[0]])
    if n[N_WAITING] > 0 and s.x[TIMEOUT_S] < math.inf and n[AGAIN] < 0:
        head = s.heap[0] if n[BY_RANK] else n[HEAD]  # a smaller one may be behind
        until_s = min(until_s, q.arrival_s[head] + s.x[TIMEOUT_S])
    return until_s


def _steps_to_end(s: State) -> int:
    """Count the steps to the next end of a sequence."""
    n, mask = s.n, len(s.ends) - 1
    if n[NEXT_END] <= n[CLOCK]:
        at = n[CLOCK] + 1
        while s.ends[at & mask] < 0:
            at += 1
        n[NEXT_END] = at
    if n[ROWS] == 1:
        return n[NEXT_END] - n[STEP]
    return -((-n[NEXT_END] << PACE_BITS) // n[PACE]) - n[STEP]


def _steps_until(first_s: float, slower_s: float, rest_s: float, most: int) -> int:
    """Count the steps, each slower than the last, that begin within ``rest_s``."""
    if slower_s <= 0.0:
        return max(1, min(most, math.ceil(rest_s / first_s)))
    linear = first_s / slower_s - 0.5
    root = math.sqrt(linear * linear + 2.0 * max(rest_s, 0.0) / slower_s)
    return max(1, min(most, math.ceil(root - linear)))


def _steps_with_room(s: State, steps: int) -> int:
    """Limit steps to those that find blocks, and take these; the first has its own."""
    n = s.n
    if n[ROWS] == 1:
        start, ticks = n[STEP] + 1, steps - 1
    else:
        start = clock_after(s, 1)
        ticks = clock_after(s, steps) - start
    rounds, rest = ticks // n[BLOCK], ticks % n[BLOCK]
    spare, taken = n[FREE] + n[CACHED], rounds * n[N_DECODING]
    if taken + n[N_DECODING] <= spare:
        taken += blocks_between(s, start, start + rest)
    else:  # it may not be enough: go step by step
        taken, most, steps = 0, steps, 1
        while steps < most:
            more = blocks_between(s, start, clock_after(s, steps + 1))
            if taken + more > spare:
                break
            taken += more
            start = clock_after(s, steps + 1)
            steps += 1
    take(s, taken)
    return steps
