"""Laws of a whole quote: conservation, scaling, monotony, bad input."""

import json
import math
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dayrate.errors import DoesNotFit, InvalidInput, NoPlan, SloUnreachable
from dayrate.evidence import Grade
from dayrate.quoting import Quote, quote
from dayrate.report.json_ import to_json
from dayrate.scenario.read import shipped_scenarios

LLAMA: dict[str, Any] = {
    "model": "meta-llama/Llama-3.1-8B-Instruct",
    "isl": 1000.0,
    "osl": 200.0,
    "requests_per_day": 1e6,
}
LARGE = {**LLAMA, "model": "meta-llama/Llama-3.1-70B-Instruct"}


@cache
def _asked(flags: tuple[tuple[str, Any], ...]) -> Quote:
    return quote(**dict(flags))


def ask(**flags: Any) -> Quote:
    return _asked(tuple(sorted({**LLAMA, **flags}.items())))


def total(**flags: Any) -> float:
    usd = ask(**flags).bill.total_usd_per_day
    assert usd is not None
    return usd


def unit_costs_times_tokens(q: Quote) -> float:
    s, b = q.serving, q.bill
    assert s.input_tokens_per_day is not None
    cached = s.cached_input_tokens_per_day or 0.0
    pairs = (
        (b.usd_per_million_input_tokens, s.input_tokens_per_day - cached),
        (b.usd_per_million_cached_input_tokens, cached),
        (b.usd_per_million_output_tokens, s.output_tokens_per_day),
    )
    return sum((usd or 0.0) * (n or 0.0) for usd, n in pairs) / 1e6


@settings(max_examples=12)
@given(
    isl=st.floats(1, 8000),
    osl=st.floats(1, 2000),
    requests=st.floats(1, 1e7),
    cached=st.sampled_from([0.0, 0.3, 1.0]),
    pricing=st.sampled_from(["on-demand", "owned"]),
)
def test_the_parts_add_up(
    isl: float, osl: float, requests: float, cached: float, pricing: str
) -> None:
    q = quote(
        model=LLAMA["model"],
        isl=isl,
        osl=osl,
        requests_per_day=requests,
        cached_input_frac=cached,
        pricing=pricing,
    )
    b, s = q.bill, q.serving
    bill = b.total_usd_per_day
    assert bill is not None
    assert bill == pytest.approx(math.fsum(b.cost.terms_usd.values()))
    assert unit_costs_times_tokens(q) == pytest.approx(bill, rel=1e-6)
    assert b.usd_per_request == pytest.approx(bill / requests)
    assert b.usd_per_1k_tokens == pytest.approx(bill * 1e3 / (requests * (isl + osl)))
    assert b.used_frac is not None
    assert 0 < b.used_frac <= 1
    assert min(b.cost.terms_usd.values()) >= 0
    assert (s.tpot_ms is None) == (osl <= 1)
    later = () if osl <= 1 else (s.tpot_ms, s.tpot_mean_ms)
    for ms in (s.ttft_ms, s.ttft_mean_ms, *later):
        assert ms is not None
        assert 0 < ms < math.inf
    assert q.energy.kwh_per_day is not None
    assert q.energy.kwh_per_day > 0


def test_a_cached_token_costs_less_than_a_new_one() -> None:
    b = ask(cached_input_frac=0.5).bill
    assert b.usd_per_million_cached_input_tokens is not None
    assert b.usd_per_million_input_tokens is not None
    assert b.usd_per_million_output_tokens is not None
    assert (
        b.usd_per_million_cached_input_tokens
        < b.usd_per_million_input_tokens
        < b.usd_per_million_output_tokens
    )


def test_tokens_nobody_sends_have_no_cost() -> None:
    assert ask().bill.usd_per_million_cached_input_tokens is None
    assert ask(cached_input_frac=1.0).bill.usd_per_million_input_tokens is None


