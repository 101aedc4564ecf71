"""What the parts of a network are called, where people read them."""

from collections.abc import Mapping

from dayrate.catalog.model import PositionKind
from dayrate.report.i18n import mark

__all__ = ["PARTS", "PHASES", "POSITIONS", "STACKS"]

#: At most 17 cells wide: the first column of a table of 80.
PARTS: Mapping[str, str] = {
    "tokens": mark("tokens"),
    "embedding": mark("embedding"),
    "positions": mark("positions"),
    "norms": mark("norms, residuals"),
    "qkv": mark("Q, K, V"),
    "indexer": mark("indexer"),
    "attention": mark("attention"),
    "attention_out": mark("attention out"),
    "state_in": mark("state in"),
    "state": mark("recurrent state"),
    "state_out": mark("state out"),
    "cross_qkv": mark("cross Q, K, V"),
    "cross_attention": mark("cross attention"),
    "cross_attention_out": mark("cross out"),
    "mlp": mark("feed-forward"),
    "routers": mark("router"),
    "experts": mark("experts"),
    "shared_experts": mark("shared experts"),
    "final_norm": mark("final norm"),
    "lm_head": mark("LM head"),
    "sampling": mark("softmax, choice"),
    "exchange": mark("exchange"),
    "engine": mark("engine"),
}
PHASES: Mapping[str, str] = {
    "prefill": mark("Prefill"),
    "decode": mark("One decode step"),
    "request": mark("The whole request"),
}
POSITIONS: Mapping[PositionKind, str] = {
    PositionKind.LEARNED: mark("learned"),
    PositionKind.SINUSOIDAL: mark("sinusoidal"),
    PositionKind.ROTARY: mark("rotary"),
    PositionKind.ALIBI: mark("ALiBi"),
    PositionKind.RELATIVE: mark("relative bias"),
    PositionKind.NONE: mark("none"),
}
STACKS: Mapping[str, str] = {
    "encoder": mark("encoder"),
    "decoder": mark("decoder"),
}
