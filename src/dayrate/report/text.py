"""A quote for the terminal: the answer first, then what it is made of."""

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from dayrate.evidence import Grade, Line, format_value
from dayrate.report.canvas import Canvas, Page
from dayrate.report.labels import BINDINGS, GRADES, PRICING, TERMS, label
from dayrate.report.levers import flag_of, reason_of
from dayrate.report.numbers import Coin, figure, percent
from dayrate.report.phrases import phrase
from dayrate.report.published import write_published
from dayrate.scenario.answer import Quote
from dayrate.scenario.result import Bill, Deployment

__all__ = ["render_text", "write_quote"]

_BAR_CELLS = 28
_LEVEL = 80  # of the intervals that are shown; JSON has the others. [%]
_EIGHTHS = " ▏▎▍▌▋▊▉"
_UNKNOWN_ROWS = 2  # more are listed in one row


def render_text(
    quote: Quote, page: Page | None = None, *, used: bool = False, title: str = ""
) -> str:
    """Write the bill of a day as text.

    ``used`` leaves idle capacity out: the same figures times the share of the bill
    that did work, where that share is known. ``title`` is what the question is
    called, in the language of the page.
    """
    canvas = Canvas(page or Page())
    _title(canvas, quote, title)
    _units(canvas, quote, used=used)
    if quote.published:
        write_published(canvas, quote)
    write_quote(canvas, quote, used=used)
    if quote.engine is not None:
        _ = canvas.page.words
        canvas.heading(_("dayrate's own answer for the same demand"))
        _units(canvas, quote.engine, used=used)
        write_quote(canvas, quote.engine, used=used)
    _evidence(canvas, quote)
    return canvas.text()


def write_quote(canvas: Canvas, quote: Quote, *, used: bool = False) -> None:
    """Write the sections of one answer: cost, machines, speed, energy, gaps."""
    _terms(canvas, quote, used=used)
    _deployment(canvas, quote)
    _serving(canvas, quote)
    _energy(canvas, quote)
    _assumptions(canvas, quote)
    _ = canvas.page.words
    for title, items in (
        (_("Not in the bill"), quote.omissions),
        (_("Notes"), quote.notes),
    ):
        if items:
            canvas.heading(title)
        for item in items:
            canvas.bullet(phrase(item, _))


def _title(canvas: Canvas, quote: Quote, title: str) -> None:
    d = quote.deployment
    named = " · ".join(name for name in (d.model, d.accelerator) if name)
    title = title or quote.scenario.title or named
    if title:
        canvas.write(Text(title, style="bold"))
        canvas.write()


def _units(canvas: Canvas, quote: Quote, *, used: bool) -> None:
    _ = canvas.page.words
    bill = quote.bill
    factor, basis = _basis(canvas, bill, used=used)
    known = bool(bill.cost.terms_usd)  # a bill without terms is not a bill of zero
    total = _money(canvas, bill, bill.total_usd_per_day * factor if known else None)
    line = Text(_("{amount} per day").format(amount=total), style="bold green")
    canvas.write(
        Padding(
            Text.assemble(line, "  ", (basis if known else "", "dim")), (0, 0, 0, 2)
        )
    )
    units = (
        (_("per request"), bill.usd_per_request),
        (_("per 1k tokens, input and output"), bill.usd_per_1k_tokens),
        (_("per million input tokens"), bill.usd_per_million_input_tokens),
        (
            _("per million cached input tokens"),
            bill.usd_per_million_cached_input_tokens,
        ),
        (_("per million output tokens"), bill.usd_per_million_output_tokens),
    )
    interval = quote.intervals.get("total_usd_per_day")
    if interval is not None:
        low, high = (end * factor for end in interval.bounds[_LEVEL])
        text = _("{level} %: {low} to {high}, by how fast the machines are").format(
            level=_LEVEL, low=_money(canvas, bill, low), high=_money(canvas, bill, high)
        )
        canvas.paragraph(text, style="dim")
    if quote.simulated is not None:
        n = figure(quote.simulated["summary"]["requests"])
        text = _("Simulated: {n} requests of a day, one by one.").format(n=n)
        canvas.paragraph(text, style="dim")
    canvas.write()
    canvas.rows(
        (name, _money(canvas, bill, None if usd is None else usd * factor))
        for name, usd in units
    )
    if bill.currency != "USD":
        rate = figure(bill.currency_per_usd)
        canvas.rows([(_("exchange rate"), f"{rate} {bill.currency}/USD")])
    if bill.used_frac is not None:
        how = _(
            "Tokens share the bill by the machine time that one more of each takes."
        )
        canvas.write(Padding(Text(how, style="dim"), (0, 0, 0, 2)))


