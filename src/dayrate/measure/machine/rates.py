"""How fast matrices are multiplied and memory is read, best of a few rounds."""

import functools
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dayrate.measure.machine.backend import Backend
from dayrate.measure.machine.effort import Effort, Watch, best, spread_frac

__all__ = ["Budget", "Rate", "gemm_rate", "gemv_rate", "memory_rates"]

Floats = npt.NDArray[np.float64]

_BLOCK = 1 << 15  # doubles: a block of the sum stays in a core's own cache
_ROUNDS = 5


@dataclass(frozen=True, slots=True)
class Rate:
    """A rate, by the round that was disturbed least.

    ``spread_frac`` is how much longer the median round took.
    """

    what: str  # "gemm", "gemv" or "memory"
    where: str  # library and device
    dtype: str
    size: int  # side of the matrix, or elements of an array
    threads: int
    flop_per_s: float | None
    bytes_per_s: float | None
    spread_frac: float
    effort: Effort  # of all rounds together


@dataclass(frozen=True, slots=True)
class Budget:
    """How long one figure may take, and how large its arrays may be."""

    round_s: float = 0.08
    largest_side: int = 4096
    array_bytes: int = 2**27
    rounds: int = _ROUNDS


def gemm_rate(
    backend: Backend, dtype: str, threads: int, budget: Budget
) -> Rate | None:
    """Multiply square matrices as large as fit the budget; None where it cannot."""
    side, found = 128, None
    while side <= budget.largest_side:
        try:
            a, b = (backend.matrix(side, side, dtype) for _ in range(2))
            once = functools.partial(backend.multiply, a, b)
            once()  # the first product of a shape also prepares it
            first = _timed(once)
        except (RuntimeError, NotImplementedError):  # the device has no such product
            break
        found = (side, a, b)
        grown = first.own_s * 8  # of a matrix twice as wide
        if grown > budget.round_s:
            break
        side *= 2
    if found is None:
        return None
    side, a, b = found
    done = _rounds(lambda: backend.multiply(a, b), budget.rounds)
    rate = 2.0 * side**3 / best(done).own_s
    return _rate(
        "gemm", backend.name, dtype, size=side, threads=threads, done=done, flop=rate
    )


def gemv_rate(
    backend: Backend, dtype: str, threads: int, budget: Budget
) -> Rate | None:
    """Multiply a matrix that no cache holds with one column."""
    width = {"fp32": 4, "int8": 1}.get(dtype, 2)
    side = int(math.sqrt(budget.array_bytes / width)) // 64 * 64
    if dtype == "int8":
        return None  # the product of bytes takes no single column
    try:
        a, x = backend.matrix(side, side, dtype), backend.matrix(side, 1, dtype)
        first = _timed(lambda: backend.multiply(a, x))
    except (RuntimeError, NotImplementedError):
        return None
    rounds = 1 if first.wall_s > 4 * budget.round_s else budget.rounds
    done = _rounds(lambda: backend.multiply(a, x), rounds)
    seconds = best(done).own_s
    return _rate(
        "gemv",
        backend.name,
        dtype,
        size=side,
        threads=threads,
        done=done,
        flop=2.0 * side**2 / seconds,
        bytes_=side**2 * width / seconds,
    )


def memory_rates(thread_counts: tuple[int, ...], budget: Budget) -> list[Rate]:
    """Bandwidth of STREAM's triad by number of threads, as STREAM counts bytes.

    Each array is larger than the caches; a sum reads two and writes one, in blocks that
    a core's own cache holds, and what a write reads before is not counted.
    """
    n = max(budget.array_bytes // 8, _BLOCK)
    a, b, c = (np.full(n, value) for value in (0.0, 1.5, 2.5))
    found = []
    for threads in thread_counts:
        with ThreadPoolExecutor(threads) as pool:
            ends = np.linspace(0, n, threads + 1).astype(int)
            parts = list(zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True))

            def once(parts: list[tuple[int, int]] = parts) -> None:
                list(pool.map(lambda part: _triad(a, b, c, *part), parts))

            done = _rounds(once, budget.rounds)
        rate = 3.0 * 8 * n / best(done).own_s
        found.append(
            _rate(
                "memory",
                "numpy",
                "fp64",
                size=n,
                threads=threads,
                done=done,
                bytes_=rate,
            )
        )
    return found


def device_memory_rate(backend: Backend, budget: Budget) -> Rate:
    """Bandwidth of the triad on a device whose kernels spread it themselves."""
    side = int(math.sqrt(budget.array_bytes / 4))
    a, b, out = (backend.matrix(side, side, "fp32") for _ in range(3))
    done = _rounds(lambda: backend.add(a, b, out), budget.rounds)
    rate = 3.0 * 4 * side**2 / best(done).own_s
    return _rate(
        "memory", backend.name, "fp32", size=side**2, threads=0, done=done, bytes_=rate
    )


def _triad(a: Floats, b: Floats, c: Floats, start: int, end: int) -> None:
    scaled = np.empty(_BLOCK)
    for at in range(start, end, _BLOCK):
        stop = min(at + _BLOCK, end)
        part = scaled[: stop - at]
        np.multiply(c[at:stop], 3.0, out=part)
        np.add(b[at:stop], part, out=a[at:stop])


def _timed(work: Callable[[], None]) -> Effort:
    with Watch() as watch:
        work()
    return watch.effort


def _rounds(work: Callable[[], None], count: int) -> list[Effort]:
    return [_timed(work) for _ in range(count)]


def _rate(
    what: str,
    where: str,
    dtype: str,
    *,
    size: int,
    threads: int,
    done: list[Effort],
    flop: float | None = None,
    bytes_: float | None = None,
) -> Rate:
    total = Effort(
        wall_s=sum(e.wall_s for e in done),
        processor_s=_sum([e.processor_s for e in done]),
        waited_s=_sum([e.waited_s for e in done]),
        load_1min=done[0].load_1min,
    )
    return Rate(
        what, where, dtype, size, threads, flop, bytes_, spread_frac(done), total
    )


def _sum(values: list[float | None]) -> float | None:
    known = [v for v in values if v is not None]
    return sum(known) if len(known) == len(values) else None
