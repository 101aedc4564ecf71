"""Many deployments of one model as a single one whose fields are arrays."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dayrate.perf.deployment import Machine
from dayrate.perf.efficiency import (
    Coefficients,
    Efficiency,
    HostOverhead,
    LinkLaw,
)
from dayrate.units import Num

__all__ = ["StackedLinks", "stack_efficiencies", "stack_machines"]

_MOST_RANKS = 64
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
        link=_links([e.link for e in efficiencies]),
        host=HostOverhead(
            *(
                np.array([getattr(e.host, f.name) for e in efficiencies], dtype=float)
                for f in dataclasses.fields(HostOverhead)
            )
        ),
        reserve_bytes=np.array([e.reserve_bytes for e in efficiencies], dtype=float),
        level="/".join(sorted({e.level for e in efficiencies})),
    )


def _coefficients(each: Sequence[Coefficients]) -> Coefficients:
    return Coefficients(
        flop_frac=np.array([c.flop_frac for c in each], dtype=float),
        byte_frac=np.array([c.byte_frac for c in each], dtype=float),
        fixed_s=np.array([c.fixed_s for c in each], dtype=float),
    )


@dataclass(frozen=True, slots=True)
class StackedLinks:
    """The link of each position: by number of ranks (rows) and position."""

    byte_frac: npt.NDArray[np.float64]
    fixed_s: npt.NDArray[np.float64]

    def at(self, ranks: Num) -> tuple[Num, Num]:
        """Look up whole ranks: between powers of two laws were interpolated before."""
        most, positions = self.byte_frac.shape
        row = np.clip(np.rint(ranks), 1, most).astype(int) - 1
        row = np.broadcast_to(row, np.broadcast_shapes(row.shape, (positions,)))
        column = np.arange(positions)
        return self.byte_frac[row, column], self.fixed_s[row, column]

    def repeated(self, times: int) -> "StackedLinks":
        """Write all positions several times behind each other."""
        return StackedLinks(
            np.tile(self.byte_frac, times), np.tile(self.fixed_s, times)
        )


def _links(each: Sequence[LinkLaw]) -> StackedLinks:
    """Tabulate laws for every number of ranks; beyond the last they are constant."""
    ranks = np.arange(1.0, _MOST_RANKS + 1)
    laws = {id(law): law.at(ranks) for law in each}
    found = [laws[id(law)] for law in each]
    return StackedLinks(
        np.stack([_floats(byte_frac) for byte_frac, _ in found], axis=1),
        np.stack([_floats(fixed) for _, fixed in found], axis=1),
    )


def _floats(values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    return np.asarray(values, dtype=float)
