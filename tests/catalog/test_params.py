"""Parameter counts, against every source that states them exactly."""

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayrate.catalog import store
from dayrate.catalog.hf_config import spec_from_config
from dayrate.catalog.model import Moe
from dayrate.catalog.models import model, model_ids, model_row
from dayrate.catalog.params import (
    active_params,
    parameter_groups,
    total_params,
    weight_bytes,
)
from dayrate.units import GIB, DType

#: Counted by building each model on torch's meta device; the file says with what.
META = json.loads(Path(__file__).with_name("meta_device_counts.json").read_text())
KNOWN = [i for i in model_ids() if "counts" not in model_row(i)]
PUBLISHED = [i for i in KNOWN if "published" in model_row(i)]

# Totals stated to the last parameter by the publishers' own weights.
EXACT = {
    "gpt2": 124_439_808,
    "EleutherAI/gpt-j-6b": 6_050_882_784,
    "EleutherAI/gpt-neox-20b": 20_554_567_680,
    "facebook/opt-350m": 331_196_416,
    "bigscience/bloom": 176_247_271_424,
    "meta-llama/Llama-2-7b-hf": 6_738_415_616,
    "meta-llama/Llama-2-70b-hf": 68_976_648_192,
    "meta-llama/Llama-3.1-8B": 8_030_261_248,
    "meta-llama/Llama-3.1-70B": 70_553_706_496,
    "mistralai/Mistral-7B-v0.1": 7_241_732_096,
    "mistralai/Mixtral-8x7B-v0.1": 46_702_792_704,
    "google-t5/t5-small": 60_506_624,
    "google-t5/t5-11b": 11_307_321_344,
    "google/t5-v1_1-xxl": 11_135_332_352,
    "Qwen/Qwen2-7B": 7_615_616_512,
    "google/gemma-2b": 2_506_172_416,
    "google/gemma-2-27b": 27_227_128_320,
    "microsoft/Phi-3-small-8k-instruct": 7_392_272_384,
    "bigcode/starcoder2-15b": 15_957_889_024,
    "deepseek-ai/DeepSeek-V3": 671_026_419_200,  # without multi-token prediction
    "Deci/DeciLM-7B": 7_043_551_232,
}
# llm-foundry: d_model, layers, heads of scripts/train/yamls/pretrain/mpt-*.yaml.
MPT = {
    "MPT-760m": (1536, 24, 12),
    "MPT-1b": (2048, 24, 16),
    "MPT-3b": (2560, 32, 20),
    "MPT-7b": (4096, 32, 32),
    "MPT-13b": (5120, 40, 40),
    "MPT-30b": (7168, 48, 56),
    "MPT-70b": (8192, 80, 64),
}

sizes = st.integers(1, 8)


def llama(**changes: Any) -> dict[str, Any]:
    return {
        "model_type": "llama",
        "hidden_size": 64,
        "num_hidden_layers": 3,
        "num_attention_heads": 8,
        "num_key_value_heads": 2,
        "intermediate_size": 160,
        "vocab_size": 100,
        **changes,
    }


def mixtral(**changes: Any) -> dict[str, Any]:
    experts = {"num_local_experts": 8, "num_experts_per_tok": 2}
    return llama(model_type="mixtral", **{**experts, **changes})


def count(config: dict[str, Any]) -> int:
    return total_params(spec_from_config(config, id="x"))


