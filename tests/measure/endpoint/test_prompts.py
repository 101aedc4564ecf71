"""Prompts have the length that was asked for, whatever the tokenizer makes of words."""

import asyncio
import random

from hypothesis import given
from hypothesis import strategies as st

from dayrate.measure.endpoint.prompts import WORDS, Counter, Prompter


def prompter(
    count: Counter | None, *, overhead: int = 3, slope: float = 1.0
) -> Prompter:
    return Prompter("a test's", overhead, slope, count, random.Random(1))


def tokens_of(text: str, every: int) -> int:
    """Count one a word, and one more for each ``every``-th word of the list."""
    return sum(1 + (WORDS.index(word) % every == 0) for word in text.split())


def counting(*, every: int) -> Counter:
    async def count(text: str) -> int:
        return tokens_of(text, every)

    return count


@given(
    tokens=st.integers(5, 300), overhead=st.integers(0, 4), every=st.integers(2, 200)
)
def test_the_length_is_exact(tokens: int, overhead: int, every: int) -> None:
    maker = prompter(counting(every=every), overhead=overhead, slope=1 + 1 / every)
    text, counted = asyncio.run(maker.text(tokens))
    assert tokens_of(text, every) + overhead == counted == tokens


@given(tokens=st.integers(-5, 4))
def test_the_shortest_prompt_is_a_word(tokens: int) -> None:
    text, counted = asyncio.run(prompter(counting(every=1000)).text(tokens))
    assert len(text.split()) == 1
    assert counted in {4, 5}


def test_a_tokenizer_that_counts_in_pairs_is_met_as_near_as_can_be() -> None:
    async def pairs(text: str) -> int:
        return 2 * len(text.split())

    text, counted = asyncio.run(prompter(pairs, slope=2.0).text(20))
    assert abs(counted - 20) == 1
    assert counted == 2 * len(text.split()) + 3


def test_a_beginning_counts_and_stays() -> None:
    maker = prompter(counting(every=1000))
    text, counted = asyncio.run(maker.text(30, after="we were here"))
    assert text.startswith("we were here ")
    assert counted == 30
    text, counted = asyncio.run(maker.text(2, after="we were here"))
    assert len(text.split()) == 4


def test_without_a_tokenizer_the_slope_decides() -> None:
    text, counted = asyncio.run(prompter(None, slope=1.5).text(63))
    assert len(text.split()) == 40
    assert counted == 63


def test_words_are_distinct_and_plain() -> None:
    assert len(set(WORDS)) == len(WORDS) > 200
    assert all(word.isascii() and word.isalpha() for word in WORDS)
