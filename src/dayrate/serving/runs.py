"""Finite runs, as benchmarks make them: a static batch, a queue, a closed loop, a rate.

A steady state says what a replica can do; a published figure also holds the ramp-up,
the last requests that leave slots empty, and the first burst of a closed loop.
"""

from dataclasses import dataclass

import numpy as np

from dayrate.perf.operators import StepShape
from dayrate.serving.cycle import Cycle, mean_cycle
from dayrate.serving.replica import Replica, Traffic
from dayrate.serving.search import growing_root
from dayrate.serving.steady import operating_point
from dayrate.units import Num

__all__ = ["Run", "closed_loop", "open_loop", "queued", "static_batch"]

#: A run whose length is unknown met its limits, so its queue was stable.
_STABLE_LOAD = 0.8


@dataclass(frozen=True, slots=True)
class Run:
    """What a benchmark of one replica reports.

    Parameters
    ----------
    requests_per_s : Num
        Requests of the run over its length. [1/s]
    ttft_s, tpot_s, e2e_s : Num
        Means over requests. [s]
    compute_frac, memory_frac : Num
        Shares of the time in which arithmetic or memory traffic is the bound. [1]
    """

    requests_per_s: Num
    ttft_s: Num
    tpot_s: Num
    e2e_s: Num
    compute_frac: Num
    memory_frac: Num


def static_batch(replica: Replica, traffic: Traffic, batch: Num, slots: Num) -> Run:
    r"""One batch that starts together: prefill, then decode to the last token.

    Parameters
    ----------
    replica : Replica
        What serves.
    traffic : Traffic
        Lengths of every request.
    batch : Num
        Requests. [1]
    slots : Num
        Sequences whose cache fits; beyond it the batch runs in waves. [1]

    Returns
    -------
    Run
        Of the whole batch.

    Notes
    -----
    Prompts pass in micro-batches of the token budget. With :math:`p` pipeline stages
    and :math:`m` micro-batches the first leaves after :math:`p` stages and the others
    follow one stage apart, so prefill takes :math:`(m + p - 1)/p` passes; an engine
    that hands prompts over in parts lets the pipeline drain after each. Decoding is not
    cut: the whole batch passes one stage after the other.

    Examples
    --------
    >>> from dayrate.serving.examples import CHAT, LLAMA_ON_H100
    >>> one, many = (static_batch(LLAMA_ON_H100, CHAT, b, 256) for b in (1, 64))
    >>> bool(one.e2e_s < many.e2e_s < 64 * one.e2e_s)
    True

    References
    ----------
    .. [1] R. Pope et al., "Efficiently Scaling Transformer Inference", MLSys 2023,
       arXiv:2211.05102.
    .. [2] Y. Huang et al., "GPipe", NeurIPS 2019, arXiv:1811.06965.
    """
    at_once = np.minimum(batch, slots)
    computed = at_once * traffic.uncached_tokens
    stages = replica.parallelism.pipeline
    data = replica.parallelism.attention_data
    micro = np.minimum(replica.engine.max_num_batched_tokens * data, computed)
    count = np.ceil(computed / micro)
    held = computed / count * stages  # a step of the replica holds one per stage
    prefill = replica.step(
        StepShape(
            prefill_tokens=held,
            prefill_context_tokens=traffic.cached_tokens
            + traffic.uncached_tokens / 2.0,
            logit_sequences=at_once / count * stages,
            prefill_read_tokens=held * traffic.cached_tokens / traffic.uncached_tokens,
        )
    )
    decode = replica.step(
        StepShape(
            decode_sequences=at_once * stages,
            decode_context_tokens=traffic.context_tokens,
            logit_sequences=at_once * stages,
        )
    )
    together = np.clip(np.floor(replica.engine.submitted_tokens / micro), 1.0, count)
    passes = count / together * (together + stages - 1.0) / stages
    steps = traffic.decode_steps
    ttft = passes * prefill.total_s
    once = ttft + steps * decode.total_s
    compute = passes * prefill.compute_s + steps * decode.compute_s
    memory = passes * prefill.memory_s + steps * decode.memory_s
    whole = once * batch / at_once
    return Run(
        requests_per_s=batch / whole,
        ttft_s=ttft,
        tpot_s=np.where(steps > 0, decode.total_s / traffic.tokens_per_step, 0.0),
        e2e_s=whole,
        compute_frac=compute / once,
        memory_frac=memory / once,
    )


