"""Decoders that route tokens to experts, with softmax or latent attention."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from dayrate.catalog.hf.dense import ATTENTION_BIAS, LLAMA, STYLES
from dayrate.catalog.hf.fields import Fields
from dayrate.catalog.hf.layout import (
    Layout,
    Style,
    attention,
    dense_mlp,
    final_norm,
    grouped,
    norm_size,
    windows,
)
from dayrate.catalog.model import Block, Mixer, Mla, Mlp, Moe
from dayrate.errors import UnreadableConfig

__all__ = ["READERS", "qwen_moe", "routed"]

QWEN2, QWEN3 = STYLES["qwen2"], STYLES["qwen3"]
PHIMOE = Style(
    norm_bias=True,
    qkv_bias=ATTENTION_BIAS,
    out_bias=ATTENTION_BIAS,
    window="all",
)


@dataclass(frozen=True, slots=True)
class Plan:
    """Which layers route, and what each kind of layer holds."""

    routes: Callable[[int], bool]
    moe: Moe
    mlp: Mlp | None = None


def routed(f: Fields, **more: int | bool | None) -> Moe:
    """Read the routed part, whatever the family calls its fields."""
    experts = f.get("num_local_experts") or f.get("num_experts")
    experts = experts or f.get("n_routed_experts")
    if experts is None:
        raise f.missing("num_experts")
    n = Fields({"num_experts": experts}, f.owner).size("num_experts")
    k = f.size("num_experts_per_tok", f.get("experts_per_token"))
    if k > n:
        raise UnreadableConfig(
            f"The config of {f.owner} sends a token to {k} of {n} experts; "
            "num_experts_per_tok may not exceed the number of experts."
        )
    width = f.size("moe_intermediate_size", f.get("intermediate_size"))
    return replace(Moe(n, k, width), **more)  # type: ignore[arg-type]


def _layout(f: Fields, style: Style, mixers: list[Mixer], plan: Plan) -> Layout:
    norms = style.norms * norm_size(f, style)
    return Layout(
        blocks=grouped(
            Block(1, m, plan.moe if plan.routes(i) else plan.mlp, norms)
            for i, m in enumerate(mixers)
        ),
        tied_embeddings=f.flag("tie_word_embeddings", style.tied),
        final_norm_params=final_norm(f, style),
        lm_head_bias=style.lm_head_bias,
    )


def _attentions(f: Fields, style: Style) -> list[Mixer]:
    return [attention(f, style, window=w) for w in windows(f, style)]


def _every_layer(f: Fields, style: Style, moe: Moe) -> Layout:
    return _layout(f, style, _attentions(f, style), Plan(lambda i: True, moe))


def _mixtral(f: Fields) -> Layout:
    return _every_layer(f, STYLES["mistral"], routed(f))


def _phimoe(f: Fields) -> Layout:
    style = replace(PHIMOE, lm_head_bias=f.flag("lm_head_bias"))
    return _every_layer(f, style, routed(f))


def _olmoe(f: Fields) -> Layout:
    style = replace(LLAMA, mlp_bias=False, qk_norm="full")
    return _every_layer(f, style, routed(f))


def _granitemoe(f: Fields) -> Layout:
    return _every_layer(f, replace(LLAMA, mlp_bias=False), routed(f))


def _minimax_m2(f: Fields) -> Layout:
    style = Style(qk_norm="full" if f.flag("use_qk_norm", True) else "")
    # The router's correction bias is part of every published checkpoint.
    moe = routed(
        f,
        router_bias=f.flag("use_routing_bias", True),
        shared_intermediate_size=f.count("shared_intermediate_size"),
    )
    return _every_layer(f, style, moe)


def _gpt_oss(f: Fields) -> Layout:
    style = Style(qkv_bias=True, out_bias=True, window="pattern", window_every=2)
    heads = f.size("num_attention_heads")
    mixers: list[Mixer] = [
        replace(attention(f, style, window=w), sink_params=heads)
        for w in windows(f, style)
    ]
    moe = routed(f, bias=True, router_bias=True)
    return _layout(f, style, mixers, Plan(lambda i: True, moe))


def qwen_moe(f: Fields, style: Style, mixers: list[Mixer] | None = None) -> Layout:
    """Qwen's experts: some layers may stay dense, a shared expert has a gate."""
    shared = f.count("shared_expert_intermediate_size")
    moe = routed(f, shared_intermediate_size=shared, shared_gate=bool(shared))
    step, dense = f.size("decoder_sparse_step", 1), set(f.items("mlp_only_layers"))
    mixers = _attentions(f, style) if mixers is None else mixers
    routes = [(i + 1) % step == 0 and i not in dense for i in range(len(mixers))]
    mlp = None if all(routes) else dense_mlp(f, style)
    return _layout(f, style, mixers, Plan(routes.__getitem__, moe, mlp))


