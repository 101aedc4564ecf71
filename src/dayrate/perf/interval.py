"""How far a prediction may be off: quantiles of errors on systems never fitted.

The quantiles are those of ln(predicted / measured) over published measurements whose
(architecture, accelerator) pair the fit had not seen, by regime. What lies outside the
data widens them by factors that come from holding out whole accelerators, engines and
so on.
"""

import functools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dayrate.catalog.store import rows
from dayrate.perf.novelty import Situation, load_seen

__all__ = [
    "LEVELS",
    "METRIC_CLASS",
    "Errors",
    "Intervals",
    "Spread",
    "combined",
    "load_intervals",
]

LEVELS = (50, 80, 95)
#: Metrics whose errors are alike: rates of one run differ only in what they count.
METRIC_CLASS = {
    "output_tokens_per_s": "throughput",
    "total_tokens_per_s": "throughput",
    "requests_per_s": "throughput",
    "ttft_ms": "ttft",
    "tpot_ms": "tpot",
    "e2e_latency_s": "e2e",
    "avg_power_w": "power",
    "energy_per_output_token_j": "energy",
}


@dataclass(frozen=True, slots=True)
class Errors:
    """Quantiles of ln(predicted / measured) in one regime, by level."""

    regime: str
    n: int
    median: float
    quantiles: Mapping[int, tuple[float, float]]

    def widened(self, factor: float) -> Mapping[int, tuple[float, float]]:
        """Stretch the quantiles about their median. [1]"""
        m = self.median
        return {
            level: (m + (low - m) * factor, m + (high - m) * factor)
            for level, (low, high) in self.quantiles.items()
        }


@dataclass(frozen=True, slots=True)
class Spread:
    """Factors on a prediction that bound the truth, by level, and why so wide."""

    factors: Mapping[int, tuple[float, float]]
    regime: str
    n: int
    widened_by: float
    outside: tuple[str, ...]

    def bounds(self, value: float) -> dict[int, tuple[float, float]]:
        """Interval of the true value around a predicted one, by level."""
        return {
            k: (value * low, value * high) for k, (low, high) in self.factors.items()
        }


@dataclass(frozen=True, slots=True)
class Intervals:
    """All regimes, and what each way of leaving the data widens them by."""

    regimes: Mapping[str, Errors]
    widening: Mapping[str, float]
    source: str

    def errors(self, metric: str, scenario: str) -> Errors:
        """Find the regime, else the metric's, else all."""
        kind = METRIC_CLASS[metric]
        for name in (f"{kind}/{scenario}", kind):
            if name in self.regimes:
                return self.regimes[name]
        return self.regimes["all"]

    def spread(self, metric: str, scenario: str, outside: Sequence[str] = ()) -> Spread:
        """Turn errors into factors: the truth is the prediction over its error."""
        errors = self.errors(metric, scenario)
        factor = combined(self.widening[kind] for kind in outside)
        factors = {
            level: (math.exp(-high), math.exp(-low))
            for level, (low, high) in errors.widened(factor).items()
        }
        return Spread(factors, errors.regime, errors.n, factor, tuple(outside))

    def around(self, metric: str, scenario: str, setting: Situation) -> Spread:
        """Spread of a prediction for a setting, widened where it leaves the data."""
        return self.spread(metric, scenario, load_seen().outside(setting))


def combined(factors: Iterable[float]) -> float:
    """Widen for several reasons at once, as independent errors add.

    Parameters
    ----------
    factors : iterable of float
        Each at least 1. [1]

    Returns
    -------
    float
        Root of one plus the variances that each adds. [1]

    Examples
    --------
    >>> combined([]), combined([1.5]), round(combined([1.5, 2.0]), 3)
    (1.0, 1.5, 2.291)

    References
    ----------
    .. [1] JCGM 100:2008 (GUM), 5.1.2: variances of independent inputs add.
    """
    return math.sqrt(1.0 + sum(f * f - 1.0 for f in factors))


@functools.cache
def load_intervals() -> Intervals:
    """Read the shipped quantiles and widenings.

    Returns
    -------
    Intervals
        Of every regime with enough rows.

    Examples
    --------
    >>> found = load_intervals().spread("tpot_ms", "closed_loop")
    >>> low, high = found.bounds(20.0)[80]
    >>> low < 20.0 < high
    True

    References
    ----------
    .. [1] ``data/intervals/intervals.yaml``, with its sources.
    """
    found = rows("intervals")
    return Intervals(
        regimes={r["id"]: _errors(r) for r in found if r["kind"] == "regime"},
        widening={
            r["of"]: float(r["factor"]) for r in found if r["kind"] == "widening"
        },
        source=next(_source(r) for r in found if r["kind"] == "seen"),
    )


def _errors(row: Mapping[str, Any]) -> Errors:
    quantiles = {int(k): (float(a), float(b)) for k, (a, b) in row["quantiles"].items()}
    return Errors(row["id"], int(row["rows"]), float(row["median"]), quantiles)


def _source(row: Mapping[str, Any]) -> str:
    return f"{row['reference'][0]['title']} ({row['date']})"
