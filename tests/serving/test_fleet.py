import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayrate.serving.fleet import FleetPolicy, replicas_by_hour

days = st.lists(st.floats(0, 1000), min_size=24, max_size=24)


@given(days, st.floats(0.1, 50), st.floats(1, 3), st.floats(0, 0.5))
def test_every_hour_carries_its_burst(
    day: list[float], capacity: float, burst: float, headroom: float
) -> None:
    for policy in FleetPolicy:
        fleet = replicas_by_hour(
            day, capacity, burst=burst, headroom_frac=headroom, policy=policy
        )
        room = fleet.replicas * capacity * (1 - headroom)
        assert (room >= np.array(day) * burst * (1 - 1e-6)).all()
        assert (fleet.replicas >= 1).all()
        assert (fleet.utilisation_frac <= 1 + 1e-6).all()


@given(days, st.floats(0.1, 50))
def test_giving_back_never_costs_more(day: list[float], capacity: float) -> None:
    peak, hourly = (
        replicas_by_hour(day, capacity, policy=p)
        for p in (FleetPolicy.PEAK, FleetPolicy.HOURLY)
    )
    assert hourly.replica_hours <= peak.replica_hours
    served = (peak.replicas * peak.utilisation_frac).sum() * capacity
    assert served == pytest.approx(sum(day))


def test_an_exact_fit_is_not_rounded_up() -> None:
    assert replicas_by_hour([0.3], 0.1).replicas.tolist() == [3.0]


def test_deepseek_day() -> None:
    # 226.75 nodes on average with 278 at the peak: 18.4 % would idle all day
    hours = np.full(24, 226.75 - 51.25 / 23)
    hours[0] = 278.0
    fleet = replicas_by_hour(hours, 1.0)
    assert fleet.replica_hours == 278 * 24
    assert fleet.idle_frac == pytest.approx(1 - 226.75 / 278, abs=1e-3)


def test_capacities_broadcast() -> None:
    fleet = replicas_by_hour(np.array([[1.0], [4.0]]), np.array([1.0, 2.0]))
    assert fleet.replicas.tolist() == [[4.0, 2.0], [4.0, 2.0]]
    assert np.asarray(fleet.replica_hours).tolist() == [8.0, 4.0]


def test_nobody_asks() -> None:
    fleet = replicas_by_hour([0.0] * 24, 1.0)
    assert fleet.replica_hours == 24
    assert fleet.idle_frac == 1
