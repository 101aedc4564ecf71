"""A published figure beside what its own assumptions give, and beside our answer."""

from collections.abc import Iterator

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from dayrate.evidence import format_value
from dayrate.report.canvas import Canvas
from dayrate.report.numbers import Coin, figure, significant
from dayrate.scenario.answer import Quote
from dayrate.scenario.result import Bill, ClaimCheck

__all__ = ["write_published"]


def write_published(canvas: Canvas, quote: Quote) -> None:
    """Write the claims of a source, recomputed, the verdict and our own answer."""
    _ = canvas.page.words
    canvas.heading(_("Published, recomputed from its own assumptions"))
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(ratio=1)
    for name in (_("published"), _("computed"), _("ratio")):
        table.add_column(name, justify="right")
    table.add_column()
    table.add_row("", _("published"), _("computed"), _("ratio"), "", style="dim")
    for claim in quote.published:
        table.add_row(*_claim(canvas, claim))
    canvas.write(Padding(table, (0, 0, 0, 2)))
    verdict = quote.verdict.get(_.language) or quote.verdict.get("en")
    if verdict:
        canvas.write()
        canvas.paragraph(verdict)
    if quote.engine is not None:
        _beside(canvas, quote, quote.engine)


def _claim(canvas: Canvas, claim: ClaimCheck) -> Iterator[Text]:
    _ = canvas.page.words
    unit = "" if claim.unit == "1" else claim.unit
    about = ", ".join(filter(None, (unit, claim.where)))
    yield Text(_(claim.name)).append(f"\n{about}" if about else "", style="dim")
    yield Text(format_value(claim.published))
    yield Text(format_value(float(f"{claim.computed:.6g}")))
    yield Text(significant(claim.ratio))
    yield Text(_verdict(canvas, claim), style="green" if claim.holds else "red")


def _verdict(canvas: Canvas, claim: ClaimCheck) -> str:
    _ = canvas.page.words
    if claim.holds:
        return _("holds")
    return _("does not hold") if claim.expected else _("wrong")


def _beside(canvas: Canvas, quote: Quote, engine: Quote) -> None:
    _ = canvas.page.words
    canvas.heading(_("Beside dayrate's own answer"))
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(width=canvas.page.width * 42 // 100)
    table.add_column(justify="right")
    table.add_column(justify="right")
    table.add_row("", _("published inputs"), _("dayrate"), style="dim")
    unknown = _("unknown")
    for name, *pair in _pairs(canvas, quote, engine):
        if pair != [unknown, unknown]:
            table.add_row(name, *pair)
    canvas.write(Padding(table, (0, 0, 0, 2)))


def _pairs(
    canvas: Canvas, quote: Quote, engine: Quote
) -> Iterator[tuple[str, str, str]]:
    _ = canvas.page.words
    coin = Coin(quote.bill.currency, quote.bill.currency_per_usd)

    def money(usd: float | None) -> str:
        return _("unknown") if usd is None else coin.text(usd)

    def number(value: float | None, unit: str = "") -> str:
        return _("unknown") if value is None else f"{figure(value)}{unit}"

    def total(bill: Bill) -> str:
        return money(bill.total_usd_per_day if bill.cost.terms_usd else None)

    ours, theirs = engine.bill, quote.bill
    yield _("total per day"), total(theirs), total(ours)
    for name, key in (
        (_("per request"), "usd_per_request"),
        (_("per million input tokens"), "usd_per_million_input_tokens"),
        (_("per million output tokens"), "usd_per_million_output_tokens"),
    ):
        yield name, money(getattr(theirs, key)), money(getattr(ours, key))
    yield (
        _("accelerators"),
        number(quote.deployment.accelerators),
        number(engine.deployment.accelerators),
    )
    yield (
        _("electricity per day"),
        number(quote.energy.kwh_per_day, " kWh"),
        number(engine.energy.kwh_per_day, " kWh"),
    )
