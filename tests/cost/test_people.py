import pytest

from dayrate.cost.people import staff_usd_per_day
from dayrate.units import YEAR_DAYS


def test_a_year_of_days_is_a_year_of_pay() -> None:
    day = staff_usd_per_day(full_time_equivalents=2, usd_per_year=150_000)
    assert day * YEAR_DAYS == pytest.approx(300_000)
