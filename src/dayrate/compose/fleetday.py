"""What a simulated fleet draws and costs, in all and over time.

The bill is that of `price_day` for a day with as many machines and as much work, times
the days simulated. Over time, rent goes with the machines held, electricity with the
energy, and what is owned or paid by the year evenly: so sums over time are the totals.
"""

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dayrate.catalog.price import Pricing
from dayrate.compose.day import PricedDay, price_day
from dayrate.compose.deploy import Plan
from dayrate.compose.held import HeldDay
from dayrate.compose.policy import works_of
from dayrate.compose.resolve import Resolved
from dayrate.cost.breakdown import Cost
from dayrate.evidence import Ledger
from dayrate.scenario.schema import Scenario
from dayrate.scenario.working import Working
from dayrate.serving.autoscale import Autoscale
from dayrate.serving.simulator import state as at
from dayrate.serving.simulator.accrual import Accrual, accrual_of_pools
from dayrate.serving.simulator.fleet import FleetRun
from dayrate.serving.simulator.outcome import Summary, summary
from dayrate.units import DAY_S, HOUR_S

__all__ = ["Asked", "FleetDay", "OverTime", "Sized", "fleet_day", "sampled"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sized:
    """A scenario, what its names mean, and the plan that carries it."""

    scenario: Scenario
    r: Resolved
    plan: Plan
    pricing: Pricing
    ledger: Ledger  # lines that prices refer to


@dataclass(frozen=True, slots=True)
class Asked:
    """What a fleet is priced for, and how long."""

    sized: Sized
    period_s: float
    kv_blocks: int  # of one replica
    accelerators_each: float  # that one replica is billed for


@dataclass(frozen=True, slots=True)
class OverTime:
    """Amounts by bin of time, whose sums are the totals."""

    amounts: Accrual
    kwh: Floats
    usd: Floats

    @property
    def seconds(self) -> Floats:
        """Length of each bin. [s]"""
        return np.diff(self.amounts.edges_s)

    def by(self, period_s: float) -> "OverTime":
        """Sum the bins of each period up; no bin spans two."""
        periods = math.ceil(float(self.amounts.edges_s[-1]) / period_s)
        return self.within(np.arange(float(periods)) * period_s)

    def within(self, begin_s: npt.NDArray[np.floating[Any]]) -> "OverTime":
        """Sum up the bins from each time, which is an edge, to the next."""
        first = np.searchsorted(self.amounts.edges_s, begin_s)
        whole = self.amounts.summed(first)
        kwh, usd = (np.add.reduceat(x, first) for x in (self.kwh, self.usd))
        return OverTime(whole, kwh, usd)

    def rows(self) -> Iterator[dict[str, float]]:
        """Yield one row per bin."""
        a, seconds = self.amounts, self.seconds
        columns = {
            "start_s": a.edges_s[:-1],
            "requests": a.arrived,
            "done": a.done,
            "late": a.late,
            "dropped": a.dropped,
            "replicas_held": a.held_s / seconds,
            "replicas_serving": a.serving_s / seconds,
            "busy_frac": _share(a.busy_s, a.serving_s),
            "load_frac": _share(a.work_s, a.held_s),
            "kwh": self.kwh,
            "usd": self.usd,
        }
        for row in zip(*(c.tolist() for c in columns.values()), strict=True):
            yield dict(zip(columns, row, strict=True))


@dataclass(frozen=True, slots=True)
class FleetDay:
    """One policy over the time simulated."""

    policy: Autoscale
    fleet: FleetRun
    summary: Summary
    cost: Cost  # of the whole time
    kwh: float
    kg_co2: float
    over_time: OverTime
    peak_held: int
    left_out: tuple[str, ...]
    currency: str
    currency_per_usd: float

    @property
    def hours(self) -> OverTime:
        """Amounts by the hour."""
        return self.over_time.by(float(HOUR_S))

    @property
    def replica_hours(self) -> float:
        """Replica-hours held. [h]"""
        return float(self.over_time.amounts.held_s.sum()) / HOUR_S

    @property
    def mean_held(self) -> float:
        """Replicas held, mean over the time. [1]"""
        return self.replica_hours * HOUR_S / float(self.over_time.seconds.sum())

    @property
    def starts(self) -> int:
        """Replicas started after the first moment. [1]"""
        return int((self.fleet.replicas.start_s > 0).sum())

    @property
    def idle_frac(self) -> float:
        """Share of the capacity held that did no work. [1]"""
        a = self.over_time.amounts
        return 1.0 - float(a.work_s.sum()) / float(a.held_s.sum())

    @property
    def waited_for_a_start(self) -> int:
        """Requests that came while no replica served. [1]"""
        return sum(int(_waited(pool).sum()) for pool in self.fleet.pools)

    @property
    def usd_per_request(self) -> float | None:
        """Bill over the requests answered. [USD]"""
        done = self.summary.by_state["done"]
        return float(self.cost.total_usd) / done if done else None

    @property
    def usd_per_million_tokens(self) -> float | None:
        """Bill over all tokens of the requests answered, in and out. [USD]"""
        run = self.fleet.run
        done = run.status == at.DONE
        tokens = int((run.input_tokens + run.output_tokens)[done].sum())
        return float(self.cost.total_usd) / tokens * 1e6 if tokens else None

    def to_dict(self) -> dict[str, Any]:
        """Everything but the requests, as JSON types."""
        done = self.summary.by_state["done"]
        terms = {k: float(v) for k, v in self.cost.terms_usd.items()}
        return {
            "policy": _policy(self.policy),
            "replicas_peak": self.peak_held,
            "replicas_mean": self.mean_held,
            "replica_hours": self.replica_hours,
            "starts": self.starts,
            "idle_frac": self.idle_frac,
            "waited_for_a_start": self.waited_for_a_start,
            "cost": {
                "terms_usd": terms,
                "total_usd": float(self.cost.total_usd),
                "usd_per_request": self.usd_per_request,
                "usd_per_million_tokens": self.usd_per_million_tokens,
                "currency": self.currency,
                "currency_per_usd": self.currency_per_usd,
            },
            "energy": {
                "kwh": self.kwh,
                "wh_per_request": self.kwh * 1e3 / done if done else None,
                "kg_co2": self.kg_co2,
            },
            "summary": dataclasses.asdict(self.summary),
        }


def fleet_day(fleet: FleetRun, policy: Autoscale, asked: Asked) -> FleetDay:
    """Price a run, part by part: what is owned, and what is rented above it."""
    r, plan, pricing = asked.sized.r, asked.sized.plan, asked.sized.pricing
    work_s = works_of(fleet, r, plan)
    edges = _edges(fleet, asked.period_s)
    slo = plan.slo
    whole = accrual_of_pools(fleet, work_s, slo, edges)
    parts = [(pricing, whole, _peak(fleet, 0, None))]
    if policy.kept:
        owned = accrual_of_pools(fleet, work_s, slo, edges, last=policy.kept)
        rented = accrual_of_pools(fleet, work_s, slo, edges, first=policy.kept)
        parts = [
            (Pricing.OWNED, owned, policy.kept),
            (pricing, rented, _peak(fleet, policy.kept, None)),
        ]
    days = [(p, a, _priced(asked, p, a, peak)) for p, a, peak in parts if peak]
    kwh, usd = np.zeros(len(edges) - 1), np.zeros(len(edges) - 1)
    cost, kg, scale = Cost({}), 0.0, asked.period_s / DAY_S
    for place, (_pricing, amounts, day) in enumerate(days):
        bill = day.cost if not place else _rent_alone(day.cost)
        bill = bill.scaled(scale)
        power = _drawn(r, amounts)
        kwh += power / power.sum() * (day.energy.kwh_per_day or 0.0) * scale
        usd += _over_time(bill, amounts, power)
        cost, kg = cost + bill, kg + (day.energy.kg_co2_per_day or 0.0) * scale
    first = days[0][2]
    return FleetDay(
        policy,
        fleet,
        _summary(fleet, asked, whole),
        cost,
        float(kwh.sum()),
        kg,
        OverTime(whole, kwh, usd),
        _peak(fleet, 0, None),
        first.left_out,
        first.money.currency,
        first.money.per_usd,
    )


def _waited(pool: FleetRun) -> npt.NDArray[np.bool_]:
    """Say who came while no replica of a pool served."""
    late, unsent = pool.sent_s > pool.run.arrival_s, np.isnan(pool.sent_s)
    return np.asarray(late | (unsent & (pool.run.status != at.TOO_LONG)))


def sampled(day: FleetDay) -> tuple[list[list[int]], OverTime]:
    """Give the state at the samples of the timeline, and amounts from each to the next.

    The state is who runs and waits, before the replicas too, and the blocks used and
    cached.
    """
    lines, over_time = day.fleet.run.timeline, day.over_time
    times = lines.time_s[lines.time_s < over_time.amounts.edges_s[-1]]
    n = len(times)
    state = (
        lines.running,
        lines.waiting + _before_replicas(day.fleet),
        lines.kv_used_blocks,
        lines.kv_cached_blocks,
    )
    return [x[:n].tolist() for x in state], over_time.within(times)


def _edges(fleet: FleetRun, period_s: float) -> Floats:
    """Edges of bins: the samples of the timeline, and full hours."""
    samples = fleet.run.timeline.time_s
    hours = np.arange(0.0, period_s, float(HOUR_S))
    edges = np.unique(np.concatenate([[0.0], samples, hours]))
    return np.append(edges[edges < period_s], period_s)


def _peak(fleet: FleetRun, first: int, last: int | None) -> int:
    """Most replicas held at once; those for prompts, where there is no last. [1]"""
    life = fleet.pools[-1].replicas
    begin, end = life.start_s[first:last], life.end_s[first:last]
    lived = end > begin
    begin, end = np.sort(begin[lived]), np.sort(end[lived])
    always = 0
    if fleet.apart is not None and last is None:
        always = len(fleet.apart[0].replicas.start_s)
    ended = np.searchsorted(end, begin, side="right")
    return always + int((np.arange(1, len(begin) + 1) - ended).max(initial=0))


def _priced(asked: Asked, pricing: Pricing, a: Accrual, peak: int) -> PricedDay:
    each = asked.accelerators_each
    held = HeldDay(
        accelerators=peak * each,
        accelerator_hours=float(a.held_s.sum()) / asked.period_s * each * 24,
        utilisation=float(a.work_s.sum()) / float(a.held_s.sum()),
    )
    sized = asked.sized
    economics, w = sized.scenario.economics, Working(sized.ledger)
    return price_day(economics, sized.r, held, pricing, w)


def _rent_alone(cost: Cost) -> Cost:
    """Leave out what is paid beside the machines: it is in the bill once."""
    return Cost({"accelerators": cost.terms_usd["accelerators"]})


def _drawn(r: Resolved, a: Accrual) -> Floats:
    """Energy of each bin, in proportion: idle draw while held, more at work."""
    idle, busy = r.server.idle_w.mid, r.server.busy_w.mid
    return np.asarray(idle * a.held_s + (busy - idle) * a.work_s)


def _over_time(cost: Cost, a: Accrual, power: Floats) -> Floats:
    even = np.diff(a.edges_s)
    shapes = {"accelerators": a.held_s, "electricity": power}
    total = np.zeros(len(even))
    for term, usd in cost.terms_usd.items():
        shape = shapes.get(term, even)
        total += shape / shape.sum() * float(usd)
    return total


def _summary(fleet: FleetRun, asked: Asked, a: Accrual) -> Summary:
    most = max(float((a.serving_s / np.diff(a.edges_s)).max()), 1.0)
    blocks = math.ceil(most) * asked.kv_blocks
    found = summary(fleet.run, asked.sized.plan.slo, blocks)
    busy = float(a.busy_s.sum()) / max(float(a.serving_s.sum()), 1e-12)
    waiting = fleet.run.timeline.waiting + _before_replicas(fleet)
    return dataclasses.replace(
        found,
        utilisation_frac=busy,
        peak_waiting=int(waiting.max(initial=0)),
    )


def _before_replicas(fleet: FleetRun) -> npt.NDArray[np.int64]:
    """Count who waits for a replica to start, at the times of the timeline. [1]"""
    when = fleet.run.timeline.time_s
    waiting = np.zeros(len(when), dtype=np.int64)
    for pool in fleet.pools:
        fits = pool.run.status != at.TOO_LONG
        sent = np.sort(pool.sent_s[fits & ~np.isnan(pool.sent_s)])
        arrival = np.sort(pool.run.arrival_s[fits])
        came = np.searchsorted(arrival, when, side="right")
        waiting += came - np.searchsorted(sent, when, side="right")
    return waiting


def _share(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)


def _policy(policy: Autoscale) -> dict[str, Any]:
    fields = dataclasses.asdict(policy)
    fields["scaling"] = policy.scaling.value
    fields["by_hour"] = list(policy.by_hour)
    return {k: None if v == math.inf else v for k, v in fields.items()}
