"""Predictions: many rows at once are what one row is, and follow the physics."""

from collections.abc import Mapping

import pytest

from dayrate.validation.calibration import Shipped, engine_limits
from dayrate.validation.configuration import METRICS, Configuration
from dayrate.validation.examples import row, table
from dayrate.validation.predict import predict, predictions, regime

CLOSED = {"scenario": "online", "request_rate": "closed-loop"}
STATIC = {"scenario": "static_batch", "request_rate": ""}
OPEN = {"scenario": "online", "request_rate": "2.0"}


def configuration(**cells: str) -> Configuration:
    found = row(**cells).configuration
    assert found is not None
    return found


def one(metric: str, **cells: str) -> float:
    c = configuration(**cells)
    return predict([c], Shipped())[c][metric]


MIXED = [
    {**STATIC, "concurrency_or_batch": "16"},
    {**STATIC, "concurrency_or_batch": "1", "gpu": "A100-SXM-80GB"},
    {**CLOSED, "concurrency_or_batch": "8"},
    {**CLOSED, "concurrency_or_batch": "64", "tp": "4", "gpus": "4"},
    {**CLOSED, "concurrency_or_batch": "64", "gpu": "L40S"},
    {**OPEN, "notes": "500 requests"},
    {**OPEN, "gpu": "B200-SXM-180GB", "gpus": "2"},
    {"notes": "num_requests=1000"},
    {"notes": "num_requests=10", "gpu": "SN40L", "gpus": "8", "tp": "8"},
    {"tp": "2", "pp": "2", "gpus": "4", "engine": "TensorRT-LLM"},
]


def test_a_row_among_many_is_predicted_as_alone() -> None:
    configurations = [configuration(**cells) for cells in MIXED]
    together = predict(configurations, Shipped())
    for c in configurations:
        alone = predict([c], Shipped())[c]
        assert [together[c][m] for m in METRICS] == pytest.approx(
            [alone[m] for m in METRICS], rel=1e-6, nan_ok=True
        )


def test_the_value_does_not_matter() -> None:
    a, b = table({"value": "1"}, {"value": "99999", "row_id": "r2"}).rows
    found, _ = predictions([a, b], Shipped())
    assert found.predicted[0] == found.predicted[1]
    assert list(found.measured) == [1.0, 99999.0]


def test_regimes() -> None:
    found = {regime(configuration(**cells)) for cells in MIXED}
    assert found == {"static_batch", "closed_loop", "open_loop", "queued"}


def test_below_saturation_throughput_is_the_offered_load() -> None:
    assert one("requests_per_s", **OPEN) == pytest.approx(2.0)


def test_beyond_saturation_it_is_what_the_system_can_do() -> None:
    flooded = {**OPEN, "request_rate": "1e5"}
    assert one("requests_per_s", **flooded) == pytest.approx(
        one("requests_per_s"), rel=0.02
    )


def test_few_requests_pay_for_ramp_and_tail() -> None:
    few, many = (one("requests_per_s", notes=f"num_requests={n}") for n in (300, 30000))
    assert few < many < one("requests_per_s") * 1.0001


def test_two_replicas_serve_twice() -> None:
    assert one("output_tokens_per_s", gpus="2") == pytest.approx(
        2 * one("output_tokens_per_s"), rel=1e-9
    )


def test_static_batch_tokens_over_latency() -> None:
    cells = {**STATIC, "concurrency_or_batch": "16"}
    tokens = 16 * (1024 + 128)
    assert one("total_tokens_per_s", **cells) == pytest.approx(
        tokens / one("e2e_latency_s", **cells)
    )


def test_a_layer_split_keeps_one_sequence_on_one_device() -> None:
    cells = {**STATIC, "concurrency_or_batch": "1", "isl": "0", "engine": "llama.cpp"}
    split = one("output_tokens_per_s", **cells, gpus="4", pp="4")
    assert split == pytest.approx(one("output_tokens_per_s", **cells), rel=0.02)


def test_littles_law_holds_in_a_closed_loop() -> None:
    cells = {**CLOSED, "concurrency_or_batch": "32", "notes": "100000000 requests"}
    in_flight = one("requests_per_s", **cells) * one("e2e_latency_s", **cells)
    assert in_flight == pytest.approx(32, rel=0.01)


def test_waiting_for_a_slot_counts_as_first_token() -> None:
    cells = {**CLOSED, "gpu": "L40S", "isl": "8192"}
    free = one("ttft_ms", **cells, concurrency_or_batch="8")
    assert one("ttft_ms", **cells, concurrency_or_batch="512") > 10 * free


def test_energy_is_power_over_output() -> None:
    power, rate = one("avg_power_w"), one("output_tokens_per_s")
    assert one("energy_per_output_token_j") == pytest.approx(power / rate)


def test_a_power_cap_slows_prompts_more_than_decoding() -> None:
    cells = {**STATIC, "concurrency_or_batch": "1"}
    capped = {**cells, "gpu": "H100-SXM-80GB-powercap50"}
    assert one("ttft_ms", **capped) > 1.1 * one("ttft_ms", **cells)
    assert one("tpot_ms", **capped) == pytest.approx(one("tpot_ms", **cells), rel=0.01)
    assert one("avg_power_w", **capped) <= 350


def test_no_decode_step_has_no_time_per_token() -> None:
    rows = [
        row(**STATIC, concurrency_or_batch="1", osl="1", metric="tpot_ms", row_id="x")
    ]
    _, failed = predictions(rows, Shipped())
    assert [why for _, why in failed] == ["no decode step to time"]


def test_unknown_power_is_no_prediction() -> None:
    rows = [row(gpu="SN40L", gpus="8", tp="8", metric="avg_power_w", row_id="x")]
    _, failed = predictions(rows, Shipped())
    assert [why for _, why in failed] == ["no finite prediction"]


class SlowHost(Shipped):
    """A calibration that differs by engine."""

    def factor(self, configuration: Configuration) -> Mapping[str, float]:
        slow = 1000.0 if configuration.engine == "slow" else 1.0
        return {**super().factor(configuration), "step": slow}


def test_a_calibration_of_ones_own_decides() -> None:
    a, b = (
        configuration(engine=e, **CLOSED, concurrency_or_batch="4")
        for e in ("slow", "fast")
    )
    found = predict([a, b], SlowHost())
    assert found[a]["tpot_ms"] > found[b]["tpot_ms"] + 99


def test_limits_follow_the_version() -> None:
    assert not engine_limits("vLLM", "2024").chunked_prefill
    assert engine_limits("vLLM", "").chunked_prefill
    assert engine_limits("TensorRT-LLM+Triton", "0.14.0").reserves_output
    assert engine_limits("something new", "1").max_num_seqs == 1024
