"""Intervals of a quote: nested, consistent with its fleet, wider outside the data."""

import json
from functools import cache
from typing import Any

import pytest

from dayrate.quoting import Quote, quote
from dayrate.report.json_ import to_json

CHAT = {
    "model": "meta-llama/Llama-3.1-8B-Instruct",
    "accelerator": "h100-sxm-80gb",
    "isl": 1000,
    "osl": 200,
    "requests_per_day": 5e6,
}
FIGURES = (
    *("ttft_ms", "tpot_ms", "capacity_requests_per_s"),
    *("accelerators", "tokens_per_s_per_accelerator", "total_usd_per_day"),
)


@cache
def _asked(flags: tuple[tuple[str, Any], ...]) -> Quote:
    return quote(**dict(flags))


def ask(**flags: Any) -> Quote:
    return _asked(tuple(sorted({**CHAT, **flags}.items())))


def test_every_performance_figure_has_one() -> None:
    assert set(ask().intervals) == set(FIGURES)


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("pricing", ["on-demand", "owned"])
def test_levels_are_nested(name: str, pricing: str) -> None:
    bounds = ask(pricing=pricing).intervals[name].bounds
    assert bounds[95][0] <= bounds[80][0] <= bounds[50][0]
    assert bounds[50][1] <= bounds[80][1] <= bounds[95][1]
    assert bounds[95][0] < bounds[95][1]


def test_the_bill_follows_the_fleet() -> None:
    q = ask()
    low, high = q.intervals["accelerators"].bounds[95]
    fleet, usd = q.deployment.accelerators, q.bill.total_usd_per_day
    assert fleet is not None
    assert usd is not None
    ends = q.intervals["total_usd_per_day"].bounds[95]
    assert ends == pytest.approx((usd * low / fleet, usd * high / fleet))


def test_fleets_are_whole_replicas() -> None:
    q = ask(model="meta-llama/Llama-3.1-70B-Instruct")
    each = q.deployment.accelerators_per_replica
    assert each is not None
    ends = [n for b in q.intervals["accelerators"].bounds.values() for n in b]
    assert all(n % each == 0 for n in ends)


@pytest.mark.parametrize("flags", [{"accelerators": 64}, {"replicas": 64}])
def test_a_given_size_stays(flags: dict[str, Any]) -> None:
    q = ask(**flags)
    n, usd = q.deployment.accelerators, q.bill.total_usd_per_day
    assert q.intervals["accelerators"].bounds[95] == (n, n)
    assert q.intervals["total_usd_per_day"].bounds[95] == pytest.approx((usd, usd))
    low, high = q.intervals["capacity_requests_per_s"].bounds[95]
    assert low < high


def test_a_cheaper_hour_scales_the_bill_and_leaves_the_fleet() -> None:
    one, two = (ask(gpu_hour_price=f"{n} USD/h") for n in (1, 2))
    assert one.intervals["accelerators"] == two.intervals["accelerators"]
    once, twice = (q.intervals["total_usd_per_day"].bounds[80] for q in (one, two))
    assert twice == pytest.approx([2 * x for x in once])


def test_an_unmeasured_accelerator_says_so() -> None:
    found = ask(accelerator="h800-sxm", gpu_hour_price="2 USD/h").intervals["tpot_ms"]
    assert "accelerator" in found.outside
    assert found.widened_by >= ask().intervals["tpot_ms"].widened_by == 1.0


def test_the_document_and_the_working_hold_them() -> None:
    q = ask()
    document = json.loads(to_json(q.to_dict()))["intervals"]
    assert document["tpot_ms"]["80"] == list(q.intervals["tpot_ms"].bounds[80])
    assert document["tpot_ms"].keys() == {
        *("50", "80", "95", "regime", "n", "widened_by", "outside")
    }
    assert "published measurements" in q.ledger["serving.tpot_ms_80_pct"].source
    assert "cost.total_usd_per_day_80_pct" in q.ledger


def test_a_server_without_a_model_has_none() -> None:
    q = quote(server_accelerator="h100", server_accelerators=8, parts_price=3e5)
    assert q.intervals == {}