def test_twice_the_price_is_twice_the_rent() -> None:
    one, two = ask(gpu_hour_price=2.0), ask(gpu_hour_price=4.0)
    assert two.bill.cost.terms_usd["accelerators"] == pytest.approx(
        2 * one.bill.cost.terms_usd["accelerators"]
    )
    assert one.deployment == two.deployment


def test_more_requests_never_need_fewer_accelerators() -> None:
    sizes = [
        ask(requests_per_day=n).deployment.accelerators
        for n in (1.0, 1e3, 1e5, 1e6, 3e6, 1e7, 1e8)
    ]
    assert sizes == sorted(sizes, key=lambda n: n or 0)


@pytest.mark.parametrize(
    ("target", "values"), [("tpot", (300, 60, 30, 12, 8)), ("ttft", (2000, 200, 80))]
)
def test_a_faster_promise_is_never_cheaper(
    target: str, values: tuple[float, ...]
) -> None:
    bills = [total(**{target: v, "requests_per_day": 2e7}) for v in values]
    assert bills == sorted(bills)


@pytest.mark.parametrize("target", ["tpot", "ttft"])
def test_a_promise_is_kept(target: str) -> None:
    q = ask(**{target: 80.0}, requests_per_day=2e7)
    kept = getattr(q.serving, f"{target}_ms")
    assert kept <= 80.0 * (1 + 1e-6)


def test_narrower_weights_are_not_dearer() -> None:
    bills = [
        total(**{**LARGE, "quantization": q, "requests_per_day": 2e7})
        for q in ("bf16", "fp8")
    ]
    assert bills[1] < bills[0]


def test_reuse_is_never_dearer() -> None:
    bills = [
        total(isl=4000.0, cached_input_frac=c, requests_per_day=1e7)
        for c in (0.0, 0.3, 0.6, 0.9)
    ]
    assert bills == sorted(bills, reverse=True)


def test_a_fleet_that_follows_the_hours_is_not_dearer() -> None:
    peak, hourly = (ask(requests_per_day=1e8, scaling=s) for s in ("peak", "hourly"))
    assert hourly.bill.total_usd_per_day < peak.bill.total_usd_per_day
    assert hourly.deployment.replicas == peak.deployment.replicas
    assert len(set(hourly.deployment.replicas_by_hour)) > 1
    assert hourly.serving.utilisation > peak.serving.utilisation  # type: ignore[operator]


def test_a_currency_changes_what_is_shown_and_nothing_else() -> None:
    usd, cny = ask(), ask(currency="CNY", fx=7.2)
    assert cny.bill.cost == usd.bill.cost
    assert cny.bill.usd_per_request == usd.bill.usd_per_request
    assert (cny.bill.currency, cny.bill.currency_per_usd) == ("CNY", 7.2)


def test_money_in_another_currency_is_converted_at_its_rate() -> None:
    in_yuan = ask(gpu_hour_price="14.4 CNY/hour", currency="CNY", fx=7.2)
    in_usd = ask(gpu_hour_price=2.0)
    assert in_yuan.bill.total_usd_per_day == pytest.approx(
        in_usd.bill.total_usd_per_day
    )


def test_owned_machines_pay_for_what_a_rent_includes() -> None:
    terms = set(ask(pricing="owned").bill.cost.terms_usd)
    assert {"capital", "electricity", "colocation", "staff"} <= terms
    assert set(ask().bill.cost.terms_usd) == {"accelerators"}


def test_owned_servers_at_scale_cost_about_a_rent() -> None:
    rented, owned = (
        total(requests_per_day=1e8, pricing=p) for p in ("on-demand", "owned")
    )
    assert 0.3 < owned / rented < 1.5


def test_the_same_question_has_the_same_bytes() -> None:
    first, second = (to_json(quote(**LLAMA).to_dict()) for _ in range(2))
    assert first == second
    assert quote(**LLAMA).explain() == quote(**LLAMA).explain()


