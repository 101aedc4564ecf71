"""The number formats a checkpoint is stored in, from its config."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dayrate.catalog.hf.fields import Fields
from dayrate.errors import UnreadableConfig
from dayrate.units import DType

__all__ = ["Formats", "formats_of"]

PLAIN = {
    "float32": DType.FP32,
    "bfloat16": DType.BF16,
    "float16": DType.FP16,
    "float8_e4m3fn": DType.FP8,
}
METHODS = {
    "fp8": DType.FP8,
    "fbgemm_fp8": DType.FP8,
    "mxfp4": DType.MXFP4,
    "awq": DType.INT4,
}
ALGORITHMS = {
    "FP8": DType.FP8,
    "FP8_PB_WO": DType.FP8,
    "NVFP4": DType.NVFP4,
    "W4A16_NVFP4": DType.NVFP4,
    "W4A16_AWQ": DType.INT4,
    "W4A8_AWQ": DType.INT4,
    "INT4_AWQ": DType.INT4,
    "W8A8_SQ_PER_CHANNEL": DType.INT8,
    "MXFP4": DType.MXFP4,
}
#: Formats of GGUF files.
GGUF = {d.value: d for d in (DType.Q4_1, DType.Q4_K_M, DType.Q8_0)}
#: Bits and type of a stored weight, as compressed-tensors and modelopt write them.
WIDTHS = {
    (4, "int"): DType.INT4,
    (8, "int"): DType.INT8,
    (8, "float"): DType.FP8,
    (4, "float"): DType.NVFP4,
}


@dataclass(frozen=True, slots=True)
class Formats:
    """What a checkpoint stores its weights in, and which parts it leaves alone."""

    weights: DType
    unquantized: DType
    experts_only: bool = False
    attention_plain: bool = False
    kv_cache: DType | None = None
    notes: tuple[str, ...] = ()


def formats_of(config: Mapping[str, Any], owner: str) -> Formats:
    """Read ``torch_dtype`` and ``quantization_config``, nested or not."""
    fields = Fields(config, owner)
    text = Fields(_text_section(config), owner)
    stated = _plain(fields.get("dtype") or fields.get("torch_dtype"))
    stated = stated or _plain(text.get("dtype") or text.get("torch_dtype"))
    plain = stated or DType.BF16
    notes = () if stated else ("The config names no number format: BF16 is assumed.",)
    quantized = fields.get("quantization_config") or text.get("quantization_config")
    if not quantized:
        return Formats(plain, plain, notes=notes)
    if not isinstance(quantized, Mapping):
        raise UnreadableConfig(
            f"The config of {owner} has a quantization_config that is no object; "
            "it must hold quant_method."
        )
    # Half precision next to the quantised parts, even if the config says FP8.
    rest = plain if plain in {DType.BF16, DType.FP16, DType.FP32} else DType.BF16
    return _quantized(quantized, owner, rest=rest, notes=notes)


def _quantized(
    config: Mapping[str, Any], owner: str, *, rest: DType, notes: tuple[str, ...]
) -> Formats:
    if config.get("quant_method") == "gguf":
        return _gguf(config, owner)
    weights, more = _stored(config, owner)
    spared = _spared(config)
    experts_only = weights is DType.MXFP4 or "experts-only" in spared
    return Formats(
        weights,
        rest,
        experts_only=experts_only,
        attention_plain=experts_only or "attention" in spared,
        kv_cache=_kv_cache(config),
        notes=(*notes, *more),
    )


def _gguf(config: Mapping[str, Any], owner: str) -> Formats:
    """Read the format of the layers, and of the embedding, which is the head's."""
    try:
        weights, embedding = (GGUF[str(config[k])] for k in ("layers", "embedding"))
    except KeyError as error:
        raise UnreadableConfig(
            f"The config of {owner} is of a GGUF file and must say the formats of its "
            f"layers and embedding; {', '.join(GGUF)} are read."
        ) from error
    return Formats(weights, embedding)


