"""Arrivals over a day: its hours, its burst, its total."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayrate.workload.day import day_arrivals, window_fracs
from dayrate.workload.demand import DayShape
from dayrate.workload.shape import day_shape, given_shape

AZURE = day_shape("azure-2024-conversation")


@given(
    st.lists(st.floats(0.01, 10), min_size=24, max_size=24),
    st.floats(1, 8),
)
def test_windows_keep_the_day_and_hold_the_burst(
    hours: list[float], burst: float
) -> None:
    shape = given_shape(hours, burst=burst)
    fracs = window_fracs(shape)
    assert fracs.sum() == pytest.approx(1.0)
    assert (fracs >= 0).all()
    busiest = max(shape.hour_frac) / 6
    assert fracs.max() == pytest.approx(min(busiest * burst, 1.0))


def test_arrivals_follow_the_hours() -> None:
    arrival = day_arrivals(AZURE, 200_000, 86_400, np.random.default_rng(3))
    assert (np.diff(arrival) >= 0).all()
    assert len(arrival) == pytest.approx(200_000, rel=0.01)
    hours = np.bincount((arrival // 3600).astype(int), minlength=24) / len(arrival)
    windows = window_fracs(AZURE).reshape(24, 6).sum(axis=1)
    np.testing.assert_allclose(hours, windows, rtol=0.05)
    busiest = np.bincount((arrival // 600).astype(int)).max() / len(arrival)
    assert busiest * 144 == pytest.approx(AZURE.peak_over_mean * AZURE.burst, rel=0.05)


def test_a_day_and_a_half_begins_again() -> None:
    early = DayShape((1.0, *[0.0] * 23))
    arrival = day_arrivals(early, 5000, 1.5 * 86_400, np.random.default_rng(0))
    hours = np.unique(arrival // 3600)
    assert hours.tolist() == [0.0, 24.0]


def test_a_seed_repeats() -> None:
    a, b = (
        day_arrivals(AZURE, 1000, 86_400, np.random.default_rng(7)) for _ in range(2)
    )
    np.testing.assert_array_equal(a, b)
