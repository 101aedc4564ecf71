"""Length distributions: from one number, quantiles, a lognormal fit or a sample.

Every distribution is a sorted array of equally likely points, each the mean of its
slice of the distribution. Slices, not draws: the mean is exact and nothing is random.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from dayrate.errors import InvalidInput
from dayrate.workload.demand import LengthDistribution

__all__ = ["POINTS", "empirical", "fixed", "from_quantiles", "lognormal", "scaled"]

Floats = npt.NDArray[np.float64]

#: Points of a distribution that is not given as a sample.
POINTS = 1000

_NORMAL = NormalDist()
_TAIL_Q = 0.001  # where an unknown shortest and longest length are placed


def fixed(tokens: float) -> LengthDistribution:
    """Every request has the same length."""
    return LengthDistribution(np.array([_positive(tokens, "a length")]), "fixed")


def empirical(
    samples: Sequence[float] | npt.NDArray[np.generic], *, max_points: int = POINTS
) -> LengthDistribution:
    """Keep the sample, or ``max_points`` slices of it of the same mean.

    >>> empirical([3, 1, 2, 6], max_points=2).tokens
    array([1.5, 4.5])
    """
    if max_points < 1:
        raise InvalidInput(f"max_points is {max_points}; give a whole number from 1.")
    tokens = np.sort(np.asarray(samples, dtype=np.float64).ravel())
    if tokens.size == 0:
        raise InvalidInput("A length distribution needs at least one sample; got none.")
    _positive(float(tokens[0]), "the shortest length")
    _positive(float(tokens.sum()), "the sum of the lengths")
    if tokens.size > max_points:
        tokens = _slices(tokens, max_points)
    return LengthDistribution(tokens, "empirical")


def from_quantiles(
    quantiles: Mapping[float, float], *, mean_tokens: float | None = None
) -> LengthDistribution:
    """Fit a distribution to quantiles and, when it is known, the mean.

    Between two quantiles the length rises as a power of the rank, with one exponent
    for all intervals, chosen to give the mean. Without a mean each interval rises
    geometrically. Lengths at ranks 0 and 1 are the extremes; if absent they are where
    the lognormal through the outer quantiles has its lowest and highest thousandth,
    and the highest moves out if the mean asks for it.

    Parameters
    ----------
    quantiles : mapping of float to float
        Length by rank: ``{0.5: 1020, 0.95: 4083}``; two ranks at least. [token]
    mean_tokens : float, optional
        Mean length. [token]
    """
    ranks, lengths = _checked_quantiles(quantiles)
    ends_known = (ranks[0] == 0, ranks[-1] == 1)
    ranks, lengths = _with_ends(ranks, lengths)
    low, high = lengths[:-1], lengths[1:]
    weight = np.diff(ranks)
    if mean_tokens is None:
        mean = float(weight @ _log_mean(low, high))
    else:
        mean = _positive(mean_tokens, "the mean length")
        lengths = _with_room_for(mean, weight, lengths, may_grow=not ends_known[1])
        high = lengths[1:]
    least, most = float(weight @ low), float(weight @ high)
    if most == least:
        return LengthDistribution(np.repeat(lengths[:1], POINTS), "quantiles")
    if not least < mean < most:
        raise InvalidInput(
            f"No lengths with these quantiles have a mean of {mean:g} tokens: it lies "
            f"between {least:g} and {most:g}. Correct the mean or the quantiles."
        )
    exponent = (most - least) / (mean - least) - 1
    return LengthDistribution(_powers(ranks, lengths, exponent), "quantiles")


def lognormal(
    *, mean_tokens: float, p50_tokens: float | None = None, cv: float | None = None
) -> LengthDistribution:
    """Fit a lognormal to a mean and either a median or a coefficient of variation.

    >>> round(lognormal(mean_tokens=1000, cv=1.0).quantile(0.5))
    707
    """
    mean = _positive(mean_tokens, "the mean length")
    if (p50_tokens is None) == (cv is None):
        raise InvalidInput(
            "A lognormal needs its mean and one of p50_tokens and cv: "
            f"got p50_tokens={p50_tokens}, cv={cv}."
        )
    if p50_tokens is not None:
        median = _positive(p50_tokens, "the median length")
        if median > mean:
            raise InvalidInput(
                f"A lognormal of median {median:g} has no mean of {mean:g} tokens: "
                "the mean is at least the median. Give quantiles instead."
            )
        sigma = math.sqrt(2 * math.log(mean / median))
    else:
        assert cv is not None
        if not 0 <= cv < math.inf:
            raise InvalidInput(f"cv is {cv:g}; give 0 or a positive finite number.")
        sigma = math.sqrt(math.log1p(cv**2))
    # Share of all tokens below the rank u: Phi(z(u) - sigma), the Lorenz curve.
    below = [_NORMAL.cdf(_NORMAL.inv_cdf(i / POINTS) - sigma) for i in range(1, POINTS)]
    points = np.diff(np.array([0.0, *below, 1.0])) * mean * POINTS
    return LengthDistribution(np.sort(points), "lognormal")


def scaled(lengths: LengthDistribution, *, mean_tokens: float) -> LengthDistribution:
    """Keep the shape and change the mean."""
    factor = _positive(mean_tokens, "the mean length") / lengths.mean_tokens
    return replace(lengths, tokens=lengths.tokens * factor)


def _positive(value: float, what: str) -> float:
    if not 0 < value < math.inf:
        raise InvalidInput(
            f"{what[0].upper()}{what[1:]} is {value:g} tokens; lengths are positive "
            "finite numbers. Drop such requests or correct them."
        )
    return float(value)


def _slices(tokens: Floats, n: int) -> Floats:
    """Means of ``n`` equal slices of a sorted sample, splitting samples as needed."""
    running = np.concatenate([[0.0], np.cumsum(tokens)])
    edges = np.linspace(0, tokens.size, n + 1)
    sums = np.diff(np.interp(edges, np.arange(tokens.size + 1), running))
    return np.sort(np.clip(sums * (n / tokens.size), tokens[0], tokens[-1]))


def _checked_quantiles(quantiles: Mapping[float, float]) -> tuple[Floats, Floats]:
    ranks = np.array(sorted(quantiles), dtype=np.float64)
    if ranks.size < 2:
        raise InvalidInput(
            f"{ranks.size} quantile given; at least two are needed, such as the ranks "
            "0.5 and 0.95. With one and a mean, use a lognormal."
        )
    if not bool(np.all((ranks >= 0) & (ranks <= 1))):
        raise InvalidInput(
            f"Quantile ranks {ranks.tolist()} must lie between 0 and 1: "
            "write the 95th percentile as 0.95."
        )
    lengths = np.array(
        [_positive(quantiles[r], f"the quantile {r:g}") for r in ranks.tolist()]
    )
    if bool(np.any(np.diff(lengths) < 0)):
        raise InvalidInput(
            f"Quantiles {lengths.tolist()} must not fall as the rank rises."
        )
    return ranks, lengths


def _with_ends(ranks: Floats, lengths: Floats) -> tuple[Floats, Floats]:
    """Add the shortest and the longest length where they are unknown."""
    inner = (ranks > 0) & (ranks < 1)
    z = [_NORMAL.inv_cdf(r) for r in ranks[inner].tolist()]
    log = np.log(lengths[inner])
    sigma = float((log[-1] - log[0]) / (z[-1] - z[0])) if len(z) > 1 else 0.0
    z_tail = _NORMAL.inv_cdf(1 - _TAIL_Q)
    if ranks[0] > 0:
        reach = math.exp(-sigma * max(z_tail + z[0], 0)) if z else 1.0
        shortest = max(lengths[0] * reach, min(1.0, lengths[0]))
        ranks = np.concatenate([[0.0], ranks])
        lengths = np.concatenate([[shortest], lengths])
    if ranks[-1] < 1:
        reach = math.exp(sigma * max(z_tail - z[-1], 0)) if z else 1.0
        ranks = np.concatenate([ranks, [1.0]])
        lengths = np.concatenate([lengths, [lengths[-1] * reach]])
    return ranks, lengths


def _with_room_for(
    mean: float, weight: Floats, lengths: Floats, *, may_grow: bool
) -> Floats:
    """Raise an unknown longest length until lengths need rise no faster than evenly."""
    middle = float(weight @ (lengths[:-1] + lengths[1:])) / 2
    if may_grow and mean > middle:
        lengths = lengths.copy()
        lengths[-1] += 2 * (mean - middle) / weight[-1]
    return lengths


def _log_mean(low: Floats, high: Floats) -> Floats:
    """Mean of a geometric rise from ``low`` to ``high``."""
    ratio = np.log(high / low)
    flat = ratio < 1e-9
    return np.where(flat, (low + high) / 2, (high - low) / np.where(flat, 1.0, ratio))


def _powers(ranks: Floats, lengths: Floats, exponent: float) -> Floats:
    """Slice means of lengths that rise as ``t**exponent`` between the known ranks."""
    edges = np.linspace(0, 1, POINTS + 1)
    weight, rise = np.diff(ranks), np.diff(lengths)
    totals = np.concatenate(
        [[0.0], np.cumsum(weight * (lengths[:-1] + rise / (exponent + 1)))]
    )
    k = np.clip(np.searchsorted(ranks, edges, side="right") - 1, 0, weight.size - 1)
    t = (edges - ranks[k]) / weight[k]
    within = lengths[k] * t + rise[k] * t ** (exponent + 1) / (exponent + 1)
    points = np.diff(totals[k] + weight[k] * within) * POINTS
    return np.sort(np.clip(points, lengths[0], lengths[-1]))
