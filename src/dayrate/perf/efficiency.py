"""From work and bytes to seconds: what share of a data sheet kernels reach.

`Efficiency` is the seam: the step model asks it for the time of one operator or one
transfer and knows nothing of coefficients, so a better table or a better law replaces
this one operator by operator.
"""

import dataclasses
import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from dayrate.catalog.local import is_local, local_rows
from dayrate.catalog.store import rows
from dayrate.perf.collectives import Transfer, TransferKind
from dayrate.perf.deployment import Machine
from dayrate.perf.operators import Operator, OpKind
from dayrate.units import GIB, DType, Num

__all__ = [
    "Coefficients",
    "Efficiency",
    "HostOverhead",
    "LinkCoefficients",
    "LinkLaw",
    "OperatorTime",
    "load_efficiency",
]

LEVELS = ("accelerator", "generation", "default")
_MICRO = 1e-6
_SIXTEEN_BIT = frozenset({DType.BF16, DType.FP16})


@dataclass(frozen=True, slots=True)
class Coefficients:
    """Shares of peak and bandwidth that one kind of kernel reaches."""

    flop_frac: Num
    byte_frac: Num
    fixed_s: Num
    level: str = "default"


class LinkLaw(Protocol):
    """What a transfer asks of the link: its law may be a table or one per row."""

    def at(self, ranks: Num) -> tuple[Num, Num]:
        """Byte fraction [1] and fixed time [s] among so many ranks."""


@dataclass(frozen=True, slots=True)
class LinkCoefficients:
    """Small-message time and share of link bandwidth, by number of ranks."""

    ranks: Sequence[float]
    byte_frac: Sequence[float]
    fixed_s: Sequence[float]
    level: str = "default"

    def at(self, ranks: Num) -> tuple[Num, Num]:
        """Interpolate byte fraction [1] and fixed time [s] over log ranks."""
        x, known = np.log(np.maximum(ranks, 1.0)), np.log(self.ranks)
        return np.interp(x, known, self.byte_frac), np.interp(x, known, self.fixed_s)


@dataclass(frozen=True, slots=True)
class HostOverhead:
    """Time of the engine between kernels: per step, per layer, per sequence.

    ``prefill_layer_s`` is what a layer takes more in a step that holds prefill, which
    runs outside captured graphs.
    """

    step_s: Num
    layer_s: Num
    sequence_s: Num
    prefill_layer_s: Num = 0.0


@dataclass(frozen=True, slots=True)
class OperatorTime:
    """Time of all calls of one operator in a step, by what bounds it."""

    compute_s: Num
    memory_s: Num
    fixed_s: Num

    @property
    def total_s(self) -> Num:
        """Sum of the parts. [s]"""
        return self.compute_s + self.memory_s + self.fixed_s


@dataclass(frozen=True, slots=True)
class Efficiency:
    """Everything calibrated about one accelerator; ``level`` is the weakest used."""

    kernels: Mapping[tuple[OpKind, DType], Coefficients]
    link: LinkLaw
    host: HostOverhead
    reserve_bytes: Num
    level: str

    def coefficients(self, kind: OpKind, dtype: DType) -> Coefficients:
        """Those of the format, else of 16 bits: most formats are not calibrated."""
        found = self.kernels.get((kind, dtype))
        return self.kernels[kind, DType.BF16] if found is None else found

    def operator_time(self, op: Operator, machine: Machine) -> OperatorTime:
        """Roofline with calibrated roofs, plus a fixed time for each call that runs."""
        c = self.coefficients(op.kind, op.dtype)
        wide = op.kind is not OpKind.GEMM or op.dtype in _SIXTEEN_BIT
        peak = machine.attention_flop_per_s if wide else machine.matmul_flop_per_s
        compute = op.flop / (peak * c.flop_frac)
        memory = op.bytes / (machine.hbm_bytes_per_s * c.byte_frac)
        bound = compute >= memory
        runs = np.minimum(op.m_tokens, 1.0) * op.count  # a call without work is free
        return OperatorTime(
            compute_s=np.where(bound, compute, 0.0) * op.count,
            memory_s=np.where(bound, 0.0, memory) * op.count,
            fixed_s=c.fixed_s * runs,
        )

    def transfer_s(self, transfer: Transfer, machine: Machine) -> Num:
        """Add fixed time to bytes over links; sending nothing is free. [s]

        What passes through host memory begins later and moves at a share of the rate.
        """
        byte_frac, fixed = self.link.at(transfer.ranks)
        if transfer.kind is TransferKind.SEND:
            fixed = machine.link_latency_s
        fixed = fixed + machine.relay_s
        rate = machine.link_bytes_per_s * machine.relay_frac
        inside = transfer.link_bytes / (rate * byte_frac)
        across = transfer.node_bytes / (machine.node_bytes_per_s * byte_frac)
        hops = transfer.node_hops * machine.node_latency_s
        once = fixed + np.maximum(inside, across) + hops
        sent = np.asarray(transfer.link_bytes + transfer.node_bytes)
        return np.where(sent > 0, once * transfer.count, 0.0)


