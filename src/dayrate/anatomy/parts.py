"""The parts of a network, in the order in which a token meets them.

A part is what a reader knows by name (the embedding, the feed-forward part of a layer);
an operator is what an accelerator executes. Each operator belongs to one part, and so
does each parameter.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from dayrate.catalog.model import Block, ModelSpec
from dayrate.catalog.params import layer_params, parameter_groups

__all__ = ["ENGINE", "EXCHANGE", "Key", "Part", "key_of", "model_parts"]

EXCHANGE, ENGINE = "exchange", "engine"

#: Part of an operator whose own name is not that of a part.
_PART_OF = {
    "embedding_norm": "embedding",
    "rope": "positions",
    "kv_store": "qkv",
    "latent_down": "qkv",
    "q_up": "qkv",
    "kv_up": "qkv",
    "index_q": "indexer",
    "index_k": "indexer",
    "index_attention_prefill": "indexer",
    "index_attention_decode": "indexer",
    "attention_prefill": "attention",
    "attention_decode": "attention",
    "cross_q": "cross_qkv",
    "cross_kv": "cross_qkv",
    "cross_out": "cross_attention_out",
    "ssm_in": "state_in",
    "linear_in": "state_in",
    "ssm_conv": "state",
    "linear_conv": "state",
    "state_prefill": "state",
    "state_decode": "state",
    "ssm_out": "state_out",
    "linear_out": "state_out",
    "mlp_up": "mlp",
    "mlp_activation": "mlp",
    "mlp_down": "mlp",
    "router": "routers",
    "shared_up": "shared_experts",
    "shared_activation": "shared_experts",
    "shared_down": "shared_experts",
    "experts_latent_down": "shared_experts",
    "experts_latent_up": "shared_experts",
    "experts_up": "experts",
    "experts_activation": "experts",
    "experts_down": "experts",
    "head_transform": "lm_head",
}
#: Parts inside layers, in the order in which a token meets them.
_IN_LAYERS = (
    "norms",
    "qkv",
    "indexer",
    "attention",
    "attention_out",
    "state_in",
    "state",
    "state_out",
    "cross_qkv",
    "cross_attention",
    "cross_attention_out",
    "mlp",
    "routers",
    "experts",
    "shared_experts",
)


@dataclass(frozen=True, slots=True)
class Key:
    """Which part: its name, and the group of equal layers it stands in, if any."""

    name: str
    group: int | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the network; ``params`` are those of all its layers. [1]

    ``stack`` is ``encoder`` or ``decoder`` where a model has both.
    """

    key: Key
    layers: int
    params: int
    stack: str = ""
    block: Block | None = None


def key_of(operator: str, group: int | None) -> Key:
    """Return the part that an operator belongs to.

    Rotary positions enter in every layer and are one part all the same.

    >>> key_of("mlp_up", 0), key_of("rope", 0)
    (Key(name='mlp', group=0), Key(name='positions', group=None))
    """
    name = _PART_OF.get(operator, operator)
    return Key(name, None if name == "positions" else group)


def model_parts(model: ModelSpec) -> tuple[Part, ...]:
    """List the parts of a model; their parameters sum to its total.

    >>> from dayrate.catalog import model
    >>> sum(part.params for part in model_parts(model("gpt2")))
    124439808
    """
    whole = parameter_groups(model)
    outside = {
        "embedding": whole["embedding"]
        + whole.get("embedding_projections", 0)
        + whole.get("other", 0)
        + model.embedding_norm_params,
        "positions": model.position_params,
        "final_norm": model.final_norm_params,
        "lm_head": whole.get("lm_head", 0),
    }
    before, after = ("embedding", "positions"), ("final_norm", "lm_head", "sampling")
    parts = [Part(Key("tokens"), 0, 0)]
    parts += [Part(Key(name), 0, outside[name]) for name in before]
    parts += _layer_parts(model)
    parts += [
        Part(Key(name), 0, outside.get(name, 0))
        for name in after
        if name != "final_norm" or model.final_norm_params
    ]
    return (*parts, Part(Key(EXCHANGE), 0, 0), Part(Key(ENGINE), 0, 0))


def _layer_parts(model: ModelSpec) -> Iterator[Part]:
    for group, block in enumerate(model.blocks):
        counted = layer_params(block, model.hidden_size)
        stack = "encoder" if block.encoder else "decoder"
        names = {*counted, *_without_params(block)}
        for name in sorted(names, key=_IN_LAYERS.index):
            yield Part(
                Key(name, group),
                block.count,
                block.count * counted.get(name, 0),
                stack if model.is_encoder_decoder else "",
                block,
            )


def _without_params(block: Block) -> Iterator[str]:
    """Parts that work on others' results."""
    if block.mixer is not None:
        yield "state" if _is_recurrent(block) else "attention"
    if block.cross is not None:
        yield "cross_attention"
    yield "norms"


def _is_recurrent(block: Block) -> bool:
    return hasattr(block.mixer, "conv_kernel")
