"""Accelerators, the links between them, and the servers that hold them."""

from collections.abc import Mapping
from dataclasses import dataclass

from dayrate.errors import InvalidInput
from dayrate.evidence import Estimate, Source
from dayrate.units import DType

__all__ = ["Accelerator", "Link", "PartPowers", "Server", "ServingPower"]


@dataclass(frozen=True, slots=True)
class Link:
    """A connection between accelerators, per device and in one direction.

    Where a link has no fabric of its own, transfers pass through host memory unless the
    server lets devices reach each other: ``relay_frac`` of the rate, ``relay_s`` later.
    """

    name: str
    bytes_per_s: float
    latency_s: float
    world_size: int  # devices that reach each other at this rate
    relay_frac: float = 1.0
    relay_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Accelerator:
    """One GPU, TPU or other device, in SI units; peaks are dense."""

    id: str
    name: str
    vendor: str
    generation: str  # "hopper", "ampere", "cdna3": the level calibration falls back to
    form: str
    year: int
    hbm_bytes: float
    hbm_bytes_per_s: float
    peak_flop_per_s: Mapping[DType, float]
    tdp_w: float | None
    link: Link
    unit_price_usd: Estimate | None
    aliases: tuple[str, ...]
    source: Source
    confidence: str
    notes: str = ""

    def matmul_flop_per_s(self, dtype: DType) -> float:
        """Peak rate of matrix products whose operands are of ``dtype``. [FLOP/s]

        Raises
        ------
        InvalidInput
            The device has no published rate for the format.
        """
        if dtype in self.peak_flop_per_s:
            return self.peak_flop_per_s[dtype]
        have = ", ".join(d.value for d in self.peak_flop_per_s)
        raise InvalidInput(
            f"{self.id} has no published {dtype.value} rate; it has {have}. "
            "Choose one of these formats or another accelerator."
        )


@dataclass(frozen=True, slots=True)
class Server:
    """A machine with its accelerators: what is bought, racked and plugged in."""

    id: str
    name: str
    accelerator_id: str
    accelerators: int
    rated_w: Estimate  # nameplate or provisioned
    idle_w: Estimate
    busy_w: Estimate  # mean while serving at full load
    capex_usd: Estimate | None  # None: no price was found
    source: Source
    inter_node: Link  # world_size 0: as many as the network has
    notes: str = ""


@dataclass(frozen=True, slots=True)
class PartPowers:
    """Power per unit of a server's parts, for machines described part by part."""

    id: str
    name: str
    cpu_w: Estimate
    w_per_memory_byte: Estimate
    w_per_storage_byte: Estimate
    w_per_network_bit_per_s: Estimate
    source: Source


@dataclass(frozen=True, slots=True)
class ServingPower:
    """Power of one accelerator while it serves, over configurations (p10, p50, p90)."""

    accelerator_id: str
    serving_w: Estimate
    idle_w: Estimate
