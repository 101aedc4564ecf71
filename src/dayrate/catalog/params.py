"""How many parameters a model has, part by part, and what they weigh.

Every count is exact for the published checkpoint: norms, biases, routers and their
correction biases are counted; position tables only where they are learned.
"""

from collections import defaultdict
from collections.abc import Mapping

from dayrate.catalog.model import (
    Attention,
    Block,
    LinearAttention,
    Mamba2,
    Mixer,
    Mla,
    Mlp,
    ModelSpec,
    Moe,
)
from dayrate.units import DType

__all__ = [
    "active_params",
    "ffn_params",
    "layer_params",
    "mixer_params",
    "parameter_groups",
    "total_params",
    "weight_bytes",
]


#: Parts made of the linear layers that quantisation is about.
LINEAR = {"experts", "shared_experts", "mlp", "mamba", "linear_attention", "attention"}
#: Formats whose width is llama.cpp's average over a whole file.
WHOLE_FILE = {DType.Q4_K_M, DType.Q8_0}


def parameter_groups(spec: ModelSpec) -> dict[str, int]:
    """Parameters by named part; their sum is the model.

    >>> from dayrate.catalog.hf_config import spec_from_config
    >>> tiny = spec_from_config(
    ...     {"model_type": "llama", "hidden_size": 8, "num_hidden_layers": 2,
    ...      "num_attention_heads": 2, "intermediate_size": 16, "vocab_size": 32},
    ...     id="tiny")
    >>> parameter_groups(tiny)
    {'embedding': 256, 'attention': 512, 'mlp': 768, 'norms': 40, 'lm_head': 256}
    """
    groups: dict[str, int] = defaultdict(int)
    width = spec.embedding_size or spec.hidden_size
    groups["embedding"] = spec.vocab_size * width
    groups["positions"] = spec.position_params
    if spec.embedding_size:  # projected in and out again
        groups["embedding_projections"] = 2 * width * spec.hidden_size
    for block in spec.blocks:
        for name, count in _block_groups(block, spec.hidden_size).items():
            groups[name] += block.count * count
    groups["norms"] += spec.final_norm_params + spec.embedding_norm_params
    groups["lm_head"] = 0 if spec.tied_embeddings else spec.vocab_size * width
    groups["lm_head"] += spec.vocab_size if spec.lm_head_bias else 0
    groups["lm_head"] += width * (width + 3) if spec.head_transform else 0
    groups["other"] = spec.extra_params
    return {name: count for name, count in groups.items() if count}


def total_params(spec: ModelSpec) -> int:
    """Return all parameters. [1]"""
    return sum(parameter_groups(spec).values())


def active_params(spec: ModelSpec) -> int:
    """Parameters that one token passes: of the experts, the chosen and shared. [1]

    The embedding counts in full, as most publishers do it, though a token reads one
    row; take its part of `parameter_groups` off to compare with those who leave it out.
    """
    idle = sum(
        b.count * (b.mlp.n_experts - b.mlp.experts_per_token) * _expert(b.mlp, spec)
        for b in spec.blocks
        if isinstance(b.mlp, Moe)
    )
    return total_params(spec) - idle


def weight_bytes(spec: ModelSpec, dtype: DType | None = None) -> float:
    """Bytes of all weights in ``dtype``, or in the checkpoint's own formats. [B]

    Embedding, head, norms and routers keep ``spec.unquantized_dtype`` in the narrow
    formats of servers; a llama.cpp format is an average over the whole file. What the
    checkpoint leaves unquantised stays so only in the checkpoint's own format.
    """
    stored = dtype or spec.weights_dtype
    if stored.bits >= 16 or stored in WHOLE_FILE:
        return total_params(spec) * stored.bytes
    narrow = LINEAR - (_spared(spec) if stored is spec.weights_dtype else set())
    return sum(
        count * (stored if name in narrow else spec.unquantized_dtype).bytes
        for name, count in parameter_groups(spec).items()
    )


def _spared(spec: ModelSpec) -> set[str]:
    """Parts of linear layers that the checkpoint leaves unquantised."""
    if spec.quantized_experts_only:
        return LINEAR - {"experts"}
    return {"attention"} if spec.unquantized_attention else set()


def layer_params(block: Block, hidden: int) -> dict[str, int]:
    """Parameters of one layer by what they are multiplied with, in order of use. [1]

    >>> from dayrate.catalog.model import Attention
    >>> gpt2 = Block(12, Attention(12, 12, 64), Mlp(3072, gated=False), 3072)
    >>> layer_params(gpt2, 768)
    {'norms': 3072, 'qkv': 1769472, 'attention_out': 589824, 'mlp': 4718592}
    """
    parts = {"norms": block.norm_params}
    for prefix, mixer in (("", block.mixer), ("cross_", block.cross)):
        if mixer is not None:
            found = _mixer_parts(mixer, hidden)
            parts |= {f"{prefix}{name}": count for name, count in found.items()}
    if block.mlp is not None:
        parts |= ffn_params(block.mlp, hidden)
    return {name: count for name, count in parts.items() if count}


