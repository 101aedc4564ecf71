"""All operators and transfers of one step, layer group by layer group."""

import dataclasses
from collections.abc import Iterator

from dayrate.catalog.model import Block, ModelSpec, PositionKind
from dayrate.perf.attention import mixer_operators
from dayrate.perf.collectives import Transfer, block_transfers, pipeline_transfers
from dayrate.perf.deployment import Machine
from dayrate.perf.moe import feed_forward_operators
from dayrate.perf.operators import Operator, Rank
from dayrate.units import Num

__all__ = ["OperatorGroup", "operator_groups", "step_operators", "step_transfers"]

#: Layers of one kind, or None for what lies before and after the layers.
OperatorGroup = tuple[Block | None, list[Operator]]


def step_operators(model: ModelSpec, rank: Rank) -> list[Operator]:
    """List what one accelerator of each pipeline stage executes in one step.

    Counts are those of the whole model: a token passes every stage.

    Parameters
    ----------
    model : ModelSpec
        The model.
    rank : Rank
        The accelerator's share of the step, from `accelerator_rank`.

    Returns
    -------
    list of Operator
        Embedding, layers, head.

    Examples
    --------
    >>> from dayrate.perf.examples import BF16, LLAMA_3_1_70B
    >>> from dayrate.perf.deployment import Parallelism
    >>> from dayrate.perf.operators import StepShape
    >>> from dayrate.perf.parallel import accelerator_rank
    >>> shape = StepShape(decode_sequences=1, logit_sequences=1)
    >>> rank = accelerator_rank(LLAMA_3_1_70B, Parallelism(), BF16, shape)
    >>> ops = step_operators(LLAMA_3_1_70B, rank)
    >>> read_bytes = sum(op.weight_bytes * op.count for op in ops)
    >>> round(float(read_bytes) / 1e9)  # all but the input embedding
    139

    References
    ----------
    .. [1] "Transformer inference arithmetic", C. Chen, 2022,
       https://kipp.ly/transformer-inference-arithmetic/
    """
    return [op for _block, group in operator_groups(model, rank) for op in group]


def operator_groups(model: ModelSpec, rank: Rank) -> list[OperatorGroup]:
    """List the operators of `step_operators` by the layers that execute them.

    Parameters
    ----------
    model : ModelSpec
        The model.
    rank : Rank
        The accelerator's share of the step, from `accelerator_rank`.

    Returns
    -------
    list of OperatorGroup
        The embedding, each group of equal layers, the head.

    Examples
    --------
    >>> from dayrate.perf.examples import BF16, LLAMA_3_1_70B
    >>> from dayrate.perf.deployment import Parallelism
    >>> from dayrate.perf.operators import StepShape
    >>> from dayrate.perf.parallel import accelerator_rank
    >>> shape = StepShape(prefill_tokens=8, prefill_context_tokens=4.5)
    >>> rank = accelerator_rank(LLAMA_3_1_70B, Parallelism(), BF16, shape)
    >>> [len(group) for _block, group in operator_groups(LLAMA_3_1_70B, rank)]
    [1, 9, 1]

    References
    ----------
    .. [1] A. Vaswani et al., "Attention Is All You Need", 2017, arXiv:1706.03762.
    """
    return [
        (None, [_embedding(rank)]),
        *(
            (block, list(_block_operators(block, model, _seen_by(block, rank))))
            for block in model.blocks
        ),
        (None, _heads(model, rank)),
    ]


def step_transfers(model: ModelSpec, rank: Rank, machine: Machine) -> list[Transfer]:
    """List what one accelerator sends in one step.

    Parameters
    ----------
    model : ModelSpec
        The model.
    rank : Rank
        The accelerator's share of the step, from `accelerator_rank`.
    machine : Machine
        For the reach of its scale-up link.

    Returns
    -------
    list of Transfer
        Per layer group, then between stages.

    Examples
    --------
    >>> from dayrate.perf.examples import BF16, H100, LLAMA_3_1_70B, TP8
    >>> from dayrate.perf.operators import StepShape
    >>> from dayrate.perf.parallel import accelerator_rank
    >>> rank = accelerator_rank(LLAMA_3_1_70B, TP8, BF16, StepShape(decode_sequences=1))
    >>> [(t.name, t.count) for t in step_transfers(LLAMA_3_1_70B, rank, H100)]
    [('all_reduce', 160), ('pipeline_send', 0)]

    References
    ----------
    .. [1] M. Shoeybi et al., "Megatron-LM", 2019, arXiv:1909.08053.
    """
    listed = [
        dataclasses.replace(t, count=t.count * block.count)
        for block in model.blocks
        for t in block_transfers(
            block, _without_prompt(block, _seen_by(block, rank)), machine
        )
    ]
    return listed + pipeline_transfers(rank, machine)


def _block_operators(block: Block, model: ModelSpec, step: Rank) -> Iterator[Operator]:
    rank = _without_prompt(block, step)
    listed = [rank.elementwise("norms", _norm_values(block, rank))]
    if block.mixer is not None:
        mixed = mixer_operators(block.mixer, rank)
        listed += [_named(op, model.positions) for op in mixed]
    if block.cross is not None:
        listed += mixer_operators(block.cross, step)
    if block.mlp is not None:
        listed += feed_forward_operators(block.mlp, rank)
    return (dataclasses.replace(op, count=block.count) for op in listed)


def _named(op: Operator, positions: PositionKind) -> Operator:
    """Name the pass over fresh queries and keys by what it does.

    Without rotary positions it stores keys and values, which moves as much where
    every head has its own.
    """
    if op.name != "rope" or positions is PositionKind.ROTARY:
        return op
    return dataclasses.replace(op, name="kv_store")


def _norm_values(block: Block, rank: Rank) -> Num:
    """Each part of a layer adds to the residual and normalises: read 2, write 2."""
    parts = sum(part is not None for part in (block.mixer, block.cross, block.mlp))
    return 4.0 * rank.hidden * parts


def _seen_by(block: Block, rank: Rank) -> Rank:
    """Restrict the step to the tokens a layer computes.

    Encoders see prompts, in both directions, hence twice the causal context.
    """
    if not block.encoder:
        return rank
    s = rank.shape
    shape = dataclasses.replace(
        s,
        decode_sequences=0.0 * s.decode_sequences,
        prefill_context_tokens=2.0 * s.prefill_context_tokens,
    )
    return dataclasses.replace(rank, shape=shape)


def _without_prompt(block: Block, rank: Rank) -> Rank:
    """Leave a decoder with cross attention the generated tokens only.

    What the encoder holds of their context is seen by its cross attention alone.
    """
    if block.cross is None:
        return rank
    s = rank.shape
    shape = dataclasses.replace(
        s,
        prefill_tokens=0.0 * s.prefill_tokens,
        decode_context_tokens=s.decode_context_tokens - s.decode_cross_tokens,
    )
    return dataclasses.replace(rank, shape=shape)


def _embedding(rank: Rank) -> Operator:
    return rank.elementwise("embedding", 2.0 * rank.hidden)


def _heads(model: ModelSpec, rank: Rank) -> list[Operator]:
    """Logits, for the positions that are sampled."""
    sampled = rank.shape.logit_sequences
    width = model.embedding_size or model.hidden_size
    logits = rank.gemm(
        "lm_head",
        width,
        model.vocab_size / rank.tensor,
        weights=rank.formats.head,
        tokens=sampled,
    )
    if not model.head_transform:
        return [logits]
    before = rank.gemm(
        "head_transform", width, width, weights=rank.formats.head, tokens=sampled
    )
    return [before, logits]
