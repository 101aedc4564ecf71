"""Prompts on some replicas, answers on others, and the cache sent between them."""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dayrate.errors import InvalidInput
from dayrate.serving.autoscale import Autoscale
from dayrate.serving.simulator import state as at
from dayrate.serving.simulator.accrual import fixed_replicas
from dayrate.serving.simulator.engine import simulate
from dayrate.serving.simulator.fleet import FleetRun, Replicas, simulate_fleet
from dayrate.serving.simulator.inputs import EngineKind, Limits, RequestList, Routing
from dayrate.serving.simulator.law import StepLaw
from dayrate.serving.simulator.outcome import Simulation, Timeline
from dayrate.units import Num

__all__ = ["Apart", "Pools", "simulate_disaggregated"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.integer[Any]]

#: Stands where no request comes: one that no replica takes.
_NOBODY = RequestList([0.0], [1], [1])


@dataclass(frozen=True, slots=True)
class Pools:
    """Replicas for prompts and for answers, and the way between them.

    Parameters
    ----------
    prefill, decode : int
        Replicas. [1]
    transfer_s : Num
        Time in which a request's cache leaves its prefill replica, one for all or each
        its own. [s]
    latency_s : float
        Before the first byte arrives. [s]
    policy : Autoscale or None
        By which those that decode start and stop; ``decode`` of them serve all the
        time without. Those for prompts always do.
    """

    prefill: int
    decode: int
    transfer_s: Num
    latency_s: float = 0.0
    policy: Autoscale | None = None

    def __post_init__(self) -> None:
        for name in ("prefill", "decode"):
            if getattr(self, name) < 1:
                raise InvalidInput(
                    f"{getattr(self, name)} replicas for {name}; give 1 or more."
                )
        for name in ("transfer_s", "latency_s"):
            seconds = np.asarray(getattr(self, name), dtype=float)
            if not ((seconds >= 0) & (seconds < math.inf)).all():
                raise InvalidInput(
                    f"{name} is {getattr(self, name)}; give seconds from 0 on."
                )


@dataclass(frozen=True, slots=True)
class Apart:
    """Requests from their arrival to their last token, and both halves of that.

    Prefill replicas come first in the ``replica``, ``busy_s`` and ``steps`` of ``run``.
    The queue is that of prefill; the first token comes from the decode replica, so the
    transfer and the wait for a place there are in its time. ``answers`` come when
    their caches are there.
    """

    run: Simulation
    prompts: Simulation
    answers: Simulation
    scaled: FleetRun | None  # the same answers, where a policy scales

    def fleet(self, end_s: float) -> FleetRun:
        """Say which replicas were held until ``end_s``, for prompts and for answers."""
        count = len(self.prompts.busy_s)
        prompts = fixed_replicas(self.prompts, count, end_s)
        answers = self.scaled
        if answers is None:
            answers = fixed_replicas(self.answers, len(self.answers.busy_s), end_s)
        lives = [
            np.append(getattr(prompts.replicas, x), getattr(answers.replicas, x))
            for x in Replicas.__slots__
        ]
        later = np.where(answers.serving < 0, -1, answers.serving + count)
        return FleetRun(
            self.run,
            Replicas(*lives),
            np.where(self.run.status == at.TOO_LONG, np.nan, self.run.arrival_s),
            np.append(prompts.serving, later),
            end_s,
            (prompts, answers),
        )


