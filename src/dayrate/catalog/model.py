"""What a model is made of: blocks of a token mixer and a feed-forward part.

Everything downstream (parameters, FLOPs, bytes, seconds) is derived from these types.
Layers may differ inside one model, so a model is a tuple of `Block` groups with counts.
"""

import enum
from collections.abc import Iterator
from dataclasses import dataclass, field

from dayrate.evidence import Source
from dayrate.units import DType

__all__ = [
    "Attention",
    "Block",
    "LinearAttention",
    "Mamba2",
    "Mixer",
    "Mla",
    "Mlp",
    "ModelSpec",
    "Moe",
    "PositionKind",
    "PublishedCounts",
]


class PositionKind(enum.Enum):
    """How positions enter; only learned ones hold parameters."""

    LEARNED = "learned"
    SINUSOIDAL = "sinusoidal"  # fixed waves, added like learned ones
    ROTARY = "rotary"
    ALIBI = "alibi"
    RELATIVE = "relative"  # T5's bucketed biases
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Attention:
    """Multi-head, grouped-query or multi-query softmax attention.

    ``window_tokens`` caps the context a layer sees (sliding or chunked windows);
    ``None`` is full attention.
    """

    n_heads: int
    n_kv_heads: int
    head_dim: int
    window_tokens: int | None = None
    qkv_bias: bool = False
    out_bias: bool = False
    qk_norm_params: int = 0  # weights of the query and key norms, per layer
    sink_params: int = 0  # gpt-oss: one logit per head
    gated_output: bool = False  # Qwen3-Next / 3.5: a gate as wide as the queries
    cross: bool = False  # attends to the encoder's output


@dataclass(frozen=True, slots=True)
class Mla:
    """Multi-head latent attention (DeepSeek V2/V3): the cache is one latent per token.

    ``q_lora_rank`` is ``None`` where queries are projected directly. A sparse indexer
    (DeepSeek V3.2, GLM-5) selects ``index_topk`` tokens and keeps its own key cache.
    """

    n_heads: int
    q_lora_rank: int | None
    kv_lora_rank: int
    qk_nope_head_dim: int
    qk_rope_head_dim: int
    v_head_dim: int
    index_n_heads: int = 0
    index_head_dim: int = 0
    index_topk: int | None = None


@dataclass(frozen=True, slots=True)
class Mamba2:
    """State-space mixer (Nemotron-H and Nemotron-Nano-v2): a state of constant size."""

    n_heads: int
    head_dim: int
    state_dim: int
    n_groups: int
    conv_kernel: int
    conv_bias: bool = True
    proj_bias: bool = False


@dataclass(frozen=True, slots=True)
class LinearAttention:
    """Gated delta-rule attention (Qwen3-Next, Qwen3.5): a state of constant size."""

    n_k_heads: int
    n_v_heads: int
    k_head_dim: int
    v_head_dim: int
    conv_kernel: int


Mixer = Attention | Mla | Mamba2 | LinearAttention


@dataclass(frozen=True, slots=True)
class Mlp:
    """A dense feed-forward part; gated ones have three matrices, others two."""

    intermediate_size: int
    gated: bool = True
    bias: bool = False


@dataclass(frozen=True, slots=True)
class Moe:
    """Routed experts, with an optional shared part that every token passes."""

    n_experts: int
    experts_per_token: int
    intermediate_size: int  # of one routed expert
    gated: bool = True
    bias: bool = False
    shared_intermediate_size: int = 0  # all shared experts together
    shared_gate: bool = False  # Qwen's sigmoid gate on the shared expert
    router_bias: bool = False
    latent_size: int | None = None  # experts work in a narrower space (Nemotron 3)


@dataclass(frozen=True, slots=True)
class Block:
    """``count`` identical layers.

    A hybrid's layer may have a mixer or a feed-forward part only; an encoder-decoder's
    decoder layer has a ``cross`` attention as well. ``norm_params`` are per layer.
    """

    count: int
    mixer: Mixer | None
    mlp: Mlp | Moe | None
    norm_params: int
    cross: Attention | None = None
    encoder: bool = False


@dataclass(frozen=True, slots=True)
class PublishedCounts:
    """Parameter counts as the publisher states them. [1]"""

    total: float
    active: float | None
    source: Source


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A model, read from its config.

    ``weights_dtype`` is the format the checkpoint is published in;
    ``unquantized_dtype`` that of the parts a quantised checkpoint leaves alone
    (embeddings, norms, routers, usually attention in MXFP4 checkpoints).
    ``notes`` says what the reader should know, for example that an unknown
    ``model_type`` was read as a dense decoder.
    """

    id: str
    model_type: str
    hidden_size: int
    vocab_size: int
    blocks: tuple[Block, ...]
    tied_embeddings: bool
    max_position_embeddings: int | None
    positions: PositionKind
    weights_dtype: DType
    unquantized_dtype: DType = DType.BF16
    quantized_experts_only: bool = False  # gpt-oss: MXFP4 experts, BF16 elsewhere
    unquantized_attention: bool = False  # attention stays in ``unquantized_dtype``
    kv_cache_dtype: DType | None = None  # where the checkpoint holds scales for it
    position_params: int = 0
    final_norm_params: int = 0
    embedding_norm_params: int = 0
    embedding_size: int | None = None  # narrower embeddings (OPT-350m, ALBERT)
    lm_head_bias: bool = False
    head_transform: bool = False  # BERT: a dense layer and a norm before the head
    extra_params: int = 0  # anything else, explained in notes
    published: PublishedCounts | None = None
    source: Source | None = None
    notes: tuple[str, ...] = field(default=())

    @property
    def n_layers(self) -> int:
        """Layers of all blocks together. [1]"""
        return sum(b.count for b in self.blocks)

    @property
    def is_encoder_decoder(self) -> bool:
        """Whether some layers encode the input once, and others write the output."""
        return 0 < sum(b.encoder for b in self.blocks) < len(self.blocks)

    @property
    def is_encoder(self) -> bool:
        """Whether all layers only read: the model generates no text."""
        return all(b.encoder for b in self.blocks)

    @property
    def is_moe(self) -> bool:
        """Whether any layer routes tokens to experts."""
        return any(isinstance(b.mlp, Moe) for b in self.blocks)

    def decoder_blocks(self) -> Iterator[Block]:
        """Yield the blocks that run for every generated token."""
        return (b for b in self.blocks if not b.encoder)
