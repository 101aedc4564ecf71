"""Bodies as servers want them, and chunks as they send them."""

import json
from typing import Any

import pytest

from dayrate.measure.endpoint.api import (
    Api,
    BadEvent,
    Chunk,
    Dialect,
    ServerFault,
    Usage,
    chunk_of,
    message_of,
)


def chunk(**choice: Any) -> Chunk:
    return chunk_of(json.dumps({"choices": [choice]}))


def test_the_body_of_each_call() -> None:
    extras = {"ignore_eos": True}
    plain = Dialect(Api.COMPLETIONS, "m", extras).body("hi", 7)
    assert plain == {
        "model": "m",
        "prompt": "hi",
        "max_tokens": 7,
        "temperature": 0.0,
        "stream": True,
        "ignore_eos": True,
    }
    chat = Dialect(Api.CHAT, "m", extras).without("ignore_eos").body("hi", 7)
    assert chat["messages"] == [{"role": "user", "content": "hi"}]
    assert not {"prompt", "ignore_eos"} & chat.keys()


@pytest.mark.parametrize(
    ("choice", "has_token"),
    [
        ({"text": "a", "finish_reason": None}, True),
        ({"text": "", "finish_reason": None}, True),  # part of a character
        ({"text": "", "finish_reason": "length"}, False),
        ({"text": "a", "finish_reason": "length"}, True),
        ({"text": None}, False),
        ({}, False),
        ({"delta": {"role": "assistant", "content": ""}}, False),
        ({"delta": {"role": "assistant", "content": None}}, False),
        ({"delta": {"role": "assistant", "content": "a"}}, True),
        ({"delta": {"content": ""}}, True),
        ({"delta": {"content": None}}, False),
        ({"delta": {"reasoning_content": "hm"}}, True),
        ({"delta": {"reasoning": "hm"}}, True),
        ({"delta": {"tool_calls": [{}]}}, True),
        ({"delta": {}, "finish_reason": "stop"}, False),
    ],
)
def test_what_counts_as_a_token(choice: dict[str, Any], has_token: bool) -> None:
    assert chunk(**choice).has_token is has_token


def test_the_end() -> None:
    assert chunk(text=" a", finish_reason="stop").finish_reason == "stop"
    assert chunk(text=" a", finish_reason=None).finish_reason == ""
    assert chunk(text=" a", finish_reason=3).finish_reason == ""


def test_usage_with_and_without_choices() -> None:
    counted = {
        "prompt_tokens": 9,
        "completion_tokens": 2,
        "prompt_tokens_details": {"cached_tokens": 4},
    }
    for document in (
        {"choices": [], "usage": counted},
        {"usage": counted},
        {"choices": [{"text": ""}], "usage": counted},
    ):
        assert chunk_of(json.dumps(document)).usage == Usage(9, 4, 2)
    odd = {"usage": {"prompt_tokens": "9", "completion_tokens": True}, "choices": []}
    assert chunk_of(json.dumps(odd)).usage == Usage(None, None, None)
    assert chunk_of('{"choices": [], "usage": null}').usage is None


@pytest.mark.parametrize(
    "data",
    [
        "{oops",
        "[1]",
        "3",
        "{}",
        '{"choices": {}}',
        '{"choices": [3]}',
        "[" * 100_000,
        "",
    ],
)
def test_what_is_no_chunk(data: str) -> None:
    with pytest.raises(BadEvent) as error:
        chunk_of(data)
    assert len(str(error.value)) < 200


@pytest.mark.parametrize(
    "document",
    [
        {"error": {"message": "no memory", "code": 500}},
        {"error": "no memory"},
        {"error": {"detail": "no memory"}},
    ],
)
def test_an_error_within_the_stream(document: dict[str, Any]) -> None:
    with pytest.raises(ServerFault, match="no memory"):
        chunk_of(json.dumps(document))


def test_messages_are_short_and_of_one_line() -> None:
    assert message_of({"detail": [{"loc": 1}]}) == '[{"loc": 1}]'
    assert message_of("a\n b") == "a b"
    assert len(message_of("x" * 1000)) == 120
