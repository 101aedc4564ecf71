"""Decoders whose layers are attention and one dense feed-forward part."""

import math
from dataclasses import replace

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
from dayrate.catalog.model import Attention, Block, Mlp, PositionKind
from dayrate.errors import UnreadableConfig

__all__ = ["READERS", "STYLES", "read_dense", "read_unknown"]

BIASED = Style(norm_bias=True, gated=False, qkv_bias=True, out_bias=True, mlp_bias=True)
ATTENTION_BIAS = ("attention_bias", False)
GROUP = "n_heads_in_group"  # query heads that share a key/value head
LLAMA = Style(
    qkv_bias=ATTENTION_BIAS, out_bias=ATTENTION_BIAS, mlp_bias=("mlp_bias", False)
)

#: Signs of experts, latent attention or state-space layers in an unknown config.
FOREIGN = ("expert", "kv_lora_rank", "mamba", "ssm_", "linear_num")

STYLES = {
    "llama": LLAMA,
    "code_llama": LLAMA,
    "aquila": LLAMA,
    "yi": LLAMA,
    "baichuan": LLAMA,
    "smollm3": LLAMA,
    "granite": LLAMA,
    "internlm3": LLAMA,
    "internlm2": Style(qkv_bias=("bias", False), out_bias=("bias", False)),
    "arcee": replace(LLAMA, gated=False),
    "hunyuan_v1_dense": replace(LLAMA, qk_norm="head", mlp_bias=False),
    "exaone4": replace(LLAMA, qk_norm="head"),
    "mimo": Style(qkv_bias=("attention_bias", True)),
    "mistral": Style(window="all"),
    "ministral": Style(window="all"),
    "qwen2": Style(qkv_bias=True, window="upper"),
    "qwen3": Style(
        qkv_bias=ATTENTION_BIAS,
        out_bias=ATTENTION_BIAS,
        qk_norm="head",
        window="upper",
    ),
    "seed_oss": Style(
        qkv_bias=("attention_bias", True),
        out_bias=("attention_out_bias", False),
        mlp_bias=("mlp_bias", False),
    ),
    "glm": Style(qkv_bias=ATTENTION_BIAS),
    "glm4": Style(norms=4, qkv_bias=ATTENTION_BIAS),
    "ernie4_5": Style(
        qkv_bias=("use_bias", False),
        out_bias=("use_bias", False),
        mlp_bias=("use_bias", False),
        tied=True,
    ),
    "gemma": replace(LLAMA, mlp_bias=False, tied=True),
    "gemma2": replace(
        LLAMA, norms=4, mlp_bias=False, tied=True, window="pattern", window_every=2
    ),
    "gemma3_text": replace(
        LLAMA,
        norms=4,
        mlp_bias=False,
        qk_norm="head",
        tied=True,
        window="pattern",
        window_every=6,
    ),
    "phi3": Style(window="all"),
    "phi": replace(BIASED, norms=1, lm_head_bias=True),
    "starcoder2": Style(
        norm_bias=True,
        gated=False,
        qkv_bias=("use_bias", True),
        out_bias=("use_bias", True),
        mlp_bias=("use_bias", True),
        tied=True,
        window="all",
    ),
    "stablelm": Style(norm_bias=True, qkv_bias=("use_qkv_bias", False)),
    "cohere": replace(LLAMA, norms=1, mlp_bias=False, tied=True),
    "cohere2": replace(
        LLAMA, norms=1, mlp_bias=False, tied=True, window="pattern", window_every=4
    ),
    "olmo": replace(LLAMA, norms=0, mlp_bias=False),
    "olmo2": replace(LLAMA, mlp_bias=False, qk_norm="full"),
    "olmo3": replace(
        LLAMA, mlp_bias=False, qk_norm="full", window="pattern", window_every=4
    ),
    "nemotron": replace(LLAMA, norm_bias=True, gated=False),
    "palm": Style(norms=1, tied=True),
    "maxtext": Style(gated=False),
    "gptj": replace(
        BIASED,
        norms=1,
        qkv_bias=False,
        out_bias=False,
        lm_head_bias=True,
        mlp_factor=4,
    ),
    "gpt_neox": replace(
        BIASED, qkv_bias=("attention_bias", True), out_bias=("attention_bias", True)
    ),
}


def read_dense(f: Fields, style: Style) -> Layout:
    """Read a decoder with rotary positions whose family has a `Style`."""
    norms = style.norms * norm_size(f, style)
    mlp = dense_mlp(f, style)
    return Layout(
        blocks=grouped(
            Block(1, attention(f, style, window=w), mlp, norms)
            for w in windows(f, style)
        ),
        tied_embeddings=f.flag("tie_word_embeddings", style.tied),
        final_norm_params=final_norm(f, style),
        lm_head_bias=style.lm_head_bias,
    )