def _llama4(f: Fields) -> Layout:
    style = replace(LLAMA, mlp_bias=False)
    n, step = f.size("num_hidden_layers"), f.size("interleave_moe_layer_step", 1)
    listed = f.items("moe_layers")
    routes = [i in listed if listed else (i + 1) % step == 0 for i in range(n)]
    width = f.size("intermediate_size")
    moe = routed(f, shared_intermediate_size=width)
    mlp = None if all(routes) else dense_mlp(f, style, f.size("intermediate_size_mlp"))
    chunk, every = f.size("attention_chunk_size"), f.size("no_rope_layer_interval", 4)
    mixers: list[Mixer] = [
        attention(f, style, window=chunk if (i + 1) % every else None) for i in range(n)
    ]
    return _layout(f, style, mixers, Plan(routes.__getitem__, moe, mlp))


def _shared_width(f: Fields) -> int:
    return f.count("n_shared_experts") * f.size("moe_intermediate_size")


def _first_dense(f: Fields, style: Style, moe: Moe) -> Plan:
    """DeepSeek's rule: the first layers are dense, then every n-th one routes."""
    first, every = f.count("first_k_dense_replace"), f.size("moe_layer_freq", 1)
    mlp = dense_mlp(f, style) if first or every > 1 else None
    return Plan(lambda i: i >= first and i % every == 0, moe, mlp)


def _noaux(f: Fields) -> bool:
    """Tell whether the router has a correction bias (auxiliary-loss-free balancing)."""
    return "noaux" in f.text("topk_method", "noaux_tc")


def _deepseek(f: Fields) -> Layout:
    mla = Mla(
        n_heads=f.size("num_attention_heads"),
        q_lora_rank=f.optional_size("q_lora_rank"),
        kv_lora_rank=f.size("kv_lora_rank"),
        qk_nope_head_dim=f.size("qk_nope_head_dim"),
        qk_rope_head_dim=f.size("qk_rope_head_dim"),
        v_head_dim=f.size("v_head_dim"),
        index_n_heads=f.count("index_n_heads"),
        index_head_dim=f.count("index_head_dim"),
        index_topk=f.optional_size("index_topk"),
    )
    bias = _noaux(f) and f.text("model_type") != "deepseek_v2"
    moe = routed(f, shared_intermediate_size=_shared_width(f), router_bias=bias)
    style = Style()
    mixers: list[Mixer] = [mla] * f.size("num_hidden_layers")
    layout = _layout(f, style, mixers, _first_dense(f, style, moe))
    if not f.count("num_nextn_predict_layers"):
        return layout
    return replace(layout, notes=("Multi-token prediction layers are left out.",))


def _shared_experts(f: Fields, style: Style, *, router_bias: bool = True) -> Layout:
    """DeepSeek's layers with softmax attention in place of latent attention."""
    width = _shared_width(f)
    moe = routed(f, shared_intermediate_size=width, router_bias=router_bias)
    return _layout(f, style, _attentions(f, style), _first_dense(f, style, moe))


def _glm4_moe(f: Fields) -> Layout:
    norm = "head" if f.flag("use_qk_norm") else ""
    return _shared_experts(f, Style(qkv_bias=ATTENTION_BIAS, qk_norm=norm))


def _dbrx(f: Fields) -> Layout:
    ffn, inner = f.section("ffn_config"), f.section("attn_config")
    moe = Moe(
        n_experts=ffn.size("moe_num_experts"),
        experts_per_token=ffn.size("moe_top_k"),
        intermediate_size=ffn.size("ffn_hidden_size"),
    )
    heads = {**f.config, "num_key_value_heads": inner.size("kv_n_heads")}
    return _every_layer(Fields(heads, f.owner), Style(), moe)


READERS = {
    "dbrx": _dbrx,
    "deepseek": lambda f: _shared_experts(f, LLAMA, router_bias=False),
    "dots1": lambda f: _shared_experts(f, QWEN3),
    "mixtral": _mixtral,
    "phimoe": _phimoe,
    "olmoe": _olmoe,
    "granitemoe": _granitemoe,
    "minimax_m2": _minimax_m2,
    "gpt_oss": _gpt_oss,
    "qwen2_moe": lambda f: qwen_moe(f, QWEN2),
    "qwen3_moe": lambda f: qwen_moe(f, QWEN3),
    "llama4_text": _llama4,
    "deepseek_v2": _deepseek,
    "deepseek_v3": _deepseek,
    "deepseek_v32": _deepseek,
    "kimi_k2": _deepseek,
    "glm_moe_dsa": _deepseek,
    "glm4_moe": _glm4_moe,
}
