"""How long a replica takes from its order to its first request."""

import functools
from dataclasses import dataclass

from dayrate.catalog.load import estimate
from dayrate.catalog.store import rows
from dayrate.evidence import Estimate
from dayrate.units import GIB

__all__ = ["Startup", "startup"]


@dataclass(frozen=True, slots=True)
class Startup:
    """The parts of a start, as published for machines in the cloud."""

    machine_s: Estimate
    engine_s: Estimate
    weights_bytes_per_s: Estimate


@functools.cache
def startup() -> Startup:
    """Read the parts of a start.

    >>> startup().engine_s.mid
    200.0
    """
    found = {row["id"]: row for row in rows("startup")}
    machine, engine, weights = (found[k] for k in ("machine", "engine", "weights"))
    return Startup(
        machine_s=estimate(machine, machine["seconds"]),
        engine_s=estimate(engine, engine["seconds"]),
        weights_bytes_per_s=estimate(weights, weights["gib_per_s"], factor=GIB),
    )
