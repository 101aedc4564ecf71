"""Electricity, PUE, carbon, rent and exchange rates in SI, each dated."""

import dataclasses
import datetime as dt

import pytest

from dayrate.catalog import (
    colocation,
    electricity,
    fx,
    grid_carbon,
    owned_defaults,
    pue,
    site,
    site_ids,
)
from dayrate.errors import InvalidInput, UnknownName
from dayrate.evidence import Estimate, Grade
from dayrate.units import KWH_J


def test_dollars_per_joule() -> None:
    assert electricity("US").low * KWH_J == pytest.approx(0.0604)
    assert electricity("china-industrial").mid * KWH_J == pytest.approx(0.088)


def test_another_currency_is_converted_at_its_date_and_grades_down() -> None:
    article = electricity("china-article")
    assert article.mid * KWH_J == pytest.approx(0.65 / 7.2, rel=1e-6)
    assert article.grade is Grade.ASSUMED
    eu = electricity("EU")
    assert eu.mid * KWH_J == pytest.approx(0.1902 * 1.0324)
    assert eu.grade is Grade.CITED


def test_exchange_rates_are_dated() -> None:
    assert fx("EUR", dt.date(2023, 10, 1)).mid == 1.0536
    assert fx("euro").mid == 1.0324
    assert fx("rmb").grade is Grade.ASSUMED
    assert fx("USD").mid == 1
    with pytest.raises(InvalidInput, match="no value on 1999-01-01"):
        fx("EUR", dt.date(1999, 1, 1))


def test_carbon_by_either_code() -> None:
    assert grid_carbon("CN") == grid_carbon("CHN")
    assert grid_carbon("usa").mid * KWH_J == pytest.approx(0.3695)


def test_fleet_pue_is_near_one() -> None:
    assert pue("Google").mid == 1.09
    assert pue("average").mid == 1.54


def test_rent_is_per_watt_second() -> None:
    month_s = 365.25 * 86_400 / 12
    assert colocation("world").mid * 1000 * month_s == pytest.approx(217.3)


@pytest.mark.parametrize("name", site_ids())
def test_sites_compose(name: str) -> None:
    place = site(name)
    assert place.pue.low >= 1
    assert 0.02 < place.electricity_usd_per_j.mid * KWH_J < 0.5
    assert 0 < place.carbon_kg_per_j.mid * KWH_J < 1


def test_unknown_places_are_errors() -> None:
    with pytest.raises(UnknownName):
        electricity("atlantis")


def test_ownership_defaults_are_graded_and_in_si() -> None:
    owned = owned_defaults()
    for field in dataclasses.fields(owned):
        value = getattr(owned, field.name)
        assert isinstance(value, Estimate)
        assert value.source.title
    year_s = 365.25 * 86_400
    assert owned.staff_usd_per_person_s.mid * year_s == pytest.approx(150_000)
    assert owned.staff_per_w.mid * 1e6 == pytest.approx(6)
    assert owned.residual_frac.grade is Grade.ASSUMED
    assert owned.lifetime_years.grade is Grade.CITED