def queued(replica: Replica, traffic: Traffic, requests: Num, slots: Num) -> Run:
    """All requests wait from the start; slots refill as sequences end.

    Parameters
    ----------
    replica : Replica
        What serves.
    traffic : Traffic
        Lengths of every request.
    requests : Num
        Requests of the run; may be infinite. [1]
    slots : Num
        Sequences admitted at the same time. [1]

    Returns
    -------
    Run
        ``ttft_s`` includes the wait in the queue.

    Notes
    -----
    Requests of like length fill the slots a whole number of times at the steady rate;
    the rest runs in a last batch that is smaller.

    Examples
    --------
    >>> from dayrate.serving.examples import CHAT, LLAMA_ON_H100
    >>> few, many = (queued(LLAMA_ON_H100, CHAT, n, 256) for n in (300, 30_000))
    >>> bool(few.requests_per_s < many.requests_per_s)
    True

    References
    ----------
    .. [1] G.-I. Yu et al., "Orca", OSDI 2022.
    """
    active = np.minimum(slots, requests)
    cycle = mean_cycle(replica, traffic, _most_starts(replica, traffic, active))
    finite = np.where(np.isfinite(requests), requests, active)
    waves = np.floor(finite / active)
    rest = finite - waves * active
    last = static_batch(replica, traffic, np.maximum(rest, 1.0), slots)
    wave_s = active / cycle.requests_per_s
    length = waves * wave_s + np.where(rest >= 1.0, last.e2e_s, 0.0)
    # the first wave waits for the prompts ahead, the later ones for whole waves
    burst = active / 2.0 * _prefill_share_s(replica, traffic, active) + cycle.chunk_s
    return _run(
        replica,
        traffic,
        cycle,
        requests_per_s=finite / length,
        ttft_s=burst + np.maximum(finite / active - 1.0, 0.0) / 2.0 * wave_s,
    )


def closed_loop(
    replica: Replica,
    traffic: Traffic,
    concurrency: Num,
    requests: Num,
    slots: Num,
    *,
    poll_steps: Num = 1.0,
) -> Run:
    r"""Hold a fixed number of requests in flight; each answer brings the next request.

    Parameters
    ----------
    replica : Replica
        What serves.
    traffic : Traffic
        What it serves.
    concurrency : Num
        Requests in flight. [1]
    requests : Num
        Requests of the run. [1]
    slots : Num
        Sequences admitted at the same time; the others wait. [1]
    poll_steps : Num
        Decode steps from one look at new requests to the next; those that came in the
        meantime are prefilled together. [1]

    Returns
    -------
    Run
        ``ttft_s`` includes the wait for a slot.

    Notes
    -----
    Little's law fixes the starts per step: those that decode and those in prefill are
    ``min(concurrency, slots)``. All requests of the first round come at once, so its
    prompts queue behind each other; later ones come as answers end, spread by then.

    An engine that looks at new requests every :math:`k` decode steps finds one after
    :math:`(k - 1)/2` steps more than one that always looks, on average. Alone it waits
    for nobody's steps: an idle engine looks at once.

    Examples
    --------
    >>> from dayrate.serving.examples import CHAT, LLAMA_ON_H100
    >>> at = [closed_loop(LLAMA_ON_H100, CHAT, n, 10 * n, 256) for n in (8, 64, 512)]
    >>> bool(at[0].tpot_s < at[1].tpot_s) and bool(at[1].ttft_s < at[2].ttft_s)
    True

    References
    ----------
    .. [1] J. D. C. Little, "A Proof for the Queuing Formula L = lambda W",
       Operations Research 9(3), 1961.
    .. [2] SGLang, ``managers/scheduler_recv_skipper.py`` @0cc650f: decode steps count
       one towards ``--scheduler-recv-interval``, other steps all of it.
    """
    held = np.asarray(np.minimum(concurrency, slots), dtype=float)
    active, polls = np.broadcast_arrays(held, np.asarray(poll_steps, dtype=float))
    loop = _Loop(replica, traffic, active, polls)
    cycle = mean_cycle(replica, traffic, _starts(loop))
    rate = cycle.requests_per_s
    for_slot = np.maximum(concurrency - active, 0.0) / rate
    in_slot = np.maximum(
        active / rate - traffic.decode_steps * cycle.mean_s,
        _prefill_wait(loop, cycle),
    )
    steady = in_slot + for_slot
    burst = active / 2.0 * _prefill_share_s(replica, traffic, active) + cycle.chunk_s
    # in the first round those beyond the slots wait for whole answers
    first = np.where(concurrency > active, np.maximum(burst, steady), burst)
    rounds = np.maximum(requests / concurrency, 1.0)
    ttft = steady + (np.maximum(first, steady) - steady) / rounds
    return _run(replica, traffic, cycle, requests_per_s=rate, ttft_s=ttft)


