"""Predict measurements from their configurations, many rows at once.

Rows that share a model and number formats become arrays over one stacked replica, so
that a table of thousands of rows takes a few hundred evaluations.
"""

import dataclasses
import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dayrate.energy.power import active_power_w
from dayrate.perf.tuning import QUANTITIES
from dayrate.serving.runs import Run, closed_loop, open_loop, queued, static_batch
from dayrate.validation.calibration import Calibration
from dayrate.validation.configuration import METRICS, Configuration
from dayrate.validation.deployments import (
    Deployments,
    group_key,
    repeated,
    stack,
    tuned,
)
from dayrate.validation.pooled import run_apart, stack_apart
from dayrate.validation.table import Measurement

__all__ = ["Group", "Predictions", "predict", "predictions", "prepare", "regime"]

Floats = npt.NDArray[np.float64]
_APART = "disaggregated"  # the regime of closed loops whose prefill runs apart


@dataclass(frozen=True, slots=True)
class Predictions:
    """Predicted and measured values of the rows that could be predicted."""

    rows: tuple[Measurement, ...]
    predicted: Floats
    measured: Floats

    @property
    def log_error(self) -> Floats:
        """ln(predicted / measured). [1]"""
        return np.log(self.predicted / self.measured)

    def groups(self, columns: Sequence[str]) -> list[tuple[str, ...]]:
        """Values of some columns of the table, row by row."""
        return [tuple(row.keys[c] for c in columns) for row in self.rows]


def predictions(
    rows: Sequence[Measurement], calibration: Calibration
) -> tuple[Predictions, list[tuple[Measurement, str]]]:
    """Predict rows, and say of the others why not.

    Parameters
    ----------
    rows : sequence of Measurement
        From a table.
    calibration : Calibration
        Coefficients.

    Returns
    -------
    tuple
        What was predicted, and the reasons of the rest.
    """
    asked = [r for r in rows if r.configuration is not None and not r.reason]
    distinct = list(dict.fromkeys(r.configuration for r in asked if r.configuration))
    found = predict(distinct, calibration)
    values = np.array(
        [
            found[r.configuration].get(r.metric, math.nan)
            for r in asked
            if r.configuration
        ]
    )
    good = np.isfinite(values) & (values > 0)
    failed = [(r, r.reason) for r in rows if r.reason]
    failed += [(r, _why_not(r)) for r, ok in zip(asked, good, strict=True) if not ok]
    kept = tuple(r for r, ok in zip(asked, good, strict=True) if ok)
    return Predictions(kept, values[good], np.array([r.value for r in kept])), failed


def predict(
    configurations: Sequence[Configuration], calibration: Calibration
) -> dict[Configuration, Mapping[str, float]]:
    """Predict every metric of each configuration."""
    found: dict[Configuration, Mapping[str, float]] = {}
    for group in prepare(configurations):
        each = [calibration.factor(c) for c in group.members]
        metrics = group.metrics({q: _floats([f[q] for f in each]) for q in QUANTITIES})
        for i, c in enumerate(group.members):
            found[c] = {m: float(metrics[m][i]) for m in METRICS}
    return found


@dataclass(frozen=True, slots=True)
class Group:
    """Configurations that are predicted together, as arrays."""

    regime: str
    members: tuple[Configuration, ...]
    deployed: Deployments

    def metrics(self, factor: Mapping[str, Floats]) -> dict[str, Floats]:
        """Predict every metric under factors by quantity.

        Their arrays hold a value for each member, or for each member several times
        over: for all under one set of factors, for all under the next, and so on.
        """
        times = len(next(iter(factor.values()))) // len(self.members)
        deployed = repeated(self.deployed, times) if times > 1 else self.deployed
        deployed = tuned(deployed, factor)
        return _metrics(deployed, _REGIMES[self.regime](deployed))


def prepare(configurations: Sequence[Configuration]) -> list[Group]:
    """Stack configurations that can be predicted together."""
    groups: dict[tuple[str, object], list[Configuration]] = defaultdict(list)
    for c in configurations:
        groups[regime(c), group_key(c)].append(c)
    return [
        Group(n, tuple(m), stack_apart(m) if n == _APART else stack(m))
        for (n, _), m in groups.items()
    ]