def _basis(canvas: Canvas, bill: Bill, *, used: bool) -> tuple[float, str]:
    """Return the factor on every amount, and what the amounts then include."""
    _ = canvas.page.words
    share = bill.used_frac
    if share is None:
        return 1.0, _("idle capacity included")
    if used:
        text = _("idle capacity left out: {share} of the bill")
        return share, text.format(share=percent(1 - share))
    text = _("idle capacity included; {share} of it did work")
    return 1.0, text.format(share=percent(share))


def _money(canvas: Canvas, bill: Bill, usd: float | None) -> str:
    if usd is None:
        return canvas.page.words("unknown")
    return Coin(bill.currency, bill.currency_per_usd).text(usd)


def _terms(canvas: Canvas, quote: Quote, *, used: bool) -> None:
    _ = canvas.page.words
    bill = quote.bill
    if not bill.cost.terms_usd:
        return
    factor, _basis_text = _basis(canvas, bill, used=used)
    coin = Coin(bill.currency, bill.currency_per_usd)
    total = bill.total_usd_per_day * factor
    decimals = 2 if 1 <= abs(total) * coin.per_usd < 1e5 else 0
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(width=24)
    table.add_column(justify="right")
    table.add_column(width=_BAR_CELLS, style="cyan")
    table.add_column(justify="right")
    wide = decimals if abs(total) * coin.per_usd >= 1 else None
    terms = sorted(bill.cost.terms_usd.items(), key=lambda t: -abs(float(t[1])))
    for name, usd in terms:
        share = float(usd) * factor / total if total else 0.0
        amount = coin.text(float(usd) * factor, decimals=wide)
        text = _(TERMS.get(name, name.replace("_", " ")))
        table.add_row(text, amount, bar(share, _BAR_CELLS), percent(share))
    table.add_row(
        Text(_("total"), style="bold"), Text(coin.text(total, decimals=wide), "bold")
    )
    canvas.heading(_("Cost per day"))
    canvas.write(Padding(table, (0, 0, 0, 2)))


def bar(share: float, cells: int) -> str:
    """Draw a share of one in blocks, to an eighth of a cell.

    >>> bar(0.5, 4), bar(0.28, 4), bar(-1, 4)
    ('██', '█▏', '')
    """
    eighths = round(max(0.0, min(1.0, share)) * cells * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + _EIGHTHS[rest]).rstrip()


def _deployment(canvas: Canvas, quote: Quote) -> None:
    _ = canvas.page.words
    d = quote.deployment
    machines = None
    if d.accelerators is not None:
        name = f" × {d.accelerator}" if d.accelerator else ""
        machines = f"{figure(d.accelerators)}{name}"
    servers = "" if d.servers is None else _("servers: {n}").format(n=figure(d.servers))
    replica = ""
    if d.accelerators_per_replica is not None:
        replica = _("accelerators each: {n}").format(n=d.accelerators_per_replica)
    formats = None
    if d.weights_dtype:
        formats = _("weights {weights}, KV cache {cache}").format(
            weights=d.weights_dtype, cache=d.kv_cache_dtype or _("unknown")
        )
    rows = [
        (_("model"), d.model, ""),
        (
            _("accelerators"),
            machines,
            _joined(_within(canvas, quote, "accelerators"), servers),
        ),
        (_("replicas at the busiest hour"), _figure(d.replicas), replica),
        *_closed_form(canvas, d),
        (_("spread of one replica"), _spread(d), ""),
        (_("number formats"), formats, ""),
        (_("engine"), d.engine, ""),
        (_("limits of a batch"), _limits(canvas, d), ""),
        (_("pricing"), _named(canvas, d.pricing), ""),
    ]
    _section(canvas, _("Deployment"), rows)
    if len(set(d.replicas_by_hour)) > 1:
        _hours(canvas, d.replicas_by_hour)


