"""Bytes an accelerator keeps resident: weights, cache, and room to compute."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dayrate.catalog.model import Block, Mixer, Mlp, ModelSpec, Moe
from dayrate.perf.attention import cache_bytes
from dayrate.perf.blocks import step_operators
from dayrate.perf.deployment import Machine, Parallelism, Precision
from dayrate.perf.operators import Formats, StepShape
from dayrate.perf.parallel import accelerator_rank, layer_imbalance
from dayrate.units import DType, Num

__all__ = [
    "MemoryPlan",
    "kv_bytes_per_sequence",
    "kv_bytes_per_token",
    "memory_plan",
    "weight_bytes_per_accelerator",
    "workspace_bytes",
]

#: Tokens enough to touch every expert of any router.
_ALL_EXPERTS_TOKENS = 1e12


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """One accelerator's memory, and the cache of the replica that it leaves room for.

    ``sequence_bytes`` is what one sequence of ``context_tokens`` keeps on each
    accelerator of its attention rank; ``kv_sequences`` counts the whole replica and is
    0 where weights and workspace alone exceed memory.
    """

    usable_bytes: Num
    weight_bytes: Num
    workspace_bytes: Num
    sequence_bytes: Num
    context_tokens: Num
    attention_ranks: Num

    @property
    def cache_bytes(self) -> Num:
        """Room for cache on one accelerator. [B]"""
        free = self.usable_bytes - self.weight_bytes - self.workspace_bytes
        return np.maximum(free, 0.0)

    @property
    def need_bytes(self) -> Num:
        """What one sequence needs at least on one accelerator. [B]"""
        return self.weight_bytes + self.workspace_bytes + self.sequence_bytes

    @property
    def kv_sequences(self) -> Num:
        """Sequences of this context that fit in the replica. [1]"""
        return self.attention_ranks * self.cache_bytes / self.sequence_bytes

    @property
    def kv_capacity_tokens(self) -> Num:
        """Tokens cached when the replica is full of such sequences. [token]"""
        return self.kv_sequences * self.context_tokens


def weight_bytes_per_accelerator(
    model: ModelSpec, parallelism: Parallelism, precision: Precision
) -> Num:
    """Weights on the fullest accelerator.

    The matrices are those of the operators, so what is stored is what is read. Small
    vectors (norms, positions) are added; biases of linear layers, below 0.1 %, are
    not.

    Parameters
    ----------
    model : ModelSpec
        The model.
    parallelism : Parallelism
        How the replica is spread.
    precision : Precision
        Number formats.

    Returns
    -------
    Num
        Size on one accelerator. [B]

    Examples
    --------
    >>> from dayrate.perf.examples import BF16, LLAMA_3_1_70B, TP8
    >>> round(float(weight_bytes_per_accelerator(LLAMA_3_1_70B, TP8, BF16)) / 1e9, 2)
    17.64

    References
    ----------
    .. [1] M. Shoeybi et al., "Megatron-LM", 2019, arXiv:1909.08053.
    """
    shape = StepShape(
        prefill_tokens=_ALL_EXPERTS_TOKENS,
        decode_sequences=_ALL_EXPERTS_TOKENS,
        logit_sequences=1.0,
    )
    rank = accelerator_rank(model, parallelism, precision, shape)
    layers: Num = _vector_params(model) * rank.formats.unquantized.bytes
    head: Num = 0.0
    for op in step_operators(model, rank):
        if op.name == "lm_head":
            head = op.weight_bytes
        else:
            layers = layers + op.weight_bytes * op.count
    embedding = 0.0 if model.tied_embeddings else head
    stages = parallelism.pipeline
    # first and last stage hold one table each; a single stage holds both
    ends = np.where(np.asarray(stages) > 1, head, head + embedding)
    return layers * layer_imbalance(model, parallelism) / stages + ends


def kv_bytes_per_token(model: ModelSpec, kv_cache: DType) -> float:
    """Cache of one token over all layers and ranks, before windows cap it.

    Parameters
    ----------
    model : ModelSpec
        The model.
    kv_cache : DType
        Format of the cache.

    Returns
    -------
    float
        Size; recurrent layers keep no cache per token. [B/token]

    Examples
    --------
    >>> from dayrate.perf.examples import LLAMA_3_1_70B
    >>> kv_bytes_per_token(LLAMA_3_1_70B, DType.BF16)
    327680.0

    References
    ----------
    .. [1] J. Ainslie et al., "GQA", EMNLP 2023, arXiv:2305.13245.
    """

    def growth(mixer: Mixer) -> Num:
        one, none = (
            cache_bytes(mixer, tensor=1, context=n, kv_cache=kv_cache) for n in (1, 0)
        )
        return one - none

    return float(sum(b.count * growth(m) for b in model.blocks for m in _caching(b)))


def kv_bytes_per_sequence(
    model: ModelSpec,
    parallelism: Parallelism,
    precision: Precision,
    context_tokens: Num,
) -> Num:
    """Cache that one sequence keeps on each accelerator that serves it.

    Parameters
    ----------
    model : ModelSpec
        The model.
    parallelism : Parallelism
        Tensor ranks share heads, pipeline stages share layers.
    precision : Precision
        Number formats.
    context_tokens : Num
        Tokens of the sequence so far. [token]

    Returns
    -------
    Num
        Size on one accelerator. [B]

    Examples
    --------
    >>> from dayrate.perf.examples import BF16, LLAMA_3_1_70B, TP8
    >>> float(kv_bytes_per_sequence(LLAMA_3_1_70B, TP8, BF16, 1000))
    40960000.0

    References
    ----------
    .. [1] W. Kwon et al., "Efficient Memory Management for Large Language Model
       Serving with PagedAttention", SOSP 2023, arXiv:2309.06180.
    """
    total: Num = 0.0
    for block in model.blocks:
        for mixer in _caching(block):
            total = total + block.count * cache_bytes(
                mixer,
                tensor=parallelism.tensor,
                context=context_tokens,
                kv_cache=precision.kv_cache,
            )
    return total * layer_imbalance(model, parallelism) / parallelism.pipeline


def workspace_bytes(
    model: ModelSpec,
    parallelism: Parallelism,
    precision: Precision,
    *,
    tokens: Num,
    sequences: Num,
    reserve_bytes: Num,
) -> Num:
    """Activations at their widest, logits, and a fixed reserve.

    Parameters
    ----------
    model : ModelSpec
        The model.
    parallelism : Parallelism
        How the replica is spread.
    precision : Precision
        Number formats.
    tokens : Num
        Largest number of tokens in one step of an attention rank. [token]
    sequences : Num
        Largest number of positions sampled at once. [1]
    reserve_bytes : Num
        Context, communication buffers, captured graphs. [B]

    Returns
    -------
    Num
        Size on one accelerator. [B]

    Notes
    -----
    Four residual-sized buffers and the widest pair of matrices' inputs and outputs
    live at once; logits are sampled in 32 bits.

    Examples
    --------
    >>> from dayrate.perf.examples import BF16, LLAMA_3_1_70B, TP8
    >>> size = workspace_bytes(
    ...     LLAMA_3_1_70B, TP8, BF16, tokens=8192, sequences=256, reserve_bytes=0
    ... )
    >>> round(float(size) / 1e9, 2)
    0.73

    References
    ----------
    .. [1] V. Korthikanti et al., "Reducing Activation Recomputation in Large
       Transformer Models", 2022, arXiv:2205.05198.
    """
    fmt = Formats.of(model, precision)
    widest = max(_width(b.mlp) for b in model.blocks) / parallelism.tensor
    per_token = (4 * model.hidden_size + 3 * widest) * fmt.activations.bytes
    logits = sequences * model.vocab_size / parallelism.tensor * DType.FP32.bytes
    return tokens * per_token + logits + reserve_bytes


def memory_plan(
    model: ModelSpec,
    machine: Machine,
    parallelism: Parallelism,
    precision: Precision,
    *,
    context_tokens: Num,
    usable_bytes: Num,
    workspace: Num,
) -> MemoryPlan:
    """Share an accelerator's memory out.

    Parameters
    ----------
    model : ModelSpec
        The model.
    machine : Machine
        The accelerator.
    parallelism : Parallelism
        How the replica is spread.
    precision : Precision
        Number formats.
    context_tokens : Num
        Mean context of the sequences served. [token]
    usable_bytes : Num
        Part of memory that the engine may use; at most the accelerator's. [B]
    workspace : Num
        Room for computing, from `workspace_bytes`. [B]

    Returns
    -------
    MemoryPlan
        With the number of sequences that fit.

    Examples
    --------
    >>> from dayrate.perf.examples import BF16, H100, LLAMA_3_1_70B, TP8
    >>> plan = memory_plan(
    ...     LLAMA_3_1_70B, H100, TP8, BF16,
    ...     context_tokens=2000, usable_bytes=72e9, workspace=2e9,
    ... )
    >>> int(plan.kv_sequences)
    639

    References
    ----------
    .. [1] W. Kwon et al., "PagedAttention", SOSP 2023, arXiv:2309.06180.
    """
    return MemoryPlan(
        usable_bytes=np.minimum(usable_bytes, machine.hbm_bytes),
        weight_bytes=weight_bytes_per_accelerator(model, parallelism, precision),
        workspace_bytes=workspace,
        sequence_bytes=kv_bytes_per_sequence(
            model, parallelism, precision, context_tokens
        ),
        context_tokens=context_tokens,
        attention_ranks=parallelism.attention_data,
    )


def _caching(block: Block) -> Sequence[Mixer]:
    """Mixers that keep a cache while generating.

    The encoder keeps none. A decoder layer with cross attention caches input tokens
    in one mixer and output tokens in the other, at the same bytes per token, so one
    of the two counts all.
    """
    if block.encoder or block.mixer is None:
        return []
    return [block.mixer]


def _vector_params(model: ModelSpec) -> float:
    return (
        sum(b.count * b.norm_params for b in model.blocks)
        + model.final_norm_params
        + model.embedding_norm_params
        + model.position_params
        + model.extra_params
    )


def _width(mlp: Mlp | Moe | None) -> int:
    """Widest intermediate activations of one token; routed copies included."""
    if mlp is None:
        return 0
    if isinstance(mlp, Mlp):
        return mlp.intermediate_size
    routed = mlp.intermediate_size * mlp.experts_per_token
    return max(routed, mlp.shared_intermediate_size)
