"""Operators of token mixers: softmax attention, latent attention, recurrent states."""

import dataclasses

import numpy as np

from dayrate.catalog.model import Attention, LinearAttention, Mamba2, Mixer, Mla
from dayrate.perf.operators import Operator, OpKind, Rank
from dayrate.units import DType, Num

__all__ = ["cache_bytes", "mixer_operators", "state_bytes"]

#: Recurrent states are kept in 32 bits by vLLM and the reference code of Mamba.
_STATE = DType.FP32


def mixer_operators(mixer: Mixer, rank: Rank) -> list[Operator]:
    """List what one layer's token mixer executes on one accelerator.

    Parameters
    ----------
    mixer : Mixer
        Attention, latent attention or a recurrent layer.
    rank : Rank
        The accelerator's share of the step.

    Returns
    -------
    list of Operator
        In order of execution, for one layer.

    Examples
    --------
    >>> from dayrate.catalog.model import Attention
    >>> from dayrate.perf.deployment import Parallelism
    >>> from dayrate.perf.operators import Formats, Rank, StepShape
    >>> bf16 = DType.BF16
    >>> rank = Rank(
    ...     hidden=8192, parallelism=Parallelism(tensor=8),
    ...     formats=Formats(bf16, bf16, bf16, bf16, bf16, bf16),
    ...     shape=StepShape(decode_sequences=1, decode_context_tokens=1000),
    ...     routed_tokens=1,
    ... )
    >>> gqa = Attention(n_heads=64, n_kv_heads=8, head_dim=128)
    >>> [op.name for op in mixer_operators(gqa, rank)]
    ['qkv', 'rope', 'attention_prefill', 'attention_decode', 'attention_out']

    References
    ----------
    .. [1] A. Vaswani et al., "Attention Is All You Need", 2017, arXiv:1706.03762.
    .. [2] DeepSeek-AI, "DeepSeek-V2", 2024, arXiv:2405.04434 (absorbed decode).
    .. [3] T. Dao, A. Gu, "Transformers are SSMs", 2024, arXiv:2405.21060.
    .. [4] S. Yang et al., "Gated Delta Networks", 2024, arXiv:2412.06464.
    """
    if isinstance(mixer, Attention):
        return _softmax(mixer, rank)
    if isinstance(mixer, Mla):
        return _latent(mixer, rank)
    if isinstance(mixer, Mamba2):
        return _mamba2(mixer, rank)
    return _linear(mixer, rank)


def cache_bytes(mixer: Mixer, *, tensor: Num, context: Num, kv_cache: DType) -> Num:
    """Cache that one layer keeps for one sequence on one accelerator.

    Parameters
    ----------
    mixer : Mixer
        Attention, latent attention or a recurrent layer.
    tensor : Num
        Tensor-parallel ranks; key/value heads are replicated beyond their number. [1]
    context : Num
        Tokens of the sequence so far. [token]
    kv_cache : DType
        Format of the cache.

    Returns
    -------
    Num
        Size, constant for recurrent layers and capped by windows. [B]

    Examples
    --------
    >>> from dayrate.catalog.model import Attention
    >>> gqa = Attention(n_heads=64, n_kv_heads=8, head_dim=128)
    >>> float(cache_bytes(gqa, tensor=8, context=1, kv_cache=DType.BF16))
    512.0

    References
    ----------
    .. [1] J. Ainslie et al., "GQA", EMNLP 2023, arXiv:2305.13245.
    .. [2] DeepSeek-AI, "DeepSeek-V2", 2024, arXiv:2405.04434 (latent cache).
    """
    if isinstance(mixer, Attention):
        width = 2 * _kv_heads(mixer, tensor) * mixer.head_dim
        return width * _seen(context, mixer.window_tokens) * kv_cache.bytes
    if isinstance(mixer, Mla):  # one latent for all heads: every rank keeps it whole
        width = mixer.kv_lora_rank + mixer.qk_rope_head_dim + mixer.index_head_dim
        return width * context * kv_cache.bytes
    return state_bytes(mixer) / tensor + 0.0 * context


