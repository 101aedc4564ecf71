import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayrate.cost.rented import RentedMachines, billed_accelerators, rented_cost


def test_deepseeks_day() -> None:
    """DeepSeek, open-infra-index, day 6: $87,072 for 27/28 February 2025."""
    machines = RentedMachines(accelerators=226.75 * 8, usd_per_accelerator_hour=2.0)
    assert rented_cost(machines=machines).total_usd == pytest.approx(87_072)


def test_semianalysis_chatgpt() -> None:
    """SemiAnalysis, 2023-02-09: 28,936 A100 cost $694,444 a day, $1 an hour each."""
    machines = RentedMachines(accelerators=28_936, usd_per_accelerator_hour=1.0)
    assert rented_cost(machines=machines).total_usd == pytest.approx(694_444, rel=1e-4)


@given(n=st.integers(1, 10_000), size=st.integers(1, 72))
def test_instances_are_whole(n: int, size: int) -> None:
    billed = billed_accelerators(accelerators=n, accelerators_per_instance=size)
    assert billed % size == 0
    assert n <= billed < n + size


def test_terms_are_named_and_absent_ones_left_out() -> None:
    machines = RentedMachines(
        accelerators=12, usd_per_accelerator_hour=2.0, accelerators_per_instance=8
    )
    bill = rented_cost(machines=machines, network_usd_per_day=7.0)
    assert dict(bill.terms_usd) == {"accelerators": 16 * 24 * 2.0, "network": 7.0}


def test_a_fleet_by_the_hour_sums_to_its_day() -> None:
    by_hour = np.repeat([8.0, 16.0], 12)
    hourly = rented_cost(
        machines=RentedMachines(
            accelerators=by_hour, usd_per_accelerator_hour=2.0, hours_per_day=1.0
        )
    )
    assert np.sum(hourly.total_usd) == pytest.approx(12 * (8 + 16) * 2.0)
