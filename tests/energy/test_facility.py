"""Joules and carbon of a site."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayrate.catalog import electricity, fx, grid_carbon
from dayrate.energy import carbon_kg, facility_energy_j
from dayrate.errors import InvalidInput
from dayrate.units import KWH_J


def test_the_day_of_the_article_in_the_right_unit() -> None:
    """16.11 kW for a day is 386.64 kWh: 251 yuan at 0.65, and 327 at PUE 1.3.

    The article multiplies watts by 24 x 30 and calls 11,599,200 the yuan of a day.
    """
    energy_j = facility_energy_j(it_power_w=16_110, pue=1.0)
    assert energy_j / KWH_J == 386.64
    tariff = electricity("china-article").mid
    cny = energy_j * tariff / fx("CNY").mid
    assert cny == pytest.approx(251.3, abs=0.05)
    cooled = facility_energy_j(it_power_w=16_110, pue=1.3) / KWH_J * 0.65
    assert cooled == pytest.approx(327, abs=0.5)
    assert 16_110 * 24 * 30 / cny == pytest.approx(46_000, rel=0.01)


def test_published_days() -> None:
    """De Vries (Joule, 2023): 3,617 servers of 6.5 kW take 564 MWh: 2.9 Wh a query."""
    energy_j = facility_energy_j(it_power_w=3617 * 6500, pue=1.0)
    assert energy_j / KWH_J == pytest.approx(564_252)
    assert energy_j / 3600 / 195e6 == pytest.approx(2.9, abs=0.02)


@given(
    power=st.floats(1e-6, 1e9),
    pue=st.floats(1, 3),
    days=st.floats(1e-6, 366),
    k=st.floats(0, 9),
)
def test_energy_is_linear_in_power_and_time(
    power: float, pue: float, days: float, k: float
) -> None:
    one = facility_energy_j(it_power_w=power, pue=pue, duration_s=days * 86_400)
    more = facility_energy_j(it_power_w=k * power, pue=pue, duration_s=days * 86_400)
    assert more == pytest.approx(k * one)
    assert one >= power * days * 86_400 * (1 - 1e-12)


@pytest.mark.parametrize("pue", [0.9, 0.0, -1.0, float("nan")])
def test_a_pue_below_one_is_an_error(pue: float) -> None:
    with pytest.raises(InvalidInput, match="1 or more"):
        facility_energy_j(it_power_w=1.0, pue=np.array([1.2, pue]))


def test_arrays_equal_scalars() -> None:
    power, pue = np.array([1e3, 2e3, 3e3]), np.array([1.1, 1.2, 1.3])
    grid = np.array([1e-8, 2e-8, 3e-8])
    array = carbon_kg(
        energy_j=facility_energy_j(it_power_w=power, pue=pue), kg_per_j=grid
    )
    scalar = [
        carbon_kg(energy_j=facility_energy_j(it_power_w=p, pue=q), kg_per_j=k)
        for p, q, k in zip(power, pue, grid, strict=True)
    ]
    np.testing.assert_array_equal(array, scalar)


def test_dimensions_work_out() -> None:
    """W x s is J, J x kg/J is kg, whatever units they come in."""
    import pint  # noqa: PLC0415  slow to load, and only this test needs it

    unit: Any = pint.UnitRegistry()
    energy: Any = facility_energy_j(
        it_power_w=unit.Quantity(16.11, "kW"),
        pue=1.0,
        duration_s=unit.Quantity(1, "day"),
    )
    assert energy.to("kWh").magnitude == pytest.approx(386.64)
    carbon: Any = carbon_kg(energy_j=energy, kg_per_j=unit.Quantity(582.3, "g / kWh"))
    assert carbon.to("kg").magnitude == pytest.approx(225.1, abs=0.1)


def test_carbon_of_the_article_in_china() -> None:
    energy_j = facility_energy_j(it_power_w=16_110, pue=1.0)
    kg = carbon_kg(energy_j=energy_j, kg_per_j=grid_carbon("CN").mid)
    assert kg == pytest.approx(386.64 * 0.5823)