def simulate_disaggregated(
    requests: RequestList,
    law: StepLaw,
    limits: Limits,
    pools: Pools,
    *,
    route: Routing = Routing.ROUND_ROBIN,
    engine: EngineKind = EngineKind.AUTO,
    until_s: float = math.inf,
    samples: int = 0,
) -> Apart:
    """Serve requests with prefill and decoding on different replicas.

    Parameters
    ----------
    requests : RequestList
        Who asks for what, when.
    law : StepLaw
        Time of a step, in both pools.
    limits : Limits
        Of each replica.
    pools : Pools
        How many there are, and the way between them.
    route : Routing
        Who takes a request, in both pools.
    engine : EngineKind
        Interpreted or compiled.
    until_s : float
        No step starts from then on; what runs or waits stays so. [s]
    samples : int
        Points of the timeline, at most. [1]

    Returns
    -------
    Apart
        By request, and by pool.

    Raises
    ------
    InvalidInput
        Requests wait for the end of others.

    Notes
    -----
    A prompt's cache leaves when all of it is computed, and caches leave a replica one
    after the other. The decode replica computes the last token of the prompt again, as
    vLLM does, which gives the first token of the answer. A prefill replica is free of
    a prompt when it is computed, before its cache has left.

    Examples
    --------
    >>> from dayrate.serving.simulator.examples import FLAT, SMALL, TWO
    >>> pools = Pools(1, 1, transfer_s=0.01, latency_s=0.01)
    >>> run = simulate_disaggregated(TWO, FLAT, SMALL, pools).run
    >>> run.first_s.round(3).tolist(), run.done_s.round(3).tolist()
    ([0.04, 1.04], [0.06, 1.06])

    References
    ----------
    .. [1] Y. Zhong et al., "DistServe", OSDI 2024, arXiv:2401.09670.
    .. [2] P. Patel et al., "Splitwise", ISCA 2024, arXiv:2311.18677.
    """
    requests.require_known_arrivals()
    whole = np.asarray(requests.input_tokens) + np.asarray(requests.output_tokens)
    most = limits.kv_blocks * limits.block_tokens + 1 - 2 * limits.draft_tokens
    fits = np.flatnonzero(whole <= min(most, limits.max_context_tokens))
    options: dict[str, Any] = {
        "route": route,
        "engine": engine,
        "until_s": until_s,
        "samples": samples,
    }
    plain = dataclasses.replace(limits, draft_tokens=0, tokens_per_step=1.0)
    asked, own = _or_nobody(_prompts(requests, fits), plain)
    first = simulate(asked, law, own, replicas=pools.prefill, **options)
    there_s = _arrivals(first, pools, fits)
    passed = np.argsort(there_s, kind="stable")[: int(np.isfinite(there_s).sum())]
    patient = dataclasses.replace(limits, max_waiting=1 << 60, timeout_s=math.inf)
    answers = _answers(requests, fits[passed], there_s[passed])
    asked, own = _or_nobody(answers, patient)
    scaled = None
    if pools.policy is not None:
        scaled = simulate_fleet(asked, law, own, pools.policy, **options)
        second = scaled.run
    else:
        second = simulate(asked, law, own, replicas=pools.decode, **options)
    run = _joined(requests, first, second, (fits, fits[passed], passed))
    return Apart(run, first, second, scaled)


def _or_nobody(asked: RequestList | None, limits: Limits) -> tuple[RequestList, Limits]:
    """Give replicas somebody to refuse where nobody comes: they are held anyway."""
    if asked is None:
        return _NOBODY, dataclasses.replace(limits, max_context_tokens=1)
    return asked, limits


def _prompts(requests: RequestList, which: Ints) -> RequestList | None:
    """Ask for the first token of some requests; None where there are none."""
    if len(which) == 0:
        return None
    blocks: dict[str, Any] = {}
    if requests.block_ids is not None:
        offsets = np.asarray(requests.block_offsets)
        counts = np.diff(offsets)[which]
        kept = np.concatenate([[0], np.cumsum(counts)])
        place = np.arange(kept[-1]) + np.repeat(offsets[which] - kept[:-1], counts)
        ids = np.asarray(requests.block_ids)[place]
        blocks = {"block_offsets": kept, "block_ids": ids}
    return RequestList(
        np.asarray(requests.arrival_s, dtype=float)[which],
        np.asarray(requests.input_tokens)[which],
        np.ones(len(which), dtype=np.int32),
        priority=_of(requests.priority, which),
        cancel_s=_of(requests.cancel_s, which),
        cached_input_frac=requests.cached_input_frac,
        **blocks,
    )


