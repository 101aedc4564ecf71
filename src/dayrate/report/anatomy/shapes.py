"""Shapes of what passes through a part: B requests, T tokens of each."""

from collections.abc import Sequence

from dayrate.anatomy.parts import Part
from dayrate.anatomy.walk import Anatomy
from dayrate.anatomy.work import Call
from dayrate.catalog.model import Attention, LinearAttention, Mamba2, Mixer, Mla, Moe
from dayrate.catalog.model import PositionKind as Kind

__all__ = ["shape"]

_INNER = frozenset({Kind.ALIBI, Kind.RELATIVE, Kind.NONE})


def shape(part: Part, anatomy: Anatomy) -> str:
    """Write the matrices of a part on one accelerator, and what comes out of it.

    Examples
    --------
    >>> from dayrate.anatomy.walk import anatomy_of
    >>> from dayrate.scenario.schema import scenario_from
    >>> gpt2 = anatomy_of(scenario_from({"model": {"id": "gpt2"}}))
    >>> [shape(p, gpt2) for p in gpt2.parts if p.key.name == "mlp"]
    ['768 × 3072, 3072 × 768 → [B, T, 768]']
    """
    name = part.key.name
    if name in {"attention", "cross_attention", "state"}:
        mixer = _mixer(part)
        return _scores(mixer) if mixer is not None else ""
    fixed = _fixed(anatomy)
    return fixed[name] if name in fixed else _products(part, anatomy)


def _fixed(anatomy: Anatomy) -> dict[str, str]:
    """Write the shapes of what is no product with a matrix."""
    model = anatomy.model
    width = model.embedding_size or model.hidden_size
    rows = "B, T" if model.is_encoder else "B"
    stream = f"[B, T, {model.hidden_size}]"
    return {
        "tokens": "[B, T]",
        "embedding": f"{model.vocab_size} × {width} → {stream}",
        "positions": _positions(anatomy),
        "norms": stream,
        "final_norm": stream,
        "sampling": f"[{rows}, {model.vocab_size}] → [{rows}]",
    }


def _positions(anatomy: Anatomy) -> str:
    model = anatomy.model
    if model.positions in _INNER:
        return ""
    if model.positions is Kind.ROTARY:
        turned = (_turned(b.mixer) for b in model.blocks)
        return next((f"[B, T, {n}]" for n in turned if n), "")
    return f"[B, T, {model.hidden_size}]"


def _turned(mixer: Mixer | None) -> int:
    """Width of a head, or of its part, that rotary positions turn."""
    if isinstance(mixer, Attention):
        return mixer.head_dim
    return mixer.qk_rope_head_dim if isinstance(mixer, Mla) else 0


def _mixer(part: Part) -> Mixer | None:
    if part.block is None:
        return None
    return part.block.cross if "cross" in part.key.name else part.block.mixer


def _scores(mixer: Mixer) -> str:
    if isinstance(mixer, Mamba2):
        return f"[B, {mixer.n_heads}, {mixer.head_dim}, {mixer.state_dim}]"
    if isinstance(mixer, LinearAttention):
        return f"[B, {mixer.n_v_heads}, {mixer.k_head_dim}, {mixer.v_head_dim}]"
    dim = mixer.head_dim if isinstance(mixer, Attention) else mixer.v_head_dim
    seen = "input" if isinstance(mixer, Attention) and mixer.cross else "context"
    return f"[B, {mixer.n_heads}, T, {seen}] → [B, T, {mixer.n_heads * dim}]"


def _products(part: Part, anatomy: Anatomy) -> str:
    calls = [c for c in anatomy.phases[0].calls if c.key == part.key and c.sides]
    if not calls:
        return ""
    written = ", ".join(_matrix(c) for c in calls)
    moe = part.block.mlp if part.block else None
    if part.key.name == "experts" and isinstance(moe, Moe):
        written = f"{moe.n_experts} × ({written})"
    return f"{written} → {_out(part, calls, anatomy)}"


def _matrix(call: Call) -> str:
    assert call.sides is not None
    rows, columns = call.sides
    return f"{rows:.6g} × {columns:.6g}"


def _out(part: Part, calls: Sequence[Call], anatomy: Anatomy) -> str:
    last = calls[-1].sides
    assert last is not None
    if part.key.name == "lm_head" and not anatomy.model.is_encoder:
        return f"[B, {last[1]:.6g}]"
    if part.key.name in {"qkv", "cross_qkv", "indexer"}:
        return f"[B, T, {sum(c.sides[1] for c in calls if c.sides):.6g}]"
    return f"[B, T, {last[1]:.6g}]"
