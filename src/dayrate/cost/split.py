"""Sharing a daily total among input, cached input and output tokens, and requests."""

import enum
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dayrate.units import Num

__all__ = [
    "Basis",
    "TokenCounts",
    "TokenSeconds",
    "UnitCosts",
    "blended_usd_per_token",
    "on_basis",
    "per_1k",
    "per_million",
    "per_request",
    "unit_costs",
]


class Basis(enum.Enum):
    """Whether idle capacity is part of a cost."""

    ALLOCATED = "allocated"  # all that was held, idle or not: what the bill says
    USED = "used"  # the share that worked


@dataclass(frozen=True, slots=True)
class TokenCounts:
    """Tokens of a day in three disjoint buckets; input excludes what was cached."""

    input_tokens: Num
    cached_input_tokens: Num
    output_tokens: Num

    @property
    def total_tokens(self) -> Num:
        """All three. [token]"""
        return self.input_tokens + self.cached_input_tokens + self.output_tokens


@dataclass(frozen=True, slots=True)
class TokenSeconds:
    """Accelerator time that one more token of each kind takes. [s/token]"""

    input_s: Num
    cached_input_s: Num
    output_s: Num


@dataclass(frozen=True, slots=True)
class UnitCosts:
    """What a token of each kind costs; NaN where none was served. [USD/token]"""

    usd_per_input_token: Num
    usd_per_cached_input_token: Num
    usd_per_output_token: Num


def unit_costs(
    *, total_usd: Num, tokens: TokenCounts, marginal_seconds: TokenSeconds
) -> UnitCosts:
    r"""Split a total in proportion to marginal cost, so that the parts add up to it.

    Parameters
    ----------
    total_usd : Num
        What all the tokens cost together. [USD]
    tokens : TokenCounts
        How many of each kind there were. [token]
    marginal_seconds : TokenSeconds
        Accelerator time of one more token of each kind. [s/token]

    Returns
    -------
    UnitCosts
        Cost of a token of each kind, NaN (unknown) where none was served. [USD/token]

    Notes
    -----
    .. math:: u_i = C \, s_i / \sum_j n_j s_j

    Joint costs have no unique split; this one gives prices in the ratio of marginal
    costs and recovers the total. NaN seconds of a kind that was served make every
    share unknown.

    Examples
    --------
    >>> day = TokenCounts(100.0, 0.0, 50.0)
    >>> unit = unit_costs(
    ...     total_usd=30.0, tokens=day, marginal_seconds=TokenSeconds(1.0, 0.1, 4.0))
    >>> float(unit.usd_per_input_token), float(unit.usd_per_output_token)
    (0.1, 0.4)
    >>> float(unit.usd_per_cached_input_token)
    nan

    References
    ----------
    .. [1] H. P. Young (ed.), "Cost Allocation: Methods, Principles, Applications",
       North-Holland, 1985.
    """
    counts = (tokens.input_tokens, tokens.cached_input_tokens, tokens.output_tokens)
    seconds = (
        marginal_seconds.input_s,
        marginal_seconds.cached_input_s,
        marginal_seconds.output_s,
    )
    busy_s = sum(_busy_s(n, s) for n, s in zip(counts, seconds, strict=True))
    return UnitCosts(
        *(
            _share(total_usd * s, busy_s, n)
            for n, s in zip(counts, seconds, strict=True)
        )
    )


def per_request(*, total_usd: Num, requests: Num) -> Num:
    """Mean cost of a request.

    Parameters
    ----------
    total_usd : Num
        Cost of all. [USD]
    requests : Num
        How many. [1]

    Returns
    -------
    Num
        Cost of one; NaN (unknown) if there was none. [USD]

    Examples
    --------
    SemiAnalysis' ChatGPT of February 2023 [1]_:

    >>> round(float(per_request(total_usd=694_444, requests=195e6)), 6)
    0.003561

    References
    ----------
    .. [1] SemiAnalysis, "The Inference Cost Of Search Disruption", 2023-02-09.
    """
    return _ratio(total_usd, requests)


def blended_usd_per_token(*, total_usd: Num, tokens: TokenCounts) -> Num:
    """Mean cost of a token of any kind, as estimates per 1k tokens usually mean it.

    Parameters
    ----------
    total_usd : Num
        Cost of all. [USD]
    tokens : TokenCounts
        Tokens of all three kinds. [token]

    Returns
    -------
    Num
        Cost of one; NaN (unknown) if there was none. [USD/token]

    Examples
    --------
    >>> day = TokenCounts(600.0, 200.0, 200.0)
    >>> float(blended_usd_per_token(total_usd=2.0, tokens=day))
    0.002

    References
    ----------
    .. [1] Sinolink Securities, report on the cost of ChatGPT, 2023-03-07: 0.177 US
       cents per 1k tokens, input and output alike.
    """
    return _ratio(total_usd, tokens.total_tokens)


def per_1k(usd_per_token: Num) -> Num:
    """Cost of a thousand tokens.

    Parameters
    ----------
    usd_per_token : Num
        Cost of one. [USD/token]

    Returns
    -------
    Num
        Cost of 1,000. [USD/1k token]

    Examples
    --------
    >>> per_1k(0.5)
    500.0

    References
    ----------
    .. [1] OpenAI price list of 2023: USD per 1K tokens.
    """
    return usd_per_token * 1e3


def per_million(usd_per_token: Num) -> Num:
    """Cost of a million tokens.

    Parameters
    ----------
    usd_per_token : Num
        Cost of one. [USD/token]

    Returns
    -------
    Num
        Cost of 10⁶. [USD/M token]

    Examples
    --------
    >>> per_million(0.5)
    500000.0

    References
    ----------
    .. [1] OpenAI price list since 2024: USD per 1M tokens.
    """
    return usd_per_token * 1e6


def on_basis(*, allocated_usd: Num, basis: Basis, utilisation_frac: Num) -> Num:
    """Cost with or without the capacity that stood idle.

    Parameters
    ----------
    allocated_usd : Num
        Cost of all that was held. [USD]
    basis : Basis
        What to count. [1]
    utilisation_frac : Num
        Share of the capacity that worked. [1]

    Returns
    -------
    Num
        Cost on that basis. [USD]

    Examples
    --------
    >>> on_basis(allocated_usd=100.0, basis=Basis.USED, utilisation_frac=0.25)
    25.0

    References
    ----------
    .. [1] FinOps Foundation, FOCUS 1.2, 2025: billed cost against used capacity.
    """
    return allocated_usd * utilisation_frac if basis is Basis.USED else allocated_usd


def _busy_s(tokens: Num, seconds: Num) -> npt.NDArray[np.float64]:
    """Time a kind took; nothing where it was not served, even if s is unknown."""
    return np.where(np.asarray(tokens) > 0, tokens * np.asarray(seconds), 0.0)


def _share(numerator: Num, busy_s: Num, tokens: Num) -> Num:
    unit = np.asarray(_ratio(numerator, busy_s))
    return np.where(np.asarray(tokens) > 0, unit, np.nan)[()]


def _ratio(numerator: Num, denominator: Num) -> Num:
    known = np.asarray(denominator) != 0
    safe = np.where(known, denominator, 1.0)
    return np.where(known, numerator / safe, np.nan)[()]
