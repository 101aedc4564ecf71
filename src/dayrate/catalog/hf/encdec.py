"""Models with an encoder: of T5's and BART's kind, and BERT's, which is one alone."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from dayrate.catalog.hf.fields import Fields
from dayrate.catalog.hf.layout import Layout, Style, attention, dense_mlp
from dayrate.catalog.model import Attention, Block, Mlp, PositionKind
from dayrate.errors import UnreadableConfig

__all__ = ["READERS"]

BIASED = Style(norm_bias=True, gated=False, qkv_bias=True, out_bias=True, mlp_bias=True)


def _t5(f: Fields) -> Layout:
    hidden, heads = f.size("hidden_size"), f.size("num_attention_heads")
    layers = f.size("num_hidden_layers")
    attention = Attention(heads, heads, f.size("d_kv", hidden // heads))
    gated = f.text("feed_forward_proj", "relu").startswith("gated")
    mlp = Mlp(f.size("intermediate_size"), gated=gated)
    buckets = f.size("relative_attention_num_buckets", 32)
    return Layout(
        blocks=(
            Block(layers, attention, mlp, 2 * hidden, encoder=True),
            Block(
                f.size("num_decoder_layers", layers),
                attention,
                mlp,
                3 * hidden,
                cross=replace(attention, cross=True),
            ),
        ),
        tied_embeddings=f.flag("tie_word_embeddings", True),
        positions=PositionKind.RELATIVE,
        position_params=2 * buckets * heads,  # first layer of each stack
        final_norm_params=2 * hidden,
    )


@dataclass(frozen=True, slots=True)
class _Bart:
    """What a relative of BART has, beside its two stacks."""

    learned: bool = True
    embedding_norms: bool = False
    final_norms: bool = False


def _bart(f: Fields, kind: _Bart) -> Layout:
    hidden = f.size("hidden_size")
    norm = 2 * hidden
    rows = f.size("max_position_embeddings", 1024) + 2  # two rows for padding
    return Layout(
        blocks=(_stack(f, "encoder"), _stack(f, "decoder")),
        tied_embeddings=f.flag("tie_word_embeddings", True),
        positions=PositionKind.LEARNED if kind.learned else PositionKind.SINUSOIDAL,
        position_params=2 * rows * hidden if kind.learned else 0,
        embedding_norm_params=2 * norm if kind.embedding_norms else 0,
        final_norm_params=2 * norm if kind.final_norms else 0,
    )


def _stack(f: Fields, side: str) -> Block:
    """Read one of the two stacks, whose sizes have names of their own."""
    own: Mapping[str, object] = {
        "hidden_size": f.size("hidden_size"),
        "num_attention_heads": f.size(f"{side}_attention_heads"),
        "intermediate_size": f.size(f"{side}_ffn_dim"),
    }
    fields = Fields(own, f.owner)
    mixer = attention(fields, BIASED)
    decodes = side == "decoder"
    return Block(
        count=f.size(f"{side}_layers"),
        mixer=mixer,
        mlp=dense_mlp(fields, BIASED),
        norm_params=(3 if decodes else 2) * 2 * f.size("hidden_size"),
        cross=replace(mixer, cross=True) if decodes else None,
        encoder=not decodes,
    )


def _bert(f: Fields, segments: int) -> Layout:
    """Read an encoder with the head that fills in masked words."""
    kind = f.text("position_embedding_type", "absolute")
    if f.flag("is_decoder") or kind != "absolute":
        raise UnreadableConfig(
            f"The config of {f.owner} has is_decoder or position_embedding_type "
            f"{kind!r}; only encoders with absolute positions are read."
        )
    hidden, layers = f.size("hidden_size"), f.size("num_hidden_layers")
    norm = 2 * hidden
    mixer, mlp = attention(f, BIASED), dense_mlp(f, BIASED)
    return Layout(
        blocks=(Block(layers, mixer, mlp, 2 * norm, encoder=True),),
        tied_embeddings=f.flag("tie_word_embeddings", True),
        positions=PositionKind.LEARNED,
        position_params=f.size("max_position_embeddings", 512) * hidden,
        embedding_norm_params=norm,
        lm_head_bias=True,
        head_transform=True,
        extra_params=f.size("type_vocab_size", segments) * hidden,
        notes=(
            "Read with the head that fills in masked words; the embedding of "
            "segments belongs to that of tokens.",
        ),
    )


READERS: Mapping[str, Callable[[Fields], Layout]] = {
    "t5": _t5,
    "umt5": _t5,
    "mt5": _t5,
    "bart": partial(_bart, kind=_Bart(embedding_norms=True)),
    "mbart": partial(_bart, kind=_Bart(embedding_norms=True, final_norms=True)),
    "pegasus": partial(_bart, kind=_Bart(learned=False, final_norms=True)),
    "marian": partial(_bart, kind=_Bart(learned=False)),
    "bert": partial(_bert, segments=2),
    "roberta": partial(_bert, segments=1),
    "xlm-roberta": partial(_bert, segments=1),
}
