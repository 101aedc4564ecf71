"""Prompts of so many tokens, each unlike any that the server has seen.

Words are drawn from the machine's own randomness, not from the seed: the second run of
the same test must not find the first one's prompts in the server's prefix cache.
"""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

__all__ = ["WORDS", "Counter", "Prompter"]

#: Counts the tokens of a text, without what the server puts around it.
Counter = Callable[[str], Awaitable[int]]

#: Short frequent words: after a space, one token in nearly every vocabulary.
_WORDS = """
about after against all also and any area as at back be been began below better big
blue book box bring by came car change class close come could course day did do done
down each earth easy end even every eye fact family farm father feet field final
fine first follow foot force found free from full gave get give gold got green group
had hand has he hear help here him hold horse hour how idea in is it keep king know
language last law lead leave less letter light line little long lost low main man
map may mean might mind moon morning mother move music my near never next no note
notice now object off oh on one open order our over page part pattern perhaps piece
plain plant point possible press produce pull question rain reach ready record rest
river rock round run same say science second seem sentence set shape ship should
side since sit size slow snow some soon south special stand start stay still stop
street study sun surface tail talk tell test that their then these thing this though
thousand through to told took town tree try two unit up use very vowel walk war was
water we well were what when which white whole will with wood work would year yet
young
"""
WORDS = tuple(_WORDS.split())
_MOST_CORRECTIONS = 12


@dataclass(frozen=True, slots=True)
class Prompter:
    """Makes prompts for one server.

    Parameters
    ----------
    tokenizer : str
        How tokens are counted: for people.
    overhead_tokens : int
        What the server puts around a prompt: a start token, a chat's frame. [token]
    tokens_per_word : float
        Of these words here. [token]
    count : Counter or None
        The server's own tokenizer.
    rng : random.Random
        Where words come from.
    """

    tokenizer: str
    overhead_tokens: int
    tokens_per_word: float
    count: Counter | None
    rng: random.Random

    async def text(self, tokens: int, *, after: str = "") -> tuple[str, int]:
        """Return a prompt of so many tokens, or nearly, and how many the server counts.

        ``after`` is text to begin with. The shortest prompt is one word.
        """
        start = after.split()
        wanted = max(tokens - self.overhead_tokens, 1)
        words = start + self.words(self._number(wanted) - len(start))
        if self.count is None:
            counted = round(len(words) * self.tokens_per_word)
            return " ".join(words), counted + self.overhead_tokens
        return await self._exact(words, wanted, least=len(start) + 1)

    def words(self, number: int) -> list[str]:
        """Draw so many words, one at least."""
        return self.rng.choices(WORDS, k=max(number, 1))

    def _number(self, tokens: int) -> int:
        return round(tokens / self.tokens_per_word)

    async def _exact(
        self, words: list[str], wanted: int, *, least: int
    ) -> tuple[str, int]:
        """Add and drop words until the server counts what is wanted."""
        assert self.count is not None
        best, miss = " ".join(words), wanted
        for _attempt in range(_MOST_CORRECTIONS):
            text = " ".join(words)
            short = wanted - await self.count(text)
            if abs(short) < abs(miss) or _attempt == 0:
                best, miss = text, short
            if short == 0 or (short < 0 and len(words) <= least):
                break
            change = self._number(short) or (1 if short > 0 else -1)
            if change > 0:
                words = words + self.words(change)
            else:
                words = words[: max(len(words) + change, least)]
        return best, wanted - miss + self.overhead_tokens
