"""What comes out of a simulation: the fate of requests, the replicas, a summary."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dayrate.serving.replica import Slo
from dayrate.serving.simulator import state as at

__all__ = ["Latency", "Simulation", "Summary", "Timeline", "summary"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.integer[Any]]

_QUANTILES = (0.50, 0.95, 0.99)
_STATES = {
    "waiting": at.WAITING,
    "running": at.RUNNING,
    "done": at.DONE,
    "too_long": at.TOO_LONG,
    "rejected": at.REJECTED,
    "timed_out": at.TIMED_OUT,
    "cancelled": at.CANCELLED,
}


@dataclass(frozen=True, slots=True)
class Timeline:
    """The state of all replicas at regular times."""

    time_s: Floats
    running: Ints
    waiting: Ints
    kv_used_blocks: Ints
    kv_cached_blocks: Ints


@dataclass(frozen=True, slots=True)
class Simulation:
    """What became of each request, in the order given; times are NaN where it has none.

    ``status`` is one of `state.WAITING`, ``RUNNING``, ``DONE``, ``TOO_LONG``,
    ``REJECTED``, ``TIMED_OUT`` and ``CANCELLED``.
    """

    arrival_s: Floats
    input_tokens: Ints
    output_tokens: Ints
    start_s: Floats
    first_s: Floats
    done_s: Floats
    status: Ints
    preemptions: Ints
    hit_tokens: Ints
    replica: Ints
    busy_s: Floats  # by replica
    steps: Ints  # by replica
    end_s: float
    timeline: Timeline
    gone_s: Floats | None = None  # when a request was cancelled; None: nobody cancels

    def left_s(self, otherwise_s: float) -> Floats:
        """When each request was done or cancelled, or what else holds. [s]"""
        known = self.done_s
        if self.gone_s is not None:
            known = np.where(np.isnan(known), self.gone_s, known)
        return np.where(np.isnan(known), otherwise_s, known)

    @property
    def queue_s(self) -> Floats:
        """From arrival to the first step. [s]"""
        return self.start_s - self.arrival_s

    @property
    def ttft_s(self) -> Floats:
        """From arrival to the first token. [s]"""
        return self.first_s - self.arrival_s

    @property
    def e2e_s(self) -> Floats:
        """From arrival to the last token. [s]"""
        return self.done_s - self.arrival_s

    @property
    def tpot_s(self) -> Floats:
        """Mean time per token after the first; NaN where there is none. [s]"""
        after = np.where(self.output_tokens > 1, self.output_tokens - 1.0, np.nan)
        return (self.done_s - self.first_s) / after


@dataclass(frozen=True, slots=True)
class Latency:
    """Mean and quantiles of a latency over the requests done; None without any. [s]"""

    mean_s: float | None
    p50_s: float | None
    p95_s: float | None
    p99_s: float | None


@dataclass(frozen=True, slots=True)
class Summary:
    """A simulation in a few numbers."""

    requests: int
    by_state: Mapping[str, int]
    makespan_s: float
    ttft: Latency
    ttft_without_queue: Latency
    tpot: Latency
    e2e: Latency
    e2e_without_queue: Latency
    queue: Latency
    requests_per_s: float
    input_tokens_per_s: float
    output_tokens_per_s: float
    good_requests_per_s: float  # within the latency targets
    good_frac: float
    utilisation_frac: float
    hit_frac: float  # of the input tokens of requests that started
    preemptions: int
    steps: int
    peak_running: int
    peak_waiting: int
    peak_kv_used_frac: float


def summary(run: Simulation, slo: Slo, kv_blocks: int) -> Summary:
    """Sum a simulation up.

    Parameters
    ----------
    run : Simulation
        All requests.
    slo : Slo
        Targets that a good request meets, both; a request that is not done is not good.
    kv_blocks : int
        Blocks of all replicas together. [1]

    Returns
    -------
    Summary
        Peaks are those of the timeline's samples.

    Examples
    --------
    >>> from dayrate.serving.simulator.examples import ONE_BY_ONE
    >>> short = summary(ONE_BY_ONE, Slo(ttft_s=1.0), 1000)
    >>> short.by_state["done"], short.good_frac, round(short.requests_per_s, 3)
    (2, 1.0, 1.942)

    References
    ----------
    .. [1] Y. Zhong et al., "DistServe", OSDI 2024, arXiv:2401.09670 (goodput).
    """
    done, started = run.status == at.DONE, np.isfinite(run.start_s)
    late = (run.ttft_s > slo.ttft_s) | (run.tpot_s > slo.tpot_s)
    good = int((done & ~late).sum())
    makespan = max(run.end_s - float(run.arrival_s[0]), 1e-12)
    lines = run.timeline
    used = int(lines.kv_used_blocks.max(initial=0))
    input_tokens = int(run.input_tokens[started].sum())
    return Summary(
        requests=len(done),
        by_state={k: int((run.status == v).sum()) for k, v in _STATES.items()},
        makespan_s=makespan,
        ttft=_latency(run.ttft_s),
        ttft_without_queue=_latency(run.first_s - run.start_s),
        tpot=_latency(run.tpot_s),
        e2e=_latency(run.e2e_s),
        e2e_without_queue=_latency(run.done_s - run.start_s),
        queue=_latency(run.queue_s),
        requests_per_s=int(done.sum()) / makespan,
        input_tokens_per_s=int(run.input_tokens[done].sum()) / makespan,
        output_tokens_per_s=int(run.output_tokens[done].sum()) / makespan,
        good_requests_per_s=good / makespan,
        good_frac=good / len(done),
        utilisation_frac=float(run.busy_s.sum()) / (len(run.busy_s) * makespan),
        hit_frac=int(run.hit_tokens.sum()) / max(input_tokens, 1),
        preemptions=int(run.preemptions.sum()),
        steps=int(run.steps.sum()),
        peak_running=int(lines.running.max(initial=0)),
        peak_waiting=int(lines.waiting.max(initial=0)),
        peak_kv_used_frac=used / kv_blocks,
    )


def _latency(seconds: Floats) -> Latency:
    known = seconds[np.isfinite(seconds)]
    if len(known) == 0:
        return Latency(None, None, None, None)
    cuts = np.quantile(known, _QUANTILES)
    return Latency(float(known.mean()), *(float(x) for x in cuts))
