import dataclasses
from collections.abc import Mapping
from typing import Any

import pytest

from dayrate import catalog
from dayrate.catalog.store import rows
from dayrate.perf.efficiency import load_efficiency
from dayrate.perf.operators import OpKind
from dayrate.perf.tuning import (
    QUANTITIES,
    Setting,
    calibrated_efficiency,
    engine_row,
    factors_of,
    fitted_factors,
    fitted_scopes,
    halved_peak,
    level_of,
    setting_for,
    tuned_efficiency,
)
from dayrate.units import DType

FITTED = [pytest.param(r, id=r["id"]) for r in rows("calibration") if "quantity" in r]
KINDS = {kind.value for kind in OpKind}
H100 = Setting("h100-sxm-80gb", "hopper", "nvidia", "vllm", DType.BF16, experts=False)


@pytest.mark.parametrize("row", FITTED)
def test_a_factor_has_a_meaning_an_interval_and_measurements(
    row: Mapping[str, Any],
) -> None:
    assert row["quantity"] in QUANTITIES
    assert row["scope"] in fitted_scopes()
    assert 0 < row["low"] <= row["factor"] <= row["high"]
    assert row["rows"] >= row["groups"] >= 1


def test_factors_are_unique() -> None:
    assert len(fitted_factors()) == len(FITTED)


@pytest.mark.parametrize("engine", [r["id"] for r in rows("engines")])
@pytest.mark.parametrize("name", catalog.accelerator_ids())
def test_no_share_of_a_peak_exceeds_one(name: str, engine: str) -> None:
    device, model = catalog.accelerator(name), catalog.model("deepseek-ai/DeepSeek-V3")
    setting = setting_for(device, model, DType.FP8, engine)
    found = calibrated_efficiency(setting)
    for c in found.kernels.values():
        assert 0 < c.flop_frac <= 1
        assert 0 < c.byte_frac <= 1
        assert c.fixed_s >= 0
    for ranks in (1, 8, 64):
        byte_frac, fixed = found.link.at(ranks)
        assert 0 < byte_frac <= 1
        assert fixed >= 0


def test_an_8_bit_cache_is_unpacked_where_8_bits_are_not_multiplied() -> None:
    model = catalog.model("meta-llama/Llama-3.1-8B-Instruct")
    old, new = (
        setting_for(catalog.accelerator(a), model, DType.BF16, "vllm", DType.FP8)
        for a in ("a100-sxm-80gb", "h100-sxm-80gb")
    )
    assert "unpacked cache" in old.scopes
    assert "unpacked cache" not in new.scopes


def test_a_factor_on_transfers_leaves_their_bytes_alone() -> None:
    kernels = load_efficiency("h100-sxm-80gb", "hopper")
    slow = tuned_efficiency(
        kernels, dict.fromkeys(QUANTITIES, 1.0) | {"collective": 3}, "x"
    )
    (frac, fixed), (slow_frac, slow_fixed) = (e.link.at(8) for e in (kernels, slow))
    assert slow_frac == frac
    assert slow_fixed == pytest.approx(3 * fixed)


def test_scopes_multiply_and_unknown_ones_change_nothing() -> None:
    factors = {
        ("compute", "all"): 2.0,
        ("compute", "generation:hopper"): 1.5,
        ("compute", "engine:vllm on nvidia"): 0.5,
        ("compute", "engine:sglang"): 9.0,
        ("memory", "family:vllm"): 3.0,
    }
    found = factors_of(H100, factors)
    assert found["compute"] == pytest.approx(1.5)
    assert found["memory"] == 3.0
    assert found["layer"] == 1.0


def test_a_factor_slows_only_its_own_part() -> None:
    kernels = load_efficiency(H100.accelerator_id, H100.generation)
    slow = tuned_efficiency(kernels, dict.fromkeys(QUANTITIES, 1.0) | {"cache": 2}, "x")
    decode, gemm = (OpKind.ATTENTION_DECODE, DType.BF16), (OpKind.GEMM, DType.BF16)
    assert slow.kernels[gemm] == kernels.kernels[gemm]
    ratio = slow.kernels[decode].byte_frac / kernels.kernels[decode].byte_frac
    assert ratio == pytest.approx(0.5)
    assert slow.host.layer_s == kernels.host.layer_s


