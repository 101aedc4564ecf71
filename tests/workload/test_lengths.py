import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayrate.errors import InvalidInput
from dayrate.workload.lengths import (
    POINTS,
    empirical,
    fixed,
    from_quantiles,
    lognormal,
    scaled,
)

tokens = st.floats(1, 1e6)
samples = st.lists(tokens, min_size=1, max_size=400)


def test_fixed_is_the_same_at_every_rank() -> None:
    d = fixed(128)
    assert (d.mean_tokens, d.quantile(0.0), d.quantile(0.99), d.cv) == (
        128,
        128,
        128,
        0,
    )


@given(samples, st.integers(1, 50))
def test_thinning_keeps_the_mean_and_the_range(xs: list[float], points: int) -> None:
    d = empirical(xs, max_points=points)
    assert d.mean_tokens == pytest.approx(np.mean(xs), rel=1e-9)
    assert len(d.tokens) == min(len(xs), points)
    assert min(xs) <= d.tokens[0] <= d.tokens[-1] <= max(xs)
    assert all(a <= b for a, b in pairwise(d.tokens.tolist()))


def test_thinning_keeps_quantiles() -> None:
    xs = np.random.default_rng(7).lognormal(6, 1.2, 40_000)
    d = empirical(xs)
    for q in (0.05, 0.5, 0.9, 0.95, 0.99):
        assert d.quantile(q) == pytest.approx(np.quantile(xs, q), rel=0.01)


@given(samples, st.floats(1, 1e5))
def test_scaling_moves_every_quantile_alike(xs: list[float], mean: float) -> None:
    d = empirical(xs)
    s = scaled(d, mean_tokens=mean)
    assert s.mean_tokens == pytest.approx(mean)
    assert s.cv == pytest.approx(d.cv, abs=1e-9)
    factor = mean / d.mean_tokens
    assert s.quantile(0.9) == pytest.approx(factor * d.quantile(0.9))


@given(st.floats(1, 1e5), st.floats(0.01, 3))
def test_lognormal_has_the_mean_and_the_median(mean: float, sigma: float) -> None:
    median = mean * math.exp(-(sigma**2) / 2)
    d = lognormal(mean_tokens=mean, p50_tokens=median)
    assert d.mean_tokens == pytest.approx(mean)
    assert d.quantile(0.5) == pytest.approx(median, rel=0.005)
    expected_p90 = median * math.exp(1.2815515655 * sigma)
    assert d.quantile(0.9) == pytest.approx(expected_p90, rel=0.02)


def test_lognormal_by_cv_is_the_same_family() -> None:
    by_cv = lognormal(mean_tokens=1000, cv=1.0)
    by_median = lognormal(mean_tokens=1000, p50_tokens=1000 / math.sqrt(2))
    np.testing.assert_allclose(by_cv.tokens, by_median.tokens)
    assert by_cv.cv == pytest.approx(1.0, rel=0.02)  # the last slice hides some tail


@given(st.floats(1, 1e4), st.floats(1.1, 20), st.floats(0.1, 0.6))
def test_quantiles_and_mean_are_kept(p50: float, spread: float, at: float) -> None:
    p95 = p50 * spread
    free = from_quantiles({0.5: p50, 0.95: p95})
    least = 0.5 * free.tokens[0] + 0.45 * p50 + 0.05 * p95
    mean = least + 2 * at * (free.mean_tokens - least)
    d = from_quantiles({0.5: p50, 0.95: p95}, mean_tokens=mean)
    for each in (free, d):
        assert len(each.tokens) == POINTS
        assert each.quantile(0.5) == pytest.approx(p50, rel=0.03)
        assert each.quantile(0.95) == pytest.approx(p95, rel=0.03)
        assert np.all(np.diff(each.tokens) >= 0)
        assert each.tokens[0] > 0
    assert d.mean_tokens == pytest.approx(mean)


def test_an_unknown_longest_length_moves_out_for_the_mean() -> None:
    d = from_quantiles({0.5: 10, 0.95: 20}, mean_tokens=100)
    assert d.mean_tokens == pytest.approx(100)
    assert d.quantile(0.5) == pytest.approx(10, rel=0.03)
    with pytest.raises(InvalidInput, match="have a mean of 100 tokens"):
        from_quantiles({0.5: 10, 0.95: 20, 1: 30}, mean_tokens=100)


def test_without_a_mean_a_lognormal_comes_back() -> None:
    true = lognormal(mean_tokens=900, cv=0.8)
    ranks = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
    d = from_quantiles({q: true.quantile(q) for q in ranks})
    assert d.mean_tokens == pytest.approx(900, rel=0.02)


def test_known_extremes_are_kept() -> None:
    d = from_quantiles({0: 10, 0.5: 100, 1: 1000}, mean_tokens=200)
    assert d.tokens[0] >= 10
    assert d.tokens[-1] <= 1000
    assert d.mean_tokens == pytest.approx(200)


def test_equal_quantiles_are_a_fixed_length() -> None:
    d = from_quantiles({0.5: 7, 0.95: 7})
    assert set(d.tokens.tolist()) == {7.0}


@pytest.mark.parametrize("bad", [0, -1, math.nan, math.inf])
def test_a_length_is_positive_and_finite(bad: float) -> None:
    builds: list[Callable[[], object]] = [
        lambda: fixed(bad),
        lambda: empirical([5, bad]),
        lambda: from_quantiles({0.5: 3, 0.9: bad}),
        lambda: from_quantiles({0.5: 3, 0.9: 9}, mean_tokens=bad),
        lambda: lognormal(mean_tokens=bad, cv=1),
        lambda: scaled(fixed(2), mean_tokens=bad),
    ]
    for build in builds:
        with pytest.raises(InvalidInput, match="lengths are positive finite numbers"):
            build()


def test_every_other_mistake_is_a_sentence() -> None:
    cases: list[tuple[Callable[[], object], str]] = [
        (lambda: empirical([]), "at least one sample"),
        (lambda: empirical([1], max_points=0), "max_points is 0"),
        (lambda: from_quantiles({0.5: 3}), "at least two"),
        (lambda: from_quantiles({50: 3, 95: 9}), "write the 95th percentile as 0.95"),
        (lambda: from_quantiles({0.5: 9, 0.95: 3}), "must not fall"),
        (
            lambda: from_quantiles({0.5: 100, 0.95: 900}, mean_tokens=20),
            "have a mean of 20 tokens",
        ),
        (lambda: lognormal(mean_tokens=5), "one of p50_tokens and cv"),
        (lambda: lognormal(mean_tokens=5, p50_tokens=3, cv=1), "one of p50_tokens"),
        (lambda: lognormal(mean_tokens=5, p50_tokens=9), "at least the median"),
        (lambda: lognormal(mean_tokens=5, cv=-1), "cv is -1"),
        (lambda: lognormal(mean_tokens=5, cv=math.nan), "cv is nan"),
    ]
    for build, sentence in cases:
        with pytest.raises(InvalidInput, match=sentence):
            build()