def open_loop(
    replica: Replica, traffic: Traffic, rate: Num, requests: Num, slots: Num
) -> Run:
    """Offer requests at a rate, whatever the answers.

    Parameters
    ----------
    replica : Replica
        What serves; its engine admits as many sequences as ``slots``.
    traffic : Traffic
        What it serves.
    rate : Num
        Offered. [1/s]
    requests : Num
        Requests of the run; may be infinite. [1]
    slots : Num
        Sequences admitted at the same time. [1]

    Returns
    -------
    Run
        Below saturation the throughput is the offered load, over a run that ends
        with the last answer; beyond it, what the replica can do, and a growing queue.

    Examples
    --------
    >>> from dayrate.serving.examples import CHAT, LLAMA_ON_H100
    >>> run = open_loop(LLAMA_ON_H100, CHAT, 2.0, float("inf"), 256)
    >>> round(float(run.requests_per_s), 6)
    2.0

    References
    ----------
    .. [1] J. D. C. Little, "A Proof for the Queuing Formula L = lambda W",
       Operations Research 9(3), 1961.
    """
    full = mean_cycle(replica, traffic, _most_starts(replica, traffic, slots))
    most = full.requests_per_s
    calm_rate = np.minimum(rate, _STABLE_LOAD * most)
    calm = operating_point(replica, traffic, calm_rate)
    endless = ~np.isfinite(requests)
    count = np.where(endless, 1.0, requests)
    behind = count / 2.0 * np.maximum(1.0 / most - 1.0 / rate, 0.0)
    ttft = calm.ttft_mean_s + np.where(endless, 0.0, behind)
    loaded = full.mean_s / traffic.tokens_per_step
    tpot = np.where((rate < most) | endless, calm.tpot_mean_s, loaded)
    stay = ttft + traffic.later_tokens * tpot
    arriving = count / np.minimum(rate, most)
    done = np.where(endless, np.minimum(rate, most), count / (arriving + stay))
    starts = np.minimum(calm.batch / np.maximum(traffic.decode_steps, 1.0), full.starts)
    run = _run(
        replica,
        traffic,
        mean_cycle(replica, traffic, starts),
        requests_per_s=done,
        ttft_s=ttft,
    )
    busy = np.minimum(calm.batch, 1.0)
    return Run(done, ttft, tpot, stay, run.compute_frac * busy, run.memory_frac * busy)


@dataclass(frozen=True, slots=True)
class _Loop:
    """A closed loop of one replica, with as many requests in slots as ``active``."""

    replica: Replica
    traffic: Traffic
    active: Num
    poll_steps: Num


