"""A machine as a page of text."""

from rich.table import Table
from rich.text import Text

from dayrate.measure.machine.effort import Effort
from dayrate.measure.machine.probe import Report
from dayrate.measure.machine.rates import Rate
from dayrate.report.canvas import Canvas, Page
from dayrate.report.i18n import Words
from dayrate.report.numbers import figure, percent
from dayrate.units import GB, GIB, TERA

__all__ = ["BUSY_FRAC", "conditions", "render_machine"]

#: From here on the page says that others use the machine.
BUSY_FRAC = 0.10
Rows = list[tuple[str, ...]]


def render_machine(report: Report, page: Page) -> str:
    """Write the whole answer."""
    canvas, _ = Canvas(page), page.words
    canvas.heading(_("Machine"))
    canvas.rows(_machine(report, _))
    canvas.heading(_("What it reaches"))
    canvas.write(_rates(report.rates, _))
    canvas.heading(_("Energy"))
    canvas.rows(_meters(report, _))
    for note in report.notes:
        canvas.bullet(_(note))
    canvas.heading(_("Conditions"))
    e = report.effort
    canvas.rows(conditions(e, report.load_after, e.waited_frac, _))
    return canvas.text()


def _machine(report: Report, _: Words) -> Rows:
    a = report.about
    cores = _("{cores}, hardware threads: {threads}").format(
        cores=a.cores, threads=a.threads
    )
    usable = _("{n} usable").format(n=a.usable_threads)
    caches = [
        f"L{c.level} {_size(c.size_bytes)}" for c in a.caches if c.kind != "instruction"
    ]
    rows: Rows = [
        (
            _("processor"),
            a.processor,
            a.architecture,
            _("virtual machine") if a.virtual else "",
        ),
        (_("cores"), cores, usable if a.usable_threads != a.threads else ""),
        (_("instructions"), " ".join(a.instructions) or _("unknown")),
        (_("caches"), ", ".join(caches) or _("unknown")),
        (
            _("memory"),
            _("unknown") if a.memory_bytes is None else _size(a.memory_bytes),
        ),
    ]
    for gpu in a.gpus:
        limit = gpu.power_limit_w
        watts = "" if limit is None else f"{limit:.0f} W"
        rows.append((_("accelerator"), gpu.name, _size(gpu.memory_bytes), watts))
    return rows if a.gpus else [*rows, (_("accelerators"), _("none with NVML"))]


def _size(size_bytes: float) -> str:
    for unit, scale in (("GiB", GIB), ("MiB", 2**20)):
        if size_bytes >= scale:
            return f"{figure(size_bytes / scale)} {unit}"
    return f"{figure(size_bytes / 2**10)} KiB"


def _rates(rates: tuple[Rate, ...], _: Words) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(ratio=1, overflow="fold")
    heads = (_("format"), _("threads"), "GFLOP/s", "GB/s", _("spread"))
    for _head in heads:
        table.add_column(justify="right", no_wrap=True)
    table.add_row("", *(Text(h, style="dim") for h in heads))
    names = {
        "gemm": _("product of {n} x {n}"),
        "gemv": _("matrix {n} x {n} times a column"),
        "memory": _("memory: read two, write one"),
    }
    where = ""
    for r in rates:
        if r.where != where:
            where = r.where
            table.add_row(f"  {where}")
        table.add_row(
            "    " + names[r.what].format(n=r.size),
            r.dtype,
            str(r.threads or "-"),
            "-" if r.flop_per_s is None else figure(r.flop_per_s / TERA * 1e3),
            "-" if r.bytes_per_s is None else figure(r.bytes_per_s / GB),
            f"+{r.spread_frac:.0%}",
        )
    return table


def _meters(report: Report, _: Words) -> Rows:
    if report.meters:
        return [(_("meters"), ", ".join(report.meters))]
    found = _("none that can be read")
    if report.estimate:
        how = _("from processor time and the rated power of {part}")
        return [
            (_("meters"), found),
            (_("estimated"), how.format(part=report.estimate)),
        ]
    why = _("unknown: the rated power of this processor is not known")
    return [(_("meters"), found), (_("energy"), why)]


def conditions(
    effort: Effort, load_after: float | None, waited_frac: float, _: Words
) -> Rows:
    """Say how long it took and how much others had of the machine."""
    rows: Rows = [(_("wall time"), f"{figure(effort.wall_s)} s")]
    if effort.processor_s is not None:
        rows.append((_("processor time"), f"{figure(effort.processor_s)} s"))
    if effort.waited_s is not None:
        rows.append((_("waited for a core"), percent(waited_frac)))
    if effort.load_1min is not None and load_after is not None:
        loads = f"{effort.load_1min:.2f} → {load_after:.2f}"
        rows.append((_("load average, before and after"), loads))
    if waited_frac > BUSY_FRAC:
        rows.append(("", _("Others use this machine: run it again when it is idle.")))
    return rows
