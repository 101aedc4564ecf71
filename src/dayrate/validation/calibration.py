"""What a prediction may be told beyond the data sheet: the seam for fitting.

`predictions` takes any `Calibration`; a fit asks for the same rows under many sets of
factors and never touches how rows are predicted.
"""

import functools
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from dayrate import catalog
from dayrate.perf.tuning import (
    Factors,
    Setting,
    engine_row,
    factors_of,
    fitted_factors,
    fitted_scopes,
    level_of,
    setting_for,
)
from dayrate.validation.configuration import Configuration

__all__ = [
    "Calibration",
    "EngineLimits",
    "Shipped",
    "Tuned",
    "engine_limits",
    "setting_of",
]


@dataclass(frozen=True, slots=True)
class EngineLimits:
    """How an engine admits work; ``reserves_output`` keeps room for whole answers."""

    max_num_seqs: float
    max_num_batched_tokens: float
    chunked_prefill: bool
    gpu_memory_utilization: float
    reserves_output: bool
    submitted_tokens: float = float("inf")
    free_memory_frac: float = 1.0


class Calibration(Protocol):
    """Coefficients for a configuration."""

    def factor(self, configuration: Configuration) -> Mapping[str, float]:
        """Factors on what kernels reach, by quantity. [1]"""

    def level(self, configuration: Configuration) -> str:
        """Say how close measured systems are: one of `LEVELS`."""


class Tuned:
    """Kernel timings under factors, whoever fitted them."""

    def __init__(self, factors: Factors, scopes: Collection[str] = ()) -> None:
        """Take factors and the scopes that had measurements.

        Remember what was computed for a setting: rows share few.
        """
        self.factors, self.scopes = factors, scopes
        self._products: dict[Setting, dict[str, float]] = {}

    def factor(self, configuration: Configuration) -> Mapping[str, float]:
        """Product of the factors of all scopes, by quantity. [1]"""
        s = setting_of(configuration)
        if s not in self._products:
            self._products[s] = factors_of(s, self.factors)
        return self._products[s]

    def level(self, configuration: Configuration) -> str:
        """Say how close measured systems are: one of `LEVELS`."""
        return level_of(setting_of(configuration), self.scopes)


class Shipped(Tuned):
    """The calibration that ships with the package."""

    def __init__(self) -> None:
        """Take the factors of the data files."""
        super().__init__(fitted_factors(), fitted_scopes())


@functools.cache
def setting_of(c: Configuration) -> Setting:
    """Read from a configuration what decides the factors."""
    model = catalog.model(c.model)
    engine: str = engine_row(c.engine, c.engine_version)["id"]
    weights = c.weights or model.weights_dtype
    device = catalog.accelerator(c.accelerator_id)
    return setting_for(device, model, weights, engine, c.kv_cache)


@functools.lru_cache(maxsize=4096)
def engine_limits(engine: str, version: str) -> EngineLimits:
    """Limits of an engine as benchmarks run it.

    >>> engine_limits("vLLM", "0.5.4").chunked_prefill
    False
    >>> engine_limits("vLLM", "0.11.1").chunked_prefill
    True
    """
    row = engine_row(engine, version)
    return EngineLimits(
        max_num_seqs=float(row["max_num_seqs"]),
        max_num_batched_tokens=float(row["max_num_batched_tokens"]),
        chunked_prefill=row["chunked_prefill"],
        gpu_memory_utilization=float(row["gpu_memory_utilization"]),
        reserves_output=row["reserves_output"],
        submitted_tokens=float(row.get("submitted_tokens", "inf")),
        free_memory_frac=float(row.get("free_memory_frac", 1.0)),
    )
