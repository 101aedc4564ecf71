"""A calibration as a page of text."""

import math
from pathlib import Path

from rich.table import Table
from rich.text import Text

from dayrate.cli.measure.machine_page import conditions
from dayrate.measure.calibrate.run import Calibration, Timed
from dayrate.report.canvas import Canvas, Page
from dayrate.report.i18n import Words
from dayrate.report.numbers import figure, percent
from dayrate.units import GB, TERA

__all__ = ["point_text", "render_calibration", "timed_table"]


def render_calibration(c: Calibration, file: Path, page: Page) -> str:
    """Write the whole answer."""
    canvas, _ = Canvas(page), page.words
    canvas.heading(_("Calibration"))
    threads = _("threads: {n}").format(n=c.ask.used_threads)
    canvas.rows(
        [
            (_("engine"), c.engine_version, threads),
            (_("model"), c.device.model.id, c.device.precision.weights.value),
            (_("median error of the fit"), percent(c.fit.median_error_frac)),
            (_("energy"), *_energy(c, _)),
        ]
    )
    canvas.heading(_("Coefficients"))
    canvas.write(_coefficients(c, _))
    canvas.heading(_("Timed"))
    canvas.write(_timed(c, _))
    canvas.heading(_("Conditions"))
    canvas.rows(conditions(c.total, c.load_after, c.waited_frac, _))
    canvas.write()
    canvas.paragraph(_("Written to {file}.").format(file=file))
    use = _("Use it: dayrate quote --accelerator {id} --model … --gpu-hour-price …")
    canvas.paragraph(use.format(id=c.ask.id))
    return canvas.text()


def _energy(c: Calibration, _: Words) -> tuple[str, ...]:
    e = c.energy
    if e.joules is None or e.low_joules is None or e.high_joules is None:
        return (_("unknown"), _(e.meter))
    spread = (
        "" if e.low_joules == e.high_joules else _interval(e.low_joules, e.high_joules)
    )
    return (f"{figure(e.joules)} J {spread}".strip(), _(e.source.value))


def _interval(low: float, high: float) -> str:
    return f"({figure(low)} – {figure(high)})"


def _coefficients(c: Calibration, _: Words) -> Table:
    peak, memory = c.device.machine.matmul_flop_per_s, c.device.machine.hbm_bytes_per_s
    f, giga = c.fit.coefficients, TERA / 1e3
    lines = (
        (_("matrix products"), "gemm_flop_frac", float(peak) / giga, "GFLOP/s"),
        (
            _("attention over prompts"),
            "prefill_attention_flop_frac",
            float(peak) / giga,
            "GFLOP/s",
        ),
        (
            _("attention while decoding"),
            "decode_attention_flop_frac",
            float(peak) / giga,
            "GFLOP/s",
        ),
        (_("memory"), "byte_frac", float(memory) / GB, "GB/s"),
        (_("engine per step"), "step_s", 1e6, "µs"),
        (_("engine per layer"), "layer_s", 1e6, "µs"),
        (_("engine per sequence"), "sequence_s", 1e6, "µs"),
    )
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(width=34)
    for _column in range(2):
        table.add_column(justify="right", no_wrap=True)
    table.add_column()
    table.add_row("", "", Text(_("interval (80 %)"), style="dim"), "")
    for label, name, scale, unit in lines:
        found = f[name]
        low, high = found.low * scale, found.high * scale
        table.add_row(
            f"  {label}",
            figure(found.value * scale),
            f"{figure(low)} – {figure(high)}",
            unit,
        )
    return table


def _timed(c: Calibration, _: Words) -> Table:
    table = timed_table((_("fitted"), _("measured"), _("error"), _("spread")))
    for t, error in zip(c.timed, c.fit.log_errors, strict=True):
        own_ms = t.effort.own_s * 1e3
        fitted = own_ms * math.exp(error)
        table.add_row(
            f"  {point_text(t, _)}",
            f"{figure(fitted)} ms",
            f"{figure(own_ms)} ms",
            f"{math.expm1(error):+.0%}",
            f"+{t.spread_frac:.0%}",
        )
    return table


def timed_table(heads: tuple[str, ...]) -> Table:
    """Start a table of points with columns of figures."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(ratio=1, overflow="fold")
    for _head in heads:
        table.add_column(justify="right", no_wrap=True)
    table.add_row("", *(Text(h, style="dim") for h in heads))
    return table


def point_text(t: Timed, _: Words) -> str:
    """Name a point for people."""
    p = t.point
    if p.kind.value == "prefill":
        return _("prompt of {n}").format(n=p.tokens)
    said = _("batch of {n} at a context of {tokens}")
    return said.format(n=p.sequences, tokens=p.tokens)
