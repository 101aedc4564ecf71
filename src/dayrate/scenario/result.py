"""What a quote answers: deployment, serving, energy and bill, with the working.

A field that is ``None`` is unknown for this scenario: it is never guessed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dayrate.cost.breakdown import Cost

__all__ = ["Bill", "ClaimCheck", "Deployment", "Energy", "Interval", "Serving"]


@dataclass(frozen=True, slots=True)
class Deployment:
    """The machines that carry the demand, and how the model is spread over them."""

    model: str | None = None
    accelerator: str | None = None
    accelerators: float | None = None  # in all, as billed
    servers: float | None = None
    replicas: float | None = None  # at the busiest hour
    replicas_by_hour: tuple[float, ...] = ()  # empty when not planned hour by hour
    closed_form_replicas: float | None = None  # beside those of a simulated day
    accelerators_per_replica: int | None = None
    tensor_parallel_size: int | None = None
    pipeline_parallel_size: int | None = None
    expert_parallel_size: int | None = None
    data_parallel_size: int | None = None
    weights_dtype: str | None = None
    kv_cache_dtype: str | None = None
    engine: str | None = None
    max_num_seqs: int | None = None
    max_num_batched_tokens: int | None = None
    gpu_memory_utilization: float | None = None
    num_speculative_tokens: int | None = None  # None: nothing is drafted
    tokens_per_step: float | None = None  # of a sequence; None: 1
    pricing: str | None = None


@dataclass(frozen=True, slots=True)
class Serving:
    """Demand per day and how fast one request is served at the busiest hour."""

    requests_per_day: float | None = None
    input_tokens_per_day: float | None = None  # cached ones included
    cached_input_tokens_per_day: float | None = None
    output_tokens_per_day: float | None = None
    peak_requests_per_s: float | None = None
    capacity_requests_per_s: float | None = None  # of one replica, within the targets
    batch: float | None = None  # sequences decoding together at the peak
    ttft_ms: float | None = None  # at the percentile of the scenario, p95 unless said
    ttft_mean_ms: float | None = None
    tpot_ms: float | None = None
    tpot_mean_ms: float | None = None
    percentile: float = 95.0
    tokens_per_s_per_accelerator: float | None = (
        None  # input + output, mean over the day
    )
    utilisation: float | None = (
        None  # mean over the day, of the capacity within the targets
    )
    binding: str | None = (
        None  # what limits a replica: memory, max_num_seqs, ttft, tpot
    )


@dataclass(frozen=True, slots=True)
class Energy:
    """Electricity drawn in a day, facility included."""

    kwh_per_day: float | None = None
    wh_per_request: float | None = None
    mean_it_power_kw: float | None = None
    pue: float | None = None
    kg_co2_per_day: float | None = None


@dataclass(frozen=True, slots=True)
class Bill:
    """The day's cost as named terms, and what a unit of work costs.

    Unit costs are on the allocated basis (idle capacity included) and split between
    kinds of token by their marginal work. ``used_frac`` is the share of the bill that
    did work: times it, any figure becomes the used basis.
    """

    cost: Cost
    used_frac: float | None = None
    usd_per_request: float | None = None
    usd_per_1k_tokens: float | None = None  # of all tokens, input and output
    usd_per_million_input_tokens: float | None = None  # not cached
    usd_per_million_cached_input_tokens: float | None = None
    usd_per_million_output_tokens: float | None = None
    currency: str = "USD"
    currency_per_usd: float = 1.0

    @property
    def total_usd_per_day(self) -> float:
        """Sum of all terms. [USD/day]"""
        return float(self.cost.total_usd)


@dataclass(frozen=True, slots=True)
class ClaimCheck:
    """A published figure beside what its own assumptions, or ours, give."""

    name: str
    published: float
    computed: float
    unit: str
    rtol: float
    expected: bool  # whether the source got it right
    where: str

    @property
    def ratio(self) -> float:
        """Computed over published. [1]"""
        return self.computed / self.published

    @property
    def holds(self) -> bool:
        """Whether the computed figure is within ``rtol`` of the published one."""
        return abs(self.ratio - 1) <= self.rtol


@dataclass(frozen=True, slots=True)
class Interval:
    """Where the truth lies, by level in per cent, and what that rests on.

    ``regime`` names the measured figures whose ``n`` errors were used; ``outside`` says
    how the question leaves the data, for which the bounds were ``widened_by`` a factor.
    """

    bounds: Mapping[int, tuple[float, float]]
    regime: str
    n: int
    widened_by: float = 1.0
    outside: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the bounds under their levels, and the rest under its names."""
        return {
            **{str(level): list(ends) for level, ends in self.bounds.items()},
            "regime": self.regime,
            "n": self.n,
            "widened_by": self.widened_by,
            "outside": list(self.outside),
        }
