"""A load test in figures: what became of requests, latencies, throughput, goodput."""

import dataclasses
import datetime
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dayrate.measure.endpoint.note import Note
from dayrate.measure.endpoint.record import Record, State
from dayrate.measure.endpoint.run import Run

__all__ = ["Result", "Spread", "Summary", "Targets", "summary_of"]


@dataclass(frozen=True, slots=True)
class Targets:
    """Latencies that a good request keeps; infinite where there is no target."""

    ttft_s: float = math.inf
    tpot_s: float = math.inf

    def met_by(self, record: Record) -> bool:
        """Whether a request was answered within them."""
        return (
            record.state is State.DONE
            and (record.ttft_s or 0.0) <= self.ttft_s
            and (record.tpot_s or 0.0) <= self.tpot_s
        )


@dataclass(frozen=True, slots=True)
class Spread:
    """Mean and quantiles of a latency; None where nobody had one. [s]"""

    mean_s: float | None
    p50_s: float | None
    p95_s: float | None
    p99_s: float | None
    max_s: float | None

    @classmethod
    def of(cls, values_s: Iterable[float | None]) -> "Spread":
        """Take the known ones.

        >>> Spread.of([1.0, None, 3.0]).mean_s
        2.0
        """
        known = [v for v in values_s if v is not None]
        if not known:
            return cls(None, None, None, None, None)
        p50, p95, p99 = np.quantile(known, (0.5, 0.95, 0.99)).tolist()
        return cls(math.fsum(known) / len(known), p50, p95, p99, max(known))


@dataclass(frozen=True, slots=True)
class Summary:
    """Figures over the requests that count.

    Parameters
    ----------
    by_state : dict
        Requests by what became of them. [1]
    faults : dict
        Failed requests by reason. [1]
    duration_s : float
        From the first request to the last token of a whole answer. [s]
    good_frac : float or None
        Of answered and failed requests, those within the targets. [1]
    mean_concurrency : float
        Requests in flight, mean over the duration, by Little's law. [1]
    late : Spread
        By how much requests of an open loop left late: the client's own delay. [s]
    """

    by_state: dict[str, int]
    faults: dict[str, int]
    retries: int
    duration_s: float
    requests_per_s: float
    input_tokens_per_s: float
    output_tokens_per_s: float
    good_requests_per_s: float
    good_frac: float | None
    mean_concurrency: float
    mean_input_tokens: float | None
    mean_output_tokens: float | None
    cached_frac: float | None
    ttft: Spread
    tpot: Spread
    gap: Spread
    e2e: Spread
    late: Spread

    @property
    def done(self) -> int:
        """Requests that were answered. [1]"""
        return self.by_state[State.DONE.value]


@dataclass(frozen=True, slots=True)
class Result:
    """A test with its figures, the moment it began, and remarks."""

    run: Run
    targets: Targets
    summary: Summary
    date: datetime.datetime
    notes: tuple[Note, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Everything but the single requests, as JSON types."""
        run, served = self.run, self.run.served
        return {
            "date": self.date.isoformat(timespec="seconds"),
            "stop": run.stop.value,
            "requests_planned": run.planned,
            "requests_sent_in_all": run.sent,
            "server": {
                "model": served.dialect.model,
                "engine": served.engine or None,
                "engine_version": served.engine_version or None,
                "api": served.dialect.api.value,
                "context_tokens": served.longest_tokens,
                "tokenizer": served.prompter.tokenizer,
                "counts_tokens": served.has_usage,
            },
            "workload": {
                "lengths": run.sizes.name,
                **_pace(run),
                "shared_prefix_tokens": run.ask.shared_prefix_tokens,
                "seed": run.ask.seed,
            },
            "targets": {
                k: _json(v) for k, v in dataclasses.asdict(self.targets).items()
            },
            "summary": dataclasses.asdict(self.summary),
            "notes": [str(note) for note in self.notes],
        }


def summary_of(run: Run, targets: Targets) -> Summary:
    """Compute the figures.

    Parameters
    ----------
    run : Run
        A test.
    targets : Targets
        For the goodput.
    """
    records = run.records
    done = [r for r in records if r.state is State.DONE]
    failed = sum(r.state is State.FAILED for r in records)
    good = sum(targets.met_by(r) for r in done)
    duration_s = _duration_s(done)
    per_s = 1.0 / duration_s if duration_s else 0.0
    inputs = float(sum(r.input_tokens for r in done))
    outputs = float(sum(r.output_tokens for r in done))
    return Summary(
        by_state=_by_state(records),
        faults=dict(Counter(r.fault.value for r in records if r.fault is not None)),
        retries=sum(r.retries for r in records),
        duration_s=duration_s,
        requests_per_s=len(done) * per_s,
        input_tokens_per_s=inputs * per_s,
        output_tokens_per_s=outputs * per_s,
        good_requests_per_s=good * per_s,
        good_frac=good / (len(done) + failed) if done or failed else None,
        mean_concurrency=math.fsum(r.e2e_s or 0.0 for r in done) * per_s,
        mean_input_tokens=inputs / len(done) if done else None,
        mean_output_tokens=outputs / len(done) if done else None,
        cached_frac=_cached_frac(done),
        ttft=Spread.of(r.ttft_s for r in done),
        tpot=Spread.of(r.tpot_s for r in done),
        gap=Spread.of(gap for r in done for gap in r.gaps_s),
        e2e=Spread.of(r.e2e_s for r in done),
        late=Spread.of(r.late_s for r in records),
    )


def _by_state(records: Sequence[Record]) -> dict[str, int]:
    counts = Counter(r.state for r in records)
    return {s.value: counts[s] for s in State if s is not State.WAITING}


def _duration_s(done: Sequence[Record]) -> float:
    sent = [r.sent_s - r.waited_s for r in done if r.sent_s is not None]
    return max(r.token_s[-1] for r in done) - min(sent) if sent else 0.0


def _cached_frac(done: Sequence[Record]) -> float | None:
    """Share of input tokens that the server took from its prefix cache. [1]"""
    known = [r for r in done if r.usage.cached_tokens is not None]
    whole = sum(r.input_tokens for r in known)
    return sum(r.usage.cached_tokens or 0 for r in known) / whole if whole else None


def _pace(run: Run) -> dict[str, Any]:
    kind = type(run.ask.pace).__name__
    names = {"ClosedLoop": "closed", "OpenLoop": "open", "TraceTimes": "trace"}
    values = {k: _json(v) for k, v in dataclasses.asdict(run.ask.pace).items()}
    return {"loop": names[kind], **values}


def _json(value: float) -> float | str:
    if isinstance(value, float) and math.isinf(value):
        return "inf"
    return value
