"""What of a question lies outside the measurements that the model was held against."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass

from dayrate.catalog.model import (
    Attention,
    LinearAttention,
    Mamba2,
    Mixer,
    Mla,
    ModelSpec,
)
from dayrate.catalog.store import rows

__all__ = ["KINDS", "Seen", "Situation", "architecture_kind", "load_seen"]

#: Ways to be outside the data, each with a widening of its own.
KINDS = ("accelerator", "generation", "architecture", "engine", "length", "batch")


@dataclass(frozen=True, slots=True)
class Situation:
    """What decides whether a figure is read off the data or carried beyond it.

    ``engine`` and ``batch`` may be unknown: then they count as usual.
    """

    accelerator_id: str
    generation: str
    architecture: str
    engine: str | None
    input_tokens: float
    output_tokens: float
    batch: float | None


@dataclass(frozen=True, slots=True)
class Seen:
    """Accelerators, generations, architectures, engines and ranges of the data."""

    names: Mapping[str, frozenset[str]]
    ranges: Mapping[str, tuple[float, float]]

    def outside(self, setting: Situation) -> tuple[str, ...]:
        """Name the `KINDS` in which a setting leaves the data."""
        named = {
            "accelerator": setting.accelerator_id,
            "generation": setting.generation,
            "architecture": setting.architecture,
            "engine": setting.engine,
        }
        found = [k for k, n in named.items() if n and n not in self.names[k]]
        if {"accelerator", "generation"} <= set(found):
            found.remove("accelerator")  # the generation says it, and more
        elif "generation" in found:
            found.remove("generation")  # whatever the device counts as, it was measured
        lengths = (setting.input_tokens, setting.output_tokens)
        if not all(
            self._within(f"{side}_tokens", x)
            for side, x in zip(("input", "output"), lengths, strict=True)
        ):
            found.append("length")
        if setting.batch is not None and not self._within("batch", setting.batch):
            found.append("batch")
        return tuple(found)

    def _within(self, name: str, value: float) -> bool:
        low, high = self.ranges[name]
        return low <= value <= high


def architecture_kind(model: ModelSpec) -> str:
    """Name what a model is made of, as far as its speed follows from it.

    Parameters
    ----------
    model : ModelSpec
        Any.

    Returns
    -------
    str
        ``dense`` or ``moe``, and the kind of its attention.

    Examples
    --------
    >>> from dayrate import catalog
    >>> architecture_kind(catalog.model("meta-llama/Llama-3.1-70B-Instruct"))
    'dense, grouped-query'
    >>> architecture_kind(catalog.model("deepseek-ai/DeepSeek-R1"))
    'moe, latent'

    References
    ----------
    .. [1] The kinds of `dayrate.catalog.model`.
    """
    mixers = [b.mixer for b in model.decoder_blocks() if b.mixer is not None]
    kinds = [_attention_kind(m) for m in mixers]
    rarest = min(kinds, key=_ATTENTION.index, default="none")
    return f"{'moe' if model.is_moe else 'dense'}, {rarest}"


#: The first of these that any layer has names the model.
_ATTENTION = (
    *("recurrent", "latent", "windowed", "multi-query", "grouped-query"),
    *("multi-head", "none"),
)


def _attention_kind(mixer: Mixer) -> str:
    if isinstance(mixer, Mamba2 | LinearAttention):
        return "recurrent"
    if isinstance(mixer, Mla):
        return "latent"
    assert isinstance(mixer, Attention)
    if mixer.window_tokens is not None:
        return "windowed"
    if mixer.n_kv_heads == mixer.n_heads:
        return "multi-head"
    return "multi-query" if mixer.n_kv_heads == 1 else "grouped-query"


@functools.cache
def load_seen() -> Seen:
    """Read what the intervals were estimated on.

    Returns
    -------
    Seen
        Names and ranges.

    Examples
    --------
    >>> "h100-sxm-80gb" in load_seen().names["accelerator"]
    True

    References
    ----------
    .. [1] ``data/intervals/intervals.yaml``, with its sources.
    """
    row = next(r for r in rows("intervals") if r["kind"] == "seen")
    return Seen(
        {kind: frozenset(row[kind]) for kind in KINDS[:4]},
        {name: (float(low), float(high)) for name, (low, high) in row["range"].items()},
    )
