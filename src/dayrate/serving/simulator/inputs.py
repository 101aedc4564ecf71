"""What a simulation is given: requests, limits of a replica, routing, engine."""

import enum
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dayrate.errors import InvalidInput
from dayrate.serving.replica import Replica
from dayrate.serving.simulator.law import Drafts
from dayrate.units import Num

__all__ = ["EngineKind", "Limits", "RequestList", "Routing", "limits_of"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_UNLIMITED = 1 << 60
_LONGEST = 1 << 30


class EngineKind(enum.Enum):
    """Who runs the event loop; the results are the same."""

    AUTO = "auto"  # compiled where numba is installed and there is enough to do
    PYTHON = "python"
    NUMBA = "numba"


class Routing(enum.Enum):
    """Which replica takes a request when it arrives."""

    ROUND_ROBIN = "round-robin"
    LEAST_LOADED = "least-loaded"  # fewest requests waiting and running
    PREFIX_AWARE = "prefix-aware"  # longest cached prefix, unless overloaded


@dataclass(frozen=True, slots=True)
class Limits:
    """What one replica may hold at once, and when it turns requests away.

    Parameters
    ----------
    max_num_seqs, max_step_tokens : int
        Sequences, and tokens of one step. [1], [token]
    kv_blocks, block_tokens : int
        Blocks of the KV cache and tokens of one. [1], [token]
    chunked_prefill : bool
        Whether a prompt may be computed over several steps, beside decoding.
    prefix_caching : bool
        Whether blocks stay until others need the room, to be found again: by requests
        with the same prefix, where prompts say their blocks, and by those preempted.
    max_context_tokens : int
        Longest input and output together; longer requests are dropped. [token]
    max_waiting : int
        Requests in the queue of a replica; further ones are turned away. [1]
    timeout_s : float
        A request that has not started by then gives up. [s]
    draft_tokens : int
        Tokens drafted for each sequence and step, then verified at once. [token]
    tokens_per_step : float
        Mean tokens that a sequence gets in a step: one, and the drafts accepted.
        Taken as it is, at every step alike: nothing is drawn. [token]
    """

    max_num_seqs: int
    max_step_tokens: int
    kv_blocks: int
    block_tokens: int = 16
    chunked_prefill: bool = True
    prefix_caching: bool = True
    max_context_tokens: int = _UNLIMITED
    max_waiting: int = _UNLIMITED
    timeout_s: float = math.inf
    draft_tokens: int = 0
    tokens_per_step: float = 1.0

    def __post_init__(self) -> None:
        for name in ("max_num_seqs", "max_step_tokens", "kv_blocks", "block_tokens"):
            if not getattr(self, name) >= 1:
                raise InvalidInput(
                    f"{name} is {getattr(self, name)}; a replica needs at least 1."
                )
        if not 1.0 <= self.tokens_per_step <= self.draft_tokens + 1:
            raise InvalidInput(
                f"{self.tokens_per_step:g} tokens per step with {self.draft_tokens} "
                "drafted; give from 1 to one more than are drafted."
            )


@dataclass(frozen=True, slots=True)
class RequestList:
    """Requests in order of arrival.

    ``priority`` counts down: lower goes first, as in vLLM; requests of equal priority
    keep their order. ``blocks`` are ids of the prompt's blocks, hashed with their
    prefix, ragged: those of request i are ``ids[offsets[i]:offsets[i + 1]]``. Where
    they are unknown, ``cached_input_frac`` of each prompt counts as cached. ``answer``
    blocks are those that its answer fills, which others may begin with.
    At ``cancel_s`` a request that is not done is let go; never, where it is infinite.
    ``after`` is the position of the request for whose end one waits, -1 for nobody:
    it then comes as long after that end, or after it was dropped, as ``arrival_s``
    says after its arrival. Who waits for another stays on its replica.
    """

    arrival_s: Sequence[float] | Floats
    input_tokens: Sequence[int] | Ints
    output_tokens: Sequence[int] | Ints
    priority: Sequence[float] | Floats | Ints | None = None
    block_offsets: Sequence[int] | Ints | None = None
    block_ids: Sequence[int] | Ints | None = None
    cached_input_frac: float = 0.0
    cancel_s: Sequence[float] | Floats | None = None
    after: Sequence[int] | Ints | None = None
    answer_offsets: Sequence[int] | Ints | None = None
    answer_ids: Sequence[int] | Ints | None = None

    def __post_init__(self) -> None:
        arrival = np.asarray(self.arrival_s, dtype=float)
        if arrival.size == 0:
            raise InvalidInput("There is no request to simulate. Give at least one.")
        beside: tuple[Any, ...] = (self.input_tokens, self.output_tokens, self.priority)
        beside = (*beside, self.cancel_s, self.after)
        if any(x is not None and len(x) != arrival.size for x in beside):
            raise InvalidInput("The columns of the requests differ in number.")
        if not np.isfinite(arrival).all() or arrival[0] < 0:
            raise InvalidInput("An arrival is not a time from 0 on; correct it.")
        if (arrival[1:] < arrival[:-1]).any():
            raise InvalidInput("Arrivals are not sorted. Sort requests by arrival.")
        for side, tokens in (("in", self.input_tokens), ("out", self.output_tokens)):
            if not np.min(np.asarray(tokens)) >= 1:
                raise InvalidInput(
                    f"A request has fewer than 1 {side}put token; leave it out."
                )
            if not np.max(np.asarray(tokens)) < _LONGEST:
                raise InvalidInput(
                    f"A request has {_LONGEST} {side}put tokens or more; correct it."
                )
        if self.cancel_s is not None and np.isnan(self.cancel_s).any():
            raise InvalidInput(
                "A time of cancellation is not a number; leave it infinite where "
                "nobody cancels."
            )
        if self.after is not None:
            self._check_after(np.asarray(self.after))

    def require_known_arrivals(self) -> None:
        """Refuse requests whose arrival depends on the end of others.

        Raises
        ------
        InvalidInput
            Some wait for others.
        """
        if self.after is not None:
            raise InvalidInput(
                "Turns that wait for the answer before stay on their replica, so it "
                "has to stay and to do all of their work. Leave --closed-loop out, or "
                "--autoscale and --prefill-replicas."
            )

    def _check_after(self, after: Ints) -> None:
        waits = after[after >= 0]
        if (after >= np.arange(len(after))).any() or len(np.unique(waits)) < len(waits):
            raise InvalidInput(
                "A request waits for the end of one that comes after it, or for whose "
                "end another waits. Let each wait for one of its own, before it."
            )
        if self.priority is not None or self.cancel_s is not None:
            raise InvalidInput(
                "Requests that wait for the end of others have no priorities here and "
                "are not cancelled. Leave these columns out."
            )


def limits_of(
    replica: Replica,
    context_tokens: float,
    drafts: Drafts | None = None,
    **others: Any,
) -> Limits:
    """Limits of a replica's engine and memory.

    Parameters
    ----------
    replica : Replica
        What serves; scalar fields.
    context_tokens : float
        Mean context of a sequence: sliding windows make the cache of a token cheaper
        the longer the context. [token]
    drafts : Drafts or None
        Tokens guessed ahead; the model that guesses takes memory too.
    **others
        Further fields of `Limits`.

    Returns
    -------
    Limits
        Of one replica.

    Examples
    --------
    >>> from dayrate.serving.examples import LLAMA_ON_H100
    >>> limits_of(LLAMA_ON_H100, 1260.0).kv_blocks
    87476

    References
    ----------
    .. [1] W. Kwon et al., "PagedAttention", SOSP 2023, arXiv:2309.06180.
    """
    block = others.setdefault("block_tokens", 16)
    held = float(_capacity_tokens(replica, context_tokens, drafts))
    if drafts is not None:
        others["draft_tokens"] = drafts.tokens
        others["tokens_per_step"] = drafts.tokens_per_step
    others.setdefault("kv_blocks", int(held / block))
    return Limits(
        max_num_seqs=int(replica.max_sequences),
        max_step_tokens=int(replica.max_step_tokens),
        chunked_prefill=replica.engine.chunked_prefill,
        **others,
    )


def _capacity_tokens(
    replica: Replica, context_tokens: float, drafts: Drafts | None
) -> Num:
    """Tokens that fit in the cache, beside the model that drafts and its own."""
    plan = replica.memory(context_tokens)
    if drafts is None or drafts.replica is None:
        return plan.kv_capacity_tokens
    small = drafts.replica.memory(context_tokens)
    room = np.maximum(plan.cache_bytes - small.weight_bytes, 0.0)
    each = plan.sequence_bytes + small.sequence_bytes
    return plan.attention_ranks * room / each * context_tokens
