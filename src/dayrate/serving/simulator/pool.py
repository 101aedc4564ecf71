"""Replicas that come while requests are under way, each advanced on its own.

`engine.simulate` fixes the replicas before the first request. Here a driver adds them,
sends requests and lets time pass; the event loop is the same.
"""

import itertools
import math
from typing import Any

import numpy as np
import numpy.typing as npt

from dayrate.serving.simulator import core, engine
from dayrate.serving.simulator import state as at
from dayrate.serving.simulator.compiled import compiled_core
from dayrate.serving.simulator.inputs import EngineKind, Limits, RequestList
from dayrate.serving.simulator.law import StepLaw
from dayrate.serving.simulator.outcome import Simulation

__all__ = ["Pool"]

Ints = npt.NDArray[np.int64]


class Pool:
    """Replicas by number, in the order in which they were added."""

    def __init__(
        self,
        requests: RequestList,
        law: StepLaw,
        limits: Limits,
        *,
        kind: EngineKind = EngineKind.AUTO,
        samples: int = 0,
    ) -> None:
        self._compiled = engine._compiled(kind, len(requests.arrival_s))
        self._advance = compiled_core()["advance"] if self._compiled else core.advance
        self._requests, self._limits, self._samples = requests, limits, samples
        self._arrays = engine._requests(requests, limits)
        self.arrival_s = self._arrays.arrival_s
        #: Whether a replica could hold a request, were it alone.
        self.fits = engine._fits(self._arrays, limits)
        work = engine._fate(self._arrays, self.fits)
        self.q, self.w, self.tables = (
            engine._ready(x, self._compiled) for x in (self._arrays, work, law.tables)
        )
        self._replica = np.where(self.fits, -1, -2)
        self.states: list[Any] = []

    def add(self, now_s: float) -> int:
        """Add a replica that serves from ``now_s`` on; return its number."""
        fresh = engine._state(
            self._requests, self._arrays, self._limits, self._samples, -1
        )
        state = engine._ready(fresh, self._compiled)
        self.states.append(state)
        if self._samples:  # it was empty until now
            self._advance(self.q, self.tables, self.w, state, now_s)
        state.x[at.NOW] = now_s
        return len(self.states) - 1

    def send(self, which: Ints, to: int) -> None:
        """Send requests, in order of arrival, to a replica; it has none after them."""
        if len(which) == 0:
            return
        self._replica[which] = to
        n, follows = self.states[to].n, self.q.follows
        if n[at.LAST] >= 0:  # who waits is found by who came before
            follows[n[at.LAST]] = int(which[0])
        if n[at.NEXT] < 0:
            n[at.NEXT] = int(which[0])
        if self._compiled:
            follows[which[:-1]] = which[1:]
        else:
            ids = which.tolist()
            for i, j in itertools.pairwise(ids):
                follows[i] = j
        n[at.LAST] = int(which[-1])

    def advance(self, who: int, until_s: float) -> None:
        """Let a replica work until no step of it starts before ``until_s``."""
        self._advance(self.q, self.tables, self.w, self.states[who], until_s)

    def waiting(self, who: int) -> int:
        """Count the requests in the queue of a replica. [1]"""
        return int(self.states[who].n[at.N_WAITING])

    def in_flight(self, who: int) -> int:
        """Count the requests sent to a replica that are not done or dropped. [1]"""
        n = self.states[who].n
        return int(n[at.N_WAITING] + n[at.N_RUNNING] + (n[at.NEXT] >= 0))

    def now_s(self, who: int) -> float:
        """End of the last step of a replica. [s]"""
        return float(self.states[who].x[at.NOW])

    def outcome(self) -> Simulation:
        """Say what became of every request so far."""
        if not self.states:  # nobody came whom a replica could serve
            self.add(0.0)
        worked = [s for s in self.states if s.n[at.ITERATIONS] > 0]
        end_s = max((float(s.x[at.NOW]) for s in worked), default=0.0)
        if self._samples:
            for i in range(len(self.states)):
                self.advance(i, math.nextafter(end_s, math.inf))
        return engine._outcome(
            self._arrays, self.w, tuple(self.states), self._replica, end_s
        )
