"""Requests on a fleet that follows a policy: replicas start, serve, drain and stop.

A replica that starts is paid for and does not serve; one that is to stop takes no
request any more and ends with the last it has. Requests that come while none serves
wait before the replicas. Time goes in windows, from one decision or start to the next.
"""

import math
from collections import deque
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dayrate.errors import InvalidInput
from dayrate.serving.autoscale import (
    Autoscale,
    Scaling,
    wanted_by_load,
    wanted_by_schedule,
)
from dayrate.serving.simulator import routing
from dayrate.serving.simulator import state as at
from dayrate.serving.simulator.inputs import EngineKind, Limits, RequestList, Routing
from dayrate.serving.simulator.law import StepLaw
from dayrate.serving.simulator.outcome import Simulation
from dayrate.serving.simulator.pool import Pool
from dayrate.units import HOUR_S

__all__ = ["FleetRun", "Replicas", "simulate_fleet"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Replicas:
    """When each replica started, served and stopped, in the order they started.

    Those that never stopped end with the run. [s]
    """

    start_s: Floats  # paid for from here
    ready_s: Floats  # takes requests from here; infinite where it never got ready
    drain_s: Floats  # takes none from here
    end_s: Floats  # paid for until here


@dataclass(frozen=True, slots=True)
class FleetRun:
    """A simulation with the lives of its replicas.

    ``sent_s`` is when a request reached a replica: on arrival, or later where it had
    to wait for one to start; NaN where it never did. ``serving`` gives, for each
    replica, its number in the simulation, or -1 for one that never got ready. At
    ``end_s`` the last request has come and gone, or the time given was over.
    ``apart`` are the replicas for prompts and those for answers, where they differ.
    """

    run: Simulation
    replicas: Replicas
    sent_s: Floats
    serving: Ints
    end_s: float
    apart: "tuple[FleetRun, FleetRun] | None" = None

    @property
    def pools(self) -> "tuple[FleetRun, ...]":
        """Replicas that do the same work, together; those for prompts come first."""
        return (self,) if self.apart is None else self.apart


def simulate_fleet(
    requests: RequestList,
    law: StepLaw,
    limits: Limits,
    policy: Autoscale,
    *,
    route: Routing = Routing.ROUND_ROBIN,
    engine: EngineKind = EngineKind.AUTO,
    until_s: float = math.inf,
    samples: int = 0,
) -> FleetRun:
    """Serve requests on replicas that a policy starts and stops.

    Parameters
    ----------
    requests : RequestList
        Who asks for what, when.
    law : StepLaw
        Time of a step.
    limits : Limits
        Of each replica.
    policy : Autoscale
        How many replicas there are to be.
    route : Routing
        Which of those that serve takes a request.
    engine : EngineKind
        Interpreted or compiled.
    until_s : float
        No step starts from then on; what runs or waits stays so. [s]
    samples : int
        Points of the timeline, at most. [1]

    Returns
    -------
    FleetRun
        By request and by replica.

    Raises
    ------
    InvalidInput
        The compiled engine is asked for with a routing it does not have here, or
        requests wait for the end of others.

    Examples
    --------
    >>> from dayrate.serving.simulator.examples import FLAT, SMALL, TWO
    >>> none = Autoscale(Scaling.REACTIVE, initial=0, minimum=0, startup_s=60)
    >>> cold = simulate_fleet(TWO, FLAT, SMALL, none)
    >>> cold.run.first_s.round(2).tolist()
    [60.01, 60.01]

    References
    ----------
    .. [1] Kubernetes, "Horizontal Pod Autoscaling" and "Pod Lifecycle" (a pod that
       ends takes no traffic and finishes what it has).
    """
    requests.require_known_arrivals()
    if route is not Routing.ROUND_ROBIN:
        if engine is EngineKind.NUMBA:
            raise InvalidInput(
                f"A fleet that scales with {route.value} routing runs interpreted. "
                "Leave --engine out, or take round-robin."
            )
        engine = EngineKind.PYTHON
    pool = Pool(requests, law, limits, kind=engine, samples=samples)
    fleet = _Fleet(pool, policy, route, until_s)
    fleet.live()
    return fleet.outcome()


@dataclass(slots=True)
class _Life:
    start_s: float
    ready_s: float
    drain_s: float = math.inf
    end_s: float = math.inf
    number: int = -1  # in the pool, once it is ready


class _Fleet:
    """The replicas of one run, and who is sent where."""

    def __init__(
        self, pool: Pool, policy: Autoscale, route: Routing, until_s: float
    ) -> None:
        self.pool, self.policy, self.route, self.until_s = pool, policy, route, until_s
        self.lives: list[_Life] = []
        self.open: list[_Life] = []  # not ended
        self.sent_s = np.where(pool.fits, pool.arrival_s, np.nan)
        self.waiting = np.flatnonzero(pool.fits)  # not sent yet, by arrival
        self.next = 0  # of those
        self.turn = 0
        self.wants = deque([(0.0, policy.initial)])  # when, and how many

    def live(self) -> None:
        """Let the whole time pass."""
        for _ in range(self.policy.initial):
            self._start(0.0, 0.0)
        now, forever = 0.0, math.isinf(self.until_s)
        self._get_ready(now)
        while now < self.until_s and not (forever and self._all_done()):
            self._scale(now)
            after = min(self._next_event(now), self.until_s)
            self._send(now, after)
            for life in self.open:
                if life.number >= 0:
                    self.pool.advance(life.number, after)
            self._retire(after)
            now = after
            self._get_ready(now)

    def outcome(self) -> FleetRun:
        """Freeze what happened."""
        run, sent_s = self.pool.outcome(), self.sent_s
        sent_s[self.waiting[self.next :]] = np.nan
        end_s = self.until_s
        if math.isinf(end_s):
            came_s = float(np.max(sent_s, initial=0.0, where=~np.isnan(sent_s)))
            end_s = max(run.end_s, float(run.arrival_s[-1]), came_s)
        lives = [
            (x.start_s, x.ready_s, min(x.drain_s, end_s), min(x.end_s, end_s))
            for x in self.lives
            if x.start_s <= end_s
        ]
        columns = np.array(lives, dtype=float).reshape(-1, 4).T
        numbers = np.array([x.number for x in self.lives[: len(lives)]], dtype=np.int64)
        return FleetRun(run, Replicas(*columns), sent_s, numbers, end_s)

    def _all_done(self) -> bool:
        if self.next < len(self.waiting):
            return False
        return not any(
            x.number >= 0 and self.pool.in_flight(x.number) for x in self.open
        )

    def _next_event(self, now: float) -> float:
        """Time of the next decision or of the next replica that gets ready."""
        policy = self.policy
        ready = [x.ready_s for x in self.open if x.ready_s > now]
        if policy.scaling is Scaling.REACTIVE:
            tick = (math.floor(now / policy.interval_s) + 1) * policy.interval_s
            if tick <= now:  # rounded down
                tick += policy.interval_s
            return min([tick, *ready])
        if policy.scaling is Scaling.SCHEDULED:
            ahead_s = policy.startup_s
            return min([_next_hour(now), _next_hour(now + ahead_s) - ahead_s, *ready])
        return self.until_s

    def _scale(self, now: float) -> None:
        """Start or stop replicas as the policy wants."""
        held = [x for x in self.open if math.isinf(x.drain_s)]
        wanted = self._wanted(now, held)
        for _ in range(wanted - len(held)):
            self._start(now, now + self.policy.startup_s)
        self._get_ready(now)
        if wanted < len(held):
            self._stop(now, held, len(held) - wanted)

    def _wanted(self, now: float, held: list[_Life]) -> int:
        policy = self.policy
        if policy.scaling is Scaling.FIXED:
            return len(held)
        if policy.scaling is Scaling.SCHEDULED:
            by_hour, ahead_s = policy.by_hour, policy.startup_s
            return max(wanted_by_schedule(by_hour, now, ahead_s), policy.kept)
        arrived = int(np.searchsorted(self.pool.arrival_s, now, side="right"))
        cold = int(np.searchsorted(self.waiting, arrived)) - self.next
        numbers = [x.number for x in held if x.number >= 0]
        queued = sum(self.pool.waiting(i) for i in numbers) + max(cold, 0)
        flying = sum(self.pool.in_flight(i) for i in numbers) + max(cold, 0)
        wanted = wanted_by_load(
            policy,
            held=len(held),
            per_s=self._rate(now, arrived),
            in_flight=flying,
            in_queue=queued,
        )
        while self.wants and self.wants[0][0] < now - policy.cooldown_s:
            self.wants.popleft()
        self.wants.append((now, wanted))
        if wanted >= len(held):
            return wanted
        return min(max(w for _, w in self.wants), len(held))

    def _rate(self, now: float, arrived: int) -> float:
        """Count what came lately; those that fit no replica too. [1/s]"""
        since = max(now - self.policy.window_s, 0.0)
        before = int(np.searchsorted(self.pool.arrival_s, since, side="right"))
        return (arrived - before) / (now - since) if now > since else 0.0

    def _start(self, now: float, ready_s: float) -> None:
        life = _Life(now, ready_s)
        self.lives.append(life)
        self.open.append(life)

    def _get_ready(self, now: float) -> None:
        """Open the replicas whose start is over, and give them who waited for one."""
        for life in self.open:
            if life.number < 0 and life.ready_s <= now:
                life.number = self.pool.add(now)
        arrived = int(np.searchsorted(self.pool.arrival_s, now, side="left"))
        if self.next < len(self.waiting) and self.waiting[self.next] < arrived:
            upto = int(np.searchsorted(self.waiting, arrived))
            first = self.next
            if self._deal(upto):
                self.sent_s[self.waiting[first:upto]] = now

    def _stop(self, now: float, held: list[_Life], count: int) -> None:
        """Stop those that have least to do: first who starts, then who has fewest."""
        may = held[self.policy.kept :]

        def to_do(life: _Life) -> tuple[int, float]:
            flying = self.pool.in_flight(life.number) if life.number >= 0 else -1
            return flying, -life.start_s

        for life in sorted(may, key=to_do)[:count]:
            life.drain_s = now
            if life.number < 0:
                life.ready_s, life.end_s = math.inf, now
        self._retire(now)

    def _retire(self, now: float) -> None:
        """End the replicas that take no more requests and have none left."""
        for life in self.open:
            ending = life.drain_s <= now and math.isinf(life.end_s)
            if ending and self.pool.in_flight(life.number) == 0:
                life.end_s = max(life.drain_s, self.pool.now_s(life.number))
        self.open = [x for x in self.open if math.isinf(x.end_s)]

    def _serving(self) -> list[int]:
        return [x.number for x in self.open if x.number >= 0 and math.isinf(x.drain_s)]

    def _send(self, now: float, after: float) -> None:
        """Send who comes within the window to the replicas that serve in it."""
        upto = int(np.searchsorted(self.pool.arrival_s, after, side="left"))
        self._deal(int(np.searchsorted(self.waiting, upto)))

    def _deal(self, upto: int) -> bool:
        """Send the next requests, up to a place among them, if any replica serves."""
        serving = self._serving()
        if not serving:
            return False
        which = self.waiting[self.next : upto]
        self.next = max(upto, self.next)
        if self.route is not Routing.ROUND_ROBIN:
            self._choose(which, serving)
            return True
        for place, number in enumerate(serving):
            first = (place - self.turn) % len(serving)
            self.pool.send(which[first :: len(serving)], number)
        self.turn = (self.turn + len(which)) % len(serving)
        return True

    def _choose(self, which: Ints, serving: list[int]) -> None:
        """Send each to the replica that suits it when it comes."""
        pool = self.pool
        states = tuple(pool.states[i] for i in serving)
        for s in states:
            s.n[at.BY_PREFIX] = self.route is Routing.PREFIX_AWARE
        for i in which.tolist():
            for number in serving:
                pool.advance(number, pool.q.arrival_s[i])
            best = routing._choose(pool.q, states, i, len(states))
            pool.send(np.array([i]), serving[best])


def _next_hour(time_s: float) -> float:
    """First full hour after a time; one that is only rounded away is past. [s]"""
    return (math.floor(time_s / HOUR_S + 1e-9) + 1.0) * HOUR_S
