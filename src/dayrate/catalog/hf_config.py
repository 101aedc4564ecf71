"""A Hugging Face config.json, read into a `ModelSpec`.

Each ``model_type`` has a reader in ``catalog/hf``; a nested ``text_config`` is read in
place of the whole. Nothing is guessed: a field that is absent and has no default in the
family's own code is an error that names it.
"""

import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from dayrate.catalog.hf import dense, encdec, hybrid, moe
from dayrate.catalog.hf.fields import Fields
from dayrate.catalog.hf.layout import Layout
from dayrate.catalog.hf.quantization import formats_of
from dayrate.catalog.model import ModelSpec, PublishedCounts
from dayrate.errors import UnreadableConfig
from dayrate.evidence import Source

__all__ = ["families", "read_config_file", "spec_from_config"]

READERS: Mapping[str, Callable[[Fields], Layout]] = {
    **{name: partial(dense.read_dense, style=s) for name, s in dense.STYLES.items()},
    **dense.READERS,
    **moe.READERS,
    **hybrid.READERS,
    **encdec.READERS,
}
#: Types that only wrap a text model; the right one may also stand alone.
WRAPPERS = {
    "llama4": "llama4_text",
    "gemma3": "gemma3_text",
    "qwen3_5": "qwen3_5_text",
    "qwen3_5_moe": "qwen3_5_moe_text",
    "qwen3_vl": "qwen3",
    "qwen3_vl_text": "qwen3",
    "qwen3_vl_moe": "qwen3_moe",
    "qwen3_vl_moe_text": "qwen3_moe",
    "kimi_k25": "kimi_k2",
    "mistral3": "mistral",
}
#: Values that a family's published configs leave to the defaults of its code.
DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "gemma3_text": {
        "vocab_size": 262_208,
        "head_dim": 256,
        "num_attention_heads": 8,
        "num_key_value_heads": 4,
        "max_position_embeddings": 131_072,
        "sliding_window": 4096,
    },
    "gemma2": {"head_dim": 256, "sliding_window": 4096},
    "gemma": {"head_dim": 256},
    "gpt2": {"vocab_size": 50_257},
    "mistral": {"num_key_value_heads": 8},
}
NESTED = ("text_config", "llm_config", "language_config")


def families() -> tuple[str, ...]:
    """Every ``model_type`` that has a reader of its own."""
    return tuple(sorted({*READERS, *WRAPPERS}))


def read_config_file(path: Path) -> dict[str, Any]:
    """Read a config.json, or the one in a folder, with its quantisation beside it.

    Raises
    ------
    UnreadableConfig
        The file is absent or holds no JSON object.
    """
    file = path / "config.json" if path.is_dir() else path
    config = _json(file)
    beside = file.with_name("hf_quant_config.json")
    if "quantization_config" not in config and beside.is_file():
        quantized = _json(beside).get("quantization", {})
        config["quantization_config"] = {"quant_method": "modelopt", **quantized}
    return config


def spec_from_config(
    config: Mapping[str, Any],
    *,
    id: str,
    published: PublishedCounts | None = None,
    source: Source | None = None,
    notes: tuple[str, ...] = (),
) -> ModelSpec:
    """Read a model from its config's fields.

    Examples
    --------
    >>> spec = spec_from_config(
    ...     {"model_type": "llama", "hidden_size": 8, "num_hidden_layers": 2,
    ...      "num_attention_heads": 2, "intermediate_size": 16, "vocab_size": 32},
    ...     id="tiny")
    >>> spec.n_layers, spec.blocks[0].mixer.head_dim
    (2, 4)
    """
    fields, wrapped = _text_fields(config, id)
    kind = fields.text("model_type")
    layout = _layout(fields, kind)
    formats = formats_of(config, id)
    return ModelSpec(
        id=id,
        model_type=kind or "unknown",
        hidden_size=fields.size("hidden_size"),
        vocab_size=fields.size("vocab_size"),
        blocks=layout.blocks,
        tied_embeddings=layout.tied_embeddings,
        max_position_embeddings=fields.optional_size("max_position_embeddings"),
        positions=layout.positions,
        weights_dtype=formats.weights,
        unquantized_dtype=formats.unquantized,
        quantized_experts_only=formats.experts_only,
        unquantized_attention=formats.attention_plain,
        kv_cache_dtype=formats.kv_cache,
        position_params=layout.position_params,
        final_norm_params=layout.final_norm_params,
        embedding_norm_params=layout.embedding_norm_params,
        embedding_size=layout.embedding_size,
        lm_head_bias=layout.lm_head_bias,
        head_transform=layout.head_transform,
        extra_params=layout.extra_params,
        published=published,
        source=source,
        notes=(*notes, *wrapped, *layout.notes, *formats.notes),
    )


def _layout(fields: Fields, kind: str) -> Layout:
    reader = READERS.get(kind)
    if reader:
        return reader(fields)
    for name in ("hidden_size", "num_hidden_layers", "vocab_size"):
        fields.size(name)
    return dense.read_unknown(fields)


def _text_fields(config: object, owner: str) -> tuple[Fields, tuple[str, ...]]:
    """Pick the language model's own fields, and say if others are left out."""
    if not isinstance(config, Mapping):
        raise UnreadableConfig(
            f"The config of {owner} is no JSON object; give the text of a config.json."
        )
    whole = Fields(config, owner)
    outer = whole.text("model_type")
    name = next((n for n in NESTED if isinstance(config.get(n), Mapping)), None)
    inner = dict(config[name]) if name else dict(config)
    kind = str(inner.get("model_type") or outer)
    kind = WRAPPERS.get(kind, kind)
    inner["model_type"] = kind
    # The outer object decides on tying where the inner one is silent.
    if name and "tie_word_embeddings" in config:
        inner.setdefault("tie_word_embeddings", config["tie_word_embeddings"])
    stated = {k: v for k, v in inner.items() if v is not None}
    merged = {**DEFAULTS.get(kind, {}), **stated}
    note = "Only the language model is read; encoders of images or audio are left out."
    multimodal = any(k in config for k in ("vision_config", "audio_config"))
    return Fields(merged, owner), (note,) if multimodal else ()


def _json(file: Path) -> dict[str, Any]:
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UnreadableConfig(
            f"There is no file {file}; give the path of a config.json, its folder, "
            "or an id that `dayrate catalog models` lists."
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise UnreadableConfig(
            f"{file} is not readable as JSON ({error}); give a model's config.json."
        ) from error
    if not isinstance(value, dict):
        raise UnreadableConfig(
            f"{file} holds no JSON object; give a model's config.json."
        )
    return value
