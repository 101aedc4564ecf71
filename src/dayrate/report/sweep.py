"""A sweep as text: a row for each point, and why some have none."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from dayrate.errors import InvalidInput, did_you_mean
from dayrate.report.canvas import Canvas, Page
from dayrate.report.i18n import mark
from dayrate.report.numbers import figure, percent

__all__ = ["render_sweep"]

Row = Mapping[str, Any]
_APART, _WIDEST = 2, 30  # cells between columns, and of the widest before it folds

#: By command: name of a result, heading, factor to the unit shown (None: percent).
_COLUMNS: Mapping[str, tuple[tuple[str, str, float | None], ...]] = {
    "simulate": (
        ("replicas", mark("replicas"), 1.0),
        ("cost.usd_per_million_tokens", mark("USD per M tokens"), 1.0),
        ("summary.good_frac", mark("in target"), None),
        ("summary.ttft.p95_s", mark("TTFT p95 ms"), 1e3),
        ("summary.tpot.p95_s", mark("TPOT p95 ms"), 1e3),
        ("summary.output_tokens_per_s", mark("output tokens/s"), 1.0),
        ("summary.utilisation_frac", mark("busy"), None),
    ),
    "quote": (
        ("cost.total_usd_per_day", mark("USD per day"), 1.0),
        ("cost.usd_per_million_output_tokens", mark("USD per M output"), 1.0),
        ("deployment.accelerators", mark("accelerators"), 1.0),
        ("serving.ttft_ms", mark("TTFT p95 ms"), 1.0),
        ("serving.tpot_ms", mark("TPOT p95 ms"), 1.0),
        ("serving.utilisation", mark("busy"), None),
    ),
}
_STATUS = {
    "no plan": mark("no plan"),
    "input": mark("wrong input"),
    "bug": mark("bug"),
}


def render_sweep(
    rows: Sequence[Row],
    points: int,
    command: str,
    page: Page,
    *,
    shown: Sequence[str] | None = None,
) -> str:
    """Write the table of a sweep of ``points``, of which ``rows`` are known."""
    canvas, _ = Canvas(page), page.words
    columns = _columns(rows, command, shown)
    canvas.heading(_("Sweep"))
    if len(rows) < points:
        done = _("{n} of {points} points were computed before it was stopped.")
        canvas.paragraph(done.format(n=len(rows), points=points))
    if rows:
        canvas.write(_table(rows, columns, page))
    reasons: dict[str, list[int]] = {}
    for i, row in enumerate(rows, 1):
        if row["reason"]:
            reasons.setdefault(row["reason"], []).append(i)
    if reasons:
        canvas.heading(_("Without an answer"))
        for reason, where in reasons.items():
            canvas.bullet(f"{_ranges(where)}: {reason}")
    return canvas.text()


def _columns(
    rows: Sequence[Row], command: str, shown: Sequence[str] | None
) -> Sequence[tuple[str, str, float | None]]:
    known = dict.fromkeys(name for row in rows for name in row["result"])
    if shown is None:
        swept = set(rows[0]["point"]) if rows else set()
        columns = [c for c in _COLUMNS[command] if c[0].split(".")[-1] not in swept]
        found = [c for c in columns if c[0] in known]
        return found or columns
    for name in shown:
        if known and name not in known:
            close = did_you_mean(name, known)
            hint = f"Did you mean {close}?" if close else "--json has all of them."
            raise InvalidInput(f"{name!r} is no result of {command}. {hint}")
    return [(name, name.split(".", 1)[-1], 1.0) for name in shown]


def _table(
    rows: Sequence[Row], columns: Sequence[tuple[str, str, float | None]], page: Page
) -> Table:
    """Lay a table out, with as many of the columns as the page has room for."""
    _ = page.words
    swept = [
        (name.replace("_", " "), [row["point"][name] for row in rows])
        for name in rows[0]["point"]
    ]
    shown = [
        (_(head), [_cell(row["result"].get(name), factor) for row in rows])
        for name, head, factor in columns
    ]
    for i, row in enumerate(rows):
        if row["status"] != "ok":
            for _head, cells in shown:
                cells[i] = ""
            shown[0][1][i] = _(_STATUS[row["status"]])
    laid = [("", [f"  {i}" for i in range(1, len(rows) + 1)]), *swept, shown[0]]
    for column in shown[1:]:
        if sum(_least(c) + _APART for c in [*laid, column]) <= page.width:
            laid.append(column)
    spare = page.width - sum(_least(column) + _APART for column in laid)
    table = Table.grid(padding=(0, _APART, 0, 0))
    for column in laid:
        more = min(spare, max(0, cell_len(column[0]) - _least(column)))
        spare -= more
        table.add_column(justify="right", overflow="fold", width=_least(column) + more)
    table.add_row(*(Text(head, style="dim") for head, _cells in laid))
    for line in zip(*(cells for _head, cells in laid), strict=True):
        table.add_row(*line)
    return table


def _least(column: tuple[str, Sequence[str]]) -> int:
    """Say how wide a column is: its values whole, its heading by words."""
    head, cells = column
    return min(_WIDEST, max(map(cell_len, [*head.split(), *cells]), default=1))


def _cell(value: Any, factor: float | None) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "-" if value is None else str(value)
    return percent(value) if factor is None else figure(value * factor)


def _ranges(places: Sequence[int]) -> str:
    """Write places shortly.

    >>> _ranges([1, 2, 3, 7, 9, 10])
    '1-3, 7, 9-10'
    """
    runs: list[list[int]] = []
    for place in places:
        if runs and runs[-1][-1] == place - 1:
            runs[-1].append(place)
        else:
            runs.append([place])
    return ", ".join(f"{r[0]}-{r[-1]}" if len(r) > 1 else str(r[0]) for r in runs)
