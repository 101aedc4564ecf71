"""Ranges multiply end by end, and dates pick the newest value."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayrate.catalog.load import dated, times
from dayrate.evidence import Estimate, Grade, Source

GOOD = Source("a list")
GUESS = Source("a guess")
numbers = st.tuples(*[st.floats(0, 1e6)] * 3).map(sorted)


def made(numbers: list[float], grade: Grade, source: Source) -> Estimate:
    low, mid, high = numbers
    return Estimate(low, mid, high, grade, source)


@given(a=numbers, b=numbers)
def test_products_keep_order_and_the_weaker_grade(
    a: list[float], b: list[float]
) -> None:
    x, y = made(a, Grade.CITED, GOOD), made(b, Grade.ASSUMED, GUESS)
    for both in (times(x, y), times(y, x)):
        assert both.low <= both.mid <= both.high
        assert both.grade is Grade.ASSUMED
        assert both.source is GUESS
    assert times(x, y, extra=2).mid == pytest.approx(2 * x.mid * y.mid)


@given(
    days=st.lists(st.dates(), min_size=1, unique=True),
    on=st.dates(),
)
def test_the_newest_value_not_after_the_day(days: list[dt.date], on: dt.date) -> None:
    values = {d: d.toordinal() for d in days}
    before = [d for d in days if d <= on]
    found = dated(values, on)
    if before:
        assert found == (max(before).isoformat(), max(before).toordinal())
    else:
        assert found is None
