"""What a reader returns, and the parts that most families share."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from dayrate.catalog.hf.fields import Fields
from dayrate.catalog.model import Attention, Block, Mlp, PositionKind
from dayrate.errors import UnreadableConfig

__all__ = [
    "Layout",
    "Style",
    "attention",
    "dense_mlp",
    "final_norm",
    "grouped",
    "norm_size",
    "setting",
    "windows",
]

#: True, False, or the config's flag that decides, with its default.
Setting = bool | tuple[str, bool]


@dataclass(frozen=True, slots=True)
class Layout:
    """A model without its name, formats and sources."""

    blocks: tuple[Block, ...]
    tied_embeddings: bool
    positions: PositionKind = PositionKind.ROTARY
    position_params: int = 0
    final_norm_params: int = 0
    embedding_norm_params: int = 0
    embedding_size: int | None = None
    lm_head_bias: bool = False
    head_transform: bool = False
    extra_params: int = 0
    notes: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Style:
    """What a family's code fixes and its config leaves unsaid."""

    norms: int = 2  # per layer
    norm_bias: bool = False
    gated: bool = True
    qkv_bias: Setting = False
    out_bias: Setting = False
    mlp_bias: Setting = False
    qk_norm: str = ""  # "head": one vector per projection, "full": as wide as it
    tied: bool = False
    lm_head_bias: bool = False
    window: str = ""  # how sliding layers are laid out when layer_types is absent
    window_every: int = 0  # the default of sliding_window_pattern
    mlp_factor: int = 0  # MLP width over hidden size when the config has none


def grouped(layers: Iterable[Block]) -> tuple[Block, ...]:
    """Merge equal layers, wherever they lie, in order of first appearance.

    >>> one = Block(count=1, mixer=None, mlp=Mlp(4), norm_params=1)
    >>> [b.count for b in grouped([one, one])]
    [2]
    """
    counts = Counter(layers)
    return tuple(
        Block(n, b.mixer, b.mlp, b.norm_params, b.cross, b.encoder)
        for b, n in counts.items()
    )


def setting(f: Fields, value: Setting) -> bool:
    """Return a constant of the family, or what the config's flag says."""
    return value if isinstance(value, bool) else f.flag(*value)


def norm_size(f: Fields, style: Style) -> int:
    """Parameters of one norm over the hidden size."""
    return f.size("hidden_size") * (2 if style.norm_bias else 1)


def final_norm(f: Fields, style: Style) -> int:
    """Parameters of the norm before the head; none where layers have none."""
    return norm_size(f, style) if style.norms else 0


def head_dim(f: Fields) -> int:
    """Width of one head: stated, or the hidden size shared out evenly."""
    stated = f.optional_size("head_dim") or f.optional_size("attention_head_dim")
    if stated:
        return stated
    hidden, heads = f.size("hidden_size"), f.size("num_attention_heads")
    if hidden % heads:
        raise UnreadableConfig(
            f"The config of {f.owner} has hidden_size {hidden}, which its "
            f"{heads} attention heads do not divide; state head_dim or correct one."
        )
    return hidden // heads


def kv_heads(f: Fields, default: int | None = None) -> int:
    """Key/value heads, which must divide the query heads."""
    heads = f.size("num_attention_heads")
    kv = f.size("num_key_value_heads", default or heads)
    if heads % kv:
        raise UnreadableConfig(
            f"The config of {f.owner} has {heads} attention heads, which its "
            f"{kv} key/value heads do not divide; correct one of them."
        )
    return kv


def attention(
    f: Fields, style: Style, *, window: int | None = None, kv: int | None = None
) -> Attention:
    """Read the softmax attention of one layer."""
    heads, dim, n_kv = f.size("num_attention_heads"), head_dim(f), kv or kv_heads(f)
    norms = {"": 0, "head": 2 * dim, "full": (heads + n_kv) * dim}[style.qk_norm]
    return Attention(
        n_heads=heads,
        n_kv_heads=n_kv,
        head_dim=dim,
        window_tokens=window,
        qkv_bias=setting(f, style.qkv_bias),
        out_bias=setting(f, style.out_bias),
        qk_norm_params=norms,
    )


def dense_mlp(f: Fields, style: Style, width: int | None = None) -> Mlp:
    """Read the dense feed-forward part of one layer."""
    factor = style.mlp_factor
    default = factor * f.size("hidden_size") if factor else None
    return Mlp(
        intermediate_size=width or f.size("intermediate_size", default),
        gated=style.gated,
        bias=setting(f, style.mlp_bias),
    )


def windows(f: Fields, style: Style) -> list[int | None]:
    """Context cap of each layer, None where it sees everything."""
    n = f.size("num_hidden_layers")
    kinds = f.items("layer_types")
    if kinds and len(kinds) < n:
        raise UnreadableConfig(
            f"The config of {f.owner} has {len(kinds)} layer_types for {n} layers; "
            "list one per layer."
        )
    if kinds:
        return [_window_of(f, str(kind)) for kind in kinds[:n]]
    if not style.window or not f.get("sliding_window"):
        return [None] * n
    size = f.size("sliding_window")
    return [size if _slides(f, style, i) else None for i in range(n)]


def _window_of(f: Fields, kind: str) -> int | None:
    if kind == "sliding_attention":
        return f.size("sliding_window")
    return f.size("attention_chunk_size") if kind == "chunked_attention" else None


def _slides(f: Fields, style: Style, layer: int) -> bool:
    if style.window == "upper":  # Qwen: the layers from max_window_layers on
        upper = layer >= f.count("max_window_layers")
        return f.flag("use_sliding_window") and upper
    if style.window == "pattern":  # every n-th layer sees everything
        every = f.size("sliding_window_pattern", style.window_every)
        return bool((layer + 1) % every)
    return True