def printed_unit(text: object) -> float:
    """One unit of the last digit: 0.1e9 of ``12.9B``, 1 of a plain count."""
    digits = str(text)
    scale = {"K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}.get(digits[-1], 1.0)
    decimals = len(digits.rstrip("KMBT").partition(".")[2])
    return float(scale * 10**-decimals)


@pytest.mark.parametrize("name", EXACT)
def test_totals_are_the_published_ones_to_the_last_parameter(name: str) -> None:
    assert total_params(model(name)) == EXACT[name]


@pytest.mark.parametrize("name", META["counts"])
def test_totals_are_those_of_the_model_built_on_the_meta_device(name: str) -> None:
    assert total_params(model(name)) == META["counts"][name]


@pytest.mark.parametrize("family", META["families"])
def test_families_without_a_row_are_counted_alike(family: str) -> None:
    case = META["families"][family]
    assert count(case["config"]) == case["count"]


@pytest.mark.parametrize("name", PUBLISHED)
def test_totals_agree_with_the_published_ones(name: str) -> None:
    """Within 1 %, or within the rounding of the figure as printed."""
    published = model_row(name)["published"]
    spec = model(name)
    assert spec.published is not None
    total = total_params(spec) + published.get("left_out_params", 0)
    rounding = printed_unit(published["total_params"]) / 2
    exact = isinstance(published["total_params"], int)
    tolerance = 0 if exact else max(0.01 * spec.published.total, rounding)
    assert abs(total - spec.published.total) <= tolerance


def test_a_shape_without_a_published_total_says_why_or_is_listed() -> None:
    silent = {
        row["id"]
        for row in store.rows("models")
        if "config" in row and not row.keys() & {"published", "notes"}
    }
    assert silent == {
        "tiiuae/falcon-40b",
        "llm-foundry/mpt-125m",
        "llm-foundry/mpt-350m",
    }


@pytest.mark.parametrize(
    "name", [i for i in PUBLISHED if "active_params" in model_row(i)["published"]]
)
def test_active_counts_agree_with_the_published_ones(name: str) -> None:
    """Within 1 % or one printed unit: publishers truncate as often as they round.

    Some leave out the embedding, or the head as well; the data says which.
    """
    spec, published = model(name), model_row(name)["published"]
    assert spec.published is not None
    assert spec.published.active is not None
    groups = parameter_groups(spec)
    left_out = sum(groups[g] for g in published.get("active_excludes", ()))
    active = active_params(spec) - left_out
    unit = printed_unit(published["active_params"])
    tolerance = max(0.01 * spec.published.active, unit)
    assert abs(active - spec.published.active) <= tolerance


def test_llm_foundrys_table_to_the_last_parameter(shared_data: Path) -> None:
    seen = set()
    with (shared_data / "measurements" / "training.csv").open() as file:
        for row in csv.DictReader(file):
            if row["model"] not in MPT or "llm-foundry" not in row["source"]:
                continue
            width, layers, heads = MPT[row["model"]]
            config = {
                "model_type": "mpt",
                "d_model": width,
                "n_layers": layers,
                "n_heads": heads,
                "vocab_size": 50_368,
                "max_seq_len": int(row["seq_len"]),
            }
            assert count(config) == int(row["params_total"])
            seen.add(row["model"])
    assert seen == MPT.keys()


@pytest.mark.parametrize(
    ("name", "gib"), [("openai/gpt-oss-120b", 60.8), ("openai/gpt-oss-20b", 12.8)]
)
def test_mxfp4_checkpoints_weigh_what_their_card_says(name: str, gib: float) -> None:
    """Checkpoint sizes of the gpt-oss model card, arXiv:2508.10925, Table 1.

    The biases of its experts, 0.1 % of it, are BF16 and weighed as MXFP4.
    """
    assert weight_bytes(model(name)) / GIB == pytest.approx(gib, rel=0.002)


def test_a_llama_cpp_format_weighs_what_llama_cpp_says() -> None:
    """Llama 7B in Q4_K_M: 3.80 GiB (llama.cpp, tools/quantize/README.md)."""
    size = weight_bytes(model("huggyllama/llama-7b"), DType.Q4_K_M)
    assert size / GIB == pytest.approx(3.80, abs=0.01)


def test_requantising_ignores_what_the_checkpoint_spared() -> None:
    spec = model("openai/gpt-oss-120b")
    wide = sum(
        n
        for name, n in parameter_groups(spec).items()
        if name in {"embedding", "lm_head", "norms", "routers"}
    )
    assert weight_bytes(spec, DType.FP8) == total_params(spec) + wide


def test_a_plain_checkpoint_weighs_its_width_times_its_parameters() -> None:
    spec = model("meta-llama/Llama-3.1-70B")
    assert weight_bytes(spec) == 2 * total_params(spec)
    assert weight_bytes(spec, DType.FP32) == 4 * total_params(spec)


def test_embedding_and_head_stay_wide_in_a_quantised_checkpoint() -> None:
    spec = model("nvidia/Llama-3.1-8B-Instruct-FP8")
    groups = parameter_groups(spec)
    wide = groups["embedding"] + groups["lm_head"] + groups["norms"]
    assert weight_bytes(spec) == total_params(spec) + wide


def test_unquantized_attention_is_weighed_wide() -> None:
    spec = model("meta-llama/Llama-3.1-405B-Instruct-FP8")
    narrow = replace(spec, unquantized_attention=False)
    attention = parameter_groups(spec)["attention"]
    assert weight_bytes(spec) - weight_bytes(narrow) == attention


@pytest.mark.parametrize("name", KNOWN)
def test_parts_are_positive_and_active_is_at_most_total(name: str) -> None:
    spec = model(name)
    groups = parameter_groups(spec)
    assert min(groups.values()) > 0
    assert sum(groups.values()) == total_params(spec)
    routes = any(
        isinstance(b.mlp, Moe) and b.mlp.n_experts > b.mlp.experts_per_token
        for b in spec.blocks
    )
    assert (active_params(spec) < total_params(spec)) == routes


@given(sizes, sizes)
def test_parameters_are_additive_in_layers(a: int, b: int) -> None:
    def layers(n: int) -> int:
        return count(llama(num_hidden_layers=n))

    outside = 2 * layers(1) - layers(2)  # embedding, head and last norm
    assert layers(a) + layers(b) == layers(a + b) + outside


@given(st.integers(1, 8), st.integers(1, 64))
def test_active_depends_on_the_chosen_experts_only(chosen: int, extra: int) -> None:
    """More idle experts add their router row and nothing else."""
    few = mixtral(num_local_experts=8, num_experts_per_tok=chosen)
    many = mixtral(num_local_experts=8 + extra, num_experts_per_tok=chosen)
    a, b = spec_from_config(few, id="a"), spec_from_config(many, id="b")
    assert active_params(b) - active_params(a) == 3 * 64 * extra


def test_all_experts_chosen_means_all_is_active() -> None:
    spec = spec_from_config(mixtral(num_experts_per_tok=8), id="x")
    assert active_params(spec) == total_params(spec)


@given(st.sampled_from([1, 2, 4, 8]))
def test_a_key_value_head_costs_two_projections(kv: int) -> None:
    base, more = llama(num_key_value_heads=1), llama(num_key_value_heads=kv)
    assert count(more) - count(base) == 3 * 2 * (kv - 1) * 8 * 64


def test_a_tied_head_is_counted_once() -> None:
    assert count(llama()) - count(llama(tie_word_embeddings=True)) == 100 * 64


@given(st.sampled_from(list(DType)))
def test_weight_grows_with_the_width_of_the_format(dtype: DType) -> None:
    spec = model("mistralai/Mixtral-8x7B-v0.1")
    assert weight_bytes(spec, dtype) >= weight_bytes(spec, DType.INT4)
    assert weight_bytes(spec, dtype) <= weight_bytes(spec, DType.FP32)


def test_a_gguf_file_has_its_published_bytes() -> None:
    """Tensors of the file: 66,355,200 B in Q4_1, 30,081,024 B in Q8_0, norms in F32."""
    spec = model("SmolLM2-135M-Instruct.Q4_1")
    groups = parameter_groups(spec)
    assert (groups["attention"] + groups["mlp"]) * DType.Q4_1.bytes == 66_355_200
    assert groups["embedding"] * DType.Q8_0.bytes == 30_081_024
    assert weight_bytes(spec) == pytest.approx(66_355_200 + 30_081_024 + 140_544, 2e-3)
