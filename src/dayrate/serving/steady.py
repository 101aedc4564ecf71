"""Continuous batching in closed form: what a replica can do, and how it feels.

All functions broadcast: any field of the replica's machine and parallelism, of the
traffic and of the targets may be an array.
"""

import dataclasses
import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dayrate.errors import DoesNotFit, SloUnreachable
from dayrate.perf.operators import StepShape
from dayrate.serving.cycle import Cycle, mean_cycle
from dayrate.serving.replica import Engine, Replica, Slo, Traffic
from dayrate.serving.waiting import first_token_wait
from dayrate.units import Num

__all__ = [
    "Capacity",
    "Engine",
    "OperatingPoint",
    "Replica",
    "Slo",
    "Traffic",
    "capacity",
    "marginal_seconds",
    "operating_point",
    "require_capacity",
    "static_batch_seconds",
]

_LIMITS = ("memory", "max_num_seqs", "max_num_batched_tokens")
_LIGHTEST_FRAC = 1e-6  # lightest load searched, of the heaviest
_PRECISION_FRAC = 1e-5  # of a search
_FEW, _FEW_CUTS = 64, 15  # problems searched at once with many cuts a round
_MARGIN_FRAC = 0.05  # step of the finite differences


@dataclass(frozen=True, slots=True)
class Capacity:
    """The most a replica serves within its limits and targets.

    ``requests_per_s`` is NaN where nothing is feasible; ``binding`` then names what
    forbids it, else what stops it from serving more: ``memory``, ``max_num_seqs``,
    ``max_num_batched_tokens``, ``tpot`` or ``ttft``.
    """

    requests_per_s: Num
    batch: Num
    tpot_s: Num
    ttft_s: Num
    kv_sequences: Num
    binding: str | npt.NDArray[np.str_]


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """How a replica runs at an offered rate.

    Beyond what the replica can do, ``utilisation_frac`` exceeds 1, waits are infinite
    and the rest describes the full replica.
    """

    batch: Num
    step_s: Num
    tpot_mean_s: Num
    tpot_quantile_s: Num
    ttft_mean_s: Num
    ttft_quantile_s: Num
    utilisation_frac: Num
    tokens_per_s: Num


def capacity(replica: Replica, traffic: Traffic, slo: Slo) -> Capacity:
    """Largest sustainable rate of one replica.

    Parameters
    ----------
    replica : Replica
        What serves.
    traffic : Traffic
        What it serves.
    slo : Slo
        Latency targets; infinite where there are none.

    Returns
    -------
    Capacity
        With what binds.

    Notes
    -----
    Memory, admitted sequences and tokens bound the batch in closed form. Step time
    and waits grow with it, so the targets are met up to some batch, which is searched.

    Examples
    --------
    >>> from dayrate.serving.examples import CHAT, LLAMA_ON_H100
    >>> most = capacity(LLAMA_ON_H100, CHAT, Slo(tpot_s=0.05))
    >>> most.binding
    'tpot'
    >>> bool(most.tpot_s <= 0.05)
    True

    References
    ----------
    .. [1] J. D. C. Little, "A Proof for the Queuing Formula L = lambda W",
       Operations Research 9(3), 1961.
    """
    limits = _start_limits(replica, traffic)
    most = np.min(np.stack(limits), axis=0)
    full = mean_cycle(replica, traffic, most)

    def latencies(cycle: Cycle) -> tuple[Num, Num]:
        wait = first_token_wait(replica, traffic, cycle, full)
        tpot_s = cycle.tpot_s(traffic, _z(slo.quantile))
        return tpot_s, wait.quantile_s(slo.quantile)

    def meets(starts: Num) -> npt.NDArray[np.bool_]:
        tpot, ttft = latencies(mean_cycle(replica, traffic, starts))
        return np.asarray((tpot <= slo.tpot_s) & (ttft <= slo.ttft_s))

    starts, feasible = _largest(meets, most * _LIGHTEST_FRAC, most)
    fits = _longest_fits(replica, traffic)
    ok = feasible & fits
    further = np.stack([starts, np.minimum(starts * (1 + 1e-4), most)])
    both = mean_cycle(replica, traffic, further)
    cycle, (tpot, ttft) = both.at(0), map(np.asarray, latencies(both))
    beyond = tpot[1], ttft[1]
    binding = _binding(limits, starts, fits=fits, beyond=beyond, slo=slo)
    return Capacity(
        requests_per_s=_or_nan(cycle.requests_per_s, ok),
        batch=_or_nan(cycle.batch, ok),
        tpot_s=tpot[0],
        ttft_s=ttft[0],
        kv_sequences=replica.memory(replica.kept_tokens(traffic)).kv_sequences,
        binding=str(binding) if binding.ndim == 0 else binding,
    )


