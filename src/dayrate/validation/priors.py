"""How far from their parents factors may be, by kind of scope: the fit's only choices."""

from types import MappingProxyType

from dayrate.validation.fit import Priors

__all__ = ["PRIORS"]

_DEVICE = frozenset({"compute", "memory", "cache", "collective"})
_ENGINE = frozenset(
    {"exchange", "step", "layer", "sequence", "prefill_layer", "request"}
)
_POWER = frozenset({"idle_power", "compute_power", "memory_power"})

PRIORS = Priors(
    by_scope=MappingProxyType(
        {
            "all": 0.4,
            "vendor": 0.1,
            "generation": 0.1,
            "accelerator": 0.07,
            "family": 0.15,
            "engine": 0.2,
            "engine on": 0.15,
            "weights": 0.1,
            "experts": 0.15,
        }
    ),
    only=MappingProxyType(
        {
            "vendor": _DEVICE,
            "generation": _DEVICE | _POWER,
            "accelerator": frozenset({"compute", "memory"}),
            "family": _DEVICE | _ENGINE,
            "engine": _DEVICE | _ENGINE,
            "engine on": _DEVICE | {"layer"},
            "weights": frozenset({"compute", "memory", "layer"}),
            "experts": frozenset({"compute", "memory", "layer"}),
        }
    ),
    # what no kernel table says may be anything within reason
    wider=MappingProxyType(
        {"prefill_layer": 3.0, "request": 3.0, "sequence": 2.0, "step": 2.0}
    ),
)
