"""Arrivals: exact rates, the spread asked for, in order, the same for the same seed."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dayrate.errors import InvalidInput
from dayrate.workload.arrivals import (
    ArrivalProcess,
    Process,
    RateCurve,
    curve_of,
    draw_arrivals,
    own_gaps,
)

RENEWAL = st.sampled_from([Process.GAMMA, Process.WEIBULL])
ANY = st.builds(
    ArrivalProcess,
    st.sampled_from(Process),
    st.floats(0.05, 20),
    burst_ratio=st.floats(1, 50),
    burst_s=st.floats(0.5, 100),
    calm_s=st.floats(0.5, 1000),
)


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def cv_of(arrival_s: np.ndarray) -> float:
    gaps = np.diff(arrival_s)
    return float(gaps.std() / gaps.mean())


@given(ANY, st.integers(1, 300), st.floats(1e-3, 1e4), st.integers(0, 99))
def test_the_rate_is_exact_and_arrivals_are_sorted(
    process: ArrivalProcess, n: int, rate: float, seed: int
) -> None:
    arrival = draw_arrivals(process, n, rate, rng(seed))
    assert len(arrival) == n
    assert arrival[0] >= 0
    assert (np.diff(arrival) >= 0).all()
    assert arrival[-1] == pytest.approx(n / rate)
    assert (arrival == draw_arrivals(process, n, rate, rng(seed))).all()


@settings(max_examples=20)
@given(RENEWAL, st.floats(0.1, 3.0), st.integers(0, 99))
def test_gaps_have_the_spread_asked_for(kind: Process, cv: float, seed: int) -> None:
    # the sampling error of a CV of 3 from 100,000 gaps is about 2 % (Weibull: heavy)
    arrival = draw_arrivals(ArrivalProcess(kind, cv), 100_000, 5.0, rng(seed))
    assert cv_of(arrival) == pytest.approx(cv, rel=0.1)


def test_a_gamma_of_spread_one_is_poisson() -> None:
    """Both have the quantiles of the exponential distribution."""
    for process in (ArrivalProcess(), ArrivalProcess(Process.GAMMA, 1.0)):
        gaps = np.diff(draw_arrivals(process, 200_000, 1.0, rng()))
        found = np.quantile(gaps, [0.25, 0.5, 0.9])
        assert found == pytest.approx(-np.log([0.75, 0.5, 0.1]), rel=0.02)


def test_bursts_have_their_ratio_and_their_share_of_the_time() -> None:
    process = ArrivalProcess(Process.MMPP, burst_ratio=10, burst_s=50, calm_s=200)
    arrival = draw_arrivals(process, 400_000, 20.0, rng())
    count = np.histogram(arrival, np.arange(0, 20_000, 5.0))[0] / 5.0
    # mean rate 20 = calm × (200 + 10 × 50) / 250: 7.14 and 71.4 a second
    busy = count > 40
    assert float(busy.mean()) == pytest.approx(50 / 250, abs=0.05)
    assert float(np.median(count[busy])) == pytest.approx(71.4, rel=0.1)
    assert float(np.median(count[~busy])) == pytest.approx(7.14, rel=0.1)


def test_a_ratio_of_one_is_poisson() -> None:
    flat = ArrivalProcess(Process.MMPP, burst_ratio=1.0)
    assert cv_of(draw_arrivals(flat, 50_000, 3.0, rng())) == pytest.approx(1, abs=0.02)


def test_an_infinite_rate_is_all_at_once() -> None:
    assert not draw_arrivals(ArrivalProcess(), 5, math.inf, rng()).any()


@given(
    st.lists(st.floats(0, 50), min_size=1, max_size=6).filter(lambda r: sum(r) > 0.1),
    st.floats(0.1, 100),
    st.integers(1, 200),
)
def test_a_curve_turns_counts_into_times(
    rates: list[float], width_s: float, n: int
) -> None:
    curve = RateCurve(np.arange(len(rates) + 1.0) * width_s, np.array(rates))
    counts = np.linspace(0, 3 * curve.requests, n)
    times = curve.seconds(counts)
    assert (np.diff(times) >= 0).all()
    assert times.max() <= 3 * curve.edges_s[-1] * (1 + 1e-9)
    whole = curve.seconds(np.array([2 * curve.requests]))
    assert whole[0] <= 2 * curve.edges_s[-1] * (1 + 1e-9)


def test_fresh_arrivals_keep_the_curve_and_the_spread() -> None:
    """A day whose second half is four times as busy, with gaps of a CV of 2."""
    process = ArrivalProcess(Process.GAMMA, 2.0)
    day = RateCurve(np.array([0.0, 5000.0, 10_000.0]), np.array([1.0, 4.0]))
    n = int(day.requests)
    old = day.seconds(draw_arrivals(process, n, 1.0, rng(3)))
    new = curve_of(old, old[-1]).seconds(
        own_gaps(old, curve_of(old, old[-1]), n, rng(4))
    )
    assert cv_of(new) == pytest.approx(cv_of(old), rel=0.1)
    late = float((new > 5000).mean())
    assert late == pytest.approx(0.8, abs=0.02)
    assert not np.allclose(old, new)


@pytest.mark.parametrize(
    "bad",
    [
        {"cv": 0.0},
        {"cv": -1.0},
        {"cv": math.nan},
        {"cv": 1e3},
        {"burst_ratio": 0.5},
        {"burst_ratio": math.nan},
        {"burst_s": 0.0},
        {"calm_s": math.inf},
        {"calm_s": math.nan},
    ],
)
def test_impossible_processes_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(InvalidInput, match="give"):
        ArrivalProcess(Process.GAMMA, **bad)


@pytest.mark.parametrize("rate", [0.0, -1.0, math.nan])
def test_impossible_rates_are_refused(rate: float) -> None:
    with pytest.raises(InvalidInput, match="give one above 0"):
        draw_arrivals(ArrivalProcess(), 5, rate, rng())


def test_bursts_without_end_are_refused() -> None:
    process = ArrivalProcess(Process.MMPP, burst_s=1e-6, calm_s=1e-6)
    with pytest.raises(InvalidInput, match="longer bursts"):
        draw_arrivals(process, 100, 1.0, rng())
