"""Names, given or chosen, become the objects that the physics needs."""

import json
from pathlib import Path
from typing import Any

import pytest

from dayrate import catalog
from dayrate.compose.resolve import DEFAULT_ACCELERATOR, engine_of, resolve
from dayrate.errors import InvalidInput, UnknownName
from dayrate.evidence import Grade
from dayrate.perf.engines import DEFAULT_ENGINE, engine_names, served_by
from dayrate.perf.tuning import calibrated_request_s, setting_for
from dayrate.quoting import quote
from dayrate.scenario.flags import nested
from dayrate.scenario.schema import scenario_from
from dayrate.scenario.working import Working
from dayrate.units import DType
from dayrate.workload.presets import preset

ASKED = {"model": "gpt2", "isl": 100, "osl": 50, "requests_per_day": 1000}


def resolved(**flags: Any) -> tuple[Any, Working]:
    w = Working()
    return resolve(scenario_from(nested(flags)), w), w


@pytest.mark.parametrize("name", ["chat", "rag", "reasoning", "translation", "agent"])
def test_a_preset_brings_its_own_lengths(name: str) -> None:
    r, w = resolved(
        model="meta-llama/Llama-3.1-8B-Instruct", preset=name, requests_per_day=1000
    )
    assert w.ledger["workload.preset"].value == name
    assert w.ledger["workload.preset"].grade is Grade.GIVEN
    assert r.workload.input_length.mean_tokens == preset(name).input_length.mean_tokens


def test_a_preset_may_have_one_length_replaced() -> None:
    r, w = resolved(
        model="meta-llama/Llama-3.1-8B-Instruct",
        preset="rag",
        osl=50,
        requests_per_day=1000,
    )
    assert w.ledger["workload.preset"].value == "rag"
    assert r.workload.output_length.mean_tokens == pytest.approx(50)


def test_what_is_not_given_is_an_assumption_with_its_flag() -> None:
    r, w = resolved(model="meta-llama/Llama-3.1-8B-Instruct", requests_per_day=1000)
    assert r.accelerator.id == DEFAULT_ACCELERATOR
    assert not r.slo_given
    flags = {
        "deployment.accelerator": "--accelerator",
        "workload.preset": "--preset",
        "deployment.kv_cache_dtype": "--kv-cache-dtype",
    }
    for name, flag in flags.items():
        assert w.ledger[name].grade is Grade.ASSUMED
        assert flag in w.ledger[name].source


def test_one_target_leaves_the_other_open() -> None:
    r, _ = resolved(**ASKED, tpot=50)
    assert r.slo_given
    assert r.slo.tpot_s == pytest.approx(0.05)
    assert r.slo.ttft_s == float("inf")
    assert r.slo_source == "the scenario"


def test_no_model_says_how_to_name_one() -> None:
    with pytest.raises(InvalidInput, match="Give --model"):
        resolved(isl=5, osl=5, requests_per_day=10)


def test_an_empty_name_is_not_the_default() -> None:
    with pytest.raises(UnknownName):
        resolved(**ASKED, accelerator="")