def _block_groups(block: Block, hidden: int) -> Mapping[str, int]:
    groups: dict[str, int] = defaultdict(int)
    for mixer in (block.mixer, block.cross):
        if mixer is not None:
            groups[_mixer_name(mixer)] += mixer_params(mixer, hidden)
    if block.mlp is not None:
        for name, count in ffn_params(block.mlp, hidden).items():
            groups[name] += count
    groups["norms"] = block.norm_params
    return groups


def _mixer_name(mixer: Mixer) -> str:
    if isinstance(mixer, Mamba2):
        return "mamba"
    return "linear_attention" if isinstance(mixer, LinearAttention) else "attention"


def mixer_params(mixer: Mixer, hidden: int) -> int:
    """Parameters of one token mixer, its own norms included. [1]"""
    return sum(_mixer_parts(mixer, hidden).values())


def _mixer_parts(mixer: Mixer, hidden: int) -> dict[str, int]:
    if isinstance(mixer, Attention):
        return _attention(mixer, hidden)
    if isinstance(mixer, Mla):
        return _mla(mixer, hidden)
    if isinstance(mixer, Mamba2):
        return _mamba(mixer, hidden)
    return _linear_attention(mixer, hidden)


def _attention(a: Attention, hidden: int) -> dict[str, int]:
    queries = a.n_heads * a.head_dim
    projected = (2 if a.gated_output else 1) * queries + 2 * a.n_kv_heads * a.head_dim
    bias = projected if a.qkv_bias else 0
    return {
        "qkv": hidden * projected + bias + a.qk_norm_params,
        "attention": a.sink_params,
        "attention_out": hidden * queries + (hidden if a.out_bias else 0),
    }


def _mla(a: Mla, hidden: int) -> dict[str, int]:
    head = a.qk_nope_head_dim + a.qk_rope_head_dim
    rank = a.q_lora_rank
    queries = (rank or hidden) * a.n_heads * head
    down = rank * (hidden + 1) if rank else 0  # with its norm
    latent = hidden * (a.kv_lora_rank + a.qk_rope_head_dim) + a.kv_lora_rank
    up = a.kv_lora_rank * a.n_heads * (a.qk_nope_head_dim + a.v_head_dim)
    return {
        "qkv": down + queries + latent + up,
        "indexer": _indexer(a, hidden),
        "attention_out": a.n_heads * a.v_head_dim * hidden,
    }


def _indexer(a: Mla, hidden: int) -> int:
    if a.index_topk is None:
        return 0
    queries = (a.q_lora_rank or hidden) * a.index_n_heads * a.index_head_dim
    keys = hidden * a.index_head_dim + 2 * a.index_head_dim  # with its norm
    return queries + keys + hidden * a.index_n_heads


def _mamba(m: Mamba2, hidden: int) -> dict[str, int]:
    inner, state = m.n_heads * m.head_dim, 2 * m.n_groups * m.state_dim
    projected, convolved = 2 * inner + state + m.n_heads, inner + state
    convolution = convolved * (m.conv_kernel + (1 if m.conv_bias else 0))
    return {
        "state_in": (hidden + (1 if m.proj_bias else 0)) * projected,
        "state": convolution + 3 * m.n_heads + inner,
        "state_out": (inner + (1 if m.proj_bias else 0)) * hidden,
    }


def _linear_attention(a: LinearAttention, hidden: int) -> dict[str, int]:
    keys, values = a.n_k_heads * a.k_head_dim, a.n_v_heads * a.v_head_dim
    convolution = (2 * keys + values) * a.conv_kernel
    return {
        "state_in": hidden * (2 * keys + 2 * values + 2 * a.n_v_heads),
        "state": convolution + 2 * a.n_v_heads + a.v_head_dim,
        "state_out": hidden * values,
    }


def ffn_params(mlp: Mlp | Moe, hidden: int) -> dict[str, int]:
    """Parameters of one feed-forward part, by named part. [1]"""
    if isinstance(mlp, Mlp):
        return {"mlp": _matrices(mlp, hidden)}
    latent = 2 * hidden * mlp.latent_size if mlp.latent_size else 0
    router = hidden * mlp.n_experts + (mlp.n_experts if mlp.router_bias else 0)
    shared = (3 if mlp.gated else 2) * hidden * mlp.shared_intermediate_size
    return {
        "experts": mlp.n_experts * _matrices(mlp, mlp.latent_size or hidden),
        "shared_experts": shared + latent,
        "routers": router + (hidden if mlp.shared_gate else 0),
    }


def _matrices(mlp: Mlp | Moe, hidden: int) -> int:
    up = 2 if mlp.gated else 1
    bias = up * mlp.intermediate_size + hidden if mlp.bias else 0
    return (up + 1) * hidden * mlp.intermediate_size + bias


def _expert(moe: Moe, spec: ModelSpec) -> int:
    return _matrices(moe, moe.latent_size or spec.hidden_size)
