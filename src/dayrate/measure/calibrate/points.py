"""What is timed: prompts of some lengths, and batches that decode at some context."""

import enum
from dataclasses import dataclass
from typing import Protocol

from dayrate.measure.machine.effort import Effort
from dayrate.perf.operators import StepShape

__all__ = ["CALIBRATED", "CHECKED", "Kind", "Point", "Runner", "steps_of"]


class Kind(enum.Enum):
    """A prompt computed at once, or a step in which sequences get a token each."""

    PREFILL = "prefill"
    DECODE = "decode"


@dataclass(frozen=True, slots=True)
class Point:
    """One thing to time.

    ``tokens`` are those of the prompt, or those each sequence already holds.
    """

    kind: Kind
    tokens: int
    sequences: int = 1

    def __str__(self) -> str:
        if self.kind is Kind.PREFILL:
            return f"prefill {self.tokens}"
        return f"decode {self.sequences} x {self.tokens}"


#: A step in which a sequence is new samples it too, hence few steps suffice.
DECODE_STEPS = 12


def _prefill(*lengths: int) -> tuple[Point, ...]:
    return tuple(Point(Kind.PREFILL, n) for n in lengths)


def _decode(*pairs: tuple[int, int]) -> tuple[Point, ...]:
    return tuple(Point(Kind.DECODE, tokens, n) for n, tokens in pairs)


#: Batches at a short context show the products, long contexts show attention.
CALIBRATED = (
    *_prefill(1, 4, 16, 64, 128, 256, 512),
    *_decode((1, 16), (2, 16), (4, 16), (8, 16), (16, 16)),
    *_decode((1, 256), (2, 256), (1, 768), (2, 768)),
)
#: Other lengths and batches than those, between them and beyond.
CHECKED = (
    *_prefill(32, 96, 192, 384, 768),
    *_decode((1, 128), (3, 64), (6, 64), (12, 64), (1, 512), (2, 384)),
)


class Runner(Protocol):
    """An engine that runs points here."""

    @property
    def pass_tokens(self) -> int:
        """Most tokens of one pass through the model: longer prompts take several."""

    @property
    def cuda(self) -> bool:
        """Whether an accelerator computes, not the processor."""

    @property
    def pids(self) -> tuple[int, ...]:
        """Processes that compute, once it runs."""

    def time(self, point: Point) -> Effort:
        """Time a prompt, or one step of a batch."""


def steps_of(point: Point, pass_tokens: int) -> list[StepShape]:
    """Shapes of the steps that a point takes: a long prompt takes several.

    Examples
    --------
    >>> [s.prefill_tokens for s in steps_of(Point(Kind.PREFILL, 768), 512)]
    [512, 256]
    """
    if point.kind is Kind.DECODE:
        n = float(point.sequences)
        context = point.tokens + DECODE_STEPS / 2
        shape = StepShape(
            decode_sequences=n, decode_context_tokens=context, logit_sequences=n
        )
        return [shape]
    starts = range(0, point.tokens, pass_tokens)
    parts = [(s, min(pass_tokens, point.tokens - s)) for s in starts]
    return [
        StepShape(
            prefill_tokens=tokens,
            prefill_context_tokens=start + tokens / 2,
            prefill_read_tokens=start,
            logit_sequences=1.0 if start + tokens == point.tokens else 0.0,
        )
        for start, tokens in parts
    ]
