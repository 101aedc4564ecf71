"""What is asked of a model: how many tokens, and how each is chosen."""

from dataclasses import dataclass

from dayrate.errors import InvalidInput

__all__ = ["DEFAULT_NEW_TOKENS", "Lengths", "Sampling", "allowed_context"]

DEFAULT_NEW_TOKENS = 128


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is chosen; names and meaning as in Hugging Face's generate.

    Without a temperature, a top-p or a top-k the likeliest token is taken. ``None`` is
    what was not given.
    """

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    seed: int = 0
    num_beams: int = 1
    early_stopping: bool = False
    no_repeat_ngram_size: int = 0
    num_return_sequences: int = 1

    def __post_init__(self) -> None:
        for flag, at_least in (("num_beams", 1), ("num_return_sequences", 1)):
            _at_least(flag, getattr(self, flag), at_least)
        _at_least("no_repeat_ngram_size", self.no_repeat_ngram_size, 0)
        if self.temperature is not None and not 0 <= self.temperature <= 100:
            raise InvalidInput(
                f"--temperature is {self.temperature:g}; give one from 0, the "
                "likeliest token, to 100."
            )
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise InvalidInput(f"--top-p is {self.top_p:g}; give a share above 0 to 1.")
        if self.top_k is not None:
            _at_least("top_k", self.top_k, 1)
        self._check_together()

    @property
    def samples(self) -> bool:
        """Whether tokens are drawn, not chosen."""
        if self.temperature == 0:
            return False
        given = (self.temperature, self.top_p, self.top_k)
        return any(value is not None for value in given)

    @property
    def width(self) -> int:
        """Sequences that the model works on together. [1]"""
        return max(self.num_beams, self.num_return_sequences)

    def _check_together(self) -> None:
        if self.early_stopping and self.num_beams == 1:
            raise InvalidInput(
                "--early-stopping ends a beam search; add --num-beams, as in 5."
            )
        several = self.num_return_sequences
        if several > 1 and self.num_beams == 1 and not self.samples:
            raise InvalidInput(
                f"--num-return-sequences is {several} and the likeliest text is one. "
                "Draw with --temperature, or search with --num-beams."
            )
        if 1 < self.num_beams < several:
            raise InvalidInput(
                f"--num-return-sequences is {several}, more than the {self.num_beams} "
                "beams; raise --num-beams."
            )


@dataclass(frozen=True, slots=True)
class Lengths:
    """How long a text may get; ``max_length`` counts the prompt too, as in HF."""

    max_length: int | None = None
    max_new_tokens: int | None = None

    def __post_init__(self) -> None:
        for flag in ("max_length", "max_new_tokens"):
            if getattr(self, flag) is not None:
                _at_least(flag, getattr(self, flag), 1)
        if None not in (self.max_length, self.max_new_tokens):
            raise InvalidInput(
                "--max-length counts the prompt and --max-new-tokens does not; "
                "give one of the two."
            )

    def new_tokens(self, prompt_tokens: int, context_tokens: int | None) -> int:
        """Tokens that may be generated after a prompt. [token]

        Examples
        --------
        >>> Lengths(max_length=20).new_tokens(8, 1024)
        12
        >>> Lengths().new_tokens(1000, 1024)
        24

        Raises
        ------
        InvalidInput
            The prompt leaves no room, or the length asked for is over the context.
        """
        if prompt_tokens < 1:
            raise InvalidInput("The prompt is empty; give a word to continue.")
        room = None if context_tokens is None else context_tokens - prompt_tokens
        if room is not None and room < 1:
            raise InvalidInput(
                f"The prompt is {prompt_tokens:,} tokens and the context holds "
                f"{context_tokens:,}, with the answer. Shorten the prompt."
            )
        wanted = self._wanted(prompt_tokens)
        if wanted is None:
            return min(DEFAULT_NEW_TOKENS, room or DEFAULT_NEW_TOKENS)
        if room is not None and wanted > room:
            raise InvalidInput(
                f"{prompt_tokens:,} tokens of prompt and {wanted:,} new ones are more "
                f"than the context of {context_tokens:,}. Ask for {room:,} at most."
            )
        return wanted

    def _wanted(self, prompt_tokens: int) -> int | None:
        if self.max_length is None:
            return self.max_new_tokens
        if self.max_length <= prompt_tokens:
            raise InvalidInput(
                f"--max-length is {self.max_length} with the prompt, which is "
                f"{prompt_tokens} tokens itself. Raise it, or use --max-new-tokens."
            )
        return self.max_length - prompt_tokens


def allowed_context(asked: int | None, trained: int | None) -> int | None:
    """Context that was asked for, if the model was trained for that much. [token]

    Raises
    ------
    InvalidInput
        It was not.
    """
    if asked is not None and trained is not None and asked > trained:
        raise InvalidInput(
            f"--max-model-len is {asked:,} and the model was trained for {trained:,} "
            "tokens; give that at most."
        )
    return asked


def _at_least(flag: str, value: int, least: int) -> None:
    if value < least:
        name = f"--{flag.replace('_', '-')}"
        raise InvalidInput(f"{name} is {value}; give a whole number from {least}.")
