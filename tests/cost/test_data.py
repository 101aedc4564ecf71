import pytest

from dayrate.cost.data import (
    acquisition_usd_per_day,
    egress_usd_per_day,
    storage_usd_per_day,
)
from dayrate.units import GB, YEAR_DAYS


def test_a_terabyte_for_a_year() -> None:
    day = storage_usd_per_day(stored_bytes=1000 * GB, usd_per_tb_month=20.0)
    assert day * YEAR_DAYS == pytest.approx(240.0)


def test_egress_is_per_decimal_gigabyte() -> None:
    assert egress_usd_per_day(sent_bytes_per_day=2 * GB, usd_per_gb=0.05) == 0.1


def test_a_data_set_is_paid_back_over_its_use() -> None:
    day = acquisition_usd_per_day(outlay_usd=1e6, useful_years=3)
    assert day * 3 * YEAR_DAYS == pytest.approx(1e6)
    with_interest = acquisition_usd_per_day(
        outlay_usd=1e6, useful_years=3, discount_rate=0.08
    )
    assert with_interest > day
