import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayrate.errors import InvalidInput
from dayrate.scenario.quantity import Money, money, quantity

amounts = st.floats(1e-6, 1e9)


@given(amounts)
def test_a_number_is_in_the_documented_unit(x: float) -> None:
    assert quantity("ms", what="ttft")(x) == x
    assert quantity("ms", what="ttft")(repr(x)) == x
    assert money("kWh", what="electricity")(x) == Money(x, "USD")


@given(amounts)
def test_units_convert(x: float) -> None:
    assert quantity("ms", what="ttft")(f"{x!r} s") == pytest.approx(1000 * x)
    assert quantity("1", what="share")(f"{x!r} %") == pytest.approx(x / 100)
    per_kwh = money("kWh", what="electricity")(f"{x!r} CNY/MWh")
    assert per_kwh.currency == "CNY"
    assert per_kwh.amount == pytest.approx(x / 1000)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$2/hour", Money(2, "USD")),
        ("2 USD/h", Money(2, "USD")),
        ("US$2/hour", Money(2, "USD")),
        ("¥2/hour", None),
        ("14.4 元/hour", Money(14.4, "CNY")),
        ("14.4 yuan/hour", Money(14.4, "CNY")),
        ("48 usd/day", Money(2, "USD")),
        ("€1.5/hour", Money(1.5, "EUR")),
    ],
)
def test_currencies_are_read(text: str, expected: Money | None) -> None:
    read = money("hour", what="gpu_hour_price")
    if expected is None:  # yen and yuan share the sign
        with pytest.raises(InvalidInput, match="gpu_hour_price"):
            read(text)
    else:
        result = read(text)
        assert result.currency == expected.currency
        assert result.amount == pytest.approx(expected.amount)


@pytest.mark.parametrize(
    "text", ["0.65 CNY/kg", "2 kW", "abc", "", "1 USD/h/h", "-1", "nan"]
)
def test_a_wrong_unit_is_one_sentence(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"^electricity is ") as error:
        money("kWh", what="electricity")(text)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "text", ["9**9**9**9 USD/kWh", "9 * * 9 USD/kWh", "9^9^9^9", "2 3 USD/kWh"]
)
def test_nothing_is_computed_in_an_amount(text: str) -> None:
    with pytest.raises(InvalidInput, match="is not a quantity"):
        money("kWh", what="electricity")(text)


@pytest.mark.parametrize("amount", [-1, 1e19, "nan", "1e308"])
def test_an_amount_has_bounds(amount: float | str) -> None:
    with pytest.raises(InvalidInput, match=r"between 0 and 1e\+18"):
        money("hour", what="gpu_hour_price")(amount)
