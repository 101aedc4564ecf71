"""What tensor, expert and pipeline ranks send each other in one step."""

import enum
from dataclasses import dataclass

import numpy as np

from dayrate.catalog.model import Block, Moe
from dayrate.perf.deployment import Machine, compute_dtype
from dayrate.perf.operators import Rank
from dayrate.units import Num

__all__ = ["Transfer", "TransferKind", "block_transfers", "pipeline_transfers"]


class TransferKind(enum.Enum):
    """Patterns that are calibrated separately."""

    ALL_REDUCE = "all_reduce"
    ALL_TO_ALL = "all_to_all"
    SEND = "send"


@dataclass(frozen=True, slots=True)
class Transfer:
    """One collective; bytes are what each accelerator puts on the wire.

    Parameters
    ----------
    ranks : Num
        Accelerators that take part; 1 makes it free. [1]
    link_bytes, node_bytes : Num
        Sent over the scale-up link and between servers, per call. [B]
    node_hops : Num
        Steps that cross servers one after the other. [1]
    count : Num
        Calls per step. [1]
    """

    name: str
    kind: TransferKind
    ranks: Num
    link_bytes: Num
    node_bytes: Num
    node_hops: Num
    count: Num = 1


def block_transfers(block: Block, rank: Rank, machine: Machine) -> list[Transfer]:
    """List the collectives of one layer.

    Each part of a layer that is split by tensor ranks ends in a ring all-reduce. With
    attention-data ranks, routed experts get their tokens by an all-to-all and send
    results back by another.

    Parameters
    ----------
    block : Block
        The layer.
    rank : Rank
        The accelerator's share of the step.
    machine : Machine
        For the number of accelerators on one scale-up link.

    Returns
    -------
    list of Transfer
        For one layer.

    Examples
    --------
    >>> from dayrate.perf.examples import H100, LLAMA_3_1_70B, BF16
    >>> from dayrate.perf.deployment import Parallelism
    >>> from dayrate.perf.operators import StepShape
    >>> from dayrate.perf.parallel import accelerator_rank
    >>> rank = accelerator_rank(
    ...     LLAMA_3_1_70B, Parallelism(tensor=8), BF16, StepShape(decode_sequences=64)
    ... )
    >>> transfer = block_transfers(LLAMA_3_1_70B.blocks[0], rank, H100)[0]
    >>> float(transfer.link_bytes) == 64 * 8192 * 2 * 2 * 7 / 8
    True

    References
    ----------
    .. [1] M. Shoeybi et al., "Megatron-LM", 2019, arXiv:1909.08053.
    .. [2] D. Lepikhin et al., "GShard", 2020, arXiv:2006.16668.
    """
    parts = (block.mixer is not None) + (block.cross is not None)
    parts += block.mlp is not None
    reduced = _all_reduce(rank, machine, count=parts)
    if isinstance(block.mlp, Moe):
        return [reduced, _all_to_all(block.mlp, rank, machine)]
    return [reduced]


def pipeline_transfers(rank: Rank, machine: Machine) -> list[Transfer]:
    """List the hand-overs between pipeline stages.

    Parameters
    ----------
    rank : Rank
        The accelerator's share of the step.
    machine : Machine
        For the number of accelerators on one scale-up link.

    Returns
    -------
    list of Transfer
        One, with a call per boundary.

    Examples
    --------
    >>> from dayrate.perf.examples import H100, LLAMA_3_1_70B, BF16
    >>> from dayrate.perf.deployment import Parallelism
    >>> from dayrate.perf.operators import StepShape
    >>> from dayrate.perf.parallel import accelerator_rank
    >>> rank = accelerator_rank(
    ...     LLAMA_3_1_70B, Parallelism(pipeline=4), BF16, StepShape(decode_sequences=8)
    ... )
    >>> pipeline_transfers(rank, H100)[0].count
    3

    References
    ----------
    .. [1] Y. Huang et al., "GPipe", NeurIPS 2019, arXiv:1811.06965.
    """
    p = rank.parallelism
    sent = rank.shape.tokens * rank.hidden * rank.formats.activations.bytes / p.tensor
    inside = p.tensor * p.pipeline * p.attention_data <= machine.link_world_size
    return [
        Transfer(
            "pipeline_send",
            TransferKind.SEND,
            ranks=np.minimum(p.pipeline, 2),
            link_bytes=np.where(inside, sent, 0.0),
            node_bytes=np.where(inside, 0.0, sent),
            node_hops=np.where(inside, 0.0, 1.0),
            count=p.pipeline - 1,
        )
    ]


def _all_reduce(rank: Rank, machine: Machine, *, count: int) -> Transfer:
    n, world = rank.tensor, machine.link_world_size
    size = rank.shape.tokens * rank.hidden * rank.formats.activations.bytes
    sent = 2.0 * (n - 1) / n * size
    nodes = np.ceil(n / world)
    return Transfer(
        "all_reduce",
        TransferKind.ALL_REDUCE,
        ranks=n,
        link_bytes=np.where(nodes > 1, 0.0, sent),
        node_bytes=np.where(nodes > 1, sent, 0.0),
        node_hops=2.0 * (nodes - 1),
        count=count,
    )


def _all_to_all(moe: Moe, rank: Rank, machine: Machine) -> Transfer:
    """Dispatch and combine.

    A token goes once to each server that holds one of its experts, and there once to
    each such rank, as DeepEP sends it; without expert ranks everyone gets everything.
    It goes in the format that the experts multiply, and comes back as activations.
    """
    p, n = rank.parallelism, rank.parallelism.attention_data
    nodes = np.ceil(rank.expert_shards / machine.link_world_size)
    visits = np.where(np.asarray(p.expert) > 1, moe.experts_per_token, np.inf)
    width = moe.latent_size or rank.hidden
    back = rank.formats.activations.bytes
    there = np.minimum(compute_dtype(rank.formats.experts).bytes, back)
    sent = rank.shape.tokens * width * (there + back) / 2.0 / p.tensor
    return Transfer(
        "all_to_all",
        TransferKind.ALL_TO_ALL,
        ranks=n,
        link_bytes=sent * _others_reached(n, visits),
        node_bytes=sent * _others_reached(nodes, visits),
        node_hops=np.minimum(nodes - 1.0, 1.0),
        count=2,
    )


def _others_reached(groups: Num, visits: Num) -> Num:
    """Count the other groups among ``groups`` that uniform visits reach."""
    reached_frac: Num = 1.0 - (1.0 - 1.0 / np.asarray(groups, dtype=float)) ** visits
    return (groups - 1.0) * reached_frac
