import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pint
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayrate.cost.owned import (
    OWNED_TERMS,
    OwnedMachines,
    OwnedRates,
    colocation_usd_per_day,
    electricity_usd_per_day,
    owned_cost,
    usd_per_accelerator_hour,
)
from dayrate.units import DAY_S, YEAR_DAYS

MACHINES = OwnedMachines(
    servers=10,
    usd_per_server=255_237,
    provisioned_w_per_server=10.2e3,
    network_frac=0.13,
    storage_usd=30_000,
    spares_frac=0.05,
)
RATES = OwnedRates(
    discount_rate=0.08,
    lifetime_years=4,
    usd_per_kwh=0.08,
    residual_frac=0.1,
    usd_per_kw_month=184.06,
    maintenance_frac=0.03,
    staff_usd_per_day=500.0,
    software_usd_per_day=100.0,
    data_usd_per_day=50.0,
)
ENERGY_J = 10 * 8e3 * DAY_S


def day(machines: OwnedMachines = MACHINES, rates: OwnedRates = RATES) -> float:
    return float(
        owned_cost(machines=machines, rates=rates, energy_j_per_day=ENERGY_J).total_usd
    )


def test_every_term_by_hand() -> None:
    bill = owned_cost(machines=MACHINES, rates=RATES, energy_j_per_day=ENERGY_J)
    annual = 0.3019208 - 0.1 * 0.2219208
    capital = 2_552_370 * annual / YEAR_DAYS
    colocation = 102 * 184.06 * 12 / YEAR_DAYS
    expected = {
        "capital": capital,
        "network_capital": 0.13 * capital,
        "storage_capital": 30_000 * annual / YEAR_DAYS,
        "spares": 0.05 * (1.13 * capital + colocation),
        "electricity": 80 * 24 * 0.08,
        "colocation": colocation,
        "maintenance": 1.13 * 2_552_370 * 0.03 / YEAR_DAYS,
        "staff": 500.0,
        "software": 100.0,
        "data": 50.0,
    }
    assert tuple(bill.terms_usd) == OWNED_TERMS
    assert dict(bill.terms_usd) == pytest.approx(expected)


def test_what_is_not_given_is_left_out_not_free() -> None:
    bare = OwnedMachines(
        servers=1, usd_per_server=1e5, provisioned_w_per_server=1e3, spares_frac=0.5
    )
    rates = OwnedRates(discount_rate=0, lifetime_years=4, usd_per_kwh=0.08)
    bill = owned_cost(machines=bare, rates=rates, energy_j_per_day=0.0)
    assert list(bill.terms_usd) == ["capital", "spares", "electricity"]
    assert bill.terms_usd["spares"] == pytest.approx(bill.terms_usd["capital"] / 2)


def test_maintenance_without_a_network() -> None:
    alone = replace(MACHINES, network_frac=None)
    bill = owned_cost(machines=alone, rates=RATES, energy_j_per_day=ENERGY_J)
    assert bill.terms_usd["maintenance"] == pytest.approx(2_552_370 * 0.03 / YEAR_DAYS)


@given(rate=st.floats(0, 0.3), more=st.floats(0, 0.2))
def test_dearer_money_is_never_cheaper(rate: float, more: float) -> None:
    low, high = (replace(RATES, discount_rate=r) for r in (rate, rate + more))
    assert day(rates=high) >= day(rates=low) * (1 - 1e-9)


@given(n=st.floats(1, 1e5))
def test_machine_terms_scale_with_the_machines(n: float) -> None:
    one = owned_cost(
        machines=replace(MACHINES, servers=1), rates=RATES, energy_j_per_day=0.0
    )
    many = owned_cost(
        machines=replace(MACHINES, servers=n), rates=RATES, energy_j_per_day=0.0
    )
    for term in ("capital", "network_capital", "spares", "colocation", "maintenance"):
        assert many.terms_usd[term] == pytest.approx(n * one.terms_usd[term])


def test_array_equals_scalar() -> None:
    lives = np.array([3.0, 4.0, 6.0])
    together = owned_cost(
        machines=MACHINES,
        rates=replace(RATES, lifetime_years=lives),
        energy_j_per_day=ENERGY_J,
    ).total_usd
    alone = [day(rates=replace(RATES, lifetime_years=n)) for n in lives]
    np.testing.assert_allclose(together, alone, rtol=1e-14)


def test_electricity_and_space_have_the_dimension_of_money() -> None:
    u: pint.UnitRegistry[float] = pint.UnitRegistry()
    u.define("usd = [money]")
    power = 10.2 * u.kW
    energy_j = (power * 24 * u.hour).to("J").magnitude
    bill = power * 24 * u.hour * (0.08 * u.usd / u.kWh)
    assert electricity_usd_per_day(
        energy_j_per_day=energy_j, usd_per_kwh=0.08
    ) == pytest.approx(bill.to("usd").magnitude)
    year = power * (184.06 * u.usd / u.kW) * 12
    assert colocation_usd_per_day(
        provisioned_w=10.2e3, usd_per_kw_month=184.06
    ) * YEAR_DAYS == pytest.approx(year.to("usd").magnitude)


def test_a_published_day_of_electricity() -> None:
    """0.34 Wh times 2.5 billion requests is 850 MWh: 68,000 USD at 0.08 USD/kWh."""
    energy_j = 0.34 * 3600 * 2.5e9
    bill = electricity_usd_per_day(energy_j_per_day=energy_j, usd_per_kwh=0.08)
    assert bill == pytest.approx(68_000)


@pytest.mark.parametrize(
    ("owner", "lifetime_years", "pue", "tolerance"),
    [
        # Alphabet and Microsoft depreciate over 6 years; Google's fleet has PUE 1.09.
        ("owned_hyperscaler_usd_gpu_hr", 6, 1.09, 0.05),
        # Nebius depreciates over 4 years; AWS's fleet stands for PUE, 1.15.
        ("owned_neocloud_giant_usd_gpu_hr", 4, 1.15, 0.05),
    ],
)
def test_owned_h100_against_semianalysis(
    shared_data: Path, owner: str, lifetime_years: int, pue: float, tolerance: float
) -> None:
    """SemiAnalysis AI Cloud TCO model, as quoted by InferenceX on 2026-04-03.

    Inputs: eight-GPU H100 server $255,237 (Epoch, 2025-01), rated 10.2 kW and drawing
    76 % of it (arXiv 2506.14551), network 13 % on top (Bernstein's share of the
    capital of a data centre, 2025-10, taken as a share of the server's: assumed), 8 %
    cost of capital (assumed), 184.06 USD/kW-month (CBRE, 2024-H2), 0.08 USD/kWh.
    """
    with (shared_data / "facts" / "semianalysis_tco.csv").open() as f:
        h100 = next(r for r in csv.DictReader(f) if r["gpu"] == "H100")
    bill = owned_cost(
        machines=OwnedMachines(
            servers=1,
            usd_per_server=255_237,
            provisioned_w_per_server=10.2e3,
            network_frac=0.13,
        ),
        rates=OwnedRates(
            discount_rate=0.08,
            lifetime_years=lifetime_years,
            usd_per_kwh=0.08,
            usd_per_kw_month=184.06,
        ),
        energy_j_per_day=0.76 * 10.2e3 * pue * DAY_S,
    )
    hour = usd_per_accelerator_hour(usd_per_day=bill.total_usd, accelerators=8)
    assert hour == pytest.approx(float(h100[owner]), rel=tolerance)