def _answers(requests: RequestList, which: Ints, there_s: Floats) -> RequestList | None:
    """Ask for the answers, when the caches of the prompts are there; None without."""
    if len(which) == 0:
        return None
    return RequestList(
        there_s,
        np.asarray(requests.input_tokens)[which],
        np.asarray(requests.output_tokens)[which],
        priority=_of(requests.priority, which),
        cancel_s=_of(requests.cancel_s, which),
        cached_input_frac=1.0,
    )


def _of(column: Any, which: Ints) -> Any:
    return None if column is None else np.asarray(column)[which]


def _arrivals(first: Simulation, pools: Pools, which: Ints) -> Floats:
    """Send the caches, of each replica one after the other; NaN where there is none."""
    there_s = np.full(len(first.done_s), np.nan)
    if len(which) == 0:
        return there_s
    sent_s = np.asarray(pools.transfer_s, dtype=float)
    sent_s = sent_s[which] if sent_s.ndim else np.full(len(which), sent_s)
    for replica in range(pools.prefill):
        own = np.flatnonzero((first.replica == replica) & (first.status == at.DONE))
        own = own[np.argsort(first.done_s[own], kind="stable")]
        busy_s = np.cumsum(sent_s[own])
        begin_s = np.maximum.accumulate(first.done_s[own] - busy_s + sent_s[own])
        there_s[own] = begin_s + busy_s + pools.latency_s
    return there_s


def _joined(
    requests: RequestList,
    first: Simulation,
    second: Simulation,
    rows: tuple[Ints, Ints, Ints],
) -> Simulation:
    """Put both halves of each request's life together.

    ``rows`` are those that fit, those that were answered, and these among the former.
    """
    n, (taken, answered, passed) = len(requests.arrival_s), rows
    count = len(first.busy_s)

    def whole(prompts: Any, answers: Any, none: float) -> Any:
        out = np.full(n, none, dtype=np.asarray(answers).dtype)
        out[taken] = prompts[: len(taken)] if np.ndim(prompts) else prompts
        out[answered] = answers[: len(answered)]
        return out

    unanswered = np.where(first.status == at.DONE, at.WAITING, first.status)
    again = second.preemptions[: len(passed)] + first.preemptions[passed]
    gone_s = None
    if requests.cancel_s is not None:
        gone_s = whole(_gone_s(first), _gone_s(second), np.nan)
    return Simulation(
        arrival_s=np.asarray(requests.arrival_s, dtype=float),
        input_tokens=np.asarray(requests.input_tokens, dtype=np.int32),
        output_tokens=np.asarray(requests.output_tokens, dtype=np.int32),
        start_s=whole(first.start_s, first.start_s[passed], np.nan),
        first_s=whole(np.nan, second.first_s, np.nan),
        done_s=whole(np.nan, second.done_s, np.nan),
        status=whole(unanswered, second.status, at.TOO_LONG),
        preemptions=whole(first.preemptions, again, 0),
        hit_tokens=whole(first.hit_tokens, first.hit_tokens[passed], 0),
        replica=whole(
            first.replica,
            np.where(second.replica < 0, -1, second.replica + count).astype(np.int32),
            -1,
        ),
        busy_s=np.append(first.busy_s, second.busy_s),
        steps=np.append(first.steps, second.steps),
        gone_s=gone_s,
        end_s=max(first.end_s, second.end_s),
        timeline=_both(first.timeline, second.timeline),
    )


def _gone_s(run: Simulation) -> Floats:
    return run.left_s(np.nan) if run.gone_s is None else run.gone_s


def _both(a: Timeline, b: Timeline) -> Timeline:
    """Add two pools up, at the times of the one that lasted longer."""
    longer = max(a, b, key=lambda x: float(x.time_s[-1]) if len(x.time_s) else -1.0)
    columns = []
    for name in ("running", "waiting", "kv_used_blocks", "kv_cached_blocks"):
        total = np.zeros(len(longer.time_s), dtype=np.int64)
        for lines in (a, b):
            values = getattr(lines, name)
            if len(values) == 0:
                continue
            place = np.searchsorted(lines.time_s, longer.time_s, side="right") - 1
            total += values[np.clip(place, 0, len(values) - 1)]
        columns.append(total)
    return Timeline(longer.time_s, *columns)
