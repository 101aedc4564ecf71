"""A simulation as text: the requests, latencies, the fleet, its bill by the hour."""

import math

from rich.table import Table

from dayrate.compose.simulation import SimulatedDay
from dayrate.report.canvas import Canvas, Page
from dayrate.report.fleet import (
    write_comparison,
    write_cost,
    write_fleet,
    write_hours,
)
from dayrate.report.i18n import Words, mark
from dayrate.report.latency import latency_table
from dayrate.report.numbers import figure, percent
from dayrate.report.phrases import phrase

__all__ = ["render_simulation"]

_STATES = {
    "done": mark("answered"),
    "running": mark("still running"),
    "waiting": mark("still waiting"),
    "too_long": mark("dropped: longer than the context or the cache"),
    "rejected": mark("dropped: the queue was full"),
    "timed_out": mark("dropped: gave up waiting"),
    "cancelled": mark("cancelled"),
}


def render_simulation(day: SimulatedDay, page: Page) -> str:
    """Write the whole answer."""
    canvas, _ = Canvas(page), page.words
    canvas.heading(_("Requests"))
    canvas.rows(_requests(day, _))
    canvas.heading(_("Latency"))
    canvas.write(_latencies(day, _))
    write_fleet(canvas, day)
    canvas.heading(_("Replicas at work"))
    canvas.rows(_engine(day, _))
    write_cost(canvas, day)
    write_hours(canvas, day)
    write_comparison(canvas, day)
    canvas.heading(_("Not in the bill"))
    for item in day.fleet.left_out:
        canvas.bullet(phrase(item, _))
    if day.notes:
        canvas.heading(_("Notes"))
        for note in day.notes:
            canvas.bullet(phrase(note, _))
    return canvas.text()


def _requests(day: SimulatedDay, _: Words) -> list[tuple[str, ...]]:
    s = day.summary
    rows: list[tuple[str, ...]] = [(_("requests"), figure(s.requests))]
    for state, label in _STATES.items():
        if s.by_state[state] or state == "done":
            rows.append((_(label), figure(s.by_state[state])))
    targets = [
        f"{name} {figure(float(limit) * 1e3)} ms"
        for name, limit in (("TTFT", day.slo.ttft_s), ("TPOT", day.slo.tpot_s))
        if math.isfinite(limit)
    ]
    within = f"{figure(s.good_requests_per_s)}/s"
    rows += [
        (_("from first arrival to last token"), f"{figure(s.makespan_s)} s"),
        (_("answered per second"), f"{figure(s.requests_per_s)}/s"),
        (_("within the targets"), percent(s.good_frac), within, ", ".join(targets)),
        (_("input tokens per second"), figure(s.input_tokens_per_s)),
        (_("output tokens per second"), figure(s.output_tokens_per_s)),
        (_("input tokens found cached"), percent(s.hit_frac)),
    ]
    return rows


def _latencies(day: SimulatedDay, _: Words) -> Table:
    s = day.summary
    rows = (
        (_("time to first token"), s.ttft),
        (_("… without the queue"), s.ttft_without_queue),
        (_("time per output token"), s.tpot),
        (_("whole answer"), s.e2e),
        (_("… without the queue"), s.e2e_without_queue),
        (_("in the queue"), s.queue),
    )
    return latency_table(rows, _)


def _engine(day: SimulatedDay, _: Words) -> list[tuple[str, ...]]:
    s = day.summary
    return [
        (_("busy"), percent(s.utilisation_frac), _("of the time that replicas serve")),
        (_("cache used at the peak"), percent(s.peak_kv_used_frac)),
        (_("most running, most waiting"), f"{s.peak_running}, {s.peak_waiting}"),
        (_("preemptions"), figure(s.preemptions)),
        (_("steps"), figure(s.steps)),
        (_("largest error of the step law"), f"{100 * day.law.error_frac:.2f} %"),
    ]
