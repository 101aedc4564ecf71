"""The page: it fits, says what is unknown, and its tables hold the numbers."""

from typing import Any

import pytest
from rich.cells import cell_len

from dayrate.anatomy.walk import Anatomy, anatomy_of
from dayrate.report.anatomy.names import PARTS
from dayrate.report.anatomy.text import render_anatomy
from dayrate.report.canvas import Page
from dayrate.report.i18n import words
from dayrate.scenario.flags import nested
from dayrate.scenario.schema import scenario_from

MODELS = (
    "gpt2",
    "meta-llama/Llama-3.1-8B",
    "mistralai/Mixtral-8x7B-v0.1",
    "deepseek-ai/DeepSeek-V3.2",
    "google/gemma-3-27b-it",
    "Qwen/Qwen3.5-35B-A3B",
    "nvidia/NVIDIA-Nemotron-Nano-9B-v2",
    "bigscience/bloom",
    "google-t5/t5-large",
    "facebook/bart-base",
    "google-bert/bert-base-uncased",
)
H200X8: dict[str, Any] = {
    "accelerator": "h200-sxm-141gb",
    "tensor_parallel_size": 8,
    "quantization": "fp8",
}


def walked(model: str, **flags: Any) -> Anatomy:
    return anatomy_of(scenario_from(nested({"model": model, **flags})))


def page(found: Anatomy, lang: str = "en", *, by_kind: bool = False) -> str:
    return render_anatomy(found, Page(words(lang)), by_kind=by_kind)


@pytest.mark.parametrize("by_kind", [False, True])
@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("name", MODELS)
def test_every_line_fits_the_page(name: str, lang: str, by_kind: bool) -> None:
    few_heads = name in {"gpt2", "facebook/bart-base", "google-bert/bert-base-uncased"}
    flags = {"accelerator": "l4"} if few_heads else H200X8
    for text in (
        page(walked(name), lang, by_kind=by_kind),
        page(walked(name, **flags), lang, by_kind=by_kind),
    ):
        too_long = [line for line in text.split("\n") if cell_len(line) > 80]
        assert not too_long


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_names_of_parts_fit_their_column(lang: str) -> None:
    _ = words(lang)
    assert all(cell_len(_(name)) <= 16 for name in PARTS.values())


def test_what_is_unknown_is_said() -> None:
    text = page(walked("gpt2"))
    assert "time, energy and cost are" in text
    assert "energy   cost" not in text


def test_a_table_shows_each_part_and_their_sum() -> None:
    """GPT-2, 512 tokens: two FLOP for each weight of 12 layers, pairs, one head."""
    text = page(walked("gpt2"))
    table = text.split("Prefill: 512 tokens in one pass")[1].split("One decode")[0]
    cells = {row[:19].strip(): row[19:].split() for row in table.split("\n")}
    assert cells["feed-forward"][0] == "58.0"  # 2 * 512 * 12 * 2 * 768 * 3072 / 1e9
    assert cells["Q, K, V"][1] == "42.5"  # 2 * 12 * 768 * 2304 / 1e6
    assert cells["all"][0] == "92.0"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("gpt2", ["Causal mask", "A learned row", "(tied)"]),
        ("bigscience/bloom", ["ALiBi"]),
        ("google-t5/t5-large", ["(bidirectional)", "no mask", "learned bias"]),
        ("google/gemma-3-27b-it", ["sliding window", "turned by angles"]),
        ("mistralai/Mixtral-8x7B-v0.1", ["picks 2", "passes 2 of 8"]),
        ("google-bert/bert-base-uncased", ["fills in"]),
    ],
)
def test_parts_are_explained(name: str, said: list[str]) -> None:
    text = " ".join(page(walked(name)).split())
    assert [s for s in said if s not in text] == []


def test_kinds_of_layers_are_shown_apart() -> None:
    gemma = walked("google/gemma-3-27b-it")
    assert "in 62 layers" in page(gemma)
    apart = page(gemma, by_kind=True)
    assert "in 52 layers, window 1,024" in apart
    assert "in 10 layers" in apart


def test_amounts_are_in_the_currency_asked_for() -> None:
    gpt2 = walked("gpt2", accelerator="l4", currency="CNY", fx=7.2, gpu_hour_price=1)
    assert "¥/1M" in page(gpt2)
    assert "¥7.20" in page(gpt2)
