"""How long work took, and how long it would have taken with the machine to itself.

Wall time says little where others compete for the cores. Linux tells how long each
thread ran and how long it was ready and had to wait for a core; the share of waiting is
taken off. Shared caches, memory channels and hyper-threads are not seen by that: the
best of several rounds deals with them as well as anything can.
"""

import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

__all__ = ["Effort", "Watch", "best", "load_average", "spread_frac"]

PROC = Path("/proc")
_NANO = 1e-9


@dataclass(frozen=True, slots=True)
class Effort:
    """Time of a stretch of work.

    Parameters
    ----------
    wall_s : float
        By the clock. [s]
    processor_s : float or None
        On a core, summed over threads; None where nobody tells. [s]
    waited_s : float or None
        Ready and without a core, summed over threads. [s]
    load_1min : float or None
        Load average when it began: how many wanted to run, this work apart. [1]
    """

    wall_s: float
    processor_s: float | None = None
    waited_s: float | None = None
    load_1min: float | None = None

    @property
    def waited_frac(self) -> float:
        """Share of the time in which it wanted a core and had none. [1]"""
        if self.processor_s is None or self.waited_s is None:
            return 0.0
        wanted = self.processor_s + self.waited_s
        return self.waited_s / wanted if wanted > 0 else 0.0

    @property
    def own_s(self) -> float:
        """Wall time less the share that it waited for a core. [s]"""
        return self.wall_s * (1.0 - self.waited_frac)


class Watch:
    """Times a ``with`` block with the threads of some processes.

    Examples
    --------
    >>> with Watch() as watch:
    ...     _ = sum(range(1000))
    >>> watch.effort.own_s <= watch.effort.wall_s
    True
    """

    def __init__(self, pids: Iterable[int] = (), *, proc: Path = PROC) -> None:
        self._pids = tuple(pids) or (os.getpid(),)
        self._proc = proc
        self._began = (0.0, _threads(self._pids, proc), load_average())
        self.effort = Effort(0.0)

    def __enter__(self) -> Self:
        times = _threads(self._pids, self._proc)
        self._began = (time.perf_counter(), times, load_average())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        wall_s = time.perf_counter() - self._began[0]
        before, after = self._began[1], _threads(self._pids, self._proc)
        if before is None or after is None:
            self.effort = Effort(wall_s, load_1min=self._began[2])
            return
        ran, waited = (max(a - b, 0.0) for a, b in zip(after, before, strict=True))
        self.effort = Effort(wall_s, ran, waited, self._began[2])


def _threads(pids: Sequence[int], proc: Path) -> tuple[float, float] | None:
    """Seconds that the threads of some processes ran and waited so far."""
    ran = waited = 0.0
    seen = False
    for pid in pids:
        for file in (proc / str(pid) / "task").glob("*/schedstat"):
            try:
                run_ns, wait_ns, _ = file.read_text(encoding="ascii").split()
            except (OSError, ValueError):  # the thread ended meanwhile
                continue
            ran, waited = ran + int(run_ns) * _NANO, waited + int(wait_ns) * _NANO
            seen = True
    return (ran, waited) if seen else None


def load_average() -> float | None:
    """How many threads wanted to run over the last minute; None on Windows. [1]"""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def best(efforts: Sequence[Effort]) -> Effort:
    """Return the round that was disturbed least."""
    return min(efforts, key=lambda e: e.own_s)


def spread_frac(efforts: Sequence[Effort]) -> float:
    """How much longer the median round took than the best one. [1]"""
    times = sorted(e.own_s for e in efforts)
    return times[len(times) // 2] / times[0] - 1.0 if times[0] > 0 else 0.0
