"""An anatomy on a page of text: the walk, then a table for each phase."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from dayrate.anatomy.walk import Anatomy, Phase
from dayrate.anatomy.work import Work
from dayrate.catalog.model import Attention, Mla
from dayrate.report.anatomy.names import PARTS, PHASES, POSITIONS, STACKS
from dayrate.report.anatomy.rows import Row, grouped_rows, work_of
from dayrate.report.anatomy.sentences import explanation
from dayrate.report.anatomy.shapes import shape
from dayrate.report.canvas import Canvas, Page
from dayrate.report.i18n import Words
from dayrate.report.numbers import Coin, figure, percent, significant
from dayrate.report.phrases import phrase

__all__ = ["asked_for", "render_anatomy"]

_PREFIXES = ((1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
_SMALL = ((1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n"))
_MILLION = 1e6


def render_anatomy(anatomy: Anatomy, page: Page, *, by_kind: bool = False) -> str:
    """Write the whole answer."""
    canvas, _ = Canvas(page), page.words
    rows = grouped_rows(anatomy, by_kind=by_kind)
    canvas.heading(anatomy.model.id)
    canvas.rows(_about(anatomy, _))
    canvas.heading(_("From part to part"))
    _walk(rows, anatomy, canvas)
    for phase in anatomy.phases:
        canvas.heading(_title(phase, anatomy, _))
        canvas.write(Padding(_table(phase, rows, anatomy, page), (0, 0, 0, 2)))
    told = _per_token(anatomy, _)
    if told:
        canvas.write()
        canvas.paragraph(told)
    canvas.heading(_("How to read it"))
    for note in _notes(anatomy, _):
        canvas.bullet(note)
    return canvas.text()


def _about(a: Anatomy, _: Words) -> Iterator[tuple[str, ...]]:
    model, lengths = a.model, a.lengths
    kind = _("decoder only")
    if model.is_encoder:
        kind = _("encoder only")
    elif model.is_encoder_decoder:
        kind = _("encoder and decoder")
    yield _("kind"), kind, f"({model.model_type})"
    yield _("layers"), _layers(a, _)
    yield _("width of the stream"), figure(model.hidden_size)
    heads = list(dict.fromkeys(_heads(a, _)))
    if heads:
        yield _("heads"), *heads
    yield _("positions"), _(POSITIONS[model.positions])
    yield _("vocabulary"), figure(model.vocab_size)
    yield _("parameters"), figure(a.params)
    formats = a.precision
    yield (
        _("weights, cache, activations"),
        f"{formats.weights.value}, {formats.kv_cache.value}, "
        f"{formats.activations.value}",
    )
    side = _("{n} side by side").format(n=figure(lengths.batch))
    yield _("request"), asked_for(a, _), side
    if not model.is_encoder:
        size, unit = _scaled(a.cache_bytes, "B")
        yield _("cache at the end"), f"{significant(size)} {unit}"
    yield from _machine(a, _)


def asked_for(a: Anatomy, _: Words) -> str:
    """Write the lengths of the request."""
    isl, osl = figure(a.lengths.isl), figure(a.lengths.osl)
    if a.model.is_encoder:
        return _("{isl} tokens in").format(isl=isl)
    return _("{isl} tokens in, {osl} out").format(isl=isl, osl=osl)


def _machine(a: Anatomy, _: Words) -> Iterator[tuple[str, ...]]:
    if a.accelerator is None:
        unknown = _("none given: time, energy and cost are unknown")
        yield _("accelerator"), unknown
        return
    yield _("accelerator"), f"{a.accelerators} x {a.accelerator}"
    line = a.ledger["economics.usd_per_accelerator_hour"]
    if isinstance(line.value, float):
        coin = Coin(a.currency, a.currency_per_usd)
        yield (
            _("price of one, rented"),
            _("{price} per hour").format(price=coin.text(line.value)),
        )
    else:
        yield _("price of one, rented"), _("unknown"), line.source


def _layers(a: Anatomy, _: Words) -> str:
    if not a.model.is_encoder_decoder:
        return figure(a.model.n_layers)
    encoding = sum(b.count for b in a.model.blocks if b.encoder)
    return _("{n} of the encoder, {m} of the decoder").format(
        n=encoding, m=a.model.n_layers - encoding
    )


def _heads(a: Anatomy, _: Words) -> Iterator[str]:
    for block in a.model.blocks:
        mixer = block.mixer
        if isinstance(mixer, Attention):
            text = _("{n} of {dim}, {kv} for keys and values")
            yield text.format(n=mixer.n_heads, dim=mixer.head_dim, kv=mixer.n_kv_heads)
        elif isinstance(mixer, Mla):
            text = _("{n} of {dim}, one latent of {latent}")
            yield text.format(
                n=mixer.n_heads,
                dim=mixer.v_head_dim,
                latent=mixer.kv_lora_rank + mixer.qk_rope_head_dim,
            )


def _walk(rows: Sequence[Row], a: Anatomy, canvas: Canvas) -> None:
    _ = canvas.page.words
    heading: object = ("", ())
    said: set[str] = set()
    for row in rows:
        if row.heading != heading:
            heading = row.heading
            canvas.write()
            if row.heading[1]:
                canvas.write(Text(f"  {_where(row, a, _)}", style="bold"))
        canvas.write(_name_line(row, a, canvas))
        shapes = list(dict.fromkeys(shape(part, a) for part in row.parts))
        if any(shapes):
            canvas.paragraph(_(" or ").join(filter(None, shapes)), indent=4)
        told = explanation(row.parts, a, _)
        if told not in said:  # once for like parts of several kinds of layers
            canvas.paragraph(told, style="dim", indent=4)
        said.add(told)


def _name_line(row: Row, a: Anatomy, canvas: Canvas) -> Table:
    _ = canvas.page.words
    line = Table.grid(expand=True)
    line.add_column()
    line.add_column(justify="right")
    counted = ""
    if row.params:
        share = percent(row.params / a.params)
        counted = _("{n} parameters, {share}").format(n=figure(row.params), share=share)
    name = Text(f"  {_(PARTS[row.name])}", style="bold")
    if 0 < row.layers < _count(row.heading[1], a):
        name.append(_(", in {n} of them").format(n=row.layers), style="not bold")
    line.add_row(name, counted)
    return line


def _where(row: Row, a: Anatomy, _: Words) -> str:
    """Name the layers that rows stand in: of which stack, how many, of which kind."""
    stack, groups = row.heading
    blocks = [a.model.blocks[i] for i in groups]
    text = _("in {n} layers").format(n=_count(groups, a))
    if stack:
        text = f"{_(STACKS[stack])}, {text}"
    windows = {getattr(b.mixer, "window_tokens", None) for b in blocks}
    if len(a.model.blocks) > 1 and len(windows) == 1 and (window := windows.pop()):
        text += _(", window {n}").format(n=figure(window))
    return text


def _title(phase: Phase, a: Anatomy, _: Words) -> str:
    name = _(PHASES[phase.name])
    if phase.name == "prefill":
        what = _("{n} tokens in one pass").format(n=figure(phase.tokens))
    elif phase.name == "decode":
        what = _("one token, which sees {n}").format(n=figure(phase.context))
    else:
        what = _("prefill and {n} steps").format(n=figure(phase.passes - 1))
    if a.lengths.batch > 1:
        what += _(", {n} requests").format(n=figure(a.lengths.batch))
    return f"{name}: {what}"


def _per_token(a: Anatomy, _: Words) -> str:
    """Say what a token takes, where there is a time for it."""
    first, last = a.phases[0].total, a.phases[-1].total
    if first.seconds is None or last.seconds is None:
        return ""
    ttft = figure(first.seconds * 1e3)
    if a.model.is_encoder:
        return _("One pass takes {ttft} ms, with nothing else on the machine.").format(
            ttft=ttft
        )
    text = _("First token after {ttft} ms").format(ttft=ttft)
    if len(a.phases) > 1:
        steps = (last.seconds - first.seconds) / (a.lengths.osl - 1)
        text += _(", then one every {tpot} ms").format(tpot=figure(steps * 1e3))
    if last.usd is not None:
        coin = Coin(a.currency, a.currency_per_usd)
        tokens = a.lengths.osl * a.lengths.batch
        usd = coin.text(last.usd / tokens * 1e3)
        text += _("; {usd} for 1,000 output tokens").format(usd=usd)
    return text + _(", with nothing else on the machine.")


@dataclass(frozen=True, slots=True)
class _Column:
    """A column: its title, the amount of a part, and how it is scaled."""

    title: str
    amount: Callable[[Work], float | None]
    unit: str
    scale: float


def _columns(phase: Phase, a: Anatomy, _: Words) -> Iterator[_Column]:
    all_ = phase.total

    def column(
        title: str, unit: str, amount: Callable[[Work], float | None], top: float
    ) -> _Column:
        scale, prefix = _prefix(top)
        return _Column(title, amount, f"{prefix}{unit}", scale)

    yield column(_("work"), "FLOP", lambda w: w.flop, all_.flop)
    for title, amount in (
        (_("weights"), lambda w: w.weight_bytes),
        (_("activ."), lambda w: w.activation_bytes),
        (_("cache"), lambda w: w.kv_bytes),
    ):
        yield column(title, "B", amount, all_.bytes)
    if all_.seconds is None:
        share = _Column(_("share"), lambda w: w.flop, "%", all_.flop / 100)
        yield share
        return
    seconds, usd = all_.seconds, all_.usd
    yield column(_("time"), "s", lambda w: w.seconds, seconds)
    yield _Column(_("share"), lambda w: w.seconds, "%", seconds / 100)
    if all_.joules is not None:
        yield column(_("energy"), "J", lambda w: w.joules, all_.joules)
    if usd is not None:
        coin = Coin(a.currency, a.currency_per_usd)
        symbol = coin.text(0)[:-4]  # the amount is 0.00
        scale = 1 / coin.per_usd / _MILLION
        yield _Column(_("cost"), lambda w: w.usd, f"{symbol}/1M", scale)


def _table(phase: Phase, rows: Sequence[Row], a: Anatomy, page: Page) -> Table:
    _ = page.words
    columns = list(_columns(phase, a, _))
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_column(width=17, no_wrap=True, overflow="ellipsis")
    for _column in columns:
        table.add_column(justify="right", no_wrap=True, min_width=6)
    dim = [Text(t, style="dim") for t in ("", *(c.title for c in columns))]
    table.add_row(*dim)
    table.add_row(*(Text(t, style="dim") for t in ("", *(c.unit for c in columns))))
    works = phase.by_part
    heading: tuple[str, tuple[int, ...]] = ("", ())
    for row in rows:
        work = work_of(row, works)
        if work is None:
            continue
        if row.heading != heading:
            heading = row.heading
            if heading[1]:
                where = Text(_short(row, a, _), style="dim")
                table.add_row(where, *[""] * len(columns))
        name = f"{' ' if row.heading[1] else ''}{_(PARTS[row.name])}"
        table.add_row(name, *(_cell(c, work) for c in columns))
    table.add_row(*[Text("╌" * 6, style="dim")] * (len(columns) + 1))
    bold = [Text(_cell(c, phase.total), style="bold") for c in columns]
    table.add_row(Text(_("all"), style="bold"), *bold)
    return table


def _short(row: Row, a: Anatomy, _: Words) -> str:
    stack, groups = row.heading
    layers = _count(groups, a)
    if stack:
        return f"{_(STACKS[stack])} × {layers}"
    return _("{n} layers").format(n=layers)


def _count(groups: Sequence[int], a: Anatomy) -> int:
    return sum(a.model.blocks[i].count for i in groups)


def _cell(column: _Column, work: Work) -> str:
    amount = column.amount(work)
    if amount is None:
        return "–"
    return _number(amount / column.scale) if column.scale else "0"


def _number(value: float) -> str:
    """Write up to four digits, fewer for what is small beside its column.

    >>> [_number(v) for v in (123.456, 12.345, 1.2345, 0.012345, 0.0001, 0)]
    ['123', '12.3', '1.23', '0.012', '<0.001', '0']
    """
    if not value:
        return "0"
    if value < 0.001:
        return "<0.001"
    decimals = 0 if value >= 99.95 else 1 if value >= 9.995 else 2
    return f"{value:,.{3 if value < 0.1 else decimals}f}"


def _prefix(top: float) -> tuple[float, str]:
    """Choose the prefix that gives the largest value one to three digits."""
    for scale, prefix in (*_PREFIXES, *_SMALL):
        if top >= scale:
            return scale, prefix
    return _SMALL[-1] if top else (1.0, "")


def _scaled(value: float, unit: str) -> tuple[float, str]:
    scale, prefix = _prefix(value)
    return value / scale, f"{prefix}{unit}"


def _notes(a: Anatomy, _: Words) -> Iterator[str]:
    yield _(
        "Work: a product of an m × k and a k × n matrix is 2mkn FLOP; attention counts "
        "the pairs that the mask allows; anything else one for each value it moves."
    )
    first = a.phases[0]
    if first.eager_matmul_flop > first.total.matmul_flop * (1 + 1e-9):
        extra = first.eager_matmul_flop / first.total.matmul_flop - 1
        yield _(
            "Code without fused attention also multiplies the pairs that the mask "
            "hides: {more} more at prefill, which is what torch's FlopCounterMode "
            "counts."
        ).format(more=percent(extra))
    yield _(
        "Bytes: traffic with the accelerators' memory, each weight read once a pass."
    )
    if a.accelerators > 1:
        yield _(
            "Work, bytes, energy and cost are of all accelerators, shapes of one; what "
            "each does whole (norms) counts on all of them."
        )
    if a.accelerator is not None:
        yield _(
            "Time: calibrated on published servers, one part after another. Energy: of "
            "the accelerators, without host and cooling. Cost: these seconds at the "
            "rented price, for a million such passes; idle time is not in it."
        )
    for note in a.notes:
        yield phrase(note, _)
