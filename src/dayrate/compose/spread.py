"""Intervals around the figures of a quote: how far each, and the bill, may be off.

Times and the capacity of a replica carry the errors of the same kind of figure on
published measurements. The fleet, and what it costs, is sized again at either end of
the interval of the capacity; a given size is kept. Prices are not varied.
"""

import dataclasses
from collections.abc import Callable, Mapping

from dayrate.compose.deploy import Plan
from dayrate.compose.resolve import Resolved
from dayrate.evidence import Grade, format_value
from dayrate.perf.interval import Spread, load_intervals
from dayrate.perf.novelty import Situation, architecture_kind
from dayrate.scenario.result import Interval, Serving
from dayrate.scenario.working import Working
from dayrate.serving.fleet import Fleet

__all__ = ["intervals_of"]

Bounds = Mapping[int, tuple[float, float]]
#: Figures, and the measured figure whose errors they share: metric, scenario, unit.
#: Capacity is a rate with requests always waiting; latencies are under arrivals.
_LIKE = {
    "ttft_ms": ("ttft_ms", "open_loop", "ms"),
    "tpot_ms": ("tpot_ms", "open_loop", "ms"),
    "capacity_requests_per_s": ("requests_per_s", "queued", "1/s"),
}
_SHOWN = 80


def intervals_of(
    r: Resolved,
    plan: Plan,
    serving: Serving,
    *,
    total_usd: Callable[[Plan], float],
    w: Working,
) -> dict[str, Interval]:
    """Interval of every figure that rests on the performance model.

    ``total_usd`` prices the day of a plan.
    """
    situation = _situation(r, serving)
    found: dict[str, Interval] = {}
    for name, (metric, kind, unit) in _LIKE.items():
        value = getattr(serving, name)
        if value is not None:
            spread = load_intervals().around(metric, kind, situation)
            found[name] = _interval(spread.bounds(value), spread)
            _write(f"serving.{name}", found[name], unit, _errors_of(spread), w)
    capacity = found["capacity_requests_per_s"]
    ends = {
        level: tuple(_resized(plan, rate) for rate in bounds)
        for level, bounds in capacity.bounds.items()
    }
    tokens = (serving.tokens_per_s_per_accelerator or 0.0) * plan.accelerator_hours
    figures: dict[str, tuple[str, str, Callable[[Plan], float]]] = {
        "accelerators": ("deployment", "1", lambda p: p.accelerators),
        "tokens_per_s_per_accelerator": (
            "serving",
            "token/s",
            lambda p: tokens / p.accelerator_hours,
        ),
        "total_usd_per_day": ("cost", "USD/day", total_usd),
    }
    why = "the fleet sized at either end of the interval of a replica's capacity"
    for name, (section, unit, figure) in figures.items():
        bounds = {k: _bracket(figure, plans) for k, plans in ends.items()}
        found[name] = dataclasses.replace(capacity, bounds=bounds)
        _write(f"{section}.{name}", found[name], unit, why, w)
    return found


def _situation(r: Resolved, serving: Serving) -> Situation:
    """Every engine that may be named was measured, so it is within the data."""
    return Situation(
        accelerator_id=r.accelerator.id,
        generation=r.accelerator.generation,
        architecture=architecture_kind(r.model),
        engine=None,
        input_tokens=float(r.traffic.input_tokens),
        output_tokens=float(r.traffic.output_tokens),
        batch=serving.batch,
    )


def _interval(bounds: Bounds, spread: Spread) -> Interval:
    return Interval(
        bounds=bounds,
        regime=spread.regime,
        n=spread.n,
        widened_by=spread.widened_by,
        outside=spread.outside,
    )


def _resized(plan: Plan, per_s: float) -> Plan:
    """Carry the same demand with replicas of another capacity."""
    capacity = dataclasses.replace(plan.capacity, requests_per_s=per_s)
    if plan.size_given:
        load = plan.demand.rate_per_s / (plan.replicas * per_s)
        fleet = Fleet(plan.fleet.replicas, load)
        return dataclasses.replace(plan, capacity=capacity, fleet=fleet)
    fleet = plan.demand.fleet(per_s)
    accelerators = float(fleet.replicas.max()) * plan.accelerators_per_replica
    return dataclasses.replace(
        plan, capacity=capacity, fleet=fleet, accelerators=accelerators
    )


def _bracket(
    figure: Callable[[Plan], float], plans: tuple[Plan, ...]
) -> tuple[float, float]:
    values = sorted(float(figure(p)) for p in plans)
    return values[0], values[-1]


def _errors_of(spread: Spread) -> str:
    n, regime, source = spread.n, spread.regime, load_intervals().source
    factor, kinds = f"{spread.widened_by:.2f}", ", ".join(spread.outside)
    if kinds:
        return (
            f"errors of {n} published measurements ({regime}): {source}; widened "
            f"{factor} times, outside the data: {kinds}"
        )
    return f"errors of {n} published measurements ({regime}): {source}"


def _write(name: str, interval: Interval, unit: str, source: str, w: Working) -> None:
    low, high = interval.bounds[_SHOWN]
    text = f"{_short(low)} to {_short(high)}" + ("" if unit == "1" else f" {unit}")
    line = f"{name}_{_SHOWN}_pct"
    w.ledger = w.ledger.fact(line, text, "", grade=Grade.FITTED, source=source)


def _short(value: float) -> str:
    return format_value(float(f"{value:.3g}"))
