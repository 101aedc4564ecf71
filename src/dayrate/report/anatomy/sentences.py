"""One sentence or two on what each part of a network does, with its own numbers."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from dayrate.anatomy.parts import Part
from dayrate.anatomy.walk import Anatomy
from dayrate.catalog.model import (
    Attention,
    Block,
    LinearAttention,
    Mamba2,
    Mla,
    Mlp,
    ModelSpec,
    Moe,
    PositionKind,
)
from dayrate.perf.moe import distinct_experts
from dayrate.report.i18n import Words
from dayrate.report.numbers import figure

__all__ = ["explanation"]


def explanation(parts: Sequence[Part], anatomy: Anatomy, words: Words) -> str:
    """Say what a part does, seen over the layers that have it."""
    name = parts[0].key.name
    blocks = [part.block for part in parts if part.block is not None]
    if name in _OF_LAYERS:
        return _OF_LAYERS[name](blocks, anatomy, words)
    return _OUTSIDE[name](anatomy, words)


def _join(_: Words, *told: str) -> str:
    """Put sentences one after another; Chinese has no blank between them."""
    return ("" if _.language == "zh" else " ").join(filter(None, told))


def _tokens(a: Anatomy, _: Words) -> str:
    text = _(
        "The tokenizer cuts text into pieces and gives each its number; {isl} of them "
        "are the prompt."
    ).format(isl=figure(a.lengths.isl))
    if a.lengths.osl <= 1:
        return text
    steps = _("T is all of them at prefill and one in a decode step.")
    return _join(_, text, steps)


def _embedding(a: Anatomy, _: Words) -> str:
    text = _(
        "Each number picks its row of the table, {width} values that stand for the "
        "token. Nothing is multiplied."
    )
    return text.format(width=figure(a.model.embedding_size or a.model.hidden_size))


def _positions(a: Anatomy, _: Words) -> str:
    kind = a.model.positions
    if kind is PositionKind.LEARNED:
        return _("A learned row for the place in the text is added.")
    if kind is PositionKind.SINUSOIDAL:
        return _("Waves of the place in the text are added; they hold no parameters.")
    if kind is PositionKind.ROTARY:
        return _(
            "In every layer, queries and keys are turned by angles that grow with the "
            "place in the text; no parameters."
        )
    if kind is PositionKind.ALIBI:
        return _(
            "Inside attention, scores fall with the distance of two tokens (ALiBi); no "
            "parameters and no work of its own."
        )
    if kind is PositionKind.RELATIVE:
        return _(
            "Inside attention, a learned bias for the distance of two tokens is added "
            "to the scores; its work is counted there."
        )
    return _("None: the order is known from the layers themselves.")


def _norms(blocks: Sequence[Block], a: Anatomy, _: Words) -> str:
    return _(
        "Values are scaled to the same size, and what each part of a layer finds is "
        "added to the stream of the token (the residual)."
    )


def _qkv(blocks: Sequence[Block], a: Anatomy, _: Words) -> str:
    mixer = blocks[0].mixer
    if isinstance(mixer, Mla):
        return _(
            "Every token gets {heads} queries and one latent of {latent} numbers, all "
            "that the cache keeps; keys and values are made from it."
        ).format(
            heads=mixer.n_heads, latent=mixer.kv_lora_rank + mixer.qk_rope_head_dim
        )
    assert isinstance(mixer, Attention)
    text = _(
        "Every token gets {heads} queries (what it looks for), {kv} keys and {kv} "
        "values (what it offers), {dim} numbers each."
    ).format(heads=mixer.n_heads, kv=mixer.n_kv_heads, dim=mixer.head_dim)
    group = mixer.n_heads // mixer.n_kv_heads
    shared = _("{n} queries share a key and a value.").format(n=group)
    kept = _("Keys and values stay in the cache.")
    return _join(
        _, text, shared if group > 1 else "", "" if blocks[0].encoder else kept
    )


def _indexer(blocks: Sequence[Block], a: Anatomy, _: Words) -> str:
    mixer = blocks[0].mixer
    assert isinstance(mixer, Mla)
    text = _("Scores all cached tokens cheaply and leaves the best {n} to attention.")
    return text.format(n=figure(mixer.index_topk or 0))


def _attention(blocks: Sequence[Block], a: Anatomy, _: Words) -> str:
    text = _(
        "Queries meet keys, softmax turns the scores into shares, and values are mixed "
        "by them."
    )
    return _join(_, text, _mask(blocks, _))


def _mask(blocks: Sequence[Block], _: Words) -> str:
    if blocks[0].encoder:
        return _("No mask: every token sees all others (bidirectional).")
    causal = _("Causal mask: a token sees itself and those before it.")
    windows = {b.mixer.window_tokens for b in blocks if isinstance(b.mixer, Attention)}
    capped = sorted(n for n in windows if n)
    if not capped:
        return causal
    layers = sum(
        b.count
        for b in blocks
        if isinstance(b.mixer, Attention) and b.mixer.window_tokens
    )
    sliding = _("{n} layers see only the last {window} (sliding window).")
    return _join(_, causal, sliding.format(n=layers, window=figure(capped[-1])))


def _attention_out(blocks: Sequence[Block], a: Anatomy, _: Words) -> str:
    return _("What the heads found, side by side, goes through one more matrix.")


def _state_in(blocks: Sequence[Block], a: Anatomy, _: Words) -> str:
    return _("One product makes the inputs and gates of the recurrent layer.")


def _state(blocks: Sequence[Block], a: Anatomy, _: Words) -> str:
    mixer = blocks[0].mixer
    assert isinstance(mixer, Mamba2 | LinearAttention)
    kind = "Mamba-2" if isinstance(mixer, Mamba2) else _("gated delta rule")
    return _(
        "A state of constant size takes the place of keys and values ({kind}): the "
        "work of a token does not grow with the context."
    ).format(kind=kind)


def _cross_qkv(blocks: Sequence[Block], a: Anatomy, _: Words) -> str:
    return _(
        "Queries come from the decoder; keys and values from the encoder's output, "
        "computed once at prefill and kept."
    )


def _cross(blocks: Sequence[Block], a: Anatomy, _: Words) -> str:
    text = _("Every output token looks at all {n} input tokens; there is no mask.")
    return text.format(n=figure(a.lengths.isl))


def _mlp(blocks: Sequence[Block], a: Anatomy, _: Words) -> str:
    mlp = next(b.mlp for b in blocks if isinstance(b.mlp, Mlp))
    text = _(
        "Each token by itself: widened to {width} values, through a nonlinear "
        "function, and back."
    ).format(width=figure(mlp.intermediate_size))
    return _join(_, text, _("A third matrix gates them.") if mlp.gated else "")


def _router(blocks: Sequence[Block], a: Anatomy, _: Words) -> str:
    moe = _moe(blocks)
    text = _("Scores {n} experts for each token and picks {k}.")
    return text.format(n=moe.n_experts, k=moe.experts_per_token)


def _experts(blocks: Sequence[Block], a: Anatomy, _: Words) -> str:
    moe = _moe(blocks)
    text = _(
        "Feed-forward parts of {width} values, of which a token passes {k} of {n}. "
        "Weights read in a layer: those of {prefill} experts at prefill"
    ).format(
        width=figure(moe.intermediate_size),
        k=moe.experts_per_token,
        n=moe.n_experts,
        prefill=_touched(moe, a.lengths.isl * a.lengths.batch),
    )
    if a.lengths.osl > 1:
        step = _touched(moe, a.lengths.batch)
        text += _(", of {step} in a decode step").format(step=step)
    return text + _(" (even routing).")


def _shared(blocks: Sequence[Block], a: Anatomy, _: Words) -> str:
    return _("A feed-forward part beside the experts that every token passes.")


def _moe(blocks: Iterable[Block]) -> Moe:
    return next(b.mlp for b in blocks if isinstance(b.mlp, Moe))


def _touched(moe: Moe, tokens: int) -> str:
    touched = distinct_experts(
        n_experts=moe.n_experts, experts_per_token=moe.experts_per_token, tokens=tokens
    )
    return figure(round(float(touched), 1))


def _final_norm(a: Anatomy, _: Words) -> str:
    return _("One more norm before the head.")


def _lm_head(a: Anatomy, _: Words) -> str:
    model: ModelSpec = a.model
    if model.is_encoder:
        text = _("At every place, each of the {n} tokens of the vocabulary is scored.")
    else:
        text = _(
            "Each of the {n} tokens of the vocabulary is scored as the next one, for "
            "the newest token only."
        )
    tied = _("The matrix is that of the embedding (tied).")
    text = text.format(n=figure(model.vocab_size))
    return _join(_, text, tied if model.tied_embeddings else "")


def _sampling(a: Anatomy, _: Words) -> str:
    if a.model.is_encoder:
        return _("Softmax turns the scores into shares; the likeliest word fills in.")
    return _(
        "Softmax turns the scores into shares; one token is drawn and enters the next "
        "step."
    )


def _exchange(a: Anatomy, _: Words) -> str:
    return _("{n} accelerators sum up what each computed, twice in a layer.").format(
        n=a.accelerators
    )


def _engine(a: Anatomy, _: Words) -> str:
    return _(
        "Scheduling, launches, softmax and choice: time of the engine, fitted to "
        "published servers. Parts marked – are inside it."
    )


_OUTSIDE: Mapping[str, Callable[[Anatomy, Words], str]] = {
    "tokens": _tokens,
    "embedding": _embedding,
    "positions": _positions,
    "final_norm": _final_norm,
    "lm_head": _lm_head,
    "sampling": _sampling,
    "exchange": _exchange,
    "engine": _engine,
}
_OF_LAYERS: Mapping[str, Callable[[Sequence[Block], Anatomy, Words], str]] = {
    "norms": _norms,
    "qkv": _qkv,
    "indexer": _indexer,
    "attention": _attention,
    "attention_out": _attention_out,
    "state_in": _state_in,
    "state": _state,
    "state_out": _attention_out,
    "cross_qkv": _cross_qkv,
    "cross_attention": _cross,
    "cross_attention_out": _attention_out,
    "mlp": _mlp,
    "routers": _router,
    "experts": _experts,
    "shared_experts": _shared,
}
