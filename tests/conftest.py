"""What several tests need: the published data, when here, and quotes made by hand."""

import dataclasses
import os
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from dayrate.cost.breakdown import Cost
from dayrate.evidence import Grade, Ledger
from dayrate.scenario.answer import Quote
from dayrate.scenario.result import Bill, ClaimCheck, Deployment, Energy, Serving
from dayrate.scenario.schema import scenario_from

# A busy machine is no bug: no test here asserts a time. CI looks at the same examples
# every time, so that it fails for a change and not for a throw of the dice.
hypothesis.settings.register_profile(
    "dayrate", deadline=None, print_blob=True, derandomize=bool(os.environ.get("CI"))
)
hypothesis.settings.load_profile("dayrate")

SHARED = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of published measurements and traces, or a visible skip."""
    if not SHARED.is_dir():
        pytest.skip("the published data folder ../shared/data is not here")
    return SHARED


def working() -> Ledger:
    requests, input_, output = (
        "workload.requests_per_day",
        "workload.input_tokens_per_request",
        "workload.output_tokens_per_request",
    )
    given: dict[str, Any] = {"grade": Grade.GIVEN, "source": "given"}
    return (
        Ledger()
        .fact(requests, 500_000.0, "request/day", **given)
        .fact(input_, 1155.0, "token/request", **given)
        .fact(output, 211.0, "token/request", **given)
        .fact(
            "workload.day_shape",
            "flat",
            "",
            grade=Grade.ASSUMED,
            source="no shape of the day was given",
        )
        .derive(
            "serving.input_tokens_per_day",
            577_500_000.0,
            "token/day",
            formula=f"{requests} * {input_}",
        )
        .fact(
            "serving.replicas",
            6.0,
            "1",
            grade=Grade.FITTED,
            source="calibration h100-sxm-80gb, 2026-11",
        )
        .fact("economics.pue", 1.3, "1", grade=Grade.ASSUMED, source="typical site")
        .fact(
            "economics.gpu_hour_price",
            2.0,
            "USD/h",
            grade=Grade.CITED,
            source="price list of a cloud (2026-11-01)",
        )
        .derive(
            "cost.accelerators_usd_per_day",
            1152.0,
            "USD/day",
            formula="serving.replicas * 4 * 24 * economics.gpu_hour_price",
        )
    )


def deployment() -> Deployment:
    return Deployment(
        model="meta-llama/Llama-3.1-70B-Instruct",
        accelerator="h100-sxm-80gb",
        accelerators=24.0,
        servers=3.0,
        replicas=6.0,
        replicas_by_hour=(2, 2, 1, 1, 1, 2, 3, 4, 5, 6, 6, 6) * 2,
        accelerators_per_replica=4,
        tensor_parallel_size=4,
        pipeline_parallel_size=1,
        expert_parallel_size=1,
        data_parallel_size=1,
        weights_dtype="bf16",
        kv_cache_dtype="bf16",
        engine="vllm",
        max_num_seqs=256,
        max_num_batched_tokens=8192,
        gpu_memory_utilization=0.9,
        pricing="on-demand",
    )


def serving() -> Serving:
    return Serving(
        requests_per_day=500_000.0,
        input_tokens_per_day=577_500_000.0,
        cached_input_tokens_per_day=0.0,
        output_tokens_per_day=105_500_000.0,
        peak_requests_per_s=11.574,
        capacity_requests_per_s=2.31,
        batch=61.25,
        ttft_ms=612.4,
        ttft_mean_ms=301.0,
        tpot_ms=41.7,
        tpot_mean_ms=33.1,
        percentile=95.0,
        tokens_per_s_per_accelerator=329.4,
        utilisation=0.4817,
        binding="tpot",
    )


def bill() -> Bill:
    return Bill(
        cost=Cost({"accelerators": 1152.0, "storage": 3.125, "network": 0.004}),
        used_frac=0.4817,
        usd_per_request=0.00231025,
        usd_per_1k_tokens=0.00169,
        usd_per_million_input_tokens=0.7431,
        usd_per_million_cached_input_tokens=None,
        usd_per_million_output_tokens=6.8814,
        currency="USD",
        currency_per_usd=1.0,
    )


def hand_made() -> Quote:
    return Quote(
        scenario=scenario_from(
            {
                "title": "Llama 3.1 70B, chat",
                "model": {"id": "meta-llama/Llama-3.1-70B-Instruct"},
                "workload": {"isl": 1155, "osl": 211, "requests_per_day": 500_000},
                "slo": {"ttft_ms": 1000, "tpot_ms": 40},
            }
        ),
        deployment=deployment(),
        serving=serving(),
        energy=Energy(412.3, 0.8246, 13.2, 1.3, None),
        bill=bill(),
        ledger=working(),
        omissions=("people who run the service", "an omission nobody translated"),
        notes=("Prices without value added tax.",),
    )


def unknown(kind: type) -> dict[str, Any]:
    return {f.name: None for f in dataclasses.fields(kind)}


@pytest.fixture
def quote() -> Quote:
    return hand_made()


def hand_replayed() -> Quote:
    """A published estimate: little is known of it, and we answer beside it."""
    ours = hand_made()
    return dataclasses.replace(
        ours,
        deployment=Deployment(
            **{**unknown(Deployment), "replicas_by_hour": (), "pricing": "on-demand"}
        ),
        serving=Serving(**{**unknown(Serving), "percentile": 95.0}),
        energy=Energy(**unknown(Energy)),
        bill=Bill(
            **{
                **unknown(Bill),
                "cost": Cost({"accelerators": 694_444.0}),
                "usd_per_request": 0.0036,
                "currency": "USD",
                "currency_per_usd": 1.0,
            }
        ),
        published=(
            ClaimCheck(
                "cost per day", 694_444.0, 694_464.0, "USD/day", 0.01, True, "headline"
            ),
            ClaimCheck(
                "electricity per day",
                11_599_200.0,
                251.3,
                "CNY",
                0.01,
                False,
                "table 2",
            ),
        ),
        verdict={"en": "The arithmetic holds.", "zh": "算术成立。"},
        engine=ours,
    )


@pytest.fixture
def replayed() -> Quote:
    return hand_replayed()