def regime(c: Configuration) -> str:
    """How the requests came: static_batch, queued, closed_loop or open_loop.

    A closed loop whose prefill runs apart is disaggregated.
    """
    if c.scenario == "static_batch":
        return "static_batch"
    if c.request_rate is None:
        return _APART if c.prefill_apart else "closed_loop"
    return "open_loop" if math.isfinite(c.request_rate) else "queued"


def _why_not(row: Measurement) -> str:
    c = row.configuration
    if c is not None and c.output_tokens <= 1 and row.metric == "tpot_ms":
        return "no decode step to time"
    return "no finite prediction"


def _static(d: Deployments) -> Run:
    """One batch in the engine itself: no network, no queue."""
    run = static_batch(d.replica, d.traffic, d.concurrency / d.replicas, d.fitting)
    whole = run.e2e_s + d.start_s
    return dataclasses.replace(
        run,
        requests_per_s=run.requests_per_s * run.e2e_s / whole,
        ttft_s=run.ttft_s + d.start_s,
        e2e_s=whole,
    )


def _queued(d: Deployments) -> Run:
    run = queued(d.replica, d.traffic, d.requests / d.replicas, d.slots)
    return _requested(run, d.request_s)


def _closed(d: Deployments) -> Run:
    run = closed_loop(
        d.replica,
        d.traffic,
        d.concurrency / d.replicas,
        d.requests / d.replicas,
        d.slots,
        poll_steps=d.poll_steps,
    )
    return _looped(run, d.request_s)


def _disaggregated(d: Deployments) -> Run:
    return _looped(run_apart(d), d.request_s)


def _looped(run: Run, request_s: Floats) -> Run:
    """Little's law: what a request spends outside the model it is not in a slot."""
    inside_frac = run.e2e_s / (run.e2e_s + request_s)
    slower = dataclasses.replace(run, requests_per_s=run.requests_per_s * inside_frac)
    return _requested(slower, request_s)


def _open(d: Deployments) -> Run:
    # replicas take turns, so that arrivals at each are more regular
    traffic = dataclasses.replace(d.traffic, arrival_scv=1.0 / d.replicas)
    run = open_loop(
        d.replica, traffic, d.rate / d.replicas, d.requests / d.replicas, d.slots
    )
    return _requested(run, d.request_s)


def _requested(run: Run, request_s: Floats) -> Run:
    """Add the time of requests outside the model."""
    return dataclasses.replace(
        run, ttft_s=run.ttft_s + request_s, e2e_s=run.e2e_s + request_s
    )


_REGIMES: Mapping[str, Callable[[Deployments], Run]] = {
    "static_batch": _static,
    "queued": _queued,
    "closed_loop": _closed,
    _APART: _disaggregated,
    "open_loop": _open,
}


def _metrics(d: Deployments, run: Run) -> dict[str, Floats]:
    """Report a run as the tables do: throughput and power of the whole system."""
    rate = np.asarray(run.requests_per_s * d.replicas)
    out, into = np.asarray(d.output_tokens), np.asarray(d.input_tokens)
    watts = d.accelerators * active_power_w(
        tdp_w=d.tdp_w,
        compute_frac=run.compute_frac,
        memory_frac=run.memory_frac,
        shares=d.power,
    )
    watts = np.minimum(watts, d.accelerators * d.tdp_w * d.power_cap_frac)
    with np.errstate(divide="ignore", invalid="ignore"):
        joules = watts / (rate * out)
    found = {
        "output_tokens_per_s": rate * out,
        "total_tokens_per_s": rate * (out + into),
        "requests_per_s": rate,
        "ttft_ms": run.ttft_s * 1e3,
        "tpot_ms": run.tpot_s * 1e3,
        "e2e_latency_s": run.e2e_s,
        "avg_power_w": watts,
        "energy_per_output_token_j": joules,
    }
    shape = (len(d.accelerators),)
    return {
        m: np.broadcast_to(np.asarray(v, dtype=float), shape) for m, v in found.items()
    }


def _floats(values: Sequence[float]) -> Floats:
    return np.array(values, dtype=float)
