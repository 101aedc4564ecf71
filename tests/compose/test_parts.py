"""A server priced from its parts: the article's own, and what it forgot."""

from typing import Any

import pytest

from dayrate.errors import InvalidInput
from dayrate.quoting import Quote, quote

ARTICLE = {
    "cpus": 32,
    "memory_gb": 128,
    "storage_tb": 1,
    "network_mbps": 1000,
    "coefficients": "article",
    "pue": 1.0,
    "electricity": "0.65 CNY/kWh",
    "currency": "CNY",
    "fx": 7.2,
}


def ask(**flags: Any) -> Quote:
    return quote(**{**ARTICLE, **flags})


def yuan(q: Quote) -> float:
    return float(q.bill.cost.total_usd) * q.bill.currency_per_usd


def test_the_articles_server_in_the_right_units() -> None:
    q = ask()
    assert q.energy.kwh_per_day is not None
    assert q.energy.kwh_per_day == pytest.approx(386.64)
    assert yuan(q) == pytest.approx(251.316)
    assert q.energy.kwh_per_day * 1e3 * 30 == pytest.approx(11_599_200)  # its error


def test_realistic_parts_draw_less_and_cooling_more() -> None:
    realistic = ask(coefficients="realistic")
    assert realistic.energy.kwh_per_day < ask().energy.kwh_per_day  # type: ignore[operator]
    cooled = ask(pue=1.5)
    assert yuan(cooled) == pytest.approx(1.5 * yuan(ask()))


def test_accelerators_dominate_the_server_that_has_them() -> None:
    bare = ask(coefficients="realistic")
    full = ask(
        coefficients="realistic", server_accelerator="h100", server_accelerators=8
    )
    assert full.deployment.accelerators == 8
    added = full.ledger["server.accelerators_w"].value
    assert isinstance(added, float)
    assert added > 8 * 300
    assert full.energy.mean_it_power_kw == pytest.approx(
        (bare.energy.mean_it_power_kw or 0) + added / 1e3
    )


@pytest.mark.parametrize(
    ("flags", "factor"), [({"servers": 3}, 3), ({"server_utilisation": 0.5}, 0.5)]
)
def test_power_scales(flags: dict[str, Any], factor: float) -> None:
    assert yuan(ask(**flags)) == pytest.approx(factor * yuan(ask()))


def test_a_price_adds_capital() -> None:
    assert any("--parts-price" in o for o in ask().omissions)
    priced = ask(parts_price=36_525, discount_rate=0, lifetime_years=10)
    assert priced.bill.cost.terms_usd["capital"] == pytest.approx(10)
    with_interest = ask(parts_price=36_525, lifetime_years=10)
    assert with_interest.bill.cost.terms_usd["capital"] > 10


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ({"isl": 5}, "workload.isl does not apply"),
        ({"pricing": "spot"}, "economics.pricing spot"),
        ({"gpu_hour_price": 2}, "economics.gpu_hour_price"),
        ({"accelerator": "h100"}, "deployment.accelerator"),
        ({"server_accelerators": 8}, "no server.accelerator is named"),
        ({"server_accelerator": "h100"}, "not how many there are"),
        (
            {"cpus": 0, "memory_gb": 0, "storage_tb": 0, "network_mbps": 0},
            "no parts that draw power",
        ),
    ],
)
def test_what_does_not_belong_is_refused(flags: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        ask(**flags)


def test_owned_may_be_said() -> None:
    assert ask(pricing="owned").deployment.pricing == "owned"


def test_full_load_is_an_assumption_unless_said() -> None:
    line = quote(cpus=2).ledger["server.utilisation"]
    assert (line.value, line.grade.label) == (1.0, "assumed")
    said = quote(cpus=2, server_utilisation=1.0).ledger["server.utilisation"]
    assert said.grade.label == "given"


def test_the_accelerator_is_named_in_full() -> None:
    day = quote(server_accelerator="h100", server_accelerators=8)
    assert day.deployment.accelerator == "h100-sxm-80gb"
