"""What may be asked, alone and together; how many tokens that leaves."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayrate.errors import InvalidInput
from dayrate.measure.generate.ask import DEFAULT_NEW_TOKENS, Lengths, Sampling


@given(
    prompt=st.integers(1, 2000),
    context=st.integers(1, 2000),
    max_length=st.none() | st.integers(1, 3000),
    max_new=st.none() | st.integers(1, 3000),
)
def test_an_answer_fits_or_is_refused(
    prompt: int, context: int, max_length: int | None, max_new: int | None
) -> None:
    try:
        new = Lengths(max_length, max_new).new_tokens(prompt, context)
    except InvalidInput:
        return
    assert new >= 1
    assert prompt + new <= context
    assert max_length is None or prompt + new == max_length
    assert max_new is None or new == max_new


@pytest.mark.parametrize(
    ("lengths", "prompt", "said"),
    [
        ({}, 0, "prompt is empty"),
        ({}, 1024, "Shorten the prompt"),
        ({}, 9000, "context holds 1,024"),
        ({"max_length": 20}, 20, "use --max-new-tokens"),
        ({"max_length": 1025}, 20, "Ask for 1,004 at most"),
        ({"max_new_tokens": 1005}, 20, "Ask for 1,004 at most"),
    ],
)
def test_lengths_that_cannot_be(
    lengths: dict[str, int], prompt: int, said: str
) -> None:
    with pytest.raises(InvalidInput, match=said):
        Lengths(**lengths).new_tokens(prompt, 1024)


def test_what_was_not_given_fits() -> None:
    assert Lengths().new_tokens(10, 1024) == DEFAULT_NEW_TOKENS
    assert Lengths().new_tokens(10, None) == DEFAULT_NEW_TOKENS
    assert Lengths().new_tokens(1000, 1024) == 24


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"temperature": -1.0}, "--temperature"),
        ({"temperature": float("nan")}, "--temperature"),
        ({"top_p": 0.0}, "--top-p"),
        ({"top_p": 1.5}, "--top-p"),
        ({"top_k": 0}, "--top-k"),
        ({"num_beams": 0}, "--num-beams"),
        ({"no_repeat_ngram_size": -1}, "--no-repeat-ngram-size"),
        ({"num_return_sequences": 0}, "--num-return-sequences"),
        ({"num_return_sequences": 2}, "Draw with --temperature"),
        ({"num_return_sequences": 3, "num_beams": 2}, "raise --num-beams"),
        ({"early_stopping": True}, "add --num-beams"),
    ],
)
def test_sampling_that_cannot_be(how: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        Sampling(**how)


def test_lengths_of_no_size() -> None:
    for flag in ("max_length", "max_new_tokens"):
        with pytest.raises(InvalidInput, match=flag.replace("_", "-")):
            Lengths(**{flag: 0})
    with pytest.raises(InvalidInput, match="give one of the two"):
        Lengths(20, 20)


def test_drawing_is_asked_for() -> None:
    assert not Sampling().samples
    assert not Sampling(temperature=0.0, top_p=0.9).samples
    assert Sampling(temperature=0.7).samples
    assert Sampling(top_p=0.9).samples
    assert Sampling(top_k=5).samples
