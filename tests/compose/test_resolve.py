import pytest

from dayrate import quote

SMALL = {"model": "llama-3.1-8b", "requests_per_day": 1000}


@pytest.mark.parametrize("preset", ["rag", "reasoning", "customer-service"])
def test_a_given_preset_is_used(preset: str) -> None:
    day = quote(**SMALL, preset=preset)
    assert day.ledger["workload.preset"].value == preset
    chat = quote(**SMALL, preset="chat").serving.input_tokens_per_day
    assert day.serving.input_tokens_per_day != chat


def test_without_lengths_chat_is_assumed() -> None:
    line = quote(**SMALL).ledger["workload.preset"]
    assert (line.value, line.grade.label) == ("chat", "assumed")


def test_owned_servers_are_whole() -> None:
    day = quote(**SMALL, pricing="owned")
    assert day.deployment.servers == day.ledger["deployment.servers"].value == 1
