"""What a large language model costs per day, per request and per token.

>>> import dayrate
>>> day = dayrate.quote(
...     model="meta-llama/Llama-3.1-8B-Instruct", isl=1000, osl=200,
...     requests_per_day=100_000)
>>> day.deployment.model
'meta-llama/Llama-3.1-8B-Instruct'

Names are loaded when they are first used, so that importing the package is free.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dayrate import catalog, errors
    from dayrate.quoting import Quote, quote
    from dayrate.scenario.read import read_scenario, shipped_scenarios
    from dayrate.scenario.schema import Scenario

__all__ = [
    "Quote",
    "Scenario",
    "__version__",
    "catalog",
    "errors",
    "quote",
    "read_scenario",
    "shipped_scenarios",
]

__version__ = "0.1.0"

_HOMES = {
    "Quote": "dayrate.quoting",
    "Scenario": "dayrate.scenario.schema",
    "quote": "dayrate.quoting",
    "read_scenario": "dayrate.scenario.read",
    "shipped_scenarios": "dayrate.scenario.read",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    if name in {"catalog", "errors"}:
        return importlib.import_module(f"dayrate.{name}")
    raise AttributeError(f"module 'dayrate' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
