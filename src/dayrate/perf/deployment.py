"""How a model is spread over accelerators and in which number formats.

Every numeric field may be an array: one value then describes a grid of deployments,
and the formulas of `dayrate.perf` broadcast over it.
"""

from dataclasses import dataclass

from dayrate.units import DType, Num

__all__ = ["Machine", "Parallelism", "Precision"]


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