def state_bytes(mixer: Mamba2 | LinearAttention) -> float:
    """State of a recurrent layer for one sequence, whatever its length.

    Parameters
    ----------
    mixer : Mamba2 or LinearAttention
        The layer.

    Returns
    -------
    float
        Size over all ranks. [B]

    Examples
    --------
    >>> state_bytes(Mamba2(128, 64, 128, 8, 4))
    4255744.0

    References
    ----------
    .. [1] T. Dao, A. Gu, "Transformers are SSMs", 2024, arXiv:2405.21060.
    """
    if isinstance(mixer, Mamba2):
        inner = mixer.n_heads * mixer.head_dim
        state = inner * mixer.state_dim
        channels = inner + 2 * mixer.n_groups * mixer.state_dim
    else:
        state = mixer.n_v_heads * mixer.k_head_dim * mixer.v_head_dim
        channels = 2 * mixer.n_k_heads * mixer.k_head_dim
        channels += mixer.n_v_heads * mixer.v_head_dim
    conv = channels * (mixer.conv_kernel - 1)
    return state * _STATE.bytes + conv * DType.BF16.bytes


def _softmax(a: Attention, rank: Rank) -> list[Operator]:
    if a.cross:
        return _cross(a, rank)
    heads = a.n_heads / rank.tensor
    kv_heads = _kv_heads(a, rank.tensor)
    queries = heads * (2 if a.gated_output else 1)
    return [
        rank.gemm("qkv", rank.hidden, (queries + 2 * kv_heads) * a.head_dim),
        rank.elementwise("rope", 2 * (heads + kv_heads) * a.head_dim),
        *_softmax_core(a, rank),
        rank.gemm("attention_out", heads * a.head_dim, rank.hidden),
    ]


def _softmax_core(a: Attention, rank: Rank) -> list[Operator]:
    """Scores and weighted values; cost per token is 4 x width x attended context."""
    width = a.n_heads / rank.tensor * a.head_dim
    return _core(
        rank,
        flop_per_pair=4.0 * width,
        flop_per_pair_decode=4.0 * width,
        width=width,
        kv_width=2 * _kv_heads(a, rank.tensor) * a.head_dim,
        window=a.window_tokens,
    )


def _cross(a: Attention, rank: Rank) -> list[Operator]:
    """Attend to the encoder's output, whose keys and values are computed once."""
    width = a.n_heads / rank.tensor * a.head_dim
    kv_width = 2 * _kv_heads(a, rank.tensor) * a.head_dim
    shape = rank.shape
    decoding = dataclasses.replace(
        rank,
        shape=dataclasses.replace(
            shape,
            prefill_tokens=0.0 * shape.prefill_tokens,
            decode_context_tokens=shape.decode_cross_tokens,
        ),
    )
    _prompt, attended = _softmax_core(a, decoding)
    return [
        decoding.gemm("cross_q", rank.hidden, width),
        rank.gemm("cross_kv", rank.hidden, kv_width, tokens=shape.prefill_tokens),
        dataclasses.replace(attended, name="cross_attention"),
        decoding.gemm("cross_out", width, rank.hidden),
    ]


def _latent(a: Mla, rank: Rank) -> list[Operator]:
    """Latent attention; ranks share heads, and each computes the latents whole.

    Decode multiplies queries and outputs by the key/value up-projections instead of
    expanding the cache, which costs the same FLOPs per token as the expansion of that
    token in prefill, so one operator stands for both.
    """
    heads = a.n_heads / rank.tensor
    qk = a.qk_nope_head_dim + a.qk_rope_head_dim
    latent = a.kv_lora_rank + a.qk_rope_head_dim
    down = latent + (a.q_lora_rank or 0)
    kv_up = heads * (a.qk_nope_head_dim + a.v_head_dim)
    return [
        rank.gemm("latent_down", rank.hidden, down),
        rank.gemm("q_up", a.q_lora_rank or rank.hidden, heads * qk),
        rank.gemm("kv_up", a.kv_lora_rank, kv_up),
        rank.elementwise("rope", 2 * (heads + 1) * a.qk_rope_head_dim),
        *(_indexer(a, rank) if a.index_topk else []),
        *_core(
            rank,
            flop_per_pair=2.0 * heads * (qk + a.v_head_dim),
            flop_per_pair_decode=2.0 * heads * (a.kv_lora_rank + latent),
            width=heads * a.v_head_dim,
            kv_width=latent,
            window=a.index_topk,
        ),
        rank.gemm("attention_out", heads * a.v_head_dim, rank.hidden),
    ]


def _indexer(a: Mla, rank: Rank) -> list[Operator]:
    """Score every cached token cheaply, to attend to the best ``index_topk`` only."""
    width = a.index_n_heads * a.index_head_dim
    scored = _core(
        rank,
        flop_per_pair=2.0 * width,
        flop_per_pair_decode=2.0 * width,
        width=width,
        kv_width=a.index_head_dim,
        window=None,
    )
    return [
        rank.gemm("index_q", a.q_lora_rank or rank.hidden, width),
        rank.gemm("index_k", rank.hidden, a.index_head_dim + a.index_n_heads),
        *(dataclasses.replace(op, name=f"index_{op.name}") for op in scored),
    ]


