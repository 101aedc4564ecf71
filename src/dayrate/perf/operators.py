"""What an accelerator executes in one step: operators with their work and traffic."""

import enum
from dataclasses import dataclass

import numpy as np

from dayrate.catalog.model import ModelSpec
from dayrate.perf.deployment import Parallelism, Precision, compute_dtype
from dayrate.units import DType, Num

__all__ = ["Formats", "OpKind", "Operator", "Rank", "StepShape"]


class OpKind(enum.Enum):
    """Kinds that are calibrated separately."""

    GEMM = "gemm"
    ATTENTION_PREFILL = "attention_prefill"
    ATTENTION_DECODE = "attention_decode"
    ELEMENTWISE = "elementwise"


@dataclass(frozen=True, slots=True)
class Operator:
    """One kernel of one layer on one accelerator; numbers may be arrays.

    Parameters
    ----------
    dtype : DType
        Format it computes in (GEMM) or reads its cache in (attention).
    flop : Num
        Floating-point operations of one call. [FLOP]
    weight_bytes, activation_bytes, kv_bytes : Num
        Traffic of one call with the accelerator's memory. [B]
    m_tokens : Num
        Rows of the product: tokens that share one read of the weights. [token]
    count : Num
        Calls per step. [1]
    sides : tuple of Num
        Rows and columns of the matrix on this accelerator; none where the operator
        is no product with one. [1]
    """

    name: str
    kind: OpKind
    dtype: DType
    flop: Num = 0.0
    weight_bytes: Num = 0.0
    activation_bytes: Num = 0.0
    kv_bytes: Num = 0.0
    m_tokens: Num = 0.0
    count: Num = 1
    sides: tuple[Num, Num] | None = None

    @property
    def bytes(self) -> Num:
        """Traffic of one call. [B]"""
        return self.weight_bytes + self.activation_bytes + self.kv_bytes


@dataclass(frozen=True, slots=True)
class StepShape:
    """What a replica works on in one step; every field may be an array.

    Parameters
    ----------
    prefill_tokens : Num
        Input tokens computed in this step. [token]
    prefill_context_tokens : Num
        Tokens that such a token attends to, on average: half of a prompt when it is
        computed whole, more when its beginning was cached. [token]
    decode_sequences : Num
        Sequences that each get a token. [1]
    decode_context_tokens : Num
        Their mean context. [token]
    logit_sequences : Num
        Positions for which the next token is sampled. [1]
    prefill_read_tokens : Num
        Cached tokens that prefill reads, summed over its sequences. [token]
    decode_tokens_each : Num
        Tokens computed for each decoding sequence: one, and drafted ones that are
        verified beside it, all of which share one reading of its cache. [token]
    prefill_prompt_tokens : Num
        Length of prompts that are computed whole, where known: windows then cap the
        context of each of their tokens and not only the mean. [token]
    decode_cross_tokens : Num
        Of the context of decoding sequences, what cross attention sees: the tokens
        of the encoder. [token]
    """

    prefill_tokens: Num = 0.0
    prefill_context_tokens: Num = 0.0
    decode_sequences: Num = 0.0
    decode_context_tokens: Num = 0.0
    logit_sequences: Num = 0.0
    prefill_read_tokens: Num = 0.0
    decode_tokens_each: Num = 1.0
    prefill_prompt_tokens: Num = 0.0
    decode_cross_tokens: Num = 0.0

    @property
    def decode_tokens(self) -> Num:
        """Tokens of the decoding sequences. [token]"""
        return self.decode_sequences * self.decode_tokens_each

    @property
    def tokens(self) -> Num:
        """Tokens that pass the dense layers. [token]"""
        return self.prefill_tokens + self.decode_tokens


@dataclass(frozen=True, slots=True)
class Formats:
    """Number formats by part of the model, after a checkpoint's exceptions."""

    experts: DType
    layers: DType
    head: DType
    unquantized: DType
    kv_cache: DType
    activations: DType

    @classmethod
    def of(cls, model: ModelSpec, precision: Precision) -> "Formats":
        """Apply what a quantised checkpoint leaves alone.

        Formats of whole files (GGUF) quantise the head too; engine formats (FP8,
        INT4, FP4) leave embeddings and head in ``model.unquantized_dtype``.
        """
        narrow = precision.weights.bits < DType.BF16.bits
        whole_file = precision.weights in {DType.Q4_K_M, DType.Q8_0}
        spared = model.unquantized_dtype if narrow else precision.weights
        only_experts = model.quantized_experts_only and narrow
        return cls(
            experts=precision.weights,
            layers=spared if only_experts else precision.weights,
            head=precision.weights if whole_file else spared,
            unquantized=spared,
            kv_cache=precision.kv_cache,
            activations=precision.activations,
        )


@dataclass(frozen=True, slots=True)
class Rank:
    """One accelerator's view of a step: its shapes, shares and formats.

    ``shape`` is the part of the step that its attention sees; ``routed_tokens`` are
    the tokens of all ranks that share the experts.
    """

    hidden: int
    parallelism: Parallelism
    formats: Formats
    shape: StepShape
    routed_tokens: Num

    @property
    def tensor(self) -> Num:
        """Ranks that share each dense matrix. [1]"""
        return self.parallelism.tensor

    @property
    def expert_shards(self) -> Num:
        """Ranks that share the routed experts, by expert or by column. [1]"""
        return self.parallelism.tensor * self.parallelism.attention_data

    def gemm(  # a matrix is its two sides, its format and how often it is needed
        self,
        name: str,
        k: Num,
        n: Num,
        *,
        weights: DType | None = None,
        tokens: Num | None = None,
    ) -> Operator:
        """Product of the step's tokens with a ``k`` by ``n`` matrix on this rank."""
        fmt = self.formats.layers if weights is None else weights
        m = self.shape.tokens if tokens is None else tokens
        return Operator(
            name=name,
            kind=OpKind.GEMM,
            dtype=compute_dtype(fmt),
            flop=m * (2.0 * k * n),
            weight_bytes=k * n * fmt.bytes * np.minimum(m, 1.0),  # unused: unread
            activation_bytes=m * (k + n) * self.formats.activations.bytes,
            m_tokens=m,
            sides=(k, n),
        )

    def elementwise(
        self, name: str, values_per_token: Num, *, tokens: Num | None = None
    ) -> Operator:
        """Read or write ``values_per_token`` activations for each token."""
        m = self.shape.tokens if tokens is None else tokens
        moved = m * values_per_token
        return Operator(
            name=name,
            kind=OpKind.ELEMENTWISE,
            dtype=self.formats.activations,
            flop=moved,
            activation_bytes=moved * self.formats.activations.bytes,
            m_tokens=m,
        )