def _starts(loop: _Loop) -> Num:
    """Find the starts per step at which ``active`` requests are in a slot."""
    replica, traffic = loop.replica, loop.traffic
    most = np.asarray(_most_starts(replica, traffic, loop.active), dtype=float)

    def excess(starts: Num) -> Num:
        cycle = mean_cycle(replica, traffic, starts)
        wait = _prefill_wait(loop, cycle) / cycle.mean_s
        return np.log(cycle.starts * (traffic.decode_steps + wait) / loop.active)

    return growing_root(excess, most)


def _most_starts(replica: Replica, traffic: Traffic, active: Num) -> Num:
    """Bound starts per step: all of ``active`` decode, or prompts fill the budget."""
    decoded = traffic.decode_steps * replica.engine.decode_tokens_each
    in_budget = replica.max_step_tokens / (decoded + traffic.uncached_tokens)
    if not replica.engine.chunked_prefill:
        in_budget = np.maximum(in_budget, 1.0)
    return np.minimum(active / traffic.resident_steps, in_budget)


def _prefill_wait(loop: _Loop, cycle: Cycle) -> Num:
    """From entering a slot to the first token: step, chunks, prompts ahead. [s]"""
    replica, traffic = loop.replica, loop.traffic
    pieces = traffic.uncached_tokens * replica.schedulers / cycle.room_tokens
    prefill = np.maximum(pieces, 1.0) * cycle.chunk_s
    load = np.minimum(cycle.starts * traffic.uncached_tokens / cycle.room_tokens, 0.999)
    # of a closed loop at most the others are ahead, half of them on average
    others = (
        np.maximum(loop.active - 1.0, 0.0)
        / 2.0
        * cycle.chunk_s
        * np.minimum(traffic.uncached_tokens / cycle.chunk_tokens, 1.0)
    )
    decoding = np.clip(loop.active - 1.0, 0.0, 1.0)  # alone, nobody's steps pass
    unseen_s = (loop.poll_steps - 1.0) * cycle.plain_s * decoding
    together = cycle.requests_per_s * unseen_s * (cycle.chunk_s - cycle.plain_s)
    ahead = np.minimum(load / (1.0 - load) * prefill / 2.0 + together, others)
    return (cycle.mean_s + unseen_s) / 2.0 + prefill + ahead


def _prefill_share_s(replica: Replica, traffic: Traffic, active: Num) -> Num:
    """Time one prompt adds while many wait: its share of steps full of prompts. [s]

    Half of the others decode by then, on average.
    """
    tokens = np.minimum(replica.max_step_tokens, active * traffic.uncached_tokens)
    step = replica.step(
        StepShape(
            prefill_tokens=tokens,
            prefill_context_tokens=traffic.cached_tokens
            + traffic.uncached_tokens / 2.0,
            decode_sequences=active / 2.0,
            decode_context_tokens=traffic.context_tokens,
            logit_sequences=active / 2.0,
        )
    )
    return step.total_s * traffic.uncached_tokens / tokens


def _run(
    replica: Replica,
    traffic: Traffic,
    cycle: Cycle,
    *,
    requests_per_s: Num,
    ttft_s: Num,
) -> Run:
    """Add the mean step's bounds to a steady state."""
    entering = cycle.starts * traffic.uncached_tokens
    step = replica.step(
        StepShape(
            prefill_tokens=entering,
            prefill_context_tokens=traffic.cached_tokens
            + traffic.uncached_tokens / 2.0,
            decode_sequences=cycle.batch,
            decode_context_tokens=traffic.context_tokens,
            logit_sequences=cycle.batch + cycle.starts,
        )
    )
    tpot = cycle.tpot_s(traffic)
    return Run(
        requests_per_s=requests_per_s,
        ttft_s=ttft_s,
        tpot_s=tpot,
        e2e_s=ttft_s + traffic.later_tokens * tpot,
        compute_frac=step.compute_s / step.total_s,
        memory_frac=step.memory_s / step.total_s,
    )
