"""A simulated fleet as text: what it held and cost, by the hour, and against fixed."""

from collections.abc import Callable

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from dayrate.compose.fleetday import FleetDay
from dayrate.compose.simulation import SimulatedDay
from dayrate.report.canvas import Canvas
from dayrate.report.i18n import Words, mark
from dayrate.report.labels import TERMS
from dayrate.report.numbers import Coin, figure, percent, significant
from dayrate.serving.autoscale import Scaling
from dayrate.units import DAY_S, HOUR_S

__all__ = ["write_comparison", "write_cost", "write_fleet", "write_hours"]

#: Hours that are shown; JSON has all.
_HOURS = 48

POLICIES = {
    Scaling.FIXED: mark("fixed"),
    Scaling.SCHEDULED: mark("by the hour of the day"),
    Scaling.REACTIVE: mark("by the load"),
}


def write_fleet(canvas: Canvas, day: SimulatedDay) -> None:
    """Write how many replicas there were, and what starting them did."""
    _, fleet, policy = canvas.page.words, day.fleet, day.fleet.policy
    each = day.accelerators_per_replica
    rows = [
        (_("replicas"), *_counts(day, _)),
        ("", _("of {n} x {accelerator}").format(n=each, accelerator=day.accelerator)),
    ]
    if day.prefill_replicas:
        rows.append((_("of them for prompts alone"), figure(day.prefill_replicas)))
    rows.append((_("policy"), _(POLICIES[policy.scaling]), _bounds(day, _)))
    if policy.kept:
        rows.append((_("owned, never stopped"), figure(policy.kept)))
    if policy.scaling is not Scaling.FIXED:
        delay = _("{s} s each, paid for").format(s=figure(policy.startup_s))
        rows += [
            (_("starts"), figure(fleet.starts), delay),
            (_("came while none served"), figure(fleet.waited_for_a_start)),
        ]
    a = fleet.over_time.amounts
    serving = float(a.serving_s.sum()) / max(float(a.held_s.sum()), 1e-12)
    rows.append((_("idle share of what was held"), percent(fleet.idle_frac)))
    if policy.scaling is not Scaling.FIXED:
        rows.append((_("serving share of what was held"), percent(serving)))
    canvas.heading(_("Fleet"))
    canvas.rows(rows)


def _counts(day: SimulatedDay, _: Words) -> tuple[str, ...]:
    fleet = day.fleet
    closed = _("closed form: {n}").format(n=day.closed_form_replicas)
    if fleet.policy.scaling is Scaling.FIXED:
        return figure(fleet.peak_held), closed
    mean = _("{n} on average").format(n=significant(fleet.mean_held))
    return mean, _("at most {n}").format(n=fleet.peak_held), closed


def _bounds(day: SimulatedDay, _: Words) -> str:
    policy = day.fleet.policy
    if policy.scaling is not Scaling.REACTIVE:
        return ""
    return _("{low} to {high}, each for {n} requests/s").format(
        low=policy.minimum, high=policy.maximum, n=significant(policy.per_s)
    )


def write_cost(canvas: Canvas, day: SimulatedDay) -> None:
    """Write the bill and the energy of the time simulated."""
    _, fleet = canvas.page.words, day.fleet
    coin, total = _coin(fleet), float(fleet.cost.total_usd)
    terms = sorted(fleet.cost.terms_usd.items(), key=lambda t: -float(t[1]))
    done = fleet.summary.by_state["done"]
    wh = _("{n} Wh per request").format(n=figure(fleet.kwh * 1e3 / done or 0.0))
    title = _("Cost and energy of {time}").format(time=_time(day.period_s, _))
    canvas.heading(title)
    canvas.rows(
        [
            (_("total"), coin.text(total)),
            *(
                (f"  {_(TERMS.get(name, name.replace('_', ' ')))}", coin.text(usd))
                for name, usd in ((n, float(v)) for n, v in terms)
                if len(terms) > 1
            ),
            (_("per request"), _maybe(coin, fleet.usd_per_request, _)),
            (
                _("per million tokens, in and out"),
                _maybe(coin, fleet.usd_per_million_tokens, _),
            ),
            (_("electricity drawn"), f"{figure(fleet.kwh)} kWh", wh if done else ""),
            (_("CO2"), f"{figure(fleet.kg_co2)} kg"),
        ]
    )


