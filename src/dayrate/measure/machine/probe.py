"""The probe: everything that is found and measured about a machine."""

import dataclasses
import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from dayrate.errors import InvalidInput
from dayrate.measure.machine.about import About, about, cores_to_run_on
from dayrate.measure.machine.backend import Backend, find_backends
from dayrate.measure.machine.effort import Effort, Watch, load_average
from dayrate.measure.machine.rates import (
    Budget,
    Rate,
    device_memory_rate,
    gemm_rate,
    gemv_rate,
    memory_rates,
)
from dayrate.measure.power import find_meters

__all__ = ["Report", "probe", "quick_rates"]

Talk = Callable[[str], None]
_QUICK = Budget(round_s=0.05, largest_side=1024, rounds=3)
_CACHES = 4  # arrays are so many times as large as the largest cache
_MOST_ARRAY = 2**28


@dataclass(frozen=True, slots=True)
class Report:
    """A machine, what it reaches, and what counts its joules."""

    date: dt.datetime
    about: About
    rates: tuple[Rate, ...]
    meters: tuple[str, ...]
    estimate: str  # of the energy where nothing counts it; empty: unknown
    notes: tuple[str, ...]
    effort: Effort
    load_after: float | None

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON types."""
        plain = dataclasses.asdict(self)
        return {**plain, "date": self.date.isoformat(timespec="seconds")}


def probe(
    *,
    threads: int | None = None,
    budget: Budget | None = None,
    talk: Talk = lambda _: None,
) -> Report:
    """Measure this machine; about a quarter of a minute where it is idle."""
    most = cores_to_run_on()
    if threads is not None and not 1 <= threads <= most:
        raise InvalidInput(f"--threads is {threads}; this process may use 1 to {most}.")
    here = about()
    budget = budget or Budget(array_bytes=_array_bytes(here))
    count = threads or most
    began = dt.datetime.now(dt.UTC)
    with Watch() as watch:
        rates = tuple(_rates(count, budget, talk))
    meters = find_meters()
    return Report(
        date=began,
        about=here,
        rates=rates,
        meters=tuple(r.name for r in meters.readers),
        estimate="" if meters.core is None else meters.core.what,
        notes=meters.notes,
        effort=watch.effort,
        load_after=load_average(),
    )


def quick_rates(threads: int, *, cuda: bool = False) -> tuple[Rate, ...]:
    """Measure what a calibration starts from: products and the memory, briefly."""
    array = _array_bytes(about())
    found: list[Rate] = []
    device = find_backends()[1 if cuda else 0]  # processors come first
    with device.using(threads):
        for dtype in ("fp32", "bf16"):
            if dtype in device.formats:
                rate = gemm_rate(device, dtype, threads, _QUICK)
                found += [] if rate is None else [rate]
    budget = dataclasses.replace(_QUICK, array_bytes=array)
    if _on_cuda(device):
        return (*found, device_memory_rate(device, budget))
    return (*found, *memory_rates((threads,), budget))


def _rates(threads: int, budget: Budget, talk: Talk) -> Iterator[Rate]:
    for backend in find_backends():
        with backend.using(threads):
            for dtype in backend.formats:
                talk(f"{backend.name}: {dtype} …")
                for measure in (gemm_rate, gemv_rate):
                    rate = measure(backend, dtype, threads, budget)
                    if rate is not None:
                        yield rate
        if _on_cuda(backend):
            talk(f"{backend.name}: memory …")
            yield device_memory_rate(backend, budget)
    talk("memory …")
    yield from memory_rates(_thread_counts(threads), budget)


def _on_cuda(backend: Backend) -> bool:
    return " on " in backend.name


def _thread_counts(most: int) -> tuple[int, ...]:
    """Powers of two up to all, and all."""
    powers = [1 << i for i in range(most.bit_length()) if 1 << i < most]
    return (*powers, most)


def _array_bytes(here: About) -> int:
    """Larger than the caches, and no more than a sixteenth of the memory."""
    most = min((here.memory_bytes or 2**32) // 16, _MOST_ARRAY)
    return int(min(max(_CACHES * here.last_cache_bytes, 2**26), most))
