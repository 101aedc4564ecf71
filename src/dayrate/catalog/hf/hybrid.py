"""Decoders that mix softmax attention with layers of constant state."""

from dataclasses import replace

from dayrate.catalog.hf.dense import STYLES
from dayrate.catalog.hf.fields import Fields
from dayrate.catalog.hf.layout import (
    Layout,
    Style,
    attention,
    dense_mlp,
    final_norm,
    grouped,
    norm_size,
)
from dayrate.catalog.hf.moe import qwen_moe, routed
from dayrate.catalog.model import Block, LinearAttention, Mamba2, Mixer, Mlp, Moe
from dayrate.errors import UnreadableConfig

__all__ = ["READERS"]

GATED = replace(STYLES["qwen3"], window="")
NEMOTRON_H = Style(
    norms=1,
    gated=False,
    qkv_bias=("attention_bias", False),
    out_bias=("attention_bias", False),
    mlp_bias=("mlp_bias", False),
)
#: Nemotron-H writes its layers as one string, newer configs as a list of names.
LETTERS = {"M": "mamba", "*": "attention", "-": "mlp", "E": "moe"}


def _delta_mixers(f: Fields) -> list[Mixer]:
    """Gated delta-rule layers, with full attention at regular intervals."""
    n, every = f.size("num_hidden_layers"), f.size("full_attention_interval", 4)
    linear = LinearAttention(
        n_k_heads=f.size("linear_num_key_heads"),
        n_v_heads=f.size("linear_num_value_heads"),
        k_head_dim=f.size("linear_key_head_dim"),
        v_head_dim=f.size("linear_value_head_dim"),
        conv_kernel=f.size("linear_conv_kernel_dim"),
    )
    full = replace(attention(f, GATED), gated_output=f.flag("attn_output_gate", True))
    kinds = [str(k) for k in f.items("layer_types")] or [
        "linear_attention" if (i + 1) % every else "full_attention" for i in range(n)
    ]
    if len(kinds) != n:
        raise UnreadableConfig(
            f"The config of {f.owner} has {len(kinds)} layer_types for {n} layers; "
            "list one per layer."
        )
    return [full if kind == "full_attention" else linear for kind in kinds]


def _qwen_hybrid_moe(f: Fields) -> Layout:
    return qwen_moe(f, GATED, _delta_mixers(f))


def _qwen_hybrid(f: Fields) -> Layout:
    norms, mlp = 2 * norm_size(f, GATED), dense_mlp(f, GATED)
    return Layout(
        blocks=grouped(Block(1, m, mlp, norms) for m in _delta_mixers(f)),
        tied_embeddings=f.flag("tie_word_embeddings"),
        final_norm_params=final_norm(f, GATED),
    )


def _nemotron_h(f: Fields) -> Layout:
    letters = f.text("hybrid_override_pattern")
    kinds = [LETTERS.get(c, c) for c in letters] or [
        str(k) for k in f.items("layers_block_type")
    ]
    if not kinds:
        raise f.missing("hybrid_override_pattern")
    norms = norm_size(f, NEMOTRON_H)
    parts = {kind: _nemotron_part(f, kind) for kind in dict.fromkeys(kinds)}
    return Layout(
        blocks=grouped(Block(1, *parts[kind], norms) for kind in kinds),
        tied_embeddings=f.flag("tie_word_embeddings"),
        final_norm_params=norms,
    )


def _nemotron_part(f: Fields, kind: str) -> tuple[Mixer | None, Mlp | Moe | None]:
    if kind == "mamba":
        return _mamba(f), None
    if kind in {"attention", "full_attention"}:
        return attention(f, NEMOTRON_H), None
    if kind == "mlp":
        return None, dense_mlp(f, NEMOTRON_H)
    if kind == "moe":
        return None, routed(
            f,
            gated=False,
            router_bias=True,
            shared_intermediate_size=f.count("moe_shared_expert_intermediate_size"),
            latent_size=f.optional_size("moe_latent_size"),
        )
    raise UnreadableConfig(
        f"The config of {f.owner} has a layer of kind {kind!r}; "
        "mamba (M), attention (*), mlp (-) and moe (E) are read."
    )


def _mamba(f: Fields) -> Mamba2:
    return Mamba2(
        n_heads=f.size("mamba_num_heads"),
        head_dim=f.size("mamba_head_dim"),
        state_dim=f.size("ssm_state_size"),
        n_groups=f.size("n_groups"),
        conv_kernel=f.size("conv_kernel", 4),
        conv_bias=f.flag("use_conv_bias", True),
        proj_bias=f.flag("mamba_proj_bias"),
    )


READERS = {
    "qwen3_next": _qwen_hybrid_moe,
    "qwen3_5_moe_text": _qwen_hybrid_moe,
    "qwen3_5_text": _qwen_hybrid,
    "nemotron_h": _nemotron_h,
}
