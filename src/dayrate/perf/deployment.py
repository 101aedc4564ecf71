"""How a model is spread over accelerators and in which number formats.

Every numeric field may be an array: one value then describes a grid of deployments,
and the formulas of `dayrate.perf` broadcast over it.
"""

from dataclasses import dataclass

from dayrate.catalog.hardware import Accelerator, Link
from dayrate.units import DType, Num

__all__ = ["Machine", "Parallelism", "Precision", "compute_dtype", "machine_of"]

_OWN_ARITHMETIC = frozenset({DType.FP8, DType.INT8, DType.NVFP4, DType.FP32})


@dataclass(frozen=True, slots=True)
class Parallelism:
    """Ranks per replica, by kind; ``tensor * pipeline`` accelerators hold one copy.

    ``expert`` ranks share the routed experts (1: experts are sharded like dense
    layers); ``attention_data`` ranks each run attention for their own sequences.
    """

    tensor: Num = 1
    pipeline: Num = 1
    expert: Num = 1
    attention_data: Num = 1

    @property
    def accelerators(self) -> Num:
        """Accelerators of one replica. [1]"""
        return self.tensor * self.pipeline * self.attention_data


@dataclass(frozen=True, slots=True)
class Precision:
    """Number formats of the three things that move."""

    weights: DType
    kv_cache: DType
    activations: DType


@dataclass(frozen=True, slots=True)
class Machine:
    """What the physics needs of an accelerator; fields may be arrays.

    Parameters
    ----------
    matmul_flop_per_s : Num
        Dense peak for quantised or unquantised weights as computed. [FLOP/s]
    attention_flop_per_s : Num
        Dense peak of the format attention computes in. [FLOP/s]
    hbm_bytes_per_s : Num
        Memory bandwidth of one accelerator. [B/s]
    hbm_bytes : Num
        Memory of one accelerator. [B]
    link_bytes_per_s, link_latency_s : Num
        Scale-up link per accelerator, one direction, and its latency. [B/s], [s]
    link_world_size : Num
        Accelerators that reach each other over the scale-up link. [1]
    node_bytes_per_s, node_latency_s : Num
        Network per accelerator between servers. [B/s], [s]
    relay_frac, relay_s : Num
        Share of the link's rate, and further time, of transfers that pass through host
        memory. [1], [s]
    """

    generation: str
    accelerator_id: str
    matmul_flop_per_s: Num
    attention_flop_per_s: Num
    hbm_bytes_per_s: Num
    hbm_bytes: Num
    link_bytes_per_s: Num
    link_latency_s: Num
    link_world_size: Num
    node_bytes_per_s: Num
    node_latency_s: Num
    relay_frac: Num = 1.0
    relay_s: Num = 0.0


def compute_dtype(weights: DType) -> DType:
    """Format in which products with such weights are computed.

    Formats without arithmetic of their own (INT4, GGUF blocks) are unpacked to 16 bits
    on the fly, as the engines' weight-only kernels do. MXFP4 weights meet activations
    of 8 bits, on devices that multiply them at all (`machine_of`).

    Parameters
    ----------
    weights : DType
        Format the weights are stored in.

    Returns
    -------
    DType
        Format of the multiplication.

    Examples
    --------
    >>> compute_dtype(DType.INT4)
    <DType.BF16: 'bf16'>
    >>> compute_dtype(DType.FP8)
    <DType.FP8: 'fp8'>

    References
    ----------
    .. [1] E. Frantar et al., "MARLIN: Mixed-Precision Auto-Regressive Parallel
       Inference on Large Language Models", 2024, arXiv:2408.11743.
    """
    if weights is DType.MXFP4:
        return DType.FP8
    return weights if weights in _OWN_ARITHMETIC else DType.BF16


def machine_of(
    accelerator: Accelerator,
    *,
    network: Link,
    precision: Precision,
    per_server: int = 1,
    peer_access: bool = False,
) -> Machine:
    """Read the physics of a catalogued accelerator for one choice of formats.

    Parameters
    ----------
    accelerator : Accelerator
        From the catalogue.
    network : Link
        Between servers, per accelerator.
    precision : Precision
        Number formats; a device without arithmetic in the weights' format unpacks
        them to 16 bits.
    per_server : int
        Accelerators of one server; without a scale-up fabric they still reach each
        other over the link (PCIe) and need no network. [1]
    peer_access : bool
        Whether devices without a fabric reach each other directly, as behind the PCIe
        switches of a vendor's own servers; elsewhere transfers pass through host memory
        (`Link`).

    Returns
    -------
    Machine
        Rates, sizes and links.

    Raises
    ------
    InvalidInput
        The device has no published 16-bit rate.

    Examples
    --------
    >>> from dayrate.catalog.hardware import Accelerator, Link
    >>> from dayrate.evidence import Source
    >>> nvlink = Link("NVLink3", 300e9, 2e-6, 8)
    >>> a100 = Accelerator(
    ...     "a100-sxm-80gb", "A100", "NVIDIA", "ampere", "SXM", 2020, 80e9, 2.039e12,
    ...     {DType.BF16: 312e12}, 400.0, nvlink, None, (), Source("data sheet"), "high",
    ... )
    >>> fp8 = Precision(DType.FP8, DType.FP8, DType.BF16)
    >>> machine_of(a100, network=nvlink, precision=fp8).matmul_flop_per_s
    312000000000000.0

    References
    ----------
    .. [1] E. Frantar et al., "MARLIN: Mixed-Precision Auto-Regressive Parallel
       Inference on Large Language Models", 2024, arXiv:2408.11743.
    .. [2] NVIDIA, "NCCL Documentation", NCCL_P2P_LEVEL.
    """
    peaks = accelerator.peak_flop_per_s
    half = DType.BF16 if DType.BF16 in peaks else DType.FP16
    sixteen_bit = accelerator.matmul_flop_per_s(half)
    wanted = compute_dtype(precision.weights)
    if precision.weights is DType.MXFP4 and DType.MXFP4 not in peaks:
        wanted = half
    return Machine(
        generation=accelerator.generation,
        accelerator_id=accelerator.id,
        matmul_flop_per_s=peaks.get(wanted, sixteen_bit),
        attention_flop_per_s=sixteen_bit,
        hbm_bytes_per_s=accelerator.hbm_bytes_per_s,
        hbm_bytes=accelerator.hbm_bytes,
        link_bytes_per_s=accelerator.link.bytes_per_s,
        link_latency_s=accelerator.link.latency_s,
        link_world_size=max(accelerator.link.world_size, per_server),
        node_bytes_per_s=network.bytes_per_s,
        node_latency_s=network.latency_s,
        relay_frac=1.0 if peer_access else accelerator.link.relay_frac,
        relay_s=0.0 if peer_access else accelerator.link.relay_s,
    )