KEYS = {
    "scenario": set(),
    "deployment": {"accelerator", "accelerators", "replicas", "tensor_parallel_size"},
    "serving": {
        "requests_per_day",
        "input_tokens_per_day",
        "output_tokens_per_day",
        "ttft_ms",
        "tpot_ms",
        "tokens_per_s_per_accelerator",
        "utilisation",
    },
    "energy": {"kwh_per_day", "wh_per_request"},
    "cost": {
        "terms_usd_per_day",
        "total_usd_per_day",
        "usd_per_request",
        "usd_per_million_input_tokens",
        "usd_per_million_output_tokens",
    },
    "evidence": set(),
    "omissions": set(),
}


@pytest.mark.parametrize("scenario", shipped_scenarios(), ids=lambda s: s.id)
def test_every_answer_is_plain_json_with_all_keys(scenario: Any) -> None:
    answers = [quote(scenario).to_dict()]
    answers += [answers[0]["engine"]] if "engine" in answers[0] else []
    for data in answers:
        json.dumps(data, allow_nan=False)
        for section, keys in KEYS.items():
            assert section in data
            assert all(key in data[section] for key in keys)
        assert data["evidence"]


def test_a_question_without_answer_has_no_total() -> None:
    bill = quote("guojin-2023-training").to_dict()["cost"]
    assert bill["total_usd_per_day"] is None


def test_what_was_given_comes_back() -> None:
    assert ask().to_dict()["scenario"]["workload"]["isl"] == LLAMA["isl"]


def test_assumptions_name_the_flag_that_changes_them() -> None:
    q = quote(model=LLAMA["model"], requests_per_day=1e6)
    named = {line.name: line.source for line in q.assumptions if line.value is not None}
    for name, flag in {
        "economics.pricing": "--pricing",
        "deployment.accelerator": "--accelerator",
        "workload.preset": "--preset",
        "deployment.headroom_frac": "--headroom-frac",
        "slo.ttft_ms": "--ttft",
        "slo.tpot_ms": "--tpot",
        "economics.site": "--site",
        "deployment.kv_cache_dtype": "--kv-cache-dtype",
    }.items():
        assert flag in named[name]
    assert {"deployment.max_num_seqs", "deployment.gpu_memory_utilization"} <= set(
        named
    )


@pytest.mark.parametrize(
    "kind", [None, "gpt2", {"model": {"id": "gpt2"}}], ids=["flags", "file", "mapping"]
)
def test_a_question_has_three_forms(kind: Any, tmp_path: Path) -> None:
    flags: dict[str, Any] = {"isl": 100, "osl": 50, "requests_per_day": 1000}
    if kind == "gpt2":
        kind = tmp_path / "mine.yaml"
        kind.write_text("model: {id: gpt2}\n")
    if kind is None:
        flags = {**flags, "model": "gpt2"}
    assert quote(kind, **flags).deployment.model == "openai-community/gpt2"


