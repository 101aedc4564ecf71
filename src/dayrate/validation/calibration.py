"""What a prediction may be told beyond the data sheet: the seam for fitting.

`predictions` takes any `Calibration`; a fit asks for the same rows under many sets of
factors and never touches how rows are predicted.
"""

import functools
from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from dayrate import catalog
from dayrate.energy.power import ActivityPower
from dayrate.perf.efficiency import Efficiency, load_efficiency
from dayrate.perf.tuning import (
    Factors,
    Setting,
    engine_row,
    factors_of,
    fitted_factors,
    fitted_scopes,
    level_of,
    request_seconds,
    setting_for,
    tuned_efficiency,
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


class Tuned:
    """Kernel timings under factors, whoever fitted them."""

    def __init__(self, factors: Factors, scopes: Collection[str] = ()) -> None:
        """Take factors and the scopes that had measurements.

        Remember what was computed for a setting: rows share few.
        """
        self.factors, self.scopes = factors, scopes
        self._efficiencies: dict[Setting, Efficiency] = {}
        self._products: dict[Setting, dict[str, float]] = {}

    def efficiency(self, configuration: Configuration) -> Efficiency:
        """Of the accelerator, its generation, or the default."""
        s = setting_of(configuration)
        if s not in self._efficiencies:
            kernels = load_efficiency(s.accelerator_id, s.generation)
            self._efficiencies[s] = tuned_efficiency(
                kernels, self._factors(s), level_of(s, self.scopes)
            )
        return self._efficiencies[s]

    def limits(self, configuration: Configuration) -> EngineLimits:
        """Of the engine and its version."""
        factor = self._factors(setting_of(configuration))
        return engine_limits(
            configuration.engine,
            configuration.engine_version,
            request_seconds(factor),
        )

    def power(self, configuration: Configuration) -> ActivityPower:
        """Shares of rated power."""
        factor, usual = self._factors(setting_of(configuration)), ActivityPower()
        return ActivityPower(
            idle_frac=usual.idle_frac * factor["idle_power"],
            compute_frac=usual.compute_frac * factor["compute_power"],
            memory_frac=usual.memory_frac * factor["memory_power"],
        )

    def _factors(self, s: Setting) -> dict[str, float]:
        if s not in self._products:
            self._products[s] = factors_of(s, self.factors)
        return self._products[s]


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
    return setting_for(catalog.accelerator(c.accelerator_id), model, weights, engine)


@functools.lru_cache(maxsize=4096)
def engine_limits(engine: str, version: str, request_s: float = 0.0) -> EngineLimits:
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
        request_s=request_s,
    )