def read_unknown(f: Fields) -> Layout:
    """Read an unknown family as a gated dense decoder, and say so."""
    kind = f.text("model_type", "none")
    for name, value in f.config.items():
        if value and any(part in name.lower() for part in FOREIGN):
            raise UnreadableConfig(
                f"The config of {f.owner} has {name}, so it is no plain dense decoder, "
                f"and the layout of model_type {kind!r} is unknown; use a known one."
            )
    for name in ("num_attention_heads", "intermediate_size"):
        f.size(name)
    note = (
        f"model_type {kind!r} is unknown: read as a gated dense decoder from its "
        "hidden_size, num_hidden_layers, num_attention_heads and intermediate_size."
    )
    return replace(read_dense(f, LLAMA), notes=(note,))


def _classic(f: Fields, style: Style, *, positions: PositionKind, rows: int) -> Layout:
    """Read a decoder of GPT-2's kind, with ``rows`` learned positions."""
    layout = read_dense(f, style)
    params = rows * f.size("hidden_size")
    return replace(layout, positions=positions, position_params=params)


def _gpt2(f: Fields) -> Layout:
    style = replace(BIASED, tied=True, mlp_factor=4)
    rows = f.size("max_position_embeddings", 1024)
    return _classic(f, style, positions=PositionKind.LEARNED, rows=rows)


def _gpt_bigcode(f: Fields) -> Layout:
    layout = _gpt2(f)
    if not f.flag("multi_query", True):
        return layout
    blocks = tuple(replace(b, mixer=_multi_query(b)) for b in layout.blocks)
    return replace(layout, blocks=blocks)


def _multi_query(block: Block) -> Attention:
    assert isinstance(block.mixer, Attention)
    return replace(block.mixer, n_kv_heads=1)


def _opt(f: Fields) -> Layout:
    bias = f.flag("enable_bias", True)
    style = replace(BIASED, qkv_bias=bias, out_bias=bias, mlp_bias=bias, tied=True)
    rows = f.size("max_position_embeddings") + 2  # two rows for padding
    layout = _classic(f, style, positions=PositionKind.LEARNED, rows=rows)
    width = f.size("word_embed_proj_dim", f.size("hidden_size"))
    before = f.flag("do_layer_norm_before", True)
    before = before and not f.flag("_remove_final_layer_norm")
    return replace(
        layout,
        embedding_size=width if width != f.size("hidden_size") else None,
        final_norm_params=layout.final_norm_params if before else 0,
    )


def _bloom(f: Fields) -> Layout:
    layout = read_dense(f, replace(BIASED, tied=True, mlp_factor=4))
    return replace(
        layout,
        positions=PositionKind.ALIBI,
        embedding_norm_params=2 * f.size("hidden_size"),
    )


def _falcon(f: Fields) -> Layout:
    bias, alibi = f.flag("bias"), f.flag("alibi")
    new = f.flag("new_decoder_architecture")
    parallel = new or f.flag("parallel_attn", True)
    norms = f.size("num_ln_in_parallel_attn", 2) if new else 1 if parallel else 2
    style = Style(
        norms=norms,
        norm_bias=True,
        gated=False,
        qkv_bias=bias,
        out_bias=bias,
        mlp_bias=bias,
        tied=True,
        mlp_factor=4,
    )
    layout = read_dense(f, style)
    if not new:
        kv = 1 if f.flag("multi_query", True) else f.size("num_attention_heads")
        layout = replace(
            layout,
            blocks=tuple(
                replace(b, mixer=attention(f, style, kv=kv)) for b in layout.blocks
            ),
        )
    positions = PositionKind.ALIBI if alibi else PositionKind.ROTARY
    return replace(layout, positions=positions)


def _mpt(f: Fields) -> Layout:
    bias = not f.flag("no_bias", False)
    inner = f.section("attn_config")
    alibi = inner.flag("alibi", f.flag("alibi", False))
    ffn = f.section("ffn_config")
    factor = ffn.size("expansion_ratio", f.size("expansion_ratio", 4))
    style = Style(
        norm_bias=bias,
        gated=False,
        qkv_bias=bias,
        out_bias=bias,
        mlp_bias=bias,
        tied=True,
        mlp_factor=factor,
    )
    layout = read_dense(f, style)
    mixer = attention(f, style, kv=inner.optional_size("kv_n_heads"))
    layout = replace(
        layout, blocks=tuple(replace(b, mixer=mixer) for b in layout.blocks)
    )
    if alibi:
        return replace(layout, positions=PositionKind.ALIBI)
    if not f.flag("learned_pos_emb", True):
        return layout
    params = f.size("max_position_embeddings") * f.size("hidden_size")
    return replace(layout, positions=PositionKind.LEARNED, position_params=params)