@pytest.mark.parametrize(
    ("flags", "weights"),
    [
        ({}, DType.BF16),  # published in 32 bits, served in 16
        ({"accelerator": "t4"}, DType.FP16),  # which has no BF16
        ({"quantization": "fp32"}, DType.FP32),
        ({"model": "openai/gpt-oss-120b"}, DType.MXFP4),
        ({"model": "deepseek-ai/DeepSeek-R1"}, DType.FP8),
    ],
)
def test_weights_are_served_as_engines_do(
    flags: dict[str, Any], weights: DType
) -> None:
    r, w = resolved(**{**ASKED, **flags})
    assert r.precision.weights is weights
    assert "set --quantization" in w.ledger["deployment.weights_dtype"].source or (
        "quantization" in flags
    )


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ({"isl": 1000}, "A request of 1050 tokens .* exceeds the 1024 that"),
        ({"max_model_len": 120}, "a longer --max-model-len"),
        ({"max_model_len": 2048}, "has 1024 positions. Give at most 1024"),
    ],
)
def test_a_request_longer_than_the_context(
    flags: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        resolved(**{**ASKED, **flags})


def test_an_encoder_and_a_decoder_have_positions_of_their_own() -> None:
    t5 = {**ASKED, "model": "google-t5/t5-large", "isl": 512, "osl": 512}
    assert resolved(**t5)[0].model.is_encoder_decoder
    with pytest.raises(InvalidInput, match="600 tokens \\(input or output\\)"):
        resolved(**{**t5, "isl": 600})


def test_a_model_without_a_limit_takes_any_length(tmp_path: Path) -> None:
    config = {
        "model_type": "llama",
        "hidden_size": 512,
        "num_attention_heads": 8,
        "num_hidden_layers": 4,
        "intermediate_size": 1024,
        "vocab_size": 1000,
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    r, _ = resolved(**{**ASKED, "model": str(tmp_path), "isl": 1e6})
    assert r.model.max_position_embeddings is None


@pytest.mark.parametrize(
    ("accelerator", "seqs", "tokens"), [("h100", 1024, 8192), ("a100", 256, 2048)]
)
def test_limits_of_a_batch_are_those_of_vllm(
    accelerator: str, seqs: int, tokens: int
) -> None:
    engine = resolved(**ASKED, accelerator=accelerator)[0].engine
    assert (engine.max_num_seqs, engine.max_num_batched_tokens) == (seqs, tokens)
    engine = resolved(**ASKED, max_num_seqs=7, gpu_memory_utilization=0.8)[0].engine
    assert (engine.max_num_seqs, engine.gpu_memory_utilization) == (7, 0.8)


@pytest.mark.parametrize("accelerator", ["h100", "l4", "tpu-v5e", "gaudi3"])
def test_the_level_of_calibration_is_written(accelerator: str) -> None:
    r, w = resolved(**ASKED, accelerator=accelerator)
    line = w.ledger["perf.calibration"]
    assert line.value == r.efficiency.level
    assert (line.grade is Grade.ASSUMED) == (r.efficiency.level == "default")


def test_owned_servers_are_whole() -> None:
    day = quote(model="llama-3.1-8b", requests_per_day=1000, pricing="owned")
    assert day.deployment.servers == day.ledger["deployment.servers"].value == 1


def test_vllm_serves_unless_another_engine_is_named() -> None:
    r, w = resolved(**ASKED)
    line = w.ledger["deployment.engine"]
    assert (line.value, line.grade) == (DEFAULT_ENGINE, Grade.ASSUMED)
    assert "--engine" in line.source
    named, w = resolved(**ASKED, engine="vLLM")
    assert w.ledger["deployment.engine"].grade is Grade.GIVEN
    assert (named.efficiency, named.engine) == (r.efficiency, r.engine)


@pytest.mark.parametrize("name", sorted({*engine_names()} - {DEFAULT_ENGINE}))
def test_an_engine_brings_its_calibration_and_limits(name: str) -> None:
    r, w = resolved(**ASKED, engine=name)
    usual, era = resolved(**ASKED)[0], served_by(name)
    setting = setting_for(r.accelerator, r.model, r.precision.weights, era.era)
    assert r.engine.request_s == calibrated_request_s(setting)
    assert r.efficiency.host != usual.efficiency.host
    assert r.engine.max_num_seqs == era.max_num_seqs
    assert r.engine.gpu_memory_utilization == era.gpu_memory_utilization
    assert r.engine.chunked_prefill == era.chunked_prefill
    assert era.name in w.ledger["perf.calibration"].source
    assert w.ledger["deployment.max_num_seqs"].source == f"{era.name}'s default"
    assert resolved(**ASKED, engine=name, max_num_seqs=7)[0].engine.max_num_seqs == 7


def test_a_machine_calibrated_here_keeps_its_engine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("dayrate.compose.resolve.is_local", lambda _id: True)
    row = {"engine": "llama.cpp b42"}
    monkeypatch.setattr("dayrate.compose.resolve.local_host_row", lambda _id: row)
    device = catalog.accelerator("l4")
    plain, asked = (scenario_from(nested(f)) for f in ({}, {"engine": "vllm"}))
    assert engine_of(plain, device, Working()).id == "llama.cpp b42"
    with pytest.raises(InvalidInput, match="calibrated with llama"):
        engine_of(asked, device, Working())


def test_an_engine_that_was_not_measured_is_refused() -> None:
    with pytest.raises(InvalidInput, match="engine is 'abacus'; give one of vllm"):
        resolved(**ASKED, engine="abacus")