def _text_section(config: Mapping[str, Any]) -> Mapping[str, Any]:
    for name in ("text_config", "llm_config"):
        if isinstance(config.get(name), Mapping):
            return config[name]  # type: ignore[no-any-return]
    return {}


def _plain(name: object) -> DType | None:
    return PLAIN.get(str(name).removeprefix("torch."))


def _stored(config: Mapping[str, Any], owner: str) -> tuple[DType, tuple[str, ...]]:
    method = str(config.get("quant_method", "")).lower()
    algorithm = str(config.get("quant_algo") or "").upper()
    if algorithm in ALGORITHMS:
        return ALGORITHMS[algorithm], ()
    if algorithm == "MIXED_PRECISION":
        return _mixed(config, owner)
    if method in METHODS:
        return METHODS[method], ()
    if method == "gptq":
        return _by_width(config.get("bits"), "int", owner), ()
    if method == "bitsandbytes":
        return (DType.INT4 if config.get("load_in_4bit") else DType.INT8), ()
    for group in _groups(config):
        weights = group.get("weights") or {}
        return _by_width(weights.get("num_bits"), weights.get("type"), owner), ()
    raise UnreadableConfig(
        f"The config of {owner} is quantised in an unknown way "
        f"({method or algorithm or 'no quant_method'!r}); known are "
        f"{', '.join(sorted(METHODS))}, gptq, bitsandbytes, compressed-tensors "
        "and modelopt."
    )


def _mixed(config: Mapping[str, Any], owner: str) -> tuple[DType, tuple[str, ...]]:
    """Name the narrowest of several formats: the experts have it, and are the bulk."""
    layers = config.get("quantized_layers") or {}
    found = {
        ALGORITHMS[str(row.get("quant_algo"))]
        for row in layers.values()
        if isinstance(row, Mapping) and str(row.get("quant_algo")) in ALGORITHMS
    } or {
        _by_width(w.get("num_bits"), w.get("type"), owner)
        for w in (g.get("weights") or {} for g in _groups(config))
    }
    if not found:
        raise UnreadableConfig(
            f"The config of {owner} mixes number formats and lists none of them; "
            "quantized_layers must say which layer has which."
        )
    narrow = min(found, key=lambda d: d.bits)
    names = ", ".join(sorted(d.value for d in found))
    return narrow, (f"The checkpoint mixes {names}; all is read as {narrow.value}.",)


def _by_width(bits: object, kind: object, owner: str) -> DType:
    found = WIDTHS.get((bits, str(kind))) if isinstance(bits, int) else None
    if found is None:
        raise UnreadableConfig(
            f"The config of {owner} stores weights as {bits}-bit {kind}; "
            "4 or 8 bits of int or float are read."
        )
    return found


def _groups(config: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    groups = config.get("config_groups")
    return list(groups.values()) if isinstance(groups, Mapping) else []


def _spared(config: Mapping[str, Any]) -> set[str]:
    """Parts that the checkpoint leaves unquantised, from its list of exceptions."""
    names: list[str] = []
    for key in ("ignore", "modules_to_not_convert", "exclude_modules"):
        value = config.get(key)
        names += [value] if isinstance(value, str) else list(value or ())
    text = " ".join(names)
    spared = set()
    if re.search(r"self_attn(\.?\*|\"|\s|$)|self_attn\.o_proj", text):
        spared.add("attention")
        if "shared_experts" in text and re.search(r"mlp\\*\.\(?gate", text):
            spared.add("experts-only")
    return spared


def _kv_cache(config: Mapping[str, Any]) -> DType | None:
    scheme = config.get("kv_cache_scheme") or config.get("kv_cache_quant_algo")
    if isinstance(scheme, Mapping):
        return WIDTHS.get((scheme.get("num_bits", 0), str(scheme.get("type"))))
    return ALGORITHMS.get(str(scheme).upper())