def _coin(fleet: FleetDay) -> Coin:
    return Coin(fleet.currency, fleet.currency_per_usd)


def _maybe(coin: Coin, usd: float | None, _: Words) -> str:
    return _("unknown") if usd is None else coin.text(usd)


def _time(seconds: float, _: Words) -> str:
    if seconds == DAY_S:
        return _("a day")
    if seconds >= 2 * HOUR_S:
        return _("{n} h").format(n=figure(seconds / HOUR_S))
    return f"{figure(seconds)} s"


def write_hours(canvas: Canvas, day: SimulatedDay) -> None:
    """Write a row for each hour, where there is more than one."""
    _, rows = canvas.page.words, list(day.fleet.hours.rows())
    if len(rows) < 2:
        return
    coin = _coin(day.fleet)
    columns: dict[str, Callable[[dict[str, float]], str]] = {
        _("hour"): lambda r: f"{r['start_s'] / HOUR_S:.0f}",
        _("held"): lambda r: f"{r['replicas_held']:.2f}",
        _("serving"): lambda r: f"{r['replicas_serving']:.2f}",
        _("requests"): lambda r: figure(r["requests"]),
        _("late"): lambda r: figure(r["late"]),
        _("dropped"): lambda r: figure(r["dropped"]),
        _("busy"): lambda r: f"{100 * r['busy_frac']:.0f} %",
        _("loaded"): lambda r: f"{100 * r['load_frac']:.0f} %",
        "kWh": lambda r: f"{r['kwh']:.2f}",
        _("cost"): lambda r: coin.text(r["usd"], decimals=2),
    }
    table = Table.grid(padding=(0, 2, 0, 0))
    for _head in columns:
        table.add_column(justify="right", no_wrap=True)
    table.add_row(*(Text(head, style="dim") for head in columns))
    for row in rows[:_HOURS]:
        table.add_row(*(cell(row) for cell in columns.values()))
    canvas.heading(_("By hour"))
    canvas.write(Padding(table, (0, 0, 0, 2)))
    if len(rows) > _HOURS:
        text = _("{n} hours more are in --json.").format(n=len(rows) - _HOURS)
        canvas.paragraph(text, style="dim")


def write_comparison(canvas: Canvas, day: SimulatedDay) -> None:
    """Write the policy beside a fixed fleet that serves the same requests."""
    if day.fixed is None:
        return
    _, ours, theirs = canvas.page.words, day.fleet, day.fixed
    coin = _coin(ours)
    lines: list[tuple[str, Callable[[FleetDay], float | None], Callable[..., str]]] = [
        (_("cost"), lambda f: float(f.cost.total_usd), coin.text),
        (_("per million tokens"), lambda f: f.usd_per_million_tokens, coin.text),
        (_("electricity, kWh"), lambda f: f.kwh, figure),
        (_("replica-hours"), lambda f: f.replica_hours, figure),
        (_("idle share"), lambda f: f.idle_frac, percent),
        (_("within the targets"), lambda f: f.summary.good_frac, percent),
        (_("TTFT p95, ms"), lambda f: _ms(f.summary.ttft.p95_s), figure),
        (_("TTFT p99, ms"), lambda f: _ms(f.summary.ttft.p99_s), figure),
        (_("TPOT p95, ms"), lambda f: _ms(f.summary.tpot.p95_s), figure),
    ]
    table = Table.grid(padding=(0, 3, 0, 0))
    table.add_column(width=34)
    for _column in range(3):
        table.add_column(justify="right", no_wrap=True)
    policy = _(POLICIES[ours.policy.scaling])
    table.add_row("", *(Text(t, style="dim") for t in (policy, _("fixed"), "")))
    for label, value, shown in lines:
        mine, other = value(ours), value(theirs)
        cells = ["-" if v is None else shown(v) for v in (mine, other)]
        table.add_row(Text(f"  {label}"), *cells, _change(mine, other, shown))
    title = _("Against a fixed fleet of {n}").format(n=theirs.peak_held)
    canvas.heading(title)
    canvas.write(table)


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1e3


def _change(mine: float | None, other: float | None, shown: Callable[..., str]) -> str:
    """Relative change; a share has none."""
    if shown is percent or mine is None or not other:
        return ""
    more = round(100 * (mine / other - 1))
    return f"{more:+} %" if more else ""
