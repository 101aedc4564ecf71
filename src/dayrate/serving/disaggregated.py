"""Prompts on some replicas, answers on others: prefill and decode taken apart."""

import dataclasses
from dataclasses import dataclass

import numpy as np

from dayrate.perf.memory import kv_bytes_per_sequence
from dayrate.perf.operators import StepShape
from dayrate.serving.cycle import Cycle, mean_cycle
from dayrate.serving.replica import Replica, Traffic
from dayrate.serving.runs import Run
from dayrate.units import Num

__all__ = ["Pools", "disaggregated_loop", "kv_transfer_s"]

_ROUNDS = 40  # of a bisection: beyond the precision of what it solves
_LIGHTEST = 1e-4  # share of the most starts per step, where the search begins


@dataclass(frozen=True, slots=True)
class Pools:
    """Replicas that compute prompts, and replicas that generate from their caches.

    ``transfer_s`` passes while a request's cache moves from one to the other.
    """

    prefill: Replica
    decode: Replica
    prefill_replicas: Num = 1
    decode_replicas: Num = 1
    transfer_s: Num = 0.0


def kv_transfer_s(
    replica: Replica, input_tokens: Num, *, bytes_per_s: Num, latency_s: Num = 0.0
) -> Num:
    """Time in which the cache of a prompt leaves the replica that computed it.

    Parameters
    ----------
    replica : Replica
        What computed it; each accelerator sends its own part.
    input_tokens : Num
        Length of the prompt. [token]
    bytes_per_s : Num
        Out of each accelerator. [B/s]
    latency_s : Num
        Until the first byte arrives. [s]

    Returns
    -------
    Num
        Time. [s]

    Examples
    --------
    Llama-3.1-70B's cache of 1,155 tokens, from 8 accelerators with 50 GB/s each:

    >>> from dayrate.serving.examples import LLAMA_ON_H100
    >>> round(float(kv_transfer_s(LLAMA_ON_H100, 1155, bytes_per_s=50e9)) * 1e3, 2)
    0.95

    References
    ----------
    .. [1] P. Patel et al., "Splitwise", ISCA 2024, arXiv:2311.18677.
    """
    held = kv_bytes_per_sequence(
        replica.model, replica.parallelism, replica.precision, input_tokens
    )
    return latency_s + held / bytes_per_s


def disaggregated_loop(
    pools: Pools, traffic: Traffic, concurrency: Num, slots: Num
) -> Run:
    r"""Run a closed loop over separate prefill and decode.

    Parameters
    ----------
    pools : Pools
        What serves.
    traffic : Traffic
        What it serves.
    concurrency : Num
        Requests in flight over all replicas. [1]
    slots : Num
        Sequences that one decode replica holds at the same time. [1]

    Returns
    -------
    Run
        Of the whole system; the shares are those of the decode replicas.

    Notes
    -----
    A rate :math:`X` keeps :math:`X (w + t_p + t_x) + B(X)` requests in flight: the
    wait for prefill, an M/D/1 queue, the prompt, the transfer, and the batch that
    decodes. The rate at which that is the concurrency is found by bisection; where
    even the most of either pool falls short of it, the rest waits for that pool.

    Examples
    --------
    >>> from dayrate.serving.examples import CHAT, LLAMA_ON_H100 as replica
    >>> pools = Pools(replica, replica)
    >>> few, many = (disaggregated_loop(pools, CHAT, n, 256) for n in (4.0, 4000.0))
    >>> bool(few.tpot_s < many.tpot_s)
    True
    >>> round(float(many.requests_per_s * many.e2e_s))
    4000

    References
    ----------
    .. [1] Y. Zhong et al., "DistServe", OSDI 2024, arXiv:2401.09670.
    .. [2] J. D. C. Little, "A Proof for the Queuing Formula L = lambda W", 1961.
    """
    answering = dataclasses.replace(traffic, cached_input_frac=1.0)
    most_starts = np.minimum(
        np.asarray(slots, dtype=float) / answering.resident_steps,
        pools.decode.max_step_tokens
        / (answering.decode_steps * pools.decode.engine.decode_tokens_each + 1.0),
    )
    prompt_s, prefill_per_s = _prefill(pools, traffic)
    low, high = np.log(most_starts * _LIGHTEST), np.log(most_starts)
    concurrency = np.asarray(concurrency, dtype=float)
    for _ in range(_ROUNDS):
        middle = (low + high) / 2.0
        cycle = mean_cycle(pools.decode, answering, np.exp(middle))
        rate = cycle.requests_per_s * pools.decode_replicas
        ahead = _before_decode_s(pools, rate, prompt_s, prefill_per_s)
        over = rate * ahead + cycle.batch * pools.decode_replicas > concurrency
        low, high = np.where(over, low, middle), np.where(over, middle, high)
    cycle = mean_cycle(pools.decode, answering, np.exp(low))
    return _run(pools, answering, cycle, concurrency)


def _prefill(pools: Pools, traffic: Traffic) -> tuple[Num, Num]:
    """Time of a prompt alone, and prompts per second of the whole pool."""
    prompts = dataclasses.replace(traffic, output_tokens=1.0, tokens_per_step=1.0)
    replica = pools.prefill
    most = replica.max_step_tokens / prompts.uncached_tokens
    full = mean_cycle(replica, prompts, np.maximum(most, _LIGHTEST))
    alone = mean_cycle(replica, prompts, most * _LIGHTEST)
    pieces = np.maximum(
        prompts.uncached_tokens * replica.schedulers / alone.room_tokens, 1.0
    )
    return pieces * alone.chunk_s, full.requests_per_s * pools.prefill_replicas


def _before_decode_s(pools: Pools, rate: Num, prompt_s: Num, prefill_per_s: Num) -> Num:
    """Wait for prefill, prefill and transfer; infinite beyond what the pool can do."""
    load = rate / prefill_per_s
    with np.errstate(divide="ignore", invalid="ignore"):
        wait = load / (2.0 * (1.0 - load)) / prefill_per_s * pools.prefill_replicas
        inside = np.where(load < 1.0, wait + prompt_s, np.inf)
    return inside + pools.transfer_s


def _run(pools: Pools, answering: Traffic, cycle: Cycle, concurrency: Num) -> Run:
    rate = cycle.requests_per_s * pools.decode_replicas
    tpot = cycle.tpot_s(answering)
    e2e = concurrency / rate
    step = pools.decode.step(
        StepShape(
            decode_sequences=np.maximum(cycle.batch, 1.0),
            decode_context_tokens=answering.context_tokens,
            logit_sequences=np.maximum(cycle.batch, 1.0),
        )
    )
    return Run(
        requests_per_s=rate,
        ttft_s=e2e - answering.later_tokens * tpot,
        tpot_s=tpot,
        e2e_s=e2e,
        compute_frac=step.compute_s / step.total_s,
        memory_frac=step.memory_s / step.total_s,
    )