def require_capacity(replica: Replica, traffic: Traffic, slo: Slo) -> Capacity:
    """Capacity of one deployment, or an error that says why there is none.

    Parameters
    ----------
    replica : Replica
        What serves; scalar fields.
    traffic : Traffic
        What it serves; scalar fields.
    slo : Slo
        Latency targets; scalar.

    Returns
    -------
    Capacity
        Always feasible.

    Raises
    ------
    DoesNotFit
        Weights, workspace and one longest sequence exceed memory.
    SloUnreachable
        A single request is already too slow.

    Examples
    --------
    >>> from dayrate.serving.examples import CHAT, LLAMA_ON_H100
    >>> require_capacity(LLAMA_ON_H100, CHAT, Slo(tpot_s=0.001))
    Traceback (most recent call last):
    dayrate.errors.SloUnreachable: ...

    References
    ----------
    .. [1] As `capacity`.
    """
    found = capacity(replica, traffic, slo)
    if np.isfinite(found.requests_per_s):
        return found
    if found.binding == "memory":
        plan = replica.memory(traffic.input_tokens + traffic.output_tokens)
        n = replica.parallelism.accelerators
        raise DoesNotFit(
            need_bytes=float(plan.need_bytes * n),
            have_bytes=float(plan.usable_bytes * n),
            what=f"{replica.model.id}: weights, workspace and one sequence",
        )
    name = str(found.binding)
    best, asked = (
        (found.tpot_s, slo.tpot_s) if name == "tpot" else (found.ttft_s, slo.ttft_s)
    )
    raise SloUnreachable(
        f"{replica.model.id} reaches a {name.upper()} of {float(best) * 1e3:.1f} ms "
        f"(p{slo.quantile * 100:.0f}) at the lightest load and "
        f"{float(asked) * 1e3:.1f} ms is asked. Relax --{name}, use more or faster "
        "accelerators (--tensor-parallel-size, --accelerator), or a narrower "
        "--quantization."
    )


def operating_point(
    replica: Replica, traffic: Traffic, requests_per_s: Num, *, quantile: float = 0.95
) -> OperatingPoint:
    """Steady state at an offered rate: the batch at which Little's law holds.

    Parameters
    ----------
    replica : Replica
        What serves.
    traffic : Traffic
        What it serves.
    requests_per_s : Num
        Rate offered to this replica. [1/s]
    quantile : float
        Share of requests that ``tpot_quantile_s`` and ``ttft_quantile_s`` cover. [1]

    Returns
    -------
    OperatingPoint
        Batch, latencies, load.

    Notes
    -----
    The rate that a batch sustains grows with the batch, so the fixed point is unique
    and found by search.

    Examples
    --------
    >>> from dayrate.serving.examples import CHAT, LLAMA_ON_H100
    >>> quiet, busy = (operating_point(LLAMA_ON_H100, CHAT, x) for x in (1.0, 5.0))
    >>> bool(quiet.tpot_mean_s < busy.tpot_mean_s)
    True

    References
    ----------
    .. [1] J. D. C. Little, "A Proof for the Queuing Formula L = lambda W",
       Operations Research 9(3), 1961.
    """
    rate = np.asarray(requests_per_s, dtype=float)
    most = np.min(np.stack(_start_limits(replica, traffic)), axis=0) + 0.0 * rate
    lightest = most * _LIGHTEST_FRAC
    ends = mean_cycle(replica, traffic, np.stack([lightest, most]))
    shortest, full = ends.at(0), ends.at(1)

    def sustained(starts: Num) -> npt.NDArray[np.bool_]:
        return np.asarray(mean_cycle(replica, traffic, starts).requests_per_s <= rate)

    low, high = (np.minimum(rate * x.mean_s, most) for x in (shortest, full))
    starts, _ = _largest(sustained, np.maximum(low, lightest), high)
    cycle = mean_cycle(replica, traffic, starts)
    wait = first_token_wait(replica, traffic, cycle, full)
    load = rate / full.requests_per_s
    served = np.minimum(rate, full.requests_per_s)
    tokens = traffic.input_tokens + traffic.output_tokens
    return OperatingPoint(
        batch=cycle.batch,
        step_s=cycle.mean_s,
        tpot_mean_s=cycle.tpot_s(traffic),
        tpot_quantile_s=cycle.tpot_s(traffic, _z(quantile)),
        ttft_mean_s=np.where(load < 1.0, wait.mean_s, np.inf),
        ttft_quantile_s=np.where(load < 1.0, wait.quantile_s(quantile), np.inf),
        utilisation_frac=load,
        tokens_per_s=served * tokens,
    )