@pytest.mark.parametrize("factor", [1e-3, 0.5, 1.0, 2.0])
def test_no_factor_leaves_more_than_19_of_20_bytes(factor: float) -> None:
    """DRAM refreshes meanwhile; what kernels reach by themselves is below that."""
    kernels = load_efficiency("rtx-pro-6000-server", "blackwell-rtx")
    tuned = tuned_efficiency(kernels, dict.fromkeys(QUANTITIES, factor), "x")
    for key, c in tuned.kernels.items():
        alone = kernels.kernels[key].byte_frac
        assert c.byte_frac == pytest.approx(min(float(alone) / factor, 0.95))
        assert c.flop_frac <= 1


def test_measured_kernels_stay_below_the_bound_on_bandwidth() -> None:
    timed = [r for r in rows("calibration") if r.get("operation") in KINDS]
    assert max(r["byte_frac"] for r in timed) < 0.95


def test_a_format_has_a_factor_for_each_generation() -> None:
    """Kernels for a narrow format are written anew for each."""
    devices = [catalog.accelerator(n) for n in ("h100-sxm-80gb", "b200-sxm-180gb")]
    dense = catalog.model("meta-llama/Llama-3.1-8B-Instruct")
    hopper, blackwell = (setting_for(d, dense, DType.FP8, "vllm") for d in devices)
    factors = {("layer", "weights:fp8"): 2.0, ("layer", "weights:fp8 on hopper"): 1.5}
    assert factors_of(hopper, factors)["layer"] == pytest.approx(3.0)
    assert factors_of(blackwell, factors)["layer"] == pytest.approx(2.0)


def test_experts_have_a_factor_for_each_family_of_engines() -> None:
    """Whatever its era: kernels for experts are the family's own."""
    factors = {("compute", "experts"): 2.0, ("compute", "experts:vllm"): 1.5}
    found = {
        (engine, experts): factors_of(
            dataclasses.replace(H100, engine=engine, experts=experts), factors
        )["compute"]
        for engine in ("vllm", "vllm-2024", "sglang")
        for experts in (True, False)
    }
    assert found["vllm", True] == found["vllm-2024", True] == pytest.approx(3.0)
    assert found["sglang", True] == pytest.approx(2.0)
    assert found["vllm", False] == 1.0


@pytest.mark.parametrize("engine", [r["id"] for r in rows("engines")])
def test_scopes_of_a_setting_are_distinct(engine: str) -> None:
    device, model = (
        catalog.accelerator("rtx-4090"),
        catalog.model("openai/gpt-oss-120b"),
    )
    scopes = setting_for(device, model, DType.MXFP4, engine, DType.FP8).scopes
    assert scopes[0] == "all"
    assert len(set(scopes)) == len(scopes)


def test_an_unseen_system_falls_back_level_by_level() -> None:
    seen = {"accelerator:h100-sxm-80gb", "generation:hopper", "engine:vllm"}
    others = ("h800-sxm-80gb", "hopper"), ("tpu-v5e", "tpu-v5e")
    levels = [level_of(H100, seen)] + [
        level_of(Setting(*o, "any", "vllm", DType.BF16, experts=False), seen)
        for o in others
    ]
    assert levels == ["accelerator", "generation", "default"]
    unseen = Setting(
        "h100-sxm-80gb", "hopper", "nvidia", "mlc-llm", DType.BF16, experts=False
    )
    assert level_of(unseen, seen) == "generation"


@pytest.mark.parametrize(
    ("engine", "version", "era"),
    [
        ("vLLM", "0.5.4", "vllm-2024"),
        ("vLLM", "0.11.1", "vllm"),
        ("vLLM", "", "vllm"),
        ("vLLM (Splitwise profiling)", "2023", "vllm-2023"),
        ("TensorRT-LLM", "0.2", "tensorrt-llm-0.20"),
        ("TensorRT-LLM", "TensorRT 10.11, CUDA 12.8", "tensorrt-llm-1-mlperf"),
        ("TensorRT-LLM", "0.17", "tensorrt-llm-0"),
        ("TensorRT-LLM", "1.0", "tensorrt-llm"),
        ("something new", "3.1", "default"),
    ],
)
def test_eras_of_engines(engine: str, version: str, era: str) -> None:
    assert engine_row(engine, version)["id"] == era


def test_geforce_states_half_the_16_bit_rate_and_its_sisters_do_not() -> None:
    names = ("rtx-4090", "rtx-6000-ada", "h100-sxm-80gb")
    assert [halved_peak(catalog.accelerator(n)) for n in names] == [True, False, False]
