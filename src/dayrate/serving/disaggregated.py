"""Prompts on some replicas, answers on others: prefill and decode taken apart."""

import dataclasses
from dataclasses import dataclass

import numpy as np

from dayrate.perf.memory import kv_bytes_per_sequence
from dayrate.perf.operators import StepShape
from dayrate.serving.cycle import Cycle, mean_cycle
from dayrate.serving.replica import Replica, Traffic
from dayrate.serving.runs import Run
from dayrate.serving.search import growing_root
from dayrate.units import Num

__all__ = ["Pools", "disaggregated_loop", "kv_transfer_s"]

_LIGHTEST = 1e-4  # share of the most starts per step: next to none
_NEAREST = 30.0  # to the most: short of it by one part in exp(30)
_CUTS, _ROUNDS = 21, 8  # of the search between these
_FULL = 1.0 - 1e-9  # load beyond which the wait is that for all others


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
    pools: Pools,
    traffic: Traffic,
    concurrency: Num,
    slots: Num,
    requests: Num = float("inf"),
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
    requests : Num
        Requests of the run; infinite for a steady state. [1]

    Returns
    -------
    Run
        Of the whole system; the shares are those of the decode replicas.

    Notes
    -----
    A rate :math:`X` keeps :math:`X (w + t_p + t_x) + B(X)` requests in flight: the
    wait for prefill, the prompt, the transfer, and the batch that decodes. The search
    finds the rate at which that is the concurrency; where even the most that decode
    holds falls short of it, the rest waits for decode. The wait is that of an M/D/1
    queue, and never longer than all others in flight take to be prefilled: near the
    rate of the prefill pool nearly all wait there, so that each further request adds
    the time of one prompt to the time to first token and nothing to the answers.

    All requests of the first round come at once, so their prompts queue behind each
    other; later ones come as answers end, spread by then.

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
    concurrency = np.asarray(concurrency, dtype=float)
    prompts = _prompts(pools, traffic, concurrency)

    starts = _starts(pools, answering, prompts, concurrency, slots)
    cycle = mean_cycle(pools.decode, answering, starts)
    rate = cycle.requests_per_s * pools.decode_replicas
    steady = concurrency / rate - answering.later_tokens * cycle.tpot_s(answering)
    rounds = np.maximum(requests / concurrency, 1.0)
    ttft = steady + np.maximum(prompts.burst_s - steady, 0.0) / rounds
    return _run(pools, answering, cycle, requests_per_s=rate, ttft_s=ttft)


@dataclass(frozen=True, slots=True)
class _Prompts:
    """What happens to a request before its answer begins.

    ``alone_s`` is a prompt and the transfer of its cache; the pool takes ``per_s`` and
    each replica of it one prompt after the other, in ``each_s``; ``others`` may be
    ahead.
    """

    alone_s: Num
    each_s: Num
    per_s: Num
    others: Num

    @property
    def burst_s(self) -> Num:
        """Mean stay when all come at once: half of the others are ahead. [s]"""
        return self.others / 2.0 / self.per_s + self.alone_s

    def stay_s(self, rate: Num) -> Num:
        """Mean stay at a rate. [s]"""
        load = np.minimum(rate / self.per_s, _FULL)
        wait = load / (2.0 * (1.0 - load)) * self.each_s
        return np.minimum(wait, self.others / self.per_s) + self.alone_s


def _prompts(pools: Pools, traffic: Traffic, concurrency: Num) -> _Prompts:
    """Time a prompt alone, and with as many as a step of a prefill replica takes."""
    prompts = dataclasses.replace(traffic, output_tokens=1.0, tokens_per_step=1.0)
    replica = pools.prefill
    most = replica.max_step_tokens / prompts.uncached_tokens
    full = mean_cycle(replica, prompts, np.maximum(most, _LIGHTEST))
    alone = mean_cycle(replica, prompts, most * _LIGHTEST)
    pieces = np.maximum(
        prompts.uncached_tokens * replica.schedulers / alone.room_tokens, 1.0
    )
    return _Prompts(
        alone_s=pieces * alone.chunk_s + pools.transfer_s,
        each_s=1.0 / full.requests_per_s,
        per_s=full.requests_per_s * pools.prefill_replicas,
        others=np.maximum(concurrency - 1.0, 0.0),
    )


def _starts(
    pools: Pools,
    answering: Traffic,
    prompts: _Prompts,
    concurrency: Num,
    slots: Num,
) -> Num:
    """Find the starts per step of decode that keep ``concurrency`` in flight.

    First the most that both pools can do; then how near to it, in ``-log(1 - share)``,
    over which the wait grows evenly however near it is.
    """

    def at(starts: Num) -> tuple[Num, Num]:
        cycle = mean_cycle(pools.decode, answering, starts)
        replicas = pools.decode_replicas
        return cycle.requests_per_s * replicas, cycle.batch * replicas

    def beyond_prefill(starts: Num) -> Num:
        return np.log(at(starts)[0] / prompts.per_s)

    def excess(nearness: Num) -> Num:
        rate, decoding = at(most * -np.expm1(-nearness))
        return np.log((rate * prompts.stay_s(rate) + decoding) / concurrency)

    held = _most_starts(pools, answering, slots) + 0.0 * concurrency
    most = growing_root(
        beyond_prefill, held, lightest=_LIGHTEST, cuts=_CUTS, rounds=_ROUNDS
    )
    nearest = np.full(np.shape(most), _NEAREST)
    near = growing_root(
        excess, nearest, lightest=_LIGHTEST / _NEAREST, cuts=_CUTS, rounds=_ROUNDS
    )
    return most * -np.expm1(-near)


def _most_starts(pools: Pools, answering: Traffic, slots: Num) -> Num:
    """Bound starts per step of decode: all slots answer, or fill its budget."""
    each = answering.decode_steps * pools.decode.engine.decode_tokens_each + 1.0
    return np.minimum(
        np.asarray(slots, dtype=float) / answering.resident_steps,
        pools.decode.max_step_tokens / each,
    )


def _run(
    pools: Pools, answering: Traffic, cycle: Cycle, *, requests_per_s: Num, ttft_s: Num
) -> Run:
    """Add the bounds of the mean step of decode."""
    tpot = cycle.tpot_s(answering)
    step = pools.decode.step(
        StepShape(
            decode_sequences=np.maximum(cycle.batch, 1.0),
            decode_context_tokens=answering.context_tokens,
            logit_sequences=np.maximum(cycle.batch, 1.0),
        )
    )
    return Run(
        requests_per_s=requests_per_s,
        ttft_s=ttft_s,
        tpot_s=tpot,
        e2e_s=ttft_s + answering.later_tokens * tpot,
        compute_frac=step.compute_s / step.total_s,
        memory_frac=step.memory_s / step.total_s,
    )
