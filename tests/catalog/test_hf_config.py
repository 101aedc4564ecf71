"""Reading a config.json: what each family becomes, and what is refused."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dayrate.catalog.hf.quantization import formats_of
from dayrate.catalog.hf_config import families, read_config_file, spec_from_config
from dayrate.catalog.model import (
    Attention,
    LinearAttention,
    Mamba2,
    Mla,
    Mlp,
    ModelSpec,
    Moe,
    PositionKind,
)
from dayrate.catalog.models import model, model_row
from dayrate.errors import UnreadableConfig
from dayrate.units import DType

DOC = Path(__file__).parents[2] / "docs" / "reference" / "models.md"
LLAMA: Mapping[str, Any] = {
    "model_type": "llama",
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "intermediate_size": 160,
    "vocab_size": 100,
    "torch_dtype": "bfloat16",
}
MOE = {**LLAMA, "model_type": "mixtral", "num_local_experts": 8}
MOE["num_experts_per_tok"] = 2
GPTQ = {"quant_method": "gptq", "bits": 4}
PACKED = {
    "quant_method": "compressed-tensors",
    "config_groups": {"group_0": {"weights": {"num_bits": 4, "type": "int"}}},
    "ignore": ["lm_head"],
}


def read(config: Mapping[str, Any], **changes: Any) -> ModelSpec:
    return spec_from_config({**config, **changes}, id="mine")


def attention(spec: ModelSpec, block: int = 0) -> Attention:
    mixer = spec.blocks[block].mixer
    assert isinstance(mixer, Attention)
    return mixer


def windows(spec: ModelSpec) -> dict[int | None, int]:
    counts: dict[int | None, int] = {}
    for block in spec.blocks:
        assert isinstance(block.mixer, Attention)
        window = block.mixer.window_tokens
        counts[window] = counts.get(window, 0) + block.count
    return counts


class TestFamilies:
    def test_llama_has_grouped_heads_and_a_gated_mlp(self) -> None:
        spec = model("meta-llama/Llama-3.1-70B")
        a = attention(spec)
        assert (spec.n_layers, a.n_heads, a.n_kv_heads, a.head_dim) == (80, 64, 8, 128)
        assert spec.blocks[0].mlp == Mlp(28_672)
        assert spec.positions is PositionKind.ROTARY

    def test_opt_350m_has_narrow_embeddings_and_no_last_norm(self) -> None:
        spec = model("facebook/opt-350m")
        assert spec.embedding_size == 512
        assert spec.final_norm_params == 0
        assert spec.position_params == 2050 * 1024

    def test_bloom_has_alibi_and_a_norm_after_the_embedding(self) -> None:
        spec = model("bigscience/bloom")
        assert spec.positions is PositionKind.ALIBI
        assert spec.embedding_norm_params == 2 * 14_336

    @pytest.mark.parametrize(
        ("name", "kv_heads", "norms"),
        [("tiiuae/falcon-7b", 1, 1), ("tiiuae/falcon-180B", 8, 2)],
    )
    def test_falcons_two_architectures(
        self, name: str, kv_heads: int, norms: int
    ) -> None:
        spec = model(name)
        assert attention(spec).n_kv_heads == kv_heads
        assert spec.blocks[0].norm_params == norms * 2 * spec.hidden_size

    def test_deci_has_key_value_heads_of_its_own_in_each_layer(self) -> None:
        spec = model("Deci/DeciLM-7B")
        heads = [
            (attention(spec, i).n_kv_heads, b.count) for i, b in enumerate(spec.blocks)
        ]
        assert sum(n * count for n, count in heads) == 67
        assert spec.n_layers == 32

    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("mistralai/Mistral-7B-v0.1", {4096: 32}),
            ("mistralai/Mistral-7B-Instruct-v0.3", {None: 32}),
            ("google/gemma-2-9b-it", {4096: 21, None: 21}),
            ("google/gemma-3-27b-it", {1024: 52, None: 10}),
            ("openai/gpt-oss-120b", {128: 18, None: 18}),
            ("meta-llama/Llama-4-Scout-17B-16E-Instruct", {8192: 36, None: 12}),
            ("allenai/Olmo-3-1125-32B", {4096: 48, None: 16}),
            ("Qwen/Qwen2-7B", {None: 28}),
        ],
    )
    def test_windows(self, name: str, expected: dict[int | None, int]) -> None:
        assert windows(model(name)) == expected

    def test_listed_layer_types_go_before_the_familys_pattern(self) -> None:
        kinds = ["sliding_attention", "full_attention"]
        spec = read(LLAMA, sliding_window=16, layer_types=kinds)
        assert windows(spec) == {16: 1, None: 1}

    def test_qwen_slides_in_the_upper_layers_when_told_to(self) -> None:
        spec = read(
            LLAMA,
            model_type="qwen2",
            use_sliding_window=True,
            sliding_window=16,
            max_window_layers=1,
        )
        assert windows(spec) == {None: 1, 16: 1}

    def test_gpt_oss_has_sinks_and_biased_experts(self) -> None:
        spec = model("openai/gpt-oss-20b")
        assert attention(spec).sink_params == 64
        assert isinstance(spec.blocks[0].mlp, Moe)
        assert spec.blocks[0].mlp.bias
        assert spec.quantized_experts_only

    def test_maverick_alternates_dense_and_routed_layers(self) -> None:
        kinds = {Mlp: 0, Moe: 0}
        for block in model("llama-4-maverick").blocks:
            kinds[type(block.mlp)] += block.count
        assert kinds == {Mlp: 24, Moe: 24}

    def test_deepseek_starts_with_dense_layers(self) -> None:
        dense, routed = model("deepseek-ai/DeepSeek-V3").blocks
        assert (dense.count, routed.count) == (3, 58)
        assert isinstance(dense.mlp, Mlp)
        assert isinstance(routed.mlp, Moe)
        assert routed.mlp.shared_intermediate_size == 2048
        assert isinstance(routed.mixer, Mla)
        assert routed.mixer.q_lora_rank == 1536

    def test_glm5_has_a_sparse_indexer(self) -> None:
        mixer = model("zai-org/GLM-5").blocks[0].mixer
        assert isinstance(mixer, Mla)
        assert (mixer.index_topk, mixer.index_n_heads) == (2048, 32)

    def test_qwen_moe_may_keep_layers_dense(self) -> None:
        more = {"num_experts": 4, "moe_intermediate_size": 8, "mlp_only_layers": [0]}
        spec = read(MOE, model_type="qwen3_moe", num_local_experts=None, **more)
        assert [type(b.mlp) for b in spec.blocks] == [Mlp, Moe]

    def test_qwen35_is_three_quarters_linear_attention(self) -> None:
        spec = model("Qwen/Qwen3.5-397B-A17B")
        linear, full = spec.blocks
        assert (linear.count, full.count) == (45, 15)
        assert isinstance(linear.mixer, LinearAttention)
        assert isinstance(full.mixer, Attention)
        assert full.mixer.gated_output
        assert any("left out" in note for note in spec.notes)

    def test_nemotron_nano_is_mostly_mamba(self) -> None:
        spec = model("nvidia/NVIDIA-Nemotron-Nano-9B-v2")
        counts = {type(b.mixer or b.mlp): b.count for b in spec.blocks}
        assert counts == {Mamba2: 27, Mlp: 25, Attention: 4}

    def test_nemotron_layers_may_be_a_list_of_names(self) -> None:
        config = dict(model_row("nvidia/NVIDIA-Nemotron-Nano-9B-v2")["config"])
        config.pop("hybrid_override_pattern")
        names = ["mamba", "mlp", "attention", "mlp"]
        spec = spec_from_config({**config, "layers_block_type": names}, id="x")
        assert [b.count for b in spec.blocks] == [1, 2, 1]

    def test_nemotron_super_routes_in_a_latent_space(self) -> None:
        spec = model("nvidia/NVIDIA-Nemotron-3-Super-120B-A12B-BF16")
        moe = next(b.mlp for b in spec.blocks if isinstance(b.mlp, Moe))
        assert (moe.latent_size, moe.experts_per_token) == (1024, 22)

    def test_puzzle_layers_may_lack_a_part(self) -> None:
        wide = {"attention": {"n_heads_in_group": 4}, "ffn": {"ffn_mult": 6.0}}
        bare = {"attention": {"no_op": True}, "ffn": {"ffn_mult": 6.0}}
        spec = read(LLAMA, model_type="nemotron-nas", block_configs=[wide, bare, bare])
        full, idle = spec.blocks
        assert (attention(spec).n_kv_heads, idle.mixer, idle.count) == (2, None, 2)
        assert full.mlp == idle.mlp == Mlp(256)
        assert full.norm_params == 2 * idle.norm_params == 128

    def test_t5_encodes_once_and_attends_across(self) -> None:
        spec = model("google-t5/t5-small")
        encoder, decoder = spec.blocks
        assert spec.is_encoder_decoder
        assert encoder.encoder
        assert not decoder.encoder
        assert decoder.cross is not None
        assert decoder.cross.cross
        assert list(spec.decoder_blocks()) == [decoder]

    @pytest.mark.parametrize(
        ("name", "said"),
        [("deepseek-ai/DeepSeek-V3", True), ("moonshotai/Kimi-K2-Instruct", False)],
    )
    def test_left_out_prediction_layers_are_said(self, name: str, said: bool) -> None:
        notes = model(name).notes
        assert any("Multi-token prediction" in note for note in notes) is said

    def test_the_table_of_the_documentation_is_complete(self) -> None:
        text = DOC.read_text(encoding="utf-8")
        rows = [line for line in text.splitlines() if line.startswith("| `")]
        listed = {
            cell.strip(" `") for line in rows for cell in line.split("|")[1].split(",")
        }
        assert listed == set(families())


class TestFormats:
    @pytest.mark.parametrize(
        ("quantization", "expected"),
        [
            ({"quant_method": "fp8", "weight_block_size": [128, 128]}, DType.FP8),
            ({"quant_method": "fbgemm_fp8"}, DType.FP8),
            ({"quant_method": "mxfp4"}, DType.MXFP4),
            ({"quant_method": "awq", "bits": 4}, DType.INT4),
            (GPTQ, DType.INT4),
            ({**GPTQ, "bits": 8}, DType.INT8),
            ({"quant_method": "bitsandbytes", "load_in_8bit": True}, DType.INT8),
            ({"quant_method": "modelopt", "quant_algo": "NVFP4"}, DType.NVFP4),
            ({"quant_method": "modelopt", "quant_algo": "FP8"}, DType.FP8),
            (PACKED, DType.INT4),
        ],
    )
    def test_quantisation(self, quantization: Any, expected: DType) -> None:
        spec = read(LLAMA, quantization_config=quantization)
        assert spec.weights_dtype is expected
        assert spec.unquantized_dtype is DType.BF16

    def test_mixed_precision_is_read_as_the_narrowest_and_says_so(self) -> None:
        layers = {"a": {"quant_algo": "FP8"}, "b": {"quant_algo": "W4A16_NVFP4"}}
        mixed = {"quant_algo": "MIXED_PRECISION", "quantized_layers": layers}
        spec = read(LLAMA, quantization_config=mixed)
        assert spec.weights_dtype is DType.NVFP4
        assert "mixes fp8, nvfp4" in spec.notes[-1]

    def test_an_int4_checkpoint_may_spare_all_but_the_experts(self) -> None:
        spec = model("moonshotai/Kimi-K2.5")
        assert spec.weights_dtype is DType.INT4
        assert spec.quantized_experts_only
        assert spec.unquantized_attention

    def test_a_gguf_file_says_its_layers_and_its_embedding(self) -> None:
        both = {"quant_method": "gguf", "layers": "q4_1", "embedding": "q8_0"}
        formats = formats_of({"quantization_config": both}, "tiny")
        assert (formats.weights, formats.unquantized) == (DType.Q4_1, DType.Q8_0)
        with pytest.raises(UnreadableConfig, match="formats of its layers and"):
            formats_of({"quantization_config": {"quant_method": "gguf"}}, "tiny")

    def test_a_nested_quantisation_is_found(self) -> None:
        spec = spec_from_config(
            {"text_config": {**LLAMA, "quantization_config": GPTQ}}, id="x"
        )
        assert spec.weights_dtype is DType.INT4

    def test_an_unstated_format_is_assumed_aloud(self) -> None:
        spec = read(LLAMA, torch_dtype=None)
        assert spec.weights_dtype is DType.BF16
        assert "assumed" in spec.notes[-1]

    def test_a_kv_cache_format_is_read(self) -> None:
        scheme = {"dynamic": False, "num_bits": 8, "type": "float"}
        quantization = {"quant_algo": "NVFP4", "kv_cache_scheme": scheme}
        spec = read(LLAMA, quantization_config=quantization)
        assert spec.kv_cache_dtype is DType.FP8

    def test_a_quantisation_beside_the_config_is_read(self, tmp_path: Path) -> None:
        (tmp_path / "config.json").write_text(json.dumps(LLAMA))
        beside = {"quantization": {"quant_algo": "FP8", "kv_cache_quant_algo": "FP8"}}
        (tmp_path / "hf_quant_config.json").write_text(json.dumps(beside))
        spec = spec_from_config(read_config_file(tmp_path), id="x")
        assert spec.weights_dtype is DType.FP8
        assert spec.kv_cache_dtype is DType.FP8


class TestUnknownTypes:
    def test_standard_dense_fields_are_read_and_it_says_so(self) -> None:
        spec = read(LLAMA, model_type="brand_new")
        assert spec.blocks == read(LLAMA).blocks
        assert "'brand_new' is unknown" in spec.notes[0]

    def test_no_model_type_at_all_is_the_same(self) -> None:
        spec = spec_from_config(
            {k: v for k, v in LLAMA.items() if k != "model_type"}, id="x"
        )
        assert spec.model_type == "unknown"
        assert "read as a gated dense decoder" in spec.notes[0]

    @pytest.mark.parametrize(
        "field",
        [
            "hidden_size",
            "num_hidden_layers",
            "num_attention_heads",
            "intermediate_size",
            "vocab_size",
        ],
    )
    def test_a_missing_field_is_named(self, field: str) -> None:
        config = {k: v for k, v in LLAMA.items() if k != field}
        with pytest.raises(UnreadableConfig, match=f"has no {field}"):
            spec_from_config({**config, "model_type": "brand_new"}, id="x")

    @pytest.mark.parametrize(
        "field", ["num_experts", "moe_num_experts", "kv_lora_rank", "mamba_d_state"]
    )
    def test_what_is_no_plain_decoder_is_refused(self, field: str) -> None:
        with pytest.raises(UnreadableConfig, match=f"has {field}, so it is no plain"):
            read(LLAMA, model_type="brand_new", **{field: 8})


class TestBadConfigs:
    @pytest.mark.parametrize("value", [-4096, 0, 4096.0, 0.5, float("nan"), "64", True])
    def test_a_dimension_is_a_positive_whole_number(self, value: Any) -> None:
        with pytest.raises(UnreadableConfig, match=r"hidden_size = .*positive whole"):
            read(LLAMA, hidden_size=value)

    @pytest.mark.parametrize(
        ("changes", "said"),
        [
            ({"num_attention_heads": 7}, "7 attention heads do not divide"),
            ({"num_key_value_heads": 3}, "3 key/value heads do not divide"),
            ({"layer_types": ["full_attention"]}, "1 layer_types for 2 layers"),
            ({"layer_types": "full_attention"}, "must be a list"),
            ({"attention_bias": 1}, "must be true or false"),
            ({"quantization_config": {"quant_method": "magic"}}, "'magic'"),
            ({"quantization_config": {**GPTQ, "bits": 3}}, "3-bit"),
            ({"quantization_config": [1]}, "no object"),
        ],
    )
    def test_what_is_wrong_is_said(self, changes: dict[str, Any], said: str) -> None:
        with pytest.raises(UnreadableConfig, match=said):
            read(LLAMA, **changes)

    def test_no_token_passes_more_experts_than_there_are(self) -> None:
        with pytest.raises(UnreadableConfig, match="9 of 8 experts"):
            read(MOE, num_experts_per_tok=9)

    def test_a_missing_file(self, tmp_path: Path) -> None:
        with pytest.raises(UnreadableConfig, match="There is no file"):
            model(str(tmp_path / "config.json"))
        with pytest.raises(UnreadableConfig, match=r"There is no file .*config\.json"):
            model(str(tmp_path))

    @pytest.mark.parametrize(
        "text", ["", "{", "[1, 2]", "null", "3", '{"a": 1,}', "\0", "[" * 100_000]
    )
    def test_a_malformed_file(self, tmp_path: Path, text: str) -> None:
        file = tmp_path / "config.json"
        file.write_text(text)
        with pytest.raises(UnreadableConfig):
            model(str(file))

    def test_bytes_that_are_no_text(self, tmp_path: Path) -> None:
        file = tmp_path / "config.json"
        file.write_bytes(b"\xff\xfe\x00")
        with pytest.raises(UnreadableConfig, match="not readable as JSON"):
            model(str(file))


JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.floats(allow_nan=True, allow_infinity=True)
    | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["weights", "bits", "a"]), inner, max_size=2)
    ),
    max_leaves=4,
)
BASES = [
    model_row(name)["config"]
    for name in (
        "openai-community/gpt2",
        "facebook/opt-350m",
        "tiiuae/falcon-7b",
        "mosaicml/mpt-7b",
        "Deci/DeciLM-7B",
        "google/gemma-3-27b-it",
        "openai/gpt-oss-120b",
        "meta-llama/Llama-4-Maverick-17B-128E-Instruct",
        "deepseek-ai/DeepSeek-V3",
        "moonshotai/Kimi-K2.5",
        "Qwen/Qwen3.5-397B-A17B",
        "nvidia/NVIDIA-Nemotron-3-Super-120B-A12B-BF16",
        "google-t5/t5-small",
    )
]


def answer(config: Mapping[str, Any]) -> str:
    try:
        return f"{spec_from_config(config, id='x').n_layers} layers"
    except UnreadableConfig as error:
        return str(error)


@settings(max_examples=400)
@given(st.data())
def test_whatever_a_field_holds_the_answer_is_a_model_or_one_sentence(
    data: st.DataObject,
) -> None:
    config = dict(data.draw(st.sampled_from(BASES)))
    extra = ["layer_types", "quantization_config", "sliding_window", "text_config"]
    inner = config.get("text_config")
    target = dict(inner) if inner and data.draw(st.booleans()) else config
    target[data.draw(st.sampled_from(sorted({*target, *extra})))] = data.draw(JUNK)
    if target is not config:
        config["text_config"] = target
    assert answer(config).endswith((".", "layers"))
