"""Rented and owned: what is paid for, and what is left out."""

import math
from typing import Any

import pytest

from dayrate.quoting import Quote, quote

LLAMA = {
    "model": "meta-llama/Llama-3.1-8B-Instruct",
    "isl": 1000,
    "osl": 200,
    "requests_per_day": 1e6,
}
BY_EIGHT = "aws/us-east-1/p5.48xlarge/on-demand"


def ask(**flags: Any) -> Quote:
    return quote(**{**LLAMA, **flags})


@pytest.mark.parametrize("replicas", [1, 8, 9])
def test_a_seller_bills_whole_instances(replicas: int) -> None:
    q = ask(
        offer=BY_EIGHT, replicas=replicas, tensor_parallel_size=1, requests_per_day=1e4
    )
    price = q.ledger["economics.usd_per_accelerator_hour"].value
    assert isinstance(price, float)
    billed = 8 * math.ceil(replicas / 8)
    assert q.bill.total_usd_per_day == pytest.approx(billed * 24 * price)


def test_owned_machines_are_whole_servers() -> None:
    q = ask(pricing="owned", replicas=9, tensor_parallel_size=1)
    assert q.ledger["deployment.servers"].value == 2


@pytest.mark.parametrize(
    ("flags", "term"),
    [
        ({"lifetime_years": 8}, "capital"),
        ({"electricity": 0.01}, "electricity"),
        ({"colocation": 1.0}, "colocation"),
        ({"availability": 1.0}, "spares"),
        ({"maintenance_frac_per_year": 0.0}, "maintenance"),
        ({"network_capex_frac": 0.0}, "network_capital"),
        ({"staff_fte": 0}, "staff"),
        ({"residual_frac": 0.5}, "capital"),
        ({"server_price": 1e4}, "capital"),
    ],
)
def test_each_lever_lowers_its_term(flags: dict[str, Any], term: str) -> None:
    usual = ask(pricing="owned").bill.cost.terms_usd
    less = ask(pricing="owned", **flags).bill.cost.terms_usd
    assert less.get(term, 0.0) < usual[term]


def test_what_is_given_beside_the_machines_is_a_term() -> None:
    q = ask(
        staff_fte=1,
        staff_per_year=365_250,
        software_per_year=36_525,
        data_per_year=3652.5,
        stored_tb=365.25,
        storage_per_tb_month=1,
        egress_gb_per_day=100,
        egress_per_gb=0.05,
    )
    terms = q.bill.cost.terms_usd
    assert terms["staff"] == pytest.approx(1000)
    assert terms["software"] == pytest.approx(100)
    assert terms["data"] == pytest.approx(10)
    assert terms["storage"] == pytest.approx(12)
    assert terms["network"] == pytest.approx(5)
    assert not any("--" in o for o in q.omissions)


def test_what_is_not_given_is_omitted_by_name() -> None:
    said = " ".join(ask().omissions)
    for flag in (
        "--staff-fte",
        "--software-per-year",
        "--data-per-year",
        "--stored-tb",
    ):
        assert flag in said


def test_staff_pay_falls_back_to_a_catalogued_one() -> None:
    assert ask(staff_fte=1).bill.cost.terms_usd["staff"] > 100


def test_a_given_site_and_carbon_are_used() -> None:
    q = ask(site="china", carbon_g_per_kwh=500)
    assert q.ledger["economics.site"].value == "china"
    assert q.energy.kg_co2_per_day == pytest.approx(0.5 * (q.energy.kwh_per_day or 0))
