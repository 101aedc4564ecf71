"""What adds up over time: replicas held and serving, time at work, work, requests.

Each quantity is kept as its amount in each bin of time, so that any coarser sum of
bins gives the same total.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dayrate.serving.replica import Slo
from dayrate.serving.simulator import state as at
from dayrate.serving.simulator.fleet import FleetRun, Replicas
from dayrate.serving.simulator.outcome import Simulation

__all__ = [
    "Accrual",
    "accrual_of",
    "accrual_of_pools",
    "accrued",
    "busy_spans",
    "fixed_replicas",
]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True, slots=True)
class Accrual:
    """Amounts by bin of time; replica-seconds, but for the requests.

    Requests count in the bin of their arrival. ``work_s`` is the time that the work
    would take replicas at their capacity; more than those that serve can do counts
    as what they can.
    """

    edges_s: Floats  # one more than bins
    held_s: Floats
    serving_s: Floats
    busy_s: Floats
    work_s: Floats
    arrived: Floats
    done: Floats
    late: Floats  # done, and not within the targets
    dropped: Floats

    def summed(self, first: Ints) -> "Accrual":
        """Sum up the bins from each of ``first`` to the one before the next."""
        sums = [
            np.add.reduceat(getattr(self, name), first)
            for name in self.__slots__
            if name != "edges_s"
        ]
        return Accrual(np.append(self.edges_s[first], self.edges_s[-1]), *sums)


def accrued(begin_s: Floats, end_s: Floats, rate: Floats, edges_s: Floats) -> Floats:
    """Integrate rates that each hold from a begin to an end, over bins of time.

    Parameters
    ----------
    begin_s, end_s : ndarray
        When each rate holds. [s]
    rate : ndarray
        Amount per second.
    edges_s : ndarray
        Edges of the bins, one more than bins. [s]

    Returns
    -------
    ndarray
        Amount in each bin.

    Examples
    --------
    >>> one = np.array([1.0])
    >>> accrued(one, 3 * one, one, np.array([0.0, 2.0, 4.0])).tolist()
    [1.0, 1.0]

    References
    ----------
    .. [1] J. D. C. Little, "A Proof for the Queuing Formula: L = λW", 1961 (the time
       in a system, summed over requests or over time).
    """
    when = np.concatenate([begin_s, end_s])
    if len(when) == 0:
        return np.zeros(len(edges_s) - 1)
    order = np.argsort(when, kind="stable")
    when = when[order]
    level = np.cumsum(np.concatenate([rate, -rate])[order])
    area = np.concatenate([[0.0], np.cumsum(level[:-1] * np.diff(when))])
    return np.diff(np.interp(edges_s, when, area))


def busy_spans(run: Simulation, end_s: float) -> tuple[Floats, Floats, Ints]:
    """Find when each replica was at work: while any of its requests was.

    Parameters
    ----------
    run : Simulation
        By request.
    end_s : float
        Until when what is not done counts as running. [s]

    Returns
    -------
    tuple of ndarray
        Begin and end of each span [s], and whose it is [1].

    Examples
    --------
    >>> from dayrate.serving.simulator.examples import ONE_BY_ONE
    >>> begin, end, _ = busy_spans(ONE_BY_ONE, 2.0)
    >>> (end - begin).round(3).tolist()
    [0.03, 0.03]

    References
    ----------
    .. [1] A replica idles only when it has nobody to serve: `core`, work conservation.
    """
    ran = np.flatnonzero(np.isfinite(run.start_s) & (run.start_s < end_s))
    order = ran[np.lexsort((run.start_s[ran], run.replica[ran]))]
    begin, whose = run.start_s[order], run.replica[order]
    end = np.minimum(run.left_s(end_s)[order], end_s)
    for own in np.split(end, np.flatnonzero(np.diff(whose)) + 1):
        np.maximum.accumulate(own, out=own)  # a view: until when it has been busy
    starts = np.ones(len(order), dtype=bool)
    starts[1:] = (begin[1:] > end[:-1]) | (whose[1:] != whose[:-1])
    last = np.r_[starts[1:], True][: len(order)]
    return begin[starts], end[last], whose[starts]


def fixed_replicas(run: Simulation, count: int, end_s: float) -> FleetRun:
    """Say of a simulation on so many replicas that they served all the time.

    Parameters
    ----------
    run : Simulation
        On these replicas.
    count : int
        How many there are. [1]
    end_s : float
        How long they are held. [s]

    Returns
    -------
    FleetRun
        The same, as of a fleet.

    Examples
    --------
    >>> from dayrate.serving.simulator.examples import ONE_BY_ONE
    >>> fixed_replicas(ONE_BY_ONE, 1, 2.0).replicas.end_s.tolist()
    [2.0]

    References
    ----------
    .. [1] `fleet.simulate_fleet`.
    """
    zero, end = np.zeros(count), np.full(count, end_s)
    sent = np.where(run.status == at.TOO_LONG, np.nan, run.arrival_s)
    lives = Replicas(zero, zero, end, end)
    return FleetRun(run, lives, sent, np.arange(count), end_s)


def accrual_of(
    fleet: FleetRun,
    work_s: Floats,
    slo: Slo,
    edges_s: Floats,
    *,
    first: int = 0,
    last: int | None = None,
) -> Accrual:
    """Add up a run over time, or the part of it on some of the replicas.

    Parameters
    ----------
    fleet : FleetRun
        A run.
    work_s : ndarray
        Time that each request takes a replica at capacity. [s]
    slo : Slo
        Targets that a request meets or is late.
    edges_s : ndarray
        Edges of the bins. [s]
    first, last : int
        Replicas to count, by the order of their start; all without. [1]

    Returns
    -------
    Accrual
        By bin. Requests that reached no replica count where ``first`` is 0.

    Examples
    --------
    >>> from dayrate.serving.simulator.examples import ONE_BY_ONE
    >>> fleet = fixed_replicas(ONE_BY_ONE, 1, 2.0)
    >>> edges = np.array([0.0, 1.0, 2.0])
    >>> total = accrual_of(fleet, np.array([0.01, 0.01]), Slo(), edges)
    >>> total.busy_s.round(3).tolist(), total.arrived.tolist()
    ([0.03, 0.03], [1.0, 1.0])

    References
    ----------
    .. [1] `accrued`.
    """
    run, life, end_s = fleet.run, fleet.replicas, float(edges_s[-1])
    part = slice(first, last)
    begin, ready = life.start_s[part], np.minimum(life.ready_s, life.end_s)[part]
    end, ones = life.end_s[part], np.ones(len(begin))
    numbers = fleet.serving[part]
    mine = np.isin(run.replica, numbers[numbers >= 0])
    serving_s = accrued(ready, end, ones, edges_s)
    spans = [x[np.isin(whose, numbers)] for whose, x in _spans_of(run, end_s)]
    ran = mine & np.isfinite(run.start_s) & (run.start_s < end_s)
    until = run.left_s(end_s)
    span = np.maximum(until - run.start_s, 1e-9)[ran]
    # what is cut off at the end is half done, for want of a better guess
    share = np.where(np.isnan(run.done_s[ran]), 0.5, 1.0)
    work = accrued(
        run.start_s[ran],
        run.start_s[ran] + span,
        work_s[ran] * share / span,
        edges_s,
    )
    before = np.isin(run.replica, fleet.serving[:first]) | (run.replica < 0)
    counted = ~before if first else mine | (run.replica < 0)
    if first == 0 and last is None:
        counted = np.ones(len(mine), dtype=bool)
    return Accrual(
        edges_s,
        accrued(begin, end, ones, edges_s),
        serving_s,
        accrued(spans[0], spans[1], np.ones(len(spans[0])), edges_s),
        np.clip(work, 0.0, serving_s),
        *_counts(run, slo, edges_s, counted),
    )


def accrual_of_pools(
    fleet: FleetRun,
    work_s: Sequence[Floats],
    slo: Slo,
    edges_s: Floats,
    *,
    first: int = 0,
    last: int | None = None,
) -> Accrual:
    """Add up a run whose prompts and answers may have replicas of their own.

    Parameters
    ----------
    fleet : FleetRun
        A run.
    work_s : sequence of ndarray
        Time that each request takes a replica at capacity, for each pool. [s]
    slo : Slo
        Targets that a request meets or is late.
    edges_s : ndarray
        Edges of the bins. [s]
    first, last : int
        Replicas for answers to count; those for prompts, which never stop, count where
        there is no last. [1]

    Returns
    -------
    Accrual
        By bin; replicas of every pool, and each request once.

    Examples
    --------
    >>> from dayrate.serving.simulator.examples import ONE_BY_ONE
    >>> fleet = fixed_replicas(ONE_BY_ONE, 1, 2.0)
    >>> work, edges = [np.array([0.01, 0.01])], np.array([0.0, 1.0, 2.0])
    >>> accrual_of_pools(fleet, work, Slo(), edges).busy_s.round(3).tolist()
    [0.03, 0.03]

    References
    ----------
    .. [1] `accrual_of`.
    """
    part: dict[str, Any] = {"first": first, "last": last}
    total = accrual_of(fleet.pools[-1], work_s[-1], slo, edges_s, **part)
    if fleet.apart is None:
        return total
    names = ("held_s", "serving_s", "busy_s", "work_s")
    if last is None:
        prompts = accrual_of(fleet.pools[0], work_s[0], slo, edges_s)
        both = {x: getattr(total, x) + getattr(prompts, x) for x in names}
        total = dataclasses.replace(total, **both)
    everyone = np.ones(len(fleet.run.arrival_s), dtype=bool)
    counts = _counts(fleet.run, slo, edges_s, everyone)
    kinds = ("arrived", "done", "late", "dropped")
    return dataclasses.replace(total, **dict(zip(kinds, counts, strict=True)))


def _counts(
    run: Simulation, slo: Slo, edges_s: Floats, counted: npt.NDArray[np.bool_]
) -> list[Floats]:
    """Count who arrived; of them who is done, late and dropped, by their arrival."""
    done = run.status == at.DONE
    late = done & ((run.ttft_s > slo.ttft_s) | (run.tpot_s > slo.tpot_s))
    dropped = np.isin(run.status, (at.TOO_LONG, at.REJECTED, at.TIMED_OUT))
    return [
        np.histogram(run.arrival_s[counted & which], edges_s)[0].astype(float)
        for which in (np.ones(len(done), dtype=bool), done, late, dropped)
    ]


def _spans_of(run: Simulation, end_s: float) -> list[tuple[Ints, Floats]]:
    begin, end, whose = busy_spans(run, end_s)
    return [(whose, begin), (whose, end)]
