"""What is known of one request: when its tokens came, what it cost, what went wrong."""

import enum
import itertools
from dataclasses import dataclass, field

from dayrate.measure.endpoint.api import Usage

__all__ = ["Fault", "Job", "Record", "State"]


class State(enum.Enum):
    """What became of a request."""

    WAITING = "waiting"  # on its way; never in a result
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"  # by the budget or by Ctrl-C, while on its way
    TOO_LONG = "too_long"  # for the model's context: never sent


class Fault(enum.Enum):
    """Why a request failed."""

    CONNECT = "connect"  # nobody answers
    STATUS = "status"  # an HTTP status that is no success
    REDIRECT = "redirect"  # never followed
    NO_STREAM = "no_stream"  # an answer in one piece
    MALFORMED = "malformed"  # an event that cannot be read
    SERVER = "server"  # an error within the stream
    CLOSED = "closed"  # the stream ended before the answer
    EMPTY = "empty"  # an answer without a token
    TIMEOUT = "timeout"  # of the request, not of the whole test


@dataclass(frozen=True, slots=True)
class Job:
    """A request to send.

    Parameters
    ----------
    index : int
        Its number in the test; negative while warming up.
    prompt : str
        What is sent.
    input_tokens, output_tokens : int
        What was wanted; the prompt may be off where the tokenizer is unknown. [token]
    at_s : float or None
        When it should leave, since the start; None in a closed loop. [s]
    """

    index: int
    prompt: str
    input_tokens: int
    output_tokens: int
    at_s: float | None = None


@dataclass(slots=True)
class Record:
    """One request as it goes; times are seconds since the start of the test.

    Parameters
    ----------
    sent_s : float or None
        When the attempt left that was answered, or the last one. [s]
    token_s : list of float
        When each chunk with a token came; some servers put several into one. [s]
    retries : int
        Attempts after the first. [1]
    waited_s : float
        From the first attempt to the last: not part of the latencies. [s]
    """

    job: Job
    state: State = State.WAITING
    sent_s: float | None = None
    token_s: list[float] = field(default_factory=list)
    usage: Usage = field(default_factory=Usage)
    finish_reason: str = ""
    fault: Fault | None = None
    message: str = ""
    status: int | None = None
    retries: int = 0
    waited_s: float = 0.0

    @property
    def ttft_s(self) -> float | None:
        """From sending to the first token. [s]"""
        return self.token_s[0] - self._sent if self.token_s else None

    @property
    def e2e_s(self) -> float | None:
        """From sending to the last token. [s]"""
        return self.token_s[-1] - self._sent if self.token_s else None

    @property
    def tpot_s(self) -> float | None:
        """Time per output token after the first, of an answer that is whole. [s]"""
        tokens = self.output_tokens
        if self.state is not State.DONE or tokens < 2:
            return None
        return (self.token_s[-1] - self.token_s[0]) / (tokens - 1)

    @property
    def gaps_s(self) -> list[float]:
        """From each chunk with a token to the next. [s]"""
        return [b - a for a, b in itertools.pairwise(self.token_s)]

    @property
    def output_tokens(self) -> int:
        """As the server counts, else the chunks. [token]"""
        counted = self.usage.completion_tokens
        return len(self.token_s) if counted is None else counted

    @property
    def input_tokens(self) -> int:
        """As the server counts, else as the prompt was made. [token]"""
        counted = self.usage.prompt_tokens
        return self.job.input_tokens if counted is None else counted

    @property
    def late_s(self) -> float | None:
        """How long after its time the first attempt of an open loop left. [s]"""
        if self.job.at_s is None or self.sent_s is None:
            return None
        return self.sent_s - self.waited_s - self.job.at_s

    def fail(self, fault: Fault, message: str) -> None:
        """Note what went wrong."""
        self.state, self.fault, self.message = State.FAILED, fault, message

    @property
    def _sent(self) -> float:
        assert self.sent_s is not None
        return self.sent_s
