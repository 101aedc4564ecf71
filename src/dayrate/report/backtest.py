"""A backtest as text: the score, by metric and by what was asked, the worst groups."""

from collections.abc import Mapping

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from dayrate.report.canvas import Canvas, Page
from dayrate.report.i18n import Words
from dayrate.validation.score import GROUP, Backtest, Score

__all__ = ["render_backtest"]


def render_backtest(result: Backtest, page: Page) -> str:
    """Write the whole answer."""
    canvas, _ = Canvas(page), page.words
    canvas.heading(_("Backtest"))
    canvas.rows(_summary(result, _))
    canvas.heading(_("By metric"))
    canvas.write(_scores(result.metrics, _("metric"), _))
    if result.parts:
        canvas.heading(_("By {columns}").format(columns=", ".join(result.by)))
        canvas.write(_scores(result.parts, ", ".join(result.by), _))
    if result.worst:
        canvas.heading(_("Worst groups"))
        canvas.write(_scores(dict(result.worst), ", ".join(GROUP), _))
    if result.unsupported:
        canvas.heading(_("Not predicted"))
        canvas.rows((why, str(n)) for why, n in result.unsupported.items())
    canvas.write()
    canvas.paragraph(
        _(
            "Errors are |ln(predicted / measured)|: 0.10 is about 10 %. macro is the "
            "mean over groups (source, architecture, GPU) of the median within each; "
            "bias is the median of ln(predicted / measured)."
        ),
        style="dim",
    )
    if result.folds:
        canvas.paragraph(
            _(
                "Each row was predicted, and its interval estimated, without the part "
                "of the systems that it belongs to ({folds} parts)."
            ).format(folds=result.folds),
            style="dim",
        )
    return canvas.text()


def _summary(result: Backtest, _: Words) -> list[tuple[str, str]]:
    total = result.total
    listed = [
        (_("rows of the table"), str(result.rows)),
        (_("eligible (tier {tier})").format(tier=result.tier), str(result.eligible)),
        (_("scored"), f"{total.scored} ({_share(total.scored, result.eligible)})"),
        (_("groups"), str(total.groups)),
        (_("macro |ln error|"), _figure(total.macro_abs_log_error)),
        (_("median |ln error|"), _figure(total.median_abs_log_error)),
        (_("90th percentile"), _figure(total.p90_abs_log_error)),
        (_("median bias"), _figure(total.median_log_bias)),
        (_("inside their interval of 80 %"), _percent(total.interval_coverage)),
    ]
    if result.unknown_columns:
        names = ", ".join(result.unknown_columns)
        count = len(result.unknown_columns)
        listed.append((_("columns ignored"), f"{count}: {names}"))
    return listed


def _scores(scores: Mapping[str, Score], name: str, _: Words) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(ratio=1, overflow="fold")
    heads = (_("rows"), _("macro"), _("median"), "p90", _("bias"), _("in 80 %"))
    for _head in heads:
        table.add_column(justify="right", no_wrap=True)
    table.add_row(
        _indented(Text(name, style="dim")), *(Text(t, style="dim") for t in heads)
    )
    for label, s in scores.items():
        figures = (
            s.macro_abs_log_error,
            s.median_abs_log_error,
            s.p90_abs_log_error,
            s.median_log_bias,
        )
        cells = (str(s.scored), *map(_figure, figures), _percent(s.interval_coverage))
        table.add_row(_indented(Text(label)), *cells)
    return table


def _indented(text: Text) -> Padding:
    """Keep the margin where a long name takes a second line."""
    return Padding(text, (0, 0, 0, 2))


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.0f} %"


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"
