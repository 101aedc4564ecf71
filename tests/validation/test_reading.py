"""Conventions of sources: what the time of a row includes beside the tokens."""

import pytest

from dayrate.validation.calibration import Shipped
from dayrate.validation.configuration import Configuration
from dayrate.validation.examples import row
from dayrate.validation.predict import predict

#: A batch of the Argonne benchmark on its Max 1550.
BATCH = {
    "source": "LLM-Inference-Bench (Argonne)",
    "system": "1x Intel PVC GPU",
    "gpu": "Max-1550",
    "weights_dtype": "fp16",
    "kv_dtype": "fp16",
    "engine_version": "2024",
    "scenario": "static_batch",
    "request_rate": "",
    "concurrency_or_batch": "16",
}


def configured(**cells: str) -> Configuration:
    found = row(**(BATCH | cells)).configuration
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("cells", "start_s"),
    [
        ({}, 17.0),
        ({"system": "1x Intel Max 1550"}, 0.0),
        ({"system": "4x Intel PVC GPU", "gpus": "4"}, 0.0),
        ({"system": ""}, 0.0),
        ({"source": "a paper"}, 0.0),
        ({"engine": "llama.cpp"}, 0.0),
    ],
)
def test_one_system_was_timed_with_its_start(
    cells: dict[str, str], start_s: float
) -> None:
    assert configured(**cells).start_s == start_s


def test_a_start_delays_the_first_token_and_no_other() -> None:
    """Closed form: once, before all tokens; throughput is tokens over the whole."""
    cold, warm = configured(), configured(system="")
    found = predict([cold, warm], Shipped())
    for metric, scale in (("ttft_ms", 1e3), ("e2e_latency_s", 1.0)):
        assert found[cold][metric] - found[warm][metric] == pytest.approx(17 * scale)
    assert found[cold]["tpot_ms"] == pytest.approx(found[warm]["tpot_ms"])
    for c in (cold, warm):
        tokens = 16 * (1024 + 128)
        assert found[c]["total_tokens_per_s"] == pytest.approx(
            tokens / found[c]["e2e_latency_s"]
        )