def marginal_seconds(
    replica: Replica, traffic: Traffic, point: OperatingPoint
) -> tuple[Num, Num, Num]:
    """Replica-seconds that one more token of each kind adds to a request.

    Parameters
    ----------
    replica : Replica
        What serves.
    traffic : Traffic
        What it serves.
    point : OperatingPoint
        The steady state; the number of requests in flight is held.

    Returns
    -------
    tuple of Num
        Per uncached input token, per cached input token, per output token. [s/token]

    Notes
    -----
    Differences of the replica's time per request, which is the mean step over the
    requests that start per step, when a mean length grows by 5 %. Weights are read
    for decoding anyway, so an input token pays for its arithmetic, its attention and
    its place in the context; an output token pays its share of a step. A cached token
    is attended to and read, never computed.

    Examples
    --------
    >>> from dayrate.serving.examples import CHAT, LLAMA_ON_H100
    >>> point = operating_point(LLAMA_ON_H100, CHAT, 3.0)
    >>> new, cached, out = marginal_seconds(LLAMA_ON_H100, CHAT, point)
    >>> bool(0 <= cached < new < out)
    True

    References
    ----------
    .. [1] H. P. Young (ed.), "Cost Allocation: Methods, Principles, Applications",
       1985 (marginal cost shares).
    """
    in_flight = _in_flight(traffic, point)
    lengths = np.stack(
        np.broadcast_arrays(
            traffic.uncached_tokens,
            traffic.cached_tokens,
            traffic.output_tokens,
            0.0 * in_flight,
        )[:3]
    )
    grown = np.maximum(
        _MARGIN_FRAC * np.stack([lengths[0], lengths[0] + lengths[1], lengths[2]]), 1.0
    )
    longer = np.stack([lengths] * 4, axis=1)  # as it is, and with each length grown
    for kind in range(3):
        longer[kind, kind + 1] += grown[kind]
    seconds = _seconds_per_request(replica, traffic, longer, in_flight)
    shares = np.maximum(seconds[1:] - seconds[0], 0.0) / grown
    return shares[0], shares[1], shares[2]


def static_batch_seconds(replica: Replica, traffic: Traffic, batch: Num) -> Num:
    """Time of one batch that starts and ends together: prefill, then decode.

    Parameters
    ----------
    replica : Replica
        What serves.
    traffic : Traffic
        Lengths of every request.
    batch : Num
        Requests. [1]

    Returns
    -------
    Num
        Until the last token. [s]

    Examples
    --------
    >>> from dayrate.serving.examples import CHAT, LLAMA_ON_H100
    >>> one, many = (static_batch_seconds(LLAMA_ON_H100, CHAT, b) for b in (1, 64))
    >>> bool(one < many < 64 * one)
    True

    References
    ----------
    .. [1] R. Pope et al., "Efficiently Scaling Transformer Inference", MLSys 2023,
       arXiv:2211.05102.
    """
    computed = batch * traffic.uncached_tokens
    passes = np.ceil(computed / replica.max_step_tokens)
    prefill = replica.step(
        StepShape(
            prefill_tokens=computed / passes,
            prefill_context_tokens=traffic.cached_tokens
            + traffic.uncached_tokens / 2.0,
            logit_sequences=batch / passes,
            prefill_read_tokens=batch * traffic.cached_tokens / passes,
        )
    )
    decode = replica.step(
        StepShape(
            decode_sequences=batch,
            decode_context_tokens=traffic.context_tokens,
            logit_sequences=batch,
        )
    )
    return passes * prefill.total_s + traffic.decode_steps * decode.total_s