def _phi3small(f: Fields) -> Layout:
    style = replace(BIASED, gated=True, tied=True)
    width = f.size("ff_intermediate_size")
    norms = style.norms * norm_size(f, style)
    mlp = dense_mlp(f, style, width)
    n = f.size("num_hidden_layers")
    return Layout(
        blocks=(Block(n, attention(f, style), mlp, norms),),
        tied_embeddings=f.flag("tie_word_embeddings", True),
        final_norm_params=final_norm(f, style),
        notes=(
            "Block-sparse attention is read as full attention, which overstates "
            "the work of the sparse layers.",
        ),
    )


def _qwen(f: Fields) -> Layout:
    """Qwen 1: its intermediate_size counts both halves of the gated MLP."""
    style = Style(qkv_bias=True)
    layout = read_dense(f, style)
    mlp = Mlp(f.size("intermediate_size") // 2)
    return replace(layout, blocks=tuple(replace(b, mlp=mlp) for b in layout.blocks))


def _deci(f: Fields) -> Layout:
    """DeciLM: Llama with a number of key/value heads of its own in each layer."""
    per_layer = f.items("num_key_value_heads_per_layer")
    if not per_layer:
        return read_dense(f, LLAMA)
    if len(per_layer) != f.size("num_hidden_layers"):
        raise UnreadableConfig(
            f"The config of {f.owner} has {len(per_layer)} "
            "num_key_value_heads_per_layer; list one per layer."
        )
    norms, mlp = 2 * f.size("hidden_size"), dense_mlp(f, LLAMA)
    heads = [
        Fields({"kv": k}, f.owner).size("kv") for k in per_layer
    ]  # each is checked like any other dimension
    return Layout(
        blocks=grouped(Block(1, attention(f, LLAMA, kv=k), mlp, norms) for k in heads),
        tied_embeddings=f.flag("tie_word_embeddings"),
        final_norm_params=f.size("hidden_size"),
    )


def _chatglm(f: Fields) -> Layout:
    """ChatGLM 2 to GLM-4: grouped heads under names of its own."""
    style = Style(qkv_bias=("add_qkv_bias", False))
    mapped = {
        **f.config,
        "head_dim": f.size("kv_channels"),
        "num_key_value_heads": f.size("multi_query_group_num"),
    }
    return read_dense(Fields(mapped, f.owner), style)


def _nemotron_nas(f: Fields) -> Layout:
    """Puzzle-made Llama (Nemotron Super 49B): layers of several widths, or without."""
    norm = f.size("hidden_size")
    blocks = [Fields(b, f.owner) for b in f.items("block_configs")]
    if not blocks:
        raise f.missing("block_configs")
    return Layout(
        blocks=grouped(_nas_block(f, b, norm) for b in blocks),
        tied_embeddings=f.flag("tie_word_embeddings"),
        final_norm_params=norm,
    )


def _nas_block(f: Fields, block: Fields, norm: int) -> Block:
    mixer, ffn = block.section("attention"), block.section("ffn")
    for part in (mixer, ffn):
        if part.flag("replace_with_linear"):
            raise UnreadableConfig(
                f"The config of {f.owner} replaces a part by one matrix "
                "(replace_with_linear), which is not read."
            )
    idle = mixer.flag("no_op"), ffn.flag("no_op")
    kv = None if idle[0] else f.size("num_attention_heads") // mixer.size(GROUP)
    return Block(
        count=1,
        mixer=None if idle[0] else attention(f, LLAMA, kv=kv),
        mlp=None if idle[1] else Mlp(_nas_width(f, ffn)),
        norm_params=norm * idle.count(False),
    )


def _nas_width(f: Fields, ffn: Fields) -> int:
    """Two thirds of the multiple of the hidden size, rounded up to 256."""
    multiple = ffn.get("ffn_mult")
    if not isinstance(multiple, int | float) or not 0 < multiple < math.inf:
        raise UnreadableConfig(
            f"The config of {f.owner} has ffn_mult = {multiple!r}; "
            "it must be a positive number."
        )
    return -(-int(2 * multiple * f.size("hidden_size") / 3) // 256) * 256


READERS = {
    "chatglm": _chatglm,
    "nemotron-nas": _nemotron_nas,
    "gpt2": _gpt2,
    "gpt_bigcode": _gpt_bigcode,
    "opt": _opt,
    "bloom": _bloom,
    "falcon": _falcon,
    "mpt": _mpt,
    "phi3small": _phi3small,
    "qwen": _qwen,
    "deci": _deci,
    "deci_lm": _deci,
}
