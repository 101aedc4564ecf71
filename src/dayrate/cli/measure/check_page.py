"""Predictions and measurements side by side, as a page of text."""

from rich.table import Table

from dayrate.cli.measure.calibrate_page import point_text, timed_table
from dayrate.cli.measure.machine_page import conditions
from dayrate.measure.calibrate.check import Check
from dayrate.measure.calibrate.stream import Served
from dayrate.report.canvas import Canvas, Page
from dayrate.report.i18n import Words
from dayrate.report.numbers import figure, percent

__all__ = ["render_check"]


def render_check(c: Check, page: Page) -> str:
    """Write the whole answer."""
    canvas, _ = Canvas(page), page.words
    canvas.heading(_("Predicted, then measured"))
    canvas.write(_points(c, _))
    canvas.rows([(_("median error"), percent(c.median_error_frac))])
    if c.streams is not None and c.served is not None and c.simulated is not None:
        title = _("{requests} requests at once, {slots} together")
        canvas.heading(title.format(requests=c.streams.requests, slots=c.streams.slots))
        canvas.write(_streams(c, c.simulated, c.served, _))
    canvas.heading(_("Conditions"))
    canvas.rows(_conditions(c, _))
    return canvas.text()


def _points(c: Check, _: Words) -> Table:
    table = timed_table((_("predicted"), _("measured"), _("error"), _("spread")))
    for p in c.points:
        table.add_row(
            f"  {point_text(p.timed, _)}",
            f"{figure(p.predicted_per_s)} t/s",
            f"{figure(p.measured_per_s)} t/s",
            f"{p.error_frac:+.0%}",
            f"+{p.timed.spread_frac:.0%}",
        )
    return table


def _streams(c: Check, simulated: Served, served: Served, _: Words) -> Table:
    table = timed_table((_("predicted"), _("measured"), _("error")))
    rows: list[tuple[str, float | None, float, float, str]] = [
        (
            _("output tokens a second, simulated"),
            simulated.output_tokens_per_s,
            served.output_tokens_per_s,
            1.0,
            "t/s",
        ),
        (
            _("… in closed form, never running dry"),
            c.closed_form_tokens_per_s,
            served.output_tokens_per_s,
            1.0,
            "t/s",
        ),
        (
            _("until the last answer, simulated"),
            simulated.makespan_s,
            served.makespan_s,
            1.0,
            "s",
        ),
        (_("time to first token, mean"), simulated.ttft_s, served.ttft_s, 1e3, "ms"),
        (_("time per output token, mean"), simulated.tpot_s, served.tpot_s, 1e3, "ms"),
    ]
    for label, predicted, measured, scale, unit in rows:
        if predicted is None:
            continue
        table.add_row(
            f"  {label}",
            f"{figure(predicted * scale)} {unit}",
            f"{figure(measured * scale)} {unit}",
            f"{predicted / measured - 1.0:+.0%}",
        )
    return table


def _conditions(c: Check, _: Words) -> list[tuple[str, ...]]:
    threads = _("threads: {n}").format(n=c.ask.used_threads)
    rows: list[tuple[str, ...]] = [
        (_("engine"), c.ask.engine, threads),
        (_("calibrated on"), c.calibrated),
        *conditions(c.total, c.load_after, c.waited_frac, _),
    ]
    if c.busy:
        rows.append(("", _("All times above are less the wait for a core.")))
    return rows