def _start_limits(replica: Replica, traffic: Traffic) -> list[Num]:
    """Bound the starts per step by memory, sequences and tokens (see `_LIMITS`)."""
    memory = replica.memory(replica.kept_tokens(traffic))
    decoded = traffic.decode_steps * replica.engine.decode_tokens_each
    tokens_per_start = decoded + traffic.uncached_tokens
    in_budget = replica.max_step_tokens / tokens_per_start
    if not replica.engine.chunked_prefill:
        in_budget = np.maximum(in_budget, 1.0)
    limits = (
        np.maximum(memory.kv_sequences, 1e-9) / traffic.resident_steps,
        replica.max_sequences / traffic.resident_steps,
        in_budget,
    )
    return [np.asarray(x, dtype=float) for x in np.broadcast_arrays(*limits)]


def _longest_fits(replica: Replica, traffic: Traffic) -> npt.NDArray[np.bool_]:
    plan = replica.memory(traffic.input_tokens + traffic.output_tokens)
    return np.asarray(plan.kv_sequences >= 1.0)


def _largest(
    meets: Callable[[Num], npt.NDArray[np.bool_]], low: Num, high: Num
) -> tuple[Num, npt.NDArray[np.bool_]]:
    """Largest value between bounds that meets a condition which large values fail.

    Every round cuts the interval geometrically, in many parts for a few problems (one
    evaluation of an array costs little more than one of a number) and in two for many.
    Also says whether ``low`` meets it; where it does not, ``low`` is returned.
    """
    low, high = np.broadcast_arrays(low, high)
    feasible, whole = meets(np.stack([low, high]))
    low = np.where(whole, high, low)
    inner = _FEW_CUTS if low.size <= _FEW else 1
    widest = float(np.log(np.max(high / low, initial=1.0)))
    parts = max(widest / _PRECISION_FRAC, 1.0)
    share = np.arange(1, inner + 1).reshape(-1, *[1] * low.ndim) / (inner + 1)
    for _ in range(math.ceil(math.log(parts, inner + 1))):
        cuts = low * (high / low) ** share
        good = np.logical_and.accumulate(meets(cuts), axis=0)
        low, high = (
            np.max(np.where(good, cuts, low), axis=0),
            np.min(np.where(good, high, cuts), axis=0),
        )
    return low, np.asarray(feasible)


def _binding(
    limits: list[Num],
    starts: Num,
    *,
    fits: npt.NDArray[np.bool_],
    beyond: tuple[Num, Num],
    slo: Slo,
) -> npt.NDArray[np.str_]:
    """Name what stops the search; what does not fit comes first."""
    tight = [np.asarray(starts >= limit * (1 - 1e-6)) for limit in limits]
    late = [
        np.asarray(beyond[0] > slo.tpot_s),
        np.asarray(beyond[1] > slo.ttft_s),
    ]
    conditions = np.broadcast_arrays(~np.asarray(fits), *late, *tight)
    return np.select(conditions, ["memory", "tpot", "ttft", *_LIMITS], default="ttft")


def _in_flight(traffic: Traffic, point: OperatingPoint) -> Num:
    """Count requests that decode and those in their first step. [1]

    At least one: an idle replica's time is not what a token adds.
    """
    tokens = traffic.input_tokens + traffic.output_tokens
    served = point.tokens_per_s / tokens
    return np.maximum(served * point.step_s * traffic.resident_steps, 1.0)


def _seconds_per_request(
    replica: Replica, traffic: Traffic, lengths: npt.NDArray[np.float64], in_flight: Num
) -> npt.NDArray[np.float64]:
    uncached, cached, output = lengths
    longer = dataclasses.replace(
        traffic,
        input_tokens=uncached + cached,
        cached_input_frac=cached / (uncached + cached),
        output_tokens=output,
    )
    starts = in_flight / longer.resident_steps
    return np.asarray(1.0 / mean_cycle(replica, longer, starts).requests_per_s)


def _or_nan(value: Num, ok: npt.NDArray[np.bool_]) -> Num:
    return np.where(ok, value, np.nan)


def _z(quantile: float) -> float:
    return statistics.NormalDist().inv_cdf(quantile)
