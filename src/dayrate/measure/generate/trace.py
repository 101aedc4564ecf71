"""What a run of a model leaves behind: texts, and when each token came."""

import enum
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from dayrate.catalog.model import ModelSpec
from dayrate.measure.generate.ask import Sampling

__all__ = ["Clock", "Engine", "Finish", "Host", "Output", "Pass", "Prompt", "Trace"]

Message = Mapping[str, str]  # a role and its content


class Finish(enum.Enum):
    """Why a text ended."""

    STOP = "stop"  # the model said so
    LENGTH = "length"  # as many tokens as asked for
    INTERRUPTED = "interrupted"  # by the person who asked


@dataclass(frozen=True, slots=True)
class Prompt:
    """A text for the model; of a conversation, with the marks of its template."""

    text: str
    templated: bool = False


@dataclass(frozen=True, slots=True)
class Output:
    """One generated text, without its prompt."""

    text: str
    tokens: int
    finish: Finish


@dataclass(frozen=True, slots=True)
class Pass:
    """One prefill and the decode steps after it.

    Parameters
    ----------
    prompt_tokens, cached_tokens : int
        Tokens of the prompt, and how many of them were in the cache. [token]
    width : int
        Sequences computed together: beams, or texts of one batch. [1]
    step_s : tuple of float
        Seconds from the start of the pass to each of its tokens. [s]
    """

    prompt_tokens: int
    cached_tokens: int
    width: int
    step_s: tuple[float, ...]
    seconds: float

    @property
    def computed_tokens(self) -> int:
        """Tokens of the prompt that were computed. [token]"""
        return self.prompt_tokens - self.cached_tokens

    @property
    def decode_steps(self) -> int:
        """Steps after the one that ends the prefill. [1]"""
        return max(0, len(self.step_s) - 1)


@dataclass(frozen=True, slots=True)
class Trace:
    """A run of a model."""

    outputs: tuple[Output, ...]
    passes: tuple[Pass, ...]
    peak_rss_bytes: int
    peak_gpu_bytes: int | None = None

    @property
    def interrupted(self) -> bool:
        """Whether somebody stopped it."""
        return any(o.finish is Finish.INTERRUPTED for o in self.outputs)


@dataclass(frozen=True, slots=True)
class Host:
    """What ran, and on what."""

    model: str
    backend: str
    device: str
    dtype: str
    threads: int
    context_tokens: int | None
    spec: ModelSpec | None
    load_s: float


class Engine(Protocol):
    """A loaded model."""

    @property
    def host(self) -> Host:
        """What it is and where it runs."""

    def conversation(self, messages: Sequence[Message]) -> Prompt:
        """Write a conversation as its model wants it."""

    def count(self, prompt: Prompt) -> int:
        """Tokens of a prompt. [token]"""

    def complete(
        self,
        prompt: Prompt,
        new_tokens: int,
        sampling: Sampling,
        on_text: Callable[[str], None],
    ) -> Trace:
        """Continue a prompt, telling of the text as it comes where that is known."""

    def counted_flop(self, trace: Trace) -> int | None:
        """Operations of a run as the framework itself counts them. [FLOP]"""


@dataclass(slots=True)
class Clock:
    """Notes when tokens come, and the most memory in use at these moments."""

    rss_bytes: Callable[[], int]
    begun: float = field(default_factory=time.perf_counter)
    step_s: list[float] = field(default_factory=list)
    peak_rss_bytes: int = 0

    def __post_init__(self) -> None:
        self.look()

    def tick(self, tokens: int = 1, *, at: float | None = None) -> None:
        """Tokens came just now, or at a moment noted before."""
        moment = time.perf_counter() if at is None else at
        self.step_s += [moment - self.begun] * tokens
        self.look()

    def look(self) -> None:
        """Look how much memory is in use."""
        self.peak_rss_bytes = max(self.peak_rss_bytes, self.rss_bytes())

    def finished(self, prompt_tokens: int, cached_tokens: int, width: int) -> Pass:
        """Close the pass."""
        self.look()
        seconds = time.perf_counter() - self.begun
        return Pass(prompt_tokens, cached_tokens, width, tuple(self.step_s), seconds)
