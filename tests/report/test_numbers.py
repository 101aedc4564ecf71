import re

from hypothesis import given
from hypothesis import strategies as st

from dayrate.report.numbers import Coin, figure, percent, significant


@given(st.floats(1e-9, 1e12), st.floats(1e-3, 1e4))
def test_an_amount_is_rounded_to_three_digits_at_worst(
    usd: float, per_usd: float
) -> None:
    text = Coin("EUR", per_usd).text(usd)
    amount = float(re.sub(r"[€,]", "", text))
    assert abs(amount - usd * per_usd) <= 0.006 * usd * per_usd


@given(st.floats(1e-12, 1e15))
def test_figures_have_no_exponent_and_keep_three_digits(value: float) -> None:
    for text in (figure(value), significant(value)):
        assert "e" not in text
        assert abs(float(text.replace(",", "")) - value) <= 0.006 * value


def test_small_amounts_keep_their_digits() -> None:
    assert Coin().text(0.0017652) == "$0.00177"
    assert Coin().text(1.5e-7) == "$0.000000150"


def test_a_refund_is_negative() -> None:
    assert Coin().text(-12.0) == "-$12.00"


def test_yen_and_yuan_differ() -> None:
    assert Coin("CNY", 1).text(2000) == "¥2,000"
    assert Coin("JPY", 1).text(2000) == "JP¥2,000"


def test_little_is_not_nothing() -> None:
    assert Coin().text(0.001, decimals=2) == "<$0.01"
    assert Coin().text(0.0, decimals=2) == "$0.00"
    assert percent(0.0) == "0.0 %"
    assert percent(0.00001) == "<0.1 %"
