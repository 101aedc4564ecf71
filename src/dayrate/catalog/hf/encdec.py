"""Encoder-decoder models of T5's kind."""

from dataclasses import replace

from dayrate.catalog.hf.fields import Fields
from dayrate.catalog.hf.layout import Layout
from dayrate.catalog.model import Attention, Block, Mlp, PositionKind

__all__ = ["READERS"]


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


READERS = {"t5": _t5, "umt5": _t5, "mt5": _t5}