@pytest.mark.parametrize(
    ("flags", "error", "sentence"),
    [
        ({"ttft": 0.1}, SloUnreachable, "Relax --ttft"),
        ({"tpot": 0.1}, SloUnreachable, "Relax --tpot"),
        (
            {"model": "meta-llama/Llama-3.1-405B-Instruct", "accelerator": "t4"},
            DoesNotFit,
            "narrower --quantization",
        ),
        (
            {**LARGE, "replicas": 1, "requests_per_day": 1e7},
            SloUnreachable,
            "^1 replicas carry .* Use at least [2-9]",
        ),
        (
            {"accelerators": 1, "requests_per_day": 1e8},
            SloUnreachable,
            "leave the size open",
        ),
        (
            {"tensor_parallel_size": 3},
            InvalidInput,
            "does not divide the attention heads",
        ),
        ({"pipeline_parallel_size": 33}, InvalidInput, "has 32 layers"),
        ({"enable_expert_parallel": True}, InvalidInput, "has no experts"),
        (
            {"accelerators": 4, "tensor_parallel_size": 8},
            InvalidInput,
            "one copy of the model takes 8",
        ),
        (
            {"accelerators": 4, "replicas": 3, "tensor_parallel_size": 2},
            InvalidInput,
            "Leave out one of the two",
        ),
        ({"accelerators": 0.5}, InvalidInput, "deployment.accelerators"),
        ({"headroom_frac": 1}, InvalidInput, "share of the capacity below 1"),
        ({"offer": "nobody"}, InvalidInput, "No price called 'nobody'"),
        (
            {"offer": "aws/us-east-1/p5.48xlarge/on-demand", "accelerator": "a100"},
            InvalidInput,
            "No price called",
        ),
        (
            {"offer": "aws/us-east-1/p5.48xlarge/on-demand", "pricing": "spot"},
            InvalidInput,
            "is a price for on-demand",
        ),
        (
            {"offer": "aws/us-east-1/p5.48xlarge/on-demand", "pricing": "owned"},
            InvalidInput,
            "--pricing is owned",
        ),
        (
            {"offer": "aws/us-east-1/p5.48xlarge/on-demand", "gpu_hour_price": 2},
            InvalidInput,
            "both say what an hour costs",
        ),
        (
            {"gpu_hour_price": 2, "pricing": "owned"},
            InvalidInput,
            "--gpu-hour-price is a price of rented",
        ),
        ({"gpu_hour_price": 1e308}, InvalidInput, "between 0 and 1e.18"),
        (
            {"accelerator": "gaudi3", "pricing": "spot"},
            InvalidInput,
            "Give --gpu-hour-price",
        ),
        (
            {"accelerator": "tpu-v4", "pricing": "owned"},
            InvalidInput,
            "Give --server-price",
        ),
        ({"fx": 7.2}, InvalidInput, "no currency is named"),
        ({"currency": "JPY"}, InvalidInput, "No rate of JPY"),
        ({"cpus": 32}, InvalidInput, "serves no model"),
        ({"staff_per_year": 1e5}, InvalidInput, "Add --staff-fte"),
        ({"stored_tb": 5}, InvalidInput, "--storage-per-tb-month"),
        ({"egress_per_gb": 0.1}, InvalidInput, "--egress-gb-per-day"),
    ],
)
def test_what_cannot_be_answered_is_a_sentence(
    flags: dict[str, Any], error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error, match=sentence) as raised:
        quote(**{**LLAMA, **flags})
    assert isinstance(raised.value, InvalidInput | NoPlan)
    assert "\n" not in str(raised.value)


def test_a_replay_refuses_flags_it_would_ignore() -> None:
    with pytest.raises(InvalidInput, match="which isl would not change"):
        quote("guojin-2023-training", isl=5)
    assert quote("guojin-2023-training", currency="CNY").bill.currency == "CNY"


def test_a_price_list_names_its_own_pricing() -> None:
    q = ask(offer="aws/us-east-1/p5.48xlarge/on-demand")
    assert q.deployment.pricing == "on-demand"
    assert q.ledger["economics.pricing"].grade is Grade.GIVEN


def test_an_unreachable_assumption_is_dropped_and_said() -> None:
    q = quote(
        model="meta-llama/Llama-3.1-405B-Instruct",
        accelerator="l4",
        isl=4000,
        osl=300,
        requests_per_day=1e5,
    )
    assert q.serving.ttft_ms is not None
    assert q.serving.ttft_ms > 2000
    assert q.ledger["slo.ttft_ms"].value is None
    assert "no target" in q.ledger["slo.ttft_ms"].source


def test_numpy_scalars_do_not_leak() -> None:
    def leaves(value: Any) -> Any:
        if isinstance(value, dict):
            for v in value.values():
                yield from leaves(v)
        elif isinstance(value, list):
            for v in value:
                yield from leaves(v)
        else:
            yield value

    assert not [x for x in leaves(ask().to_dict()) if isinstance(x, np.generic)]
