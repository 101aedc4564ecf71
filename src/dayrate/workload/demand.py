"""Who asks for what, when: the demand that a quote is made for."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from dayrate.evidence import Grade, Ledger, Source

__all__ = ["DayShape", "LengthDistribution", "Workload"]


@dataclass(frozen=True, slots=True)
class LengthDistribution:
    """Token lengths of one side of a request, as equally likely sample points.

    A fixed length is one point; an empirical distribution has many. Everything
    downstream asks for the mean and for quantiles.
    """

    tokens: npt.NDArray[np.float64]  # sorted, > 0
    kind: str  # "fixed", "empirical", "quantiles", "lognormal"

    @property
    def mean_tokens(self) -> float:
        """Mean length. [token]"""
        return float(self.tokens.mean())

    def quantile(self, q: float) -> float:
        """Length that a share ``q`` of requests does not exceed. [token]

        Point i of n stands for the slice of ranks around (i + ½)/n.
        """
        return float(np.quantile(self.tokens, q, method="hazen"))

    @property
    def cv(self) -> float:
        """Coefficient of variation: standard deviation over mean. [1]"""
        return float(self.tokens.std() / self.tokens.mean())


@dataclass(frozen=True, slots=True)
class DayShape:
    """Share of the day's requests that falls in each hour; 24 shares, sum 1.

    ``burst`` is the rate of the highest ten minutes on record over that of the busiest
    hour of this profile, so that the mean rate × ``peak_over_mean`` × ``burst`` is the
    rate that replicas must carry: an average day hides the worst one.
    """

    hour_frac: Sequence[float]
    burst: float = 1.0
    name: str = "given"
    grade: Grade = Grade.GIVEN
    source: Source = field(default=Source("given by the user"))

    @property
    def peak_over_mean(self) -> float:
        """Rate of the busiest hour over the mean rate of the day. [1]"""
        return 24 * max(self.hour_frac)


@dataclass(frozen=True, slots=True)
class Workload:
    """A day's demand for one service."""

    name: str
    requests_per_day: float
    input_length: LengthDistribution
    output_length: LengthDistribution
    cached_input_frac: float  # share of input tokens found in a prefix cache
    shape: DayShape
    source: Source
    assumed: bool  # whether lengths are an assumption rather than a measurement
    tokenizer: str | None = None
    notes: tuple[str, ...] = ()  # e.g. rows dropped from a trace
    evidence: Ledger = field(default_factory=Ledger)  # lines named workload.*

    @property
    def input_tokens_per_day(self) -> float:
        """Input tokens, cached ones included. [token/day]"""
        return self.requests_per_day * self.input_length.mean_tokens

    @property
    def cached_input_tokens_per_day(self) -> float:
        """Input tokens served from the prefix cache. [token/day]"""
        return self.input_tokens_per_day * self.cached_input_frac

    @property
    def output_tokens_per_day(self) -> float:
        """Generated tokens. [token/day]"""
        return self.requests_per_day * self.output_length.mean_tokens