def _core(
    rank: Rank,
    *,
    flop_per_pair: Num,
    flop_per_pair_decode: Num,
    width: Num,
    kv_width: Num,
    window: int | None,
) -> list[Operator]:
    """Attention proper, for prompts and for sequences that grow by one token."""
    s, fmt = rank.shape, rank.formats
    per_token = kv_width * fmt.kv_cache.bytes
    in_out = 2 * width * fmt.activations.bytes
    # a window also shortens what a chunk reads back, in the same proportion
    context = np.maximum(s.prefill_context_tokens, 1.0)
    seen = _seen_of_prompt(context, s.prefill_prompt_tokens, window)
    read_back = s.prefill_read_tokens * seen / context
    return [
        Operator(
            "attention_prefill",
            OpKind.ATTENTION_PREFILL,
            fmt.kv_cache,
            flop=flop_per_pair * s.prefill_tokens * seen,
            activation_bytes=in_out * s.prefill_tokens,
            kv_bytes=per_token * (s.prefill_tokens + read_back),
            m_tokens=s.prefill_tokens,
        ),
        Operator(
            "attention_decode",
            OpKind.ATTENTION_DECODE,
            fmt.kv_cache,
            flop=flop_per_pair_decode
            * s.decode_tokens
            * _seen(s.decode_context_tokens, window),
            activation_bytes=in_out * s.decode_tokens,
            kv_bytes=per_token
            * s.decode_sequences
            * _seen(s.decode_context_tokens, window),
            m_tokens=s.decode_sequences,
        ),
    ]


def _mamba2(a: Mamba2, rank: Rank) -> list[Operator]:
    inner = a.n_heads * a.head_dim / rank.tensor
    groups = 2 * a.n_groups * a.state_dim / rank.tensor
    into = 2 * inner + groups + a.n_heads / rank.tensor
    # decay, input and output product of each state element
    return [
        rank.gemm("ssm_in", rank.hidden, into),
        rank.elementwise("ssm_conv", 2 * (inner + groups)),
        *_recurrence(rank, flop_per_token=6.0 * inner * a.state_dim, mixer=a),
        rank.gemm("ssm_out", inner, rank.hidden),
    ]


def _linear(a: LinearAttention, rank: Rank) -> list[Operator]:
    keys = a.n_k_heads * a.k_head_dim / rank.tensor
    values = a.n_v_heads * a.v_head_dim / rank.tensor
    into = 2 * keys + 2 * values + 2 * a.n_v_heads / rank.tensor
    # read the old value, correct it by an outer product, read with the query
    return [
        rank.gemm("linear_in", rank.hidden, into),
        rank.elementwise("linear_conv", 2 * (2 * keys + values)),
        *_recurrence(rank, flop_per_token=6.0 * values * a.k_head_dim, mixer=a),
        rank.gemm("linear_out", values, rank.hidden),
    ]


def _recurrence(
    rank: Rank, *, flop_per_token: Num, mixer: Mamba2 | LinearAttention
) -> list[Operator]:
    """Update states: in chunks for prompts, read and written whole for each token."""
    s, fmt = rank.shape, rank.formats
    return [
        Operator(
            "state_prefill",
            OpKind.ATTENTION_PREFILL,
            fmt.activations,
            flop=flop_per_token * s.prefill_tokens,
            m_tokens=s.prefill_tokens,
        ),
        Operator(
            "state_decode",
            OpKind.ATTENTION_DECODE,
            fmt.activations,
            flop=flop_per_token * s.decode_tokens,
            kv_bytes=2 * state_bytes(mixer) / rank.tensor * s.decode_sequences,
            m_tokens=s.decode_sequences,
        ),
    ]


def _seen_of_prompt(context: Num, prompt: Num, window: int | None) -> Num:
    """Mean context of a prompt's tokens under a window.

    Of a whole prompt, the first ``window`` tokens see 1, 2, ... and the others all of
    it; of a chunk only the mean is known.
    """
    if window is None:
        return context
    length = np.maximum(prompt, window)
    whole = window - window * (window - 1.0) / (2.0 * length)
    exact = np.where(prompt > window, whole, context)
    return np.where(np.asarray(prompt) > 0, exact, np.minimum(context, window))


def _kv_heads(a: Attention, tensor: Num) -> Num:
    """Key/value heads on one rank: at least one, replicated when ranks are more."""
    return np.maximum(a.n_kv_heads / tensor, 1.0)


def _seen(context: Num, window: int | None) -> Num:
    return context if window is None else np.minimum(context, window)
