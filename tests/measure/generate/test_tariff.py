"""Prices as typed, in dollars; a stretch of work priced by them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayrate.errors import InvalidInput
from dayrate.measure.generate.tariff import Tariff, tariff
from dayrate.measure.power import Energy

prices = st.floats(0, 1e3)


@given(per_kwh=prices, per_h=prices, seconds=prices, joules=prices)
def test_terms_are_time_and_energy_at_their_prices(
    per_kwh: float, per_h: float, seconds: float, joules: float
) -> None:
    cost = Tariff(per_kwh, per_h).cost(seconds, Energy.measured(joules, "test"))
    assert cost.terms_usd == {
        "machine": pytest.approx(per_h * seconds / 3600),
        "electricity": pytest.approx(per_kwh * joules / 3.6e6),
    }


def test_what_is_unknown_has_no_term() -> None:
    unknown = Energy.unknown("no meter")
    assert Tariff().cost(10, unknown).terms_usd == {}
    assert Tariff(0.1, None).cost(10, unknown).terms_usd == {}
    assert not Tariff().given


def test_prices_are_read_with_their_units() -> None:
    read = tariff("650 CNY/MWh", "2.4 USD/day", "cny", 6.5)
    assert read.usd_per_kwh == pytest.approx(0.1)
    assert read.machine_usd_per_h == pytest.approx(0.1)
    assert (read.currency, read.currency_per_usd) == ("CNY", 6.5)


def test_a_rate_of_the_catalogue_is_used() -> None:
    read = tariff("0.72 CNY/kWh", None)
    assert read.usd_per_kwh is not None
    assert math.isclose(read.usd_per_kwh, 0.1, rel_tol=0.1)
    assert read.currency == "USD"


@pytest.mark.parametrize(
    ("given_", "said"),
    [
        (("0.65 CNY/kg", None), "--electricity"),
        ((None, "0.1 USD/kWh"), "--machine-price"),
        ((None, "-1 USD/h"), "--machine-price"),
        ((None, "1 USD/h", "USD", 7.0), "--fx is 7"),
        ((None, "1 USD/h", "CNY", 0.0), "--fx is 0"),
        ((None, "1 USD/h", "XYZ"), "with --fx"),
    ],
)
def test_prices_that_cannot_be(given_: tuple[str | None, ...], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        tariff(*given_)  # type: ignore[arg-type]
