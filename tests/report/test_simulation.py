"""A simulation as text: golden pages of a fleet made by hand."""

from pathlib import Path

import numpy as np
import pytest
from rich.cells import cell_len

from dayrate.compose.fleetday import FleetDay, OverTime
from dayrate.compose.simulation import SimulatedDay
from dayrate.cost.breakdown import Cost
from dayrate.report.canvas import Page
from dayrate.report.i18n import words
from dayrate.report.simulation import render_simulation
from dayrate.serving.autoscale import Autoscale, Scaling
from dayrate.serving.replica import Slo
from dayrate.serving.simulator.accrual import accrual_of
from dayrate.serving.simulator.examples import FLAT, SMALL
from dayrate.serving.simulator.fleet import simulate_fleet
from dayrate.serving.simulator.inputs import RequestList, Routing
from dayrate.serving.simulator.outcome import summary

GOLDEN = Path(__file__).parent / "golden"
SLO = Slo(ttft_s=2.0, tpot_s=0.05)
FIXED = Autoscale(initial=2, maximum=2)
REACTIVE = Autoscale(
    Scaling.REACTIVE,
    initial=1,
    maximum=3,
    startup_s=120.0,
    per_s=0.75,
    kept=1,
)


def made(policy: Autoscale, hours: int) -> FleetDay:
    """Requests every 2 s, in the second hour four times as many, of 500 steps."""
    calm, busy = np.arange(0.0, hours * 3600, 2.003), np.arange(3600.0, 7200.0, 0.6007)
    arrival = np.sort(np.concatenate([calm, busy]))
    n = len(arrival)
    requests = RequestList(arrival, [100] * n, [500] * n)
    end_s = hours * 3600.0
    fleet = simulate_fleet(requests, FLAT, SMALL, policy, until_s=end_s, samples=100)
    edges = np.arange(0.0, end_s + 1, 600.0)
    amounts = accrual_of(fleet, np.full(n, 0.5), SLO, edges)
    rent = amounts.held_s * 12.0 / 3600
    watts = 0.5 * amounts.held_s + 1.5 * amounts.work_s
    terms = {"accelerators": float(rent.sum()), "staff": 6.0}
    return FleetDay(
        policy=policy,
        fleet=fleet,
        summary=summary(fleet.run, SLO, 2000),
        cost=Cost(terms),
        kwh=float(watts.sum() / 3600),
        kg_co2=3.2,
        over_time=OverTime(amounts, watts / 3600, rent + 6.0 / len(rent)),
        peak_held=3,
        left_out=("storage: set --stored-tb and --storage-per-tb-month",),
        currency="USD",
        currency_per_usd=1.0,
    )


def day_of(policy: Autoscale, fixed: Autoscale | None, hours: int) -> SimulatedDay:
    return SimulatedDay(
        model="gpt2",
        accelerator="l4",
        accelerators_per_replica=2,
        replicas=2,
        prefill_replicas=0,
        closed_form_replicas=2,
        limits=SMALL,
        law=FLAT,
        slo=SLO,
        fleet=made(policy, hours),
        fixed=None if fixed is None else made(fixed, hours),
        period_s=hours * 3600.0,
        seed=0,
        routing=Routing.ROUND_ROBIN,
        notes=("Poisson arrivals at the busiest hour's mean rate",),
    )


PAGES = {
    "fleet": day_of(REACTIVE, FIXED, 4),
    "fixed": day_of(FIXED, None, 1),
    "days": day_of(FIXED, None, 50),
}


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_page_looks_as_it_did(lang: str) -> None:
    expected = (GOLDEN / f"fleet.{lang}.txt").read_text(encoding="utf-8")
    assert render_simulation(PAGES["fleet"], Page(words(lang))) == expected


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("which", PAGES)
def test_no_line_is_wider_than_the_page(which: str, lang: str) -> None:
    text = render_simulation(PAGES[which], Page(words(lang)))
    assert max(map(cell_len, text.splitlines())) <= 80


def test_one_hour_has_no_table_of_hours_and_a_fixed_fleet_no_comparison() -> None:
    text = render_simulation(PAGES["fixed"], Page())
    assert "By hour" not in text
    assert "Against a fixed fleet" not in text


def test_many_hours_are_cut_and_it_says_so() -> None:
    text = render_simulation(PAGES["days"], Page())
    assert "2 hours more are in --json." in text
