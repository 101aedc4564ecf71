"""Many deployments of one model as a single one whose fields are arrays."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dayrate.energy.power import ActivityPower
from dayrate.perf.deployment import Machine
from dayrate.perf.efficiency import (
    Coefficients,
    Efficiency,
    HostOverhead,
    LinkLaw,
)
from dayrate.units import Num

__all__ = ["stack_efficiencies", "stack_machines", "stack_powers"]

_NAMES = frozenset({"generation", "accelerator_id"})


def stack_machines(machines: Sequence[Machine]) -> Machine:
    """One machine per position; names are joined, numbers are arrays."""
    numbers: dict[str, Any] = {
        f.name: np.array([getattr(m, f.name) for m in machines], dtype=float)
        for f in dataclasses.fields(Machine)
        if f.name not in _NAMES
    }
    return dataclasses.replace(
        machines[0],
        generation="/".join(sorted({m.generation for m in machines})),
        accelerator_id="/".join(sorted({m.accelerator_id for m in machines})),
        **numbers,
    )


def stack_efficiencies(efficiencies: Sequence[Efficiency]) -> Efficiency:
    """One efficiency per position, each kernel's coefficients as arrays."""
    keys = {key for e in efficiencies for key in e.kernels}
    return Efficiency(
        kernels={
            k: _coefficients([e.coefficients(*k) for e in efficiencies]) for k in keys
        },
        link=_Links(tuple(e.link for e in efficiencies)),
        host=HostOverhead(
            *(
                np.array([getattr(e.host, f.name) for e in efficiencies], dtype=float)
                for f in dataclasses.fields(HostOverhead)
            )
        ),
        reserve_bytes=np.array([e.reserve_bytes for e in efficiencies], dtype=float),
        level="/".join(sorted({e.level for e in efficiencies})),
        exchange=np.array([e.exchange for e in efficiencies], dtype=float),
        link_slowdown=np.array([e.link_slowdown for e in efficiencies], dtype=float),
    )


def stack_powers(each: Sequence[ActivityPower]) -> ActivityPower:
    """One law of power per position."""
    return ActivityPower(
        *(
            np.array([getattr(p, f.name) for p in each], dtype=float)
            for f in dataclasses.fields(ActivityPower)
        )
    )


def _coefficients(each: Sequence[Coefficients]) -> Coefficients:
    return Coefficients(
        flop_frac=np.array([c.flop_frac for c in each], dtype=float),
        byte_frac=np.array([c.byte_frac for c in each], dtype=float),
        fixed_s=np.array([c.fixed_s for c in each], dtype=float),
    )


@dataclass(frozen=True, slots=True)
class _Links:
    """The link of each position."""

    each: tuple[LinkLaw, ...]

    def at(self, ranks: Num) -> tuple[Num, Num]:
        laws = {id(law): law for law in self.each}
        which = np.array([id(law) for law in self.each])
        fractions, fixed = np.zeros(which.shape), np.zeros(which.shape)
        for key, law in laws.items():
            found = law.at(ranks)
            fractions, fixed = (
                np.where(which == key, new, old)
                for new, old in zip(found, (fractions, fixed), strict=True)
            )
        return _floats(fractions), _floats(fixed)


def _floats(values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    return np.asarray(values, dtype=float)
