"""The mean step of continuous batching, from the rate at which requests enter.

Everything is a function of ``starts``: requests that begin per step. Then
``starts * (output - 1)`` sequences decode and ``starts * uncached input`` tokens are
prefilled per step, on average. Prompts come whole, or in chunks that fill the token
budget, so a share of the steps carries a chunk and the others only decode.
"""

import dataclasses
from dataclasses import dataclass

import numpy as np

from dayrate.perf.deployment import Parallelism
from dayrate.perf.operators import StepShape
from dayrate.serving.replica import Replica, Traffic
from dayrate.units import Num

__all__ = ["Cycle", "mean_cycle"]

_SERVER_RANKS = 8


@dataclass(frozen=True, slots=True)
class Cycle:
    """Steps with and without prefill, and their mix.

    Parameters
    ----------
    batch : Num
        Sequences that decode. [1]
    plain_s, chunk_s : Num
        Time of a step without and with prefill. [s]
    chunk_frac : Num
        Share of steps with prefill. [1]
    chunk_tokens : Num
        Input tokens in such a step. [token]
    room_tokens : Num
        Input tokens that would fit in a step. [token]
    pair_s : Num
        Time of a step with twice as many input tokens as ``chunk_tokens``. [s]
    """

    starts: Num
    batch: Num
    plain_s: Num
    chunk_s: Num
    chunk_frac: Num
    chunk_tokens: Num
    room_tokens: Num
    pair_s: Num

    @property
    def mean_s(self) -> Num:
        """Mean time per step. [s]"""
        return self.plain_s + self.chunk_frac * (self.chunk_s - self.plain_s)

    @property
    def requests_per_s(self) -> Num:
        """Rate at which requests start, and end. [1/s]"""
        return self.starts / self.mean_s

    def at(self, i: int) -> "Cycle":
        """One of the cycles of several ``starts``, by position on the first axis."""
        return Cycle(*(getattr(self, f.name)[i] for f in dataclasses.fields(self)))

    def tpot_s(self, traffic: Traffic, z: float = 0.0) -> Num:
        """Mean inter-token time that ``z`` standard deviations of requests stay below.

        A request takes part in many steps, of which a binomial number is slow.
        """
        share = np.minimum(self.chunk_frac, 1.0)
        steps = np.maximum(traffic.decode_steps, 1.0)
        spread = np.sqrt(share * (1.0 - share) / steps)
        slower = np.maximum(self.chunk_s - self.plain_s, 0.0)
        high = np.minimum(self.mean_s + z * spread * slower, self.plain_s + slower)
        return np.where(traffic.decode_steps > 0, high / traffic.tokens_per_step, 0.0)


def mean_cycle(replica: Replica, traffic: Traffic, starts: Num) -> Cycle:
    """Mix of steps when ``starts`` requests begin per step.

    Parameters
    ----------
    replica : Replica
        What serves.
    traffic : Traffic
        What it serves.
    starts : Num
        Requests that begin per step of the replica. [1]

    Returns
    -------
    Cycle
        The steady state at this rate.

    Examples
    --------
    >>> from dayrate.serving.examples import CHAT, LLAMA_ON_H100
    >>> cycle = mean_cycle(LLAMA_ON_H100, CHAT, 0.5)
    >>> float(cycle.batch), float(cycle.chunk_frac)
    (105.0, 0.5)

    References
    ----------
    .. [1] G.-I. Yu et al., "Orca: A Distributed Serving System for Transformer-Based
       Generative Models", OSDI 2022.
    .. [2] A. Agrawal et al., "Sarathi-Serve", OSDI 2024, arXiv:2403.02310.
    """
    batch = starts * traffic.decode_steps
    entering = starts * traffic.uncached_tokens
    chunked = replica.engine.chunked_prefill
    taken = batch * (replica.engine.decode_tokens_each if chunked else 0.0)
    room = np.maximum(replica.max_step_tokens - taken, replica.schedulers)
    prompts = traffic.uncached_tokens * replica.schedulers
    chunk = np.minimum(prompts, room) if chunked else prompts
    chunk = np.maximum(chunk, entering)
    plain, mixed, pair = _steps(replica, traffic, batch, chunk)
    only_prefill = traffic.decode_steps <= 0
    return Cycle(
        starts=starts,
        batch=batch,
        plain_s=np.where(only_prefill, mixed, plain),
        chunk_s=mixed if chunked else np.where(only_prefill, mixed, plain + mixed),
        pair_s=pair if chunked else np.where(only_prefill, pair, plain + pair),
        chunk_frac=_slowed_frac(entering / chunk, replica.parallelism),
        chunk_tokens=chunk,
        room_tokens=room,
    )


def _slowed_frac(prefilling_frac: Num, parallelism: Parallelism) -> Num:
    """Share of steps that prefill slows anywhere: ranks and stages wait for it.

    Each attention-data rank and each micro-batch of a pipeline prefills in that share
    of its steps, whatever the others do. Attention-data groups wider than a server are
    run with prefill apart or in step.
    """
    ranks = np.asarray(parallelism.attention_data)
    apart = np.where(ranks <= _SERVER_RANKS, ranks, 1.0) * parallelism.pipeline
    return 1.0 - (1.0 - np.minimum(prefilling_frac, 1.0)) ** apart


def _steps(
    replica: Replica, traffic: Traffic, batch: Num, chunk: Num
) -> tuple[Num, Num, Num]:
    """Time of a decode step, one with prefill and one with twice as much, at once.

    Below one sequence on average the replica is idle part of the time; a step that
    does run has one.
    """
    sequences = np.where(traffic.decode_steps > 0, np.maximum(batch, 1.0), 0.0)
    beside = 1.0 if replica.engine.chunked_prefill else 0.0
    uncached, cached = traffic.uncached_tokens, traffic.cached_tokens
    # a chunk starts after the cached prefix and, on average, half of the rest
    piece = np.minimum(chunk / replica.schedulers, uncached)
    begins = cached + (uncached - piece) / 2.0
    axes = (3, *[1] * np.ndim(chunk + sequences))
    chunks = np.reshape([0.0, 1.0, 2.0], axes)
    decodes = np.reshape([1.0, beside, beside], axes) * sequences
    shape = StepShape(
        prefill_tokens=chunks * chunk,
        prefill_context_tokens=cached + uncached / 2.0,
        decode_sequences=decodes,
        decode_context_tokens=traffic.context_tokens,
        logit_sequences=decodes + chunks * (chunk / uncached),
        prefill_read_tokens=chunks * (chunk / piece * begins),
    )
    seconds = np.asarray(replica.step(shape).total_s)
    return seconds[0], seconds[1], seconds[2]
