"""Speculative decoding as people ask for it."""

from typing import Any

import pytest

from dayrate import quote
from dayrate.errors import InvalidInput
from dayrate.scenario.launch import from_launch
from dayrate.scenario.read import ScenarioFile

ASKED: dict[str, Any] = {
    "model": "meta-llama/Llama-3.1-70B-Instruct",
    "accelerator": "h100-sxm-80gb",
    "isl": 1155,
    "osl": 211,
    "requests_per_day": 500_000,
}


def test_a_quote_with_drafts_is_faster_and_says_so() -> None:
    plain = quote(**ASKED)
    fast = quote(**ASKED, num_speculative_tokens=3, speculative_acceptance=0.6)
    assert fast.serving.tpot_ms is not None
    assert plain.serving.tpot_ms is not None
    assert fast.serving.tpot_ms < 0.7 * plain.serving.tpot_ms
    assert fast.deployment.tokens_per_step == pytest.approx(2.8)
    assert plain.deployment.tokens_per_step is None
    assert fast.ledger["deployment.tokens_per_step"].formula


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"num_speculative_tokens": 3}, "Give --speculative-acceptance"),
        ({"speculative_acceptance": 0.5}, "no token is drafted"),
        ({"speculative_model": "gpt2"}, "no token is drafted"),
        (
            {
                "num_speculative_tokens": 3,
                "speculative_acceptance": 0.5,
                "speculative_method": "draft",
            },
            "Name one",
        ),
        (
            {
                "num_speculative_tokens": 3,
                "speculative_acceptance": 0.5,
                "speculative_method": "ngram",
                "speculative_model": "gpt2",
            },
            "Leave out one",
        ),
        (
            {"num_speculative_tokens": 0, "speculative_acceptance": 0.5},
            "num_speculative_tokens",
        ),
        (
            {"num_speculative_tokens": 3, "speculative_acceptance": 1.5},
            "speculative_acceptance",
        ),
    ],
)
def test_what_contradicts_itself_is_a_sentence(keys: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        quote(**ASKED, **keys)


@pytest.mark.parametrize(
    ("config", "read"),
    [
        ('{"method": "eagle3", "num_speculative_tokens": 3, "model": "x"}', "eagle"),
        ('{"method": "deepseek_mtp", "num_speculative_tokens": 3}', "eagle"),
        ('{"method": "ngram", "num_speculative_tokens": 3}', "ngram"),
        ('{"model": "gpt2", "num_speculative_tokens": 3}', "draft"),
    ],
)
def test_a_vllm_line_says_what_drafts(config: str, read: str) -> None:
    file, ignored = from_launch(f"vllm serve x --speculative-config '{config}'")
    assert isinstance(file, ScenarioFile)
    assert file.sections["deployment"]["speculative_method"] == read
    assert file.sections["deployment"]["num_speculative_tokens"] == "3"
    assert ("speculative_model" in file.sections["deployment"]) == (read == "draft")
    assert not ignored


def test_a_vllm_line_without_a_number_of_drafts() -> None:
    with pytest.raises(InvalidInput, match="num_speculative_tokens"):
        from_launch("vllm serve x --speculative-config '{}'")