def load_efficiency(
    accelerator_id: str, generation: str, *, halved_peak: bool = False
) -> Efficiency:
    """Read the calibration of an accelerator, else of its generation, else default.

    Parameters
    ----------
    accelerator_id : str
        Catalogue id.
    generation : str
        Its family, such as ``"hopper"``.
    halved_peak : bool
        Whether its peaks are those of sums at half the rate
        (`dayrate.perf.tuning.halved_peak`).

    Returns
    -------
    Efficiency
        With ``level`` saying how close the calibration is: accelerator, generation
        or default.

    Examples
    --------
    >>> load_efficiency("h100-sxm-80gb", "hopper").level
    'accelerator'
    >>> load_efficiency("h800-sxm", "hopper").level
    'generation'
    >>> load_efficiency("abacus", "bronze").level
    'default'
    >>> from dayrate.perf.operators import OpKind
    >>> gemm = OpKind.GEMM, DType.BF16
    >>> for halved in (False, True):
    ...     card = load_efficiency("rtx-4090", "ada", halved_peak=halved)
    ...     print(round(float(card.kernels[gemm].flop_frac), 2))
    0.6
    0.81

    Notes
    -----
    A device whose peak is halved by its sums is not held back by power and operands as
    its siblings at the full rate are: it reaches as much as they, hence twice their
    share, up to the best that any device reaches.

    References
    ----------
    .. [1] ``data/calibration/first.yaml``, each row with its source.
    """
    if is_local(accelerator_id):  # it may be calibrated again at any time
        listed = (*_kernel_rows(), *local_rows(accelerator_id)["calibration"])
        return _efficiency(listed, accelerator_id, generation)
    return _shipped_efficiency(accelerator_id, generation, halved_peak)


@functools.cache
def _shipped_efficiency(
    accelerator_id: str, generation: str, halved_peak: bool
) -> Efficiency:
    found = _efficiency(_kernel_rows(), accelerator_id, generation)
    if not halved_peak:
        return found
    kernels = {
        key: c if c.level == LEVELS[0] else _unhindered(c, *key)
        for key, c in found.kernels.items()
    }
    return dataclasses.replace(found, kernels=kernels)


def _unhindered(c: Coefficients, kind: OpKind, dtype: DType) -> Coefficients:
    """Twice the share of the peak, up to the best of any device in this format."""
    best = max(
        row["flop_frac"]
        for row in _kernel_rows()
        if (row["operation"], row.get("dtype", "bf16")) == (kind.value, dtype.value)
    )
    return dataclasses.replace(c, flop_frac=np.minimum(2.0 * c.flop_frac, best))


def _efficiency(
    listed: Iterable[Mapping[str, Any]], accelerator_id: str, generation: str
) -> Efficiency:
    chosen: dict[tuple[str, str], tuple[str, Mapping[str, Any]]] = {}
    for row in listed:
        level = _level(row, accelerator_id, generation)
        key = (row["operation"], row.get("dtype", "bf16"))
        if level and (key not in chosen or _closer(level, chosen[key][0])):
            chosen[key] = (level, row)
    kernels = {
        (OpKind(op), DType(dtype)): _coefficients(row, level)
        for (op, dtype), (level, row) in chosen.items()
        if op in {kind.value for kind in OpKind}
    }
    _, host = chosen["host", "bf16"]
    _, memory = chosen["memory", "bf16"]
    gemm = kernels[OpKind.GEMM, DType.BF16]
    return Efficiency(
        kernels=_drop_looser(kernels),
        link=_link(*chosen["collective", "bf16"]),
        host=HostOverhead(*(host.get(f"{k}_us", 0.0) * _MICRO for k in _HOST)),
        reserve_bytes=memory["reserve_gib"] * GIB,
        level=gemm.level,
    )


_HOST = ("step", "layer", "sequence", "prefill_layer")


def _kernel_rows() -> list[Mapping[str, Any]]:
    """Leave out the factors that `dayrate.perf.tuning` reads."""
    return [r for r in rows("calibration") if "operation" in r]


def _drop_looser(
    kernels: Mapping[tuple[OpKind, DType], Coefficients],
) -> dict[tuple[OpKind, DType], Coefficients]:
    """Prefer a device's own 16-bit row over the default row of a narrow format."""
    return {
        (kind, dtype): c
        for (kind, dtype), c in kernels.items()
        if not _closer(kernels[kind, DType.BF16].level, c.level)
    }


def _level(row: Mapping[str, Any], accelerator_id: str, generation: str) -> str:
    if row["accelerator"] == accelerator_id:
        return "accelerator"
    if row["generation"] == generation:
        return "generation"
    return "default" if row["accelerator"] == "default" else ""


def _closer(a: str, b: str) -> bool:
    return LEVELS.index(a) < LEVELS.index(b)


def _coefficients(row: Mapping[str, Any], level: str) -> Coefficients:
    return Coefficients(
        row["flop_frac"], row["byte_frac"], row["fixed_us"] * _MICRO, level
    )


def _link(level: str, row: Mapping[str, Any]) -> LinkCoefficients:
    fixed_s = [us * _MICRO for us in row["fixed_us"]]
    return LinkCoefficients(row["ranks"], row["byte_frac"], fixed_s, level)