def _closed_form(canvas: Canvas, d: Deployment) -> list[tuple[str, str, str]]:
    """Beside a simulated day, how many replicas the closed form holds."""
    _ = canvas.page.words
    if d.closed_form_replicas is None:
        return []
    return [(_("in closed form"), figure(d.closed_form_replicas), "")]


def _named(canvas: Canvas, pricing: str | None) -> str | None:
    return canvas.page.words(PRICING.get(pricing, pricing)) if pricing else None


def _spread(d: Deployment) -> str | None:
    sizes = (
        ("TP", d.tensor_parallel_size),
        ("PP", d.pipeline_parallel_size),
        ("EP", d.expert_parallel_size),
        ("DP", d.data_parallel_size),
    )
    used = [f"{k} {v}" for k, v in sizes if v is not None and (v > 1 or k == "TP")]
    return ", ".join(used) or None


def _limits(canvas: Canvas, d: Deployment) -> str | None:
    _ = canvas.page.words
    parts = []
    if d.max_num_seqs is not None:
        parts.append(_("{n} sequences").format(n=figure(d.max_num_seqs)))
    if d.max_num_batched_tokens is not None:
        parts.append(_("{n} tokens").format(n=figure(d.max_num_batched_tokens)))
    if d.num_speculative_tokens is not None and d.tokens_per_step is not None:
        parts.append(
            _("{n} drafted, {each} tokens a step").format(
                n=d.num_speculative_tokens, each=figure(d.tokens_per_step)
            )
        )
    return _(", ").join(parts) or None


def _hours(canvas: Canvas, replicas: tuple[float, ...]) -> None:
    _ = canvas.page.words
    blocks = "▁▂▃▄▅▆▇█"
    most = max(replicas) or 1
    line = "".join(blocks[round(n / most * 7)] for n in replicas)
    low, high = figure(min(replicas)), figure(max(replicas))
    remark = _("{low} to {high}").format(low=low, high=high)
    canvas.rows([(_("replicas by hour, 0 to 23"), line, remark)])


def _serving(canvas: Canvas, quote: Quote) -> None:
    _ = canvas.page.words
    s = quote.serving
    at = f"p{figure(s.percentile)}"
    ttft = _("time to first token (TTFT), {at}").format(at=at)
    tpot = _("time per output token (TPOT), {at}").format(at=at)
    binding = None if s.binding is None else _(BINDINGS.get(s.binding, s.binding))
    cached = _figure(s.cached_input_tokens_per_day)
    rows = [
        (
            ttft,
            _ms(s.ttft_ms),
            _joined(
                _within(canvas, quote, "ttft_ms"),
                _target(canvas, quote, "ttft_ms", s.ttft_ms),
            ),
        ),
        (
            tpot,
            _ms(s.tpot_ms),
            _joined(
                _within(canvas, quote, "tpot_ms"),
                _target(canvas, quote, "tpot_ms", s.tpot_ms),
            ),
        ),
        (_("requests per day"), _figure(s.requests_per_day), ""),
        (
            _("input tokens per day"),
            _figure(s.input_tokens_per_day),
            _("{n} of them cached").format(n=cached) if cached else "",
        ),
        (_("output tokens per day"), _figure(s.output_tokens_per_day), ""),
        (_("requests per second at the peak"), _figure(s.peak_requests_per_s), ""),
        (
            _("one replica carries, per second"),
            _figure(s.capacity_requests_per_s),
            _joined(
                _within(canvas, quote, "capacity_requests_per_s"),
                _("limited by {what}").format(what=binding) if binding else "",
            ),
        ),
        (_("sequences decoding together"), _figure(s.batch), ""),
        (
            _("tokens per second and accelerator"),
            _figure(s.tokens_per_s_per_accelerator),
            _within(canvas, quote, "tokens_per_s_per_accelerator"),
        ),
        (
            _("utilisation, mean over the day"),
            None if s.utilisation is None else percent(s.utilisation),
            "",
        ),
    ]
    _section(canvas, _("Serving"), rows)


def _joined(*remarks: str) -> str:
    return " · ".join(filter(None, remarks))


