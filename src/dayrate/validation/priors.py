"""How far from their parents factors may be, by kind of scope."""

from types import MappingProxyType

from dayrate.validation.fit import Priors

__all__ = ["PRIORS"]

_DEVICE = frozenset({"compute", "memory", "cache", "collective"})
_ENGINE = frozenset({"step", "layer", "sequence", "prefill_layer", "request"})
_POWER = frozenset({"idle_power", "compute_power", "memory_power"})

PRIORS = Priors(
    by_scope=MappingProxyType(
        {
            "all": 0.5,
            "generation": 0.2,
            "accelerator": 0.07,
            "family": 0.2,
            "engine": 0.3,
            "engine on": 0.15,
            "weights": 0.15,
            "weights on": 0.15,
            "experts": 0.2,
            # no kernel table says what unpacking costs
            "unpacked cache": 1.5,
        }
    ),
    only=MappingProxyType(
        {
            "generation": _DEVICE | _POWER,
            "accelerator": frozenset({"compute", "memory"}),
            "family": _DEVICE | _ENGINE,
            "engine": _DEVICE | _ENGINE,
            "engine on": _DEVICE | {"layer"},
            "weights": frozenset({"compute", "memory", "layer"}),
            "weights on": frozenset({"compute"}),
            "experts": frozenset({"compute", "memory", "layer"}),
            "unpacked cache": frozenset({"cache"}),
        }
    ),
    # what no kernel table says may be anything within reason
    wider=MappingProxyType(
        {"prefill_layer": 2.0, "request": 2.0, "sequence": 2.0, "step": 2.0}
    ),
    # kernel tables reach 0.73 to 0.86 of bandwidth; of peaks less, by shape and format
    least=MappingProxyType({"memory": 0.8, "cache": 0.65, "compute": 0.4}),
    # a front end that takes a quarter of a second is a queue
    most=MappingProxyType({"request": 5.0}),
)
