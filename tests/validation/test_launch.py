"""Settings of public launch scripts: whom they fit, and what falls back."""

import dataclasses
from typing import Any

import pytest

from dayrate.catalog.store import rows
from dayrate.units import DType
from dayrate.validation.calibration import Shipped
from dayrate.validation.configuration import Configuration
from dayrate.validation.deployments import stack
from dayrate.validation.examples import row
from dayrate.validation.launch import DEFAULTS, Launch, launch_of
from dayrate.validation.predict import predict

#: DeepSeek-R1 as InferenceX served it from November 2025 to April 2026.
POLLING = {
    "source": "InferenceX",
    "model": "deepseek-ai/DeepSeek-R1",
    "gpu": "B200-SXM-180GB",
    "gpus": "8",
    "tp": "8",
    "weights_dtype": "fp8",
    "kv_dtype": "",
    "engine": "SGLang",
    "engine_version": "",
    "scenario": "online",
    "concurrency_or_batch": "64",
    "request_rate": "closed-loop",
    "date": "2026-01-15",
}
GPT_OSS = POLLING | {
    "model": "openai/gpt-oss-120b",
    "weights_dtype": "mxfp4",
    "engine": "vLLM",
}


def configured(**cells: str) -> Configuration:
    found = row(**(POLLING | cells)).configuration
    assert found is not None
    return found


def test_a_row_gets_what_the_script_sets() -> None:
    c = configured()
    assert c.launch == Launch(
        max_num_batched_tokens=32768.0,
        kv_cache=DType.FP8,
        poll_steps=30.0,
        gpu_memory_utilization=0.82,
    )
    assert c.kv_cache is DType.FP8
    engine = stack([c]).replica.engine
    assert engine.max_num_batched_tokens == 32768
    assert engine.gpu_memory_utilization == 0.82
    assert stack([c]).poll_steps == 30


def test_what_a_row_states_wins() -> None:
    assert configured(kv_dtype="bf16").kv_cache is DType.BF16


@pytest.mark.parametrize(
    "cells",
    [
        {"source": "a load test of mine"},
        {"model": "meta-llama/Llama-3.1-8B-Instruct", "gpus": "1", "tp": "1"},
        {"weights_dtype": "bf16"},
        {"weights_dtype": ""},
        {"gpu": "H100-SXM-80GB"},
        {"engine": "llama.cpp"},
        {"request_rate": "4.0"},
        {"request_rate": "inf", "scenario": "offline"},
        {"request_rate": "", "scenario": "static_batch"},
    ],
)
def test_any_other_row_gets_the_engines_own(cells: dict[str, str]) -> None:
    c = configured(**cells)
    assert c.launch == DEFAULTS
    assert stack([c]).poll_steps == 1


def test_a_model_that_nobody_knows_has_no_script() -> None:
    unknown = POLLING | {"model": "nobody/nothing"}
    assert launch_of(unknown, "x", DType.FP8, input_tokens=1, concurrency=1) == DEFAULTS


@pytest.mark.parametrize(
    ("date", "kv_cache"),
    [
        ("2020-01-01", None),  # before the first: the first
        ("2025-10-07", None),
        ("2025-12-31", DType.FP8),
        ("2026-02-01", DType.FP8),
        ("2030-01-01", DType.FP8),  # after the last: the last
        ("", DType.FP8),
    ],
)
def test_the_month_decides_and_undated_rows_take_the_last(
    date: str, kv_cache: DType | None
) -> None:
    """vLLM's cache of gpt-oss-120b became FP8 in December 2025."""
    assert configured(**(GPT_OSS | {"date": date})).launch.kv_cache is kv_cache


def test_checkpoints_of_one_model_are_launched_alike() -> None:
    names = "deepseek-ai/DeepSeek-R1", "deepseek-ai/DeepSeek-R1-0528"
    one, other = (configured(model=name).launch for name in names)
    assert one == other != DEFAULTS


@pytest.mark.parametrize(("concurrency", "steps"), [("4", 10), ("15", 10), ("16", 30)])
def test_few_in_flight_are_looked_for_more_often(concurrency: str, steps: int) -> None:
    assert configured(concurrency_or_batch=concurrency).launch.poll_steps == steps


@pytest.mark.parametrize("isl", ["1024", "8192"])
def test_tokens_of_a_step_may_follow_the_nominal_prompt(isl: str) -> None:
    """Twice the prompt of the script, not of the 80 to 100 % that were drawn."""
    c = configured(
        model="MiniMaxAI/MiniMax-M2.5",
        gpu="B300-SXM-270GB",
        engine="vLLM",
        date="",
        isl=isl,
        len_kind="random_range_mean",
    )
    assert c.launch.max_num_batched_tokens == 2 * float(isl)
    assert c.input_tokens == pytest.approx(0.9 * float(isl))


def test_polling_delays_first_tokens_and_lowers_throughput() -> None:
    polled = configured()
    always = dataclasses.replace(
        polled, launch=dataclasses.replace(polled.launch, poll_steps=1.0)
    )
    found = predict([polled, always], Shipped())
    assert found[polled]["ttft_ms"] > found[always]["ttft_ms"]
    ratio = found[polled]["requests_per_s"] / found[always]["requests_per_s"]
    assert 0.8 < ratio < 1


@pytest.mark.parametrize("r", [pytest.param(r, id=r["id"]) for r in rows("harness")])
def test_every_script_is_found_by_a_row_of_its_first_month(r: dict[str, Any]) -> None:
    """As the last of those that had begun; several may begin in the same month."""
    alike = [
        other
        for other in rows("harness")
        if all(other[k] == r[k] for k in ("weights", "engine", "since"))
        and set(other["models"]) & set(r["models"])
        and set(other["accelerators"]) & set(r["accelerators"])
    ]
    cells = {
        "source": "InferenceX",
        "model": r["models"][0],
        "engine": r["engine"],
        "date": f"{r['since']}-01",
        "request_rate": "closed-loop",
    }
    found = launch_of(
        cells,
        r["accelerators"][0],
        DType(r["weights"]),
        input_tokens=1024,
        concurrency=32,
    )
    shares = {other.get("gpu_memory_utilization") for other in alike}
    assert found.gpu_memory_utilization in shares