def _within(canvas: Canvas, quote: Quote, name: str) -> str:
    """Write the interval of a figure, where it has one."""
    _ = canvas.page.words
    interval = quote.intervals.get(name)
    if interval is None:
        return ""
    low, high = (figure(end) for end in interval.bounds[_LEVEL])
    return _("{level} %: {low} to {high}").format(level=_LEVEL, low=low, high=high)


def _target(canvas: Canvas, quote: Quote, key: str, ms: float | None) -> str:
    """Say what the target is, and whether it is met."""
    _ = canvas.page.words
    target = getattr(quote.scenario.slo, key)
    if target is None and f"slo.{key}" in quote.ledger:
        target = quote.ledger[f"slo.{key}"].value
    if not isinstance(target, int | float):
        return ""
    text = _("target {ms} ms").format(ms=figure(target))
    if ms is None:
        return text
    verdict = _("met") if ms <= target else _("missed")
    return f"{text} · {verdict}"


def _energy(canvas: Canvas, quote: Quote) -> None:
    _ = canvas.page.words
    e = quote.energy
    rows = [
        (_("electricity per day"), _with(e.kwh_per_day, "kWh"), ""),
        (_("electricity per request"), _with(e.wh_per_request, "Wh"), ""),
        (_("mean power of the machines"), _with(e.mean_it_power_kw, "kW"), ""),
        (_("PUE"), None if e.pue is None else f"{e.pue:.2f}", ""),
        (_("CO2 per day"), _with(e.kg_co2_per_day, "kg"), ""),
    ]
    _section(canvas, _("Energy"), rows)


def _section(
    canvas: Canvas, title: str, rows: list[tuple[str, str | None, str]]
) -> None:
    """Write a section; many unknown figures share one row."""
    unknown = canvas.page.words("unknown")
    open_ = [name for name, value, _remark in rows if value is None]
    canvas.heading(title)
    if len(open_) == len(rows):
        canvas.paragraph(unknown)
        return
    if len(open_) > _UNKNOWN_ROWS:
        rows = [row for row in rows if row[1] is not None]
        rows.append((unknown, canvas.page.words(", ").join(open_), ""))
    canvas.rows((n, unknown if v is None else v, r) for n, v, r in rows)


def _assumptions(canvas: Canvas, quote: Quote) -> None:
    _ = canvas.page.words
    lines = [line for line in quote.assumptions if line.value is not None]
    if not lines:
        return
    canvas.heading(_("Assumed: nobody gave it and no source states it"))
    for line in lines:
        _assumption(canvas, line)


def _assumption(canvas: Canvas, line: Line) -> None:
    """Write what was assumed and the flag that changes it; the reason below."""
    _ = canvas.page.words
    name, value = label(line.name, _) or line.name, value_text(line, canvas.page)
    canvas.rows([(name, value, flag_of(line))])
    reason = reason_of(line)
    if reason:
        canvas.paragraph(phrase(reason, _), style="dim", indent=4)


def value_text(line: Line, page: Page) -> str:
    """Write the value of a line with its unit."""
    if line.value is None:
        return page.words("unknown")
    unit = "" if line.unit in {"", "1"} else f" {line.unit}"
    return f"{format_value(line.value)}{unit}"


def _evidence(canvas: Canvas, quote: Quote) -> None:
    _ = canvas.page.words
    lines = list(quote.ledger)
    if quote.engine is not None:
        lines += quote.engine.ledger
    if not lines:
        return
    grades = [line.grade for line in lines if not line.formula]
    counts = _(", ").join(
        f"{_(GRADES[grade])} {grades.count(grade)}"
        for grade in Grade
        if grade in grades
    )
    weakest = _(GRADES[max(line.grade for line in lines)])
    canvas.heading(_("How sure"))
    canvas.rows(
        [(_("weakest evidence"), weakest), (_("facts by grade"), counts)],
    )
    canvas.paragraph(_("--explain shows how every figure was derived."), style="dim")


def _figure(value: float | None) -> str | None:
    return None if value is None else figure(value)


def _ms(value: float | None) -> str | None:
    return _with(value, "ms")


def _with(value: float | None, unit: str) -> str | None:
    return None if value is None else f"{figure(value)} {unit}"
