"""FLOPs of matrix products, against those that torch counts in Hugging Face's models.

Models are built from their configs on the meta device, where tensors have shapes and no
values, with ``attn_implementation="eager"``: the fused kernel of the CPU is an operator
that the counter does not know, and its products would be missing. Eager attention
multiplies masked pairs too, which is `Phase.eager_matmul_flop`.
"""

from dataclasses import dataclass
from typing import Any

import pytest

from dayrate import catalog
from dayrate.anatomy.walk import anatomy_of
from dayrate.catalog.models import model_row
from dayrate.catalog.params import total_params
from dayrate.scenario.schema import scenario_from

torch = pytest.importorskip("torch", exc_type=ImportError)
transformers = pytest.importorskip("transformers", exc_type=ImportError)
flop_counter = pytest.importorskip("torch.utils.flop_counter", exc_type=ImportError)

ISL, BATCH = 37, 2
TINY: dict[str, dict[str, Any]] = {
    "gpt2": {"n_embd": 48, "n_layer": 3, "n_head": 4, "vocab_size": 101},
    "llama": {
        "hidden_size": 48,
        "intermediate_size": 80,
        "num_hidden_layers": 3,
        "num_attention_heads": 6,
        "num_key_value_heads": 2,
        "vocab_size": 101,
    },
    "mixtral": {
        "hidden_size": 48,
        "intermediate_size": 80,
        "num_hidden_layers": 3,
        "num_attention_heads": 6,
        "num_key_value_heads": 2,
        "num_local_experts": 5,
        "num_experts_per_tok": 2,
        "vocab_size": 101,
    },
    "t5": {
        "d_model": 48,
        "d_kv": 10,
        "d_ff": 80,
        "num_layers": 2,
        "num_decoder_layers": 3,
        "num_heads": 4,
        "vocab_size": 101,
    },
    "bart": {
        "d_model": 48,
        "encoder_layers": 2,
        "decoder_layers": 3,
        "encoder_attention_heads": 4,
        "decoder_attention_heads": 6,
        "encoder_ffn_dim": 80,
        "decoder_ffn_dim": 96,
        "vocab_size": 101,
    },
    "bert": {
        "hidden_size": 48,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "intermediate_size": 80,
        "vocab_size": 101,
    },
    "bloom": {"hidden_size": 48, "n_layer": 3, "n_head": 4, "vocab_size": 101},
    "mistral": {
        "hidden_size": 48,
        "intermediate_size": 80,
        "num_hidden_layers": 2,
        "num_attention_heads": 6,
        "num_key_value_heads": 2,
        "sliding_window": 8,
        "vocab_size": 101,
    },
    "qwen2": {
        "hidden_size": 48,
        "intermediate_size": 80,
        "num_hidden_layers": 2,
        "num_attention_heads": 6,
        "num_key_value_heads": 2,
        "vocab_size": 101,
    },
}
FULL = (
    "gpt2",
    "meta-llama/Llama-3.1-8B",
    "mistralai/Mixtral-8x7B-v0.1",
    "google-t5/t5-base",
    "facebook/bart-base",
    "google-bert/bert-base-uncased",
)


@dataclass(frozen=True)
class Counted:
    params: int
    prefill: int
    decode: int | None


def build(config: dict[str, Any]) -> Any:
    """A model of this config, without values."""
    kind = config["model_type"]
    known = {k: v for k, v in config.items() if k not in {"model_type", "torch_dtype"}}
    parsed = transformers.AutoConfig.for_model(kind, **known)
    auto = transformers.AutoModelForCausalLM
    if parsed.is_encoder_decoder:
        auto = transformers.AutoModelForSeq2SeqLM
    elif kind == "bert":
        auto = transformers.AutoModelForMaskedLM
    # each token's experts as products of their own: the same work, and shapes that do
    # not depend on the routing
    routed = {"experts_implementation": "batched_mm"} if kind == "mixtral" else {}
    with torch.device("meta"):
        return auto.from_config(parsed, attn_implementation="eager", **routed).eval()


def run(model: Any, **inputs: Any) -> tuple[int, Any]:
    with flop_counter.FlopCounterMode(display=False) as counter, torch.no_grad():
        out = model(**inputs)
    return counter.get_total_flops(), out


def counted(config: dict[str, Any]) -> Counted:
    """Count a prefill of ``ISL`` tokens, and one step with them in the cache."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return _counted(build(config))
    finally:
        torch.set_num_threads(threads)


def _counted(model: Any) -> Counted:
    params = sum(p.numel() for p in model.parameters())
    ids = torch.zeros(BATCH, ISL, dtype=torch.long, device="meta")
    one = ids[:, :1]
    if model.config.model_type == "bert":
        return Counted(params, run(model, input_ids=ids)[0], None)
    if model.config.is_encoder_decoder:
        first, out = run(model, input_ids=ids, decoder_input_ids=one, use_cache=True)
        inputs = {
            "encoder_outputs": (out.encoder_last_hidden_state,),
            "decoder_input_ids": one,
        }
    else:
        first, out = run(model, input_ids=ids, use_cache=True, logits_to_keep=1)
        inputs = {"input_ids": one}
    second, _ = run(model, past_key_values=out.past_key_values, **inputs)
    return Counted(params, first, second)


def ours(model: str) -> tuple[Any, int, int | None]:
    spec = catalog.model(model)
    # with two output tokens, the one step after the first sees the prompt and itself
    sections: dict[str, Any] = {"model": {"id": model}, "workload": {"isl": ISL}}
    if not spec.is_encoder:
        sections["workload"]["osl"] = 2
    found = anatomy_of(scenario_from(sections), BATCH)
    flops = [round(phase.eager_matmul_flop) for phase in found.phases]
    return spec, flops[0], flops[1] if len(flops) > 1 else None


def check(model: str, config: dict[str, Any]) -> None:
    spec, prefill, step = ours(model)
    assert counted(config) == Counted(total_params(spec), prefill, step)


@pytest.mark.parametrize("kind", TINY)
def test_small_models_agree_exactly(kind: str, tmp_path: Any) -> None:
    config = {"model_type": kind, **TINY[kind]}
    full = transformers.AutoConfig.for_model(**config)
    full.save_pretrained(tmp_path)
    check(str(tmp_path), config)


@pytest.mark.slow
@pytest.mark.parametrize("name", FULL)
def test_published_models_agree_exactly(name: str) -> None:
    check(name, dict(model_row(name)["config"]))
