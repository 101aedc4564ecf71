"""The working of a quote for people: every number with its formula and source."""

from collections.abc import Iterable, Mapping

from rich.padding import Padding
from rich.text import Text

from dayrate.evidence import Ledger, Line
from dayrate.report.canvas import Canvas, Page
from dayrate.report.i18n import mark
from dayrate.report.labels import GRADES, label
from dayrate.report.levers import reason_of
from dayrate.report.phrases import phrase
from dayrate.report.text import value_text
from dayrate.scenario.answer import Quote

__all__ = ["render_explanation"]

#: Figures of a published estimate have names without sections.
_ESTIMATE = mark("The published estimate")

#: First part of a line's name, and the group it is shown in, in order of reading.
_GROUPS: Mapping[str, tuple[str, ...]] = {
    _ESTIMATE: (),
    mark("Workload"): ("workload", "demand", "trace"),
    mark("Performance"): ("model", "slo", "perf", "serving", "step", "memory"),
    mark("Deployment"): ("deployment", "accelerator", "server", "fleet"),
    mark("Energy"): ("energy", "site", "carbon"),
    mark("Cost"): ("economics", "price", "cost", "bill"),
    mark("Other figures"): (),
}


def render_explanation(quote: Quote, page: Page | None = None) -> str:
    """Write every line of the working, grouped: workload to cost."""
    canvas = Canvas(page or Page())
    _write(canvas, quote.ledger)
    if quote.engine is not None:
        _ = canvas.page.words
        canvas.heading(_("dayrate's own answer for the same demand"))
        _write(canvas, quote.engine.ledger)
    return canvas.text()


def _write(canvas: Canvas, ledger: Ledger) -> None:
    for title, lines in _grouped(ledger).items():
        canvas.heading(canvas.page.words(title))
        for line in lines:
            _line(canvas, line, ledger)


def _grouped(lines: Iterable[Line]) -> Mapping[str, list[Line]]:
    group_of = {first: title for title, firsts in _GROUPS.items() for first in firsts}
    last = list(_GROUPS)[-1]
    groups: dict[str, list[Line]] = {title: [] for title in _GROUPS}
    for line in lines:
        section, dot, _name = line.name.partition(".")
        groups[group_of.get(section, last) if dot else _ESTIMATE].append(line)
    return {title: found for title, found in groups.items() if found}


def _line(canvas: Canvas, line: Line, ledger: Ledger) -> None:
    _ = canvas.page.words
    value = value_text(line, canvas.page)
    head = Text.assemble((line.name, "bold"), " = ", (value, "bold green"))
    words = label(line.name, _)
    if words:
        head.append(f"  {words}", style="dim")
    _indented(canvas, head, 2)
    if line.formula:
        _indented(canvas, Text(f"= {line.formula}"), 6)
        _indented(canvas, Text(f"= {line.substituted(ledger.lines)}"), 6)
    reason = reason_of(line)
    source = f"{phrase(reason, _)} " if reason else ""
    _indented(canvas, Text(f"{source}[{_(GRADES[line.grade])}]", style="dim"), 6)


def _indented(canvas: Canvas, text: Text, cells: int) -> None:
    canvas.write(Padding(text, (0, 0, 0, cells)))
