"""The rules that other calculators use, on the same configurations, for comparison.

`constant_shares` is the roofline with constant shares: decoding reads weights and cache
at 60 % of bandwidth, prefill computes at 50 % of peak. `flops_only` counts 2 FLOP per
active parameter and token at 40 % of peak, whatever is read. Neither knows of batching
limits beyond memory, collectives, overheads or queueing, and both draw rated power.
"""

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dayrate import catalog
from dayrate.catalog.params import active_params, total_params
from dayrate.errors import DayrateError
from dayrate.perf.deployment import machine_of
from dayrate.perf.memory import kv_bytes_per_token
from dayrate.validation.configuration import Configuration
from dayrate.validation.deployments import precision_of
from dayrate.validation.predict import Predictions
from dayrate.validation.table import Measurement

__all__ = ["RULES", "constant_shares", "flops_only", "naive_predictions"]

BANDWIDTH_FRAC, PREFILL_FRAC, FLOP_FRAC = 0.60, 0.50, 0.40
_LARGEST_BATCH = 256.0


@dataclass(frozen=True, slots=True)
class Facts:
    """What the rules look at; rates of one replica."""

    replicas: float
    peak_flop_per_s: float
    bytes_per_s: float
    total_bytes: float
    active_bytes: float
    active_params: float
    kv_bytes_per_token: float
    room: float  # sequences whose cache fits
    tdp_w: float


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds of one prompt, and of a decode step, for a batch of a replica."""

    prefill_s: float
    step_s: Callable[[float], float]


def constant_shares(c: Configuration) -> Mapping[str, float]:
    """Predict by constant shares of bandwidth and of peak."""
    f = _facts(c)
    context = c.input_tokens + c.output_tokens / 2

    def step_s(batch: float) -> float:
        weights = min(f.total_bytes, f.active_bytes * batch)
        read = weights + batch * context * f.kv_bytes_per_token
        return read / (BANDWIDTH_FRAC * f.bytes_per_s)

    flop = 2 * f.active_params * c.input_tokens
    return _metrics(c, f, Times(flop / (PREFILL_FRAC * f.peak_flop_per_s), step_s))


def flops_only(c: Configuration) -> Mapping[str, float]:
    """Predict by arithmetic alone."""
    f = _facts(c)
    token_s = 2 * f.active_params / (FLOP_FRAC * f.peak_flop_per_s)
    return _metrics(c, f, Times(token_s * c.input_tokens, lambda b: token_s * b))


#: Name of each rule as readers see it.
RULES: Mapping[str, Callable[[Configuration], Mapping[str, float]]] = {
    "60 % of bandwidth, 50 % of peak": constant_shares,
    "2N FLOP at 40 % of peak": flops_only,
}


def naive_predictions(
    rows: Sequence[Measurement], rule: Callable[[Configuration], Mapping[str, float]]
) -> Predictions:
    """Predict the rows that a rule has an answer for."""
    kept, values = [], []
    for row in rows:
        if row.configuration is None or row.reason:
            continue
        value = _answered(rule, row.configuration).get(row.metric, math.nan)
        if math.isfinite(value) and value > 0:
            kept.append(row)
            values.append(value)
    return Predictions(tuple(kept), np.array(values), np.array([r.value for r in kept]))


def _answered(
    rule: Callable[[Configuration], Mapping[str, float]], c: Configuration
) -> Mapping[str, float]:
    try:
        return rule(c)
    except DayrateError:
        return {}


def _facts(c: Configuration) -> Facts:
    model, precision = catalog.model(c.model), precision_of(c)
    device = catalog.accelerator(c.accelerator_id)
    tensor = c.tensor or c.accelerators
    ranks = tensor * c.pipeline * c.attention_data
    ranks = max(1, min(ranks, c.accelerators))
    machine = machine_of(device, network=device.link, precision=precision)
    total, active = _params(c.model)
    per_token = float(kv_bytes_per_token(model, precision.kv_cache))
    weight_bytes = total * precision.weights.bytes
    free = 0.9 * ranks * device.hbm_bytes - weight_bytes
    length = c.input_tokens + c.output_tokens
    return Facts(
        replicas=max(1.0, c.accelerators // ranks),
        peak_flop_per_s=float(machine.matmul_flop_per_s) * ranks,
        bytes_per_s=float(machine.hbm_bytes_per_s) * ranks,
        total_bytes=weight_bytes,
        active_bytes=active * precision.weights.bytes,
        active_params=active,
        kv_bytes_per_token=per_token,
        room=max(1.0, free / (per_token * length) if per_token * length else math.inf),
        tdp_w=c.accelerators * (device.tdp_w or math.nan),
    )


@functools.cache
def _params(name: str) -> tuple[float, float]:
    model = catalog.model(name)
    return float(total_params(model)), float(active_params(model))


def _metrics(c: Configuration, f: Facts, t: Times) -> Mapping[str, float]:
    """Run one batch after another: prompts first, then all decode together."""
    waiting = math.isinf(c.request_rate) if c.request_rate is not None else False
    asked = _LARGEST_BATCH if c.concurrency is None else c.concurrency / f.replicas
    batch = max(1.0, min(asked, f.room, c.requests))
    step_s = t.step_s(batch)
    steps = max(c.output_tokens, 1.0)
    together = c.scenario == "static_batch"
    first_s = t.prefill_s * (batch if together else 1.0)
    run_s = batch * t.prefill_s + steps * step_s
    rate = f.replicas * batch / run_s
    if c.request_rate is not None and not waiting:
        rate = min(rate, c.request_rate)
    return {
        "output_tokens_per_s": rate * c.output_tokens,
        "total_tokens_per_s": rate * (c.input_tokens + c.output_tokens),
        "requests_per_s": rate,
        "ttft_ms": first_s * 1e3,
        "tpot_ms": step_s * 1e3,
        "e2e_latency_s": first_s + steps * step_s,
        "avg_power_w": f.tdp_w,
        "energy_per_output_token_j": f.tdp_w / (rate * c.output_tokens)
        if c.output_tokens
        else math.nan,
    }
