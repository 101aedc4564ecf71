"""What a training run is asked for, and what it found."""

import enum
from dataclasses import dataclass
from pathlib import Path

from dayrate.errors import InvalidInput
from dayrate.measure.power.reading import Energy

__all__ = ["Evaluation", "Job", "Objective", "Run", "Shape"]


class Objective(enum.Enum):
    """What the model learns to predict."""

    CAUSAL = "causal"  # the next token: GPT-2 and every chat model
    MASKED = "masked"  # hidden tokens, and whether two passages follow: BERT


@dataclass(frozen=True, slots=True)
class Shape:
    """Size of a model built from nothing; the feed-forward is four times as wide."""

    layers: int = 2
    hidden: int = 128
    heads: int = 4
    vocabulary: int = 2048

    def __post_init__(self) -> None:
        for name in ("layers", "hidden", "heads"):
            if getattr(self, name) < 1:
                raise InvalidInput(
                    f"--{name} is {getattr(self, name)}; give a number from 1."
                )
        if self.hidden % self.heads:
            raise InvalidInput(
                f"--hidden is {self.hidden} and --heads {self.heads}; the width must "
                "be a multiple of the heads."
            )
        if self.vocabulary < 300:
            raise InvalidInput(
                f"--vocabulary is {self.vocabulary}; give 300 or more: 256 bytes and "
                "the special tokens come first."
            )


@dataclass(frozen=True, slots=True)
class Job:
    """A training run."""

    objective: Objective = Objective.CAUSAL
    shape: Shape = Shape()
    text: Path | None = None  # None: the help texts that ship with Python
    start: Path | None = None  # a saved checkpoint to go on from
    lora_rank: int | None = None
    steps: int = 100
    batch: int = 16  # sequences
    context: int = 128  # tokens
    learning_rate: float = 1e-3
    evaluate_every: int = 25  # steps
    max_seconds: float = 600.0
    seed: int = 0
    threads: int = 1
    device: str = "cpu"

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "evaluate_every", "threads"):
            if getattr(self, name) < 1:
                flag = name.replace("_", "-")
                raise InvalidInput(
                    f"--{flag} is {getattr(self, name)}; give a number from 1."
                )
        if self.context < 8:
            raise InvalidInput(f"--context is {self.context}; give 8 tokens or more.")
        if not 0 < self.learning_rate < 1:
            raise InvalidInput(
                f"--learning-rate is {self.learning_rate:g}; give a number between 0 "
                "and 1, such as 0.001."
            )
        if not self.max_seconds > 0:
            raise InvalidInput(
                f"--max-seconds is {self.max_seconds:g}; give a time above 0."
            )
        if self.lora_rank is not None and self.lora_rank < 1:
            raise InvalidInput(f"--lora is {self.lora_rank}; give a rank from 1.")
        if self.lora_rank is not None and self.start is None:
            raise InvalidInput(
                "--lora adapts a trained model. Name its checkpoint with --from."
            )

    @property
    def step_tokens(self) -> int:
        """Tokens of one optimiser step. [token]"""
        return self.batch * self.context


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Loss on text that is not trained on, after a number of steps."""

    step: int
    loss: float  # mean negative log likelihood [nat/token]
    perplexity: float
    next_passage_accuracy_frac: float | None = None  # of BERT's second objective


@dataclass(frozen=True, slots=True)
class Run:
    """A finished, or interrupted, training run."""

    job: Job
    model: str
    params: int
    trained_params: int
    training_tokens: int  # in the corpus
    validation_tokens: int
    losses: tuple[float, ...]  # of each step
    evaluations: tuple[Evaluation, ...]
    seconds: float  # in steps, evaluations left out
    cpu_s: float
    flop_per_step_counted: float | None
    flop_per_step_predicted: float
    peak_flop_per_s: float
    peak_memory_bytes: float
    energy: Energy
    load_average: float | None
    stopped: str = ""  # why before the last step: for people

    @property
    def steps(self) -> int:
        """Steps that were taken. [1]"""
        return len(self.losses)

    @property
    def tokens_per_s(self) -> float:
        """Tokens trained on in a second. [token/s]"""
        return self.steps * self.job.step_tokens / self.seconds

    @property
    def flop_per_step(self) -> float:
        """Operations of a step: as counted, else as predicted. [FLOP]"""
        counted = self.flop_per_step_counted
        return self.flop_per_step_predicted if counted is None else counted

    @property
    def mfu_frac(self) -> float:
        """Operations a second over the measured peak of matrix products. [1]"""
        rate = self.flop_per_step * self.steps / self.seconds
        return rate / self.peak_flop_per_s
