"""Flat names for the keys of a scenario: the command line's flags, Python's keywords.

One table serves both, so that a flag and a keyword cannot mean different things.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from dayrate.errors import InvalidInput, did_you_mean
from dayrate.scenario.schema import Scenario, ServerSection

__all__ = ["FLAGS", "nested", "overlaid"]

#: Keys whose flat name differs from the last part of their path.
_RENAMED = {
    ("model", "id"): "model",
    ("slo", "ttft_ms"): "ttft",
    ("slo", "tpot_ms"): "tpot",
    ("autoscale", "policy"): "autoscale",
    ("autoscale", "startup_delay_s"): "startup_delay",
    ("autoscale", "cooldown_s"): "cooldown",
    ("autoscale", "interval_s"): "autoscale_interval",
    ("deployment", "server", "accelerator"): "server_accelerator",
    ("deployment", "server", "accelerators"): "server_accelerators",
    ("deployment", "server", "count"): "servers",
    ("deployment", "server", "price"): "parts_price",
    ("deployment", "server", "utilisation"): "server_utilisation",
}


def _paths() -> Iterator[tuple[str, ...]]:
    sections = ("model", "workload", "slo", "deployment", "autoscale", "economics")
    for section in sections:
        fields = Scenario.model_fields[section].annotation
        for key in getattr(fields, "model_fields", {}):
            if (section, key) != ("deployment", "server"):
                yield section, key
    for key in ServerSection.model_fields:
        yield "deployment", "server", key


FLAGS: Mapping[str, tuple[str, ...]] = {
    _RENAMED.get(path, path[-1]): path for path in _paths()
}


def nested(flags: Mapping[str, Any]) -> dict[str, Any]:
    """Sort flat ``flags`` into sections; ``None`` means not given.

    Examples
    --------
    >>> nested({"model": "gpt2", "ttft": 500, "isl": None})
    {'model': {'id': 'gpt2'}, 'slo': {'ttft_ms': 500}}
    """
    data: dict[str, Any] = {}
    for name, value in flags.items():
        if name not in FLAGS:
            close = did_you_mean(name, FLAGS)
            hint = f" Did you mean {close}?" if close else ""
            raise InvalidInput(f"{name} is not a key of a scenario.{hint}")
        if value is not None:
            _put(data, FLAGS[name], value)
    return data


def overlaid(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Merge two nested mappings; ``over`` wins key by key."""
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            merged[key] = overlaid(below, value)
        else:
            merged[key] = value
    return merged


def _put(data: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    for part in path[:-1]:
        data = data.setdefault(part, {})
    data[path[-1]] = value
