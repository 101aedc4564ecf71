"""What a prediction may be told beyond the data sheet: the seam for fitting.

`predictions` takes any `Calibration`. A fit supplies its own, for instance one whose
coefficients depend on engine and version, and never touches how rows are predicted.
"""

import functools
import re
from dataclasses import dataclass
from typing import Any, Protocol

from dayrate.catalog import accelerator
from dayrate.catalog.store import rows
from dayrate.energy.power import ActivityPower
from dayrate.perf.efficiency import Efficiency, load_efficiency
from dayrate.validation.configuration import Configuration

__all__ = ["Calibration", "EngineLimits", "Shipped", "engine_limits"]


@dataclass(frozen=True, slots=True)
class EngineLimits:
    """How an engine admits work; ``reserves_output`` keeps room for whole answers.

    ``request_s`` passes before the first token outside the model: network, tokenizer,
    scheduling.
    """

    max_num_seqs: float
    max_num_batched_tokens: float
    chunked_prefill: bool
    gpu_memory_utilization: float
    reserves_output: bool
    submitted_tokens: float = float("inf")
    request_s: float = 0.0


class Calibration(Protocol):
    """Coefficients for a configuration."""

    def efficiency(self, configuration: Configuration) -> Efficiency:
        """Shares of the peaks, and overheads."""

    def limits(self, configuration: Configuration) -> EngineLimits:
        """Say what the engine admits."""

    def power(self, configuration: Configuration) -> ActivityPower:
        """Shares of rated power by activity."""


class Shipped:
    """The calibration that ships with the package."""

    def efficiency(self, configuration: Configuration) -> Efficiency:
        """Of the accelerator, its generation, or the default."""
        device = accelerator(configuration.accelerator_id)
        return load_efficiency(device.id, device.generation)

    def limits(self, configuration: Configuration) -> EngineLimits:
        """Of the engine and its version."""
        return engine_limits(configuration.engine, configuration.engine_version)

    def power(self, configuration: Configuration) -> ActivityPower:
        """One law for all."""
        return ActivityPower()


@functools.cache
def engine_limits(engine: str, version: str) -> EngineLimits:
    """Limits of an engine as benchmarks run it.

    >>> engine_limits("vLLM", "0.5.4").chunked_prefill
    False
    >>> engine_limits("vLLM", "0.11.1").chunked_prefill
    True
    """
    row = next(r for r in rows("engines") if _fits(r, engine, version))
    return EngineLimits(
        max_num_seqs=float(row["max_num_seqs"]),
        max_num_batched_tokens=float(row["max_num_batched_tokens"]),
        chunked_prefill=row["chunked_prefill"],
        gpu_memory_utilization=float(row["gpu_memory_utilization"]),
        reserves_output=row["reserves_output"],
        submitted_tokens=float(row.get("submitted_tokens", "inf")),
    )


def _fits(row: Any, engine: str, version: str) -> bool:
    if not engine.lower().startswith(row["match"]):
        return False
    return "before" not in row or _number(version) < tuple(row["before"])


def _number(version: str) -> tuple[int, int]:
    """First two numbers of a version; a year stands for the releases of 2023 and 24."""
    found = re.match(r"(\d+)\.(\d+)", version)
    if found:
        return int(found.group(1)), int(found.group(2))
    old = re.match(r"202[0-4]", version)
    return (0, 0) if old else (10**6, 0)
