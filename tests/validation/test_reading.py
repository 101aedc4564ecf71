"""Conventions of sources: start-up within a row's time, drafts and their acceptance."""

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


@pytest.mark.parametrize(
    ("drafts", "notes", "read"),
    [
        ("none", "acceptance=0.5", (0, 0.0, False)),
        ("eagle3 k=7", "a run; spec acceptance=0.334", (7, 0.334, True)),
        ("MTP k=1", "acceptance=.9", (1, 0.9, True)),
        ("ngram k=4", "acceptance=0", (4, 0.0, False)),
    ],
)
def test_drafts_are_read_with_their_acceptance(
    drafts: str, notes: str, read: tuple[int, float, bool]
) -> None:
    found = configured(spec_decode=drafts, notes=notes)
    assert (found.draft_tokens, found.acceptance_frac, found.draft_layer) == read


@pytest.mark.parametrize(
    ("drafts", "notes", "reason"),
    [
        ("eagle3 k=7", "", "speculative decoding without acceptance"),
        ("eagle3", "acceptance=0.3", "speculative decoding without acceptance"),
        ("medusa k=3", "acceptance=0.3", "unknown way of drafting"),
    ],
)
def test_drafts_of_which_too_little_is_said(
    drafts: str, notes: str, reason: str
) -> None:
    assert row(**(BATCH | {"spec_decode": drafts, "notes": notes})).reason == reason


def test_accepted_drafts_shorten_the_time_per_token() -> None:
    few, many = (
        configured(spec_decode="ngram k=4", notes=f"acceptance={a}") for a in (0.1, 0.9)
    )
    found = predict([few, many], Shipped())
    ratio = found[few]["tpot_ms"] / found[many]["tpot_ms"]
    assert ratio == pytest.approx((1 + 4 * 0.9) / (1 + 4 * 0.1))
