"""An anatomy as a document of JSON types: all of it, unrounded."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from dayrate.anatomy.parts import Key, Part
from dayrate.anatomy.walk import Anatomy, Phase
from dayrate.anatomy.work import Call, Work
from dayrate.catalog.params import active_params
from dayrate.report.anatomy.shapes import shape
from dayrate.scenario.answer import evidence_row

__all__ = ["to_document"]


def to_document(anatomy: Anatomy) -> dict[str, Any]:
    """Write everything: parts, their work in each phase, and each operator.

    Examples
    --------
    >>> from dayrate.anatomy.walk import anatomy_of
    >>> from dayrate.scenario.schema import scenario_from
    >>> document = to_document(anatomy_of(scenario_from({"model": {"id": "gpt2"}})))
    >>> document["model"]["params"], document["accelerator"]
    (124439808, None)
    """
    model, lengths = anatomy.model, anatomy.lengths
    kind = "encoder-decoder" if model.is_encoder_decoder else "decoder"
    return {
        "model": {
            "id": model.id,
            "model_type": model.model_type,
            "kind": "encoder" if model.is_encoder else kind,
            "layers": model.n_layers,
            "hidden_size": model.hidden_size,
            "vocab_size": model.vocab_size,
            "positions": model.positions.value,
            "tied_embeddings": model.tied_embeddings,
            "params": anatomy.params,
            "active_params": active_params(model),
            "groups": [_group(b) for b in model.blocks],
        },
        "request": dataclasses.asdict(lengths),
        "formats": {
            "weights": anatomy.precision.weights.value,
            "kv_cache": anatomy.precision.kv_cache.value,
            "activations": anatomy.precision.activations.value,
        },
        "accelerator": anatomy.accelerator,
        "accelerators": anatomy.accelerators,
        "cache_bytes": None if model.is_encoder else anatomy.cache_bytes,
        "currency": anatomy.currency,
        "currency_per_usd": anatomy.currency_per_usd,
        "parts": [_part(part, anatomy) for part in anatomy.parts],
        "phases": [_phase(phase, anatomy.parts) for phase in anatomy.phases],
        "notes": list(anatomy.notes),
        "evidence": [evidence_row(line, anatomy.ledger) for line in anatomy.ledger],
    }


def _group(block: Any) -> dict[str, Any]:
    """Say what a group of equal layers is made of."""
    kinds = {
        name: {"kind": type(part).__name__.lower(), **dataclasses.asdict(part)}
        for name in ("mixer", "cross", "mlp")
        if (part := getattr(block, name)) is not None
    }
    return {"layers": block.count, "encoder": block.encoder, **kinds}


def _part(part: Part, anatomy: Anatomy) -> dict[str, Any]:
    return {
        **_named(part.key),
        "stack": part.stack or None,
        "layers": part.layers,
        "params": part.params,
        "shape": shape(part, anatomy) or None,
    }


def _named(key: Key) -> dict[str, Any]:
    return {"part": key.name, "group": key.group}


def _phase(phase: Phase, parts: Sequence[Part]) -> dict[str, Any]:
    works = phase.by_part
    listed = [part.key for part in parts if part.key in works]
    document = {
        "phase": phase.name,
        "passes": phase.passes,
        "tokens": phase.tokens,
        "context": phase.context,
        "total": _work(phase.total),
        "eager_matmul_flop": phase.eager_matmul_flop,
        "parts": [{**_named(key), **_work(works[key])} for key in listed],
    }
    if phase.name != "request":  # whose operators are those of its passes
        document["operators"] = [_call(call) for call in phase.calls]
    return document


def _work(work: Work) -> Mapping[str, float | None]:
    return dataclasses.asdict(work)


def _call(call: Call) -> dict[str, Any]:
    return {
        "operator": call.name,
        **_named(call.key),
        "kind": call.kind,
        "calls": call.times,
        "rows": call.rows,
        "matrix": list(call.sides) if call.sides else None,
        **_work(call.work),
    }
