"""A run of a model as text: speed, memory, operations, energy and money."""

from collections.abc import Iterator

from dayrate.measure.generate.figures import Figures
from dayrate.measure.generate.trace import Finish
from dayrate.measure.power import Energy, EnergySource
from dayrate.report.canvas import Canvas, Page
from dayrate.report.i18n import Words, mark
from dayrate.report.numbers import Coin, figure, percent
from dayrate.report.phrases import phrase
from dayrate.units import MEGA

__all__ = ["energy_word", "render_figures"]

Row = tuple[str, ...]

_GIGA = 1e9
_FINISH = {
    Finish.STOP: mark("the model ended it"),
    Finish.LENGTH: mark("as long as asked"),
    Finish.INTERRUPTED: mark("interrupted"),
}
_SOURCES = {
    EnergySource.MEASURED: mark("measured"),
    EnergySource.ESTIMATED: mark("estimated"),
    EnergySource.UNKNOWN: mark("unknown"),
}


def render_figures(figures: Figures, page: Page) -> str:
    """Write what was measured."""
    canvas, _ = Canvas(page), page.words
    canvas.heading(_("Measured"))
    canvas.rows(_speed(figures, _))
    canvas.heading(_("Operations"))
    canvas.rows(_operations(figures, _))
    canvas.heading(_("Energy and cost"))
    canvas.rows(_money(figures, _))
    return canvas.text()


def _coin(figures: Figures) -> Coin:
    """Return the currency amounts are shown in."""
    return Coin(figures.tariff.currency, figures.tariff.currency_per_usd)


def energy_word(energy: Energy, _: Words) -> str:
    """Write joules and how sure they are, in a few letters."""
    if energy.joules is None:
        return _("energy unknown")
    return f"{figure(energy.joules)} J ({_(_SOURCES[energy.source])})"


def _energy(energy: Energy, _: Words) -> Row:
    """Write joules, their interval, and where they come from."""
    source = _(_SOURCES[energy.source])
    if energy.joules is None:
        return (source, phrase(energy.meter, _))
    remarks = [source, phrase(energy.meter, _)]
    if energy.low_joules != energy.high_joules:
        low, high = figure(energy.low_joules or 0), figure(energy.high_joules or 0)
        remarks.insert(1, f"{low} – {high} J")
    return (f"{figure(energy.joules)} J", *remarks)


def _speed(f: Figures, _: Words) -> Iterator[Row]:
    host = f.host
    yield _("model"), host.model, host.backend, host.dtype
    threads = _("threads: {n}").format(n=host.threads)
    load = [] if f.load_1min is None else [_("load before: {n}").format(n=_load(f))]
    yield _("device"), host.device, threads, *load
    of_context = _("context: {n}").format(n=figure(host.context_tokens or 0))
    prompt = _tokens(f.prompt_tokens, _)
    yield _("prompt"), prompt, *([of_context] if host.context_tokens else [])
    finishes = {_(_FINISH[o.finish]) for o in f.trace.outputs}
    yield _("generated"), _tokens(f.output_tokens, _), *sorted(finishes)
    yield _("time to first token"), _ms(f.ttft_s, _)
    yield _("prefill"), _per_s(f.prefill_tokens_per_s, _)
    yield _("decode"), _per_s(f.decode_tokens_per_s, _)
    loading = _("loading before: {n} s").format(n=figure(host.load_s))
    busy = _("processor time: {n} s").format(n=figure(f.processor_s or 0))
    yield _("whole run"), f"{figure(f.seconds)} s", busy, loading
    resident = _("with weights and libraries")
    yield _("peak memory"), _bytes(f.trace.peak_rss_bytes), resident
    if f.trace.peak_gpu_bytes is not None:
        yield _("peak memory of the GPU"), _bytes(f.trace.peak_gpu_bytes)


def _operations(f: Figures, _: Words) -> Iterator[Row]:
    if f.prefill_flop is None or f.decode_flop is None:
        yield _("prefill"), _("unknown"), _("the file does not tell the model's shape")
    else:
        yield _("prefill"), _gflop(f.prefill_flop), *_rate(f.prefill_flop, f.ttft_s)
        yield _("decode"), _gflop(f.decode_flop), *_rate(f.decode_flop, f.decode_s)
    if f.counted_flop is not None:
        whole = _("with the masked half of attention")
        yield _("counted by torch"), _gflop(f.counted_flop), whole
    if f.peak is None:
        calibrate = _("no peak: `dayrate measure calibrate`, or --accelerator")
        yield "MFU", _("unknown"), calibrate
        return
    of = f"{f.peak.accelerator}, {figure(f.peak.flop_per_s / 1e12)} TFLOP/s"
    for name, share in ((_("prefill"), f.prefill_mfu), (_("decode"), f.decode_mfu)):
        if share is not None:
            yield f"MFU: {name}", percent(share), of


def _money(f: Figures, _: Words) -> Iterator[Row]:
    yield _("energy"), *_energy(f.energy, _)
    if not f.tariff.given:
        flags = "--electricity, --machine-price"
        yield _("cost"), _("unknown"), _("give {flags}").format(flags=flags)
        return
    coin, terms = _coin(f), f.cost.terms_usd
    names = {"machine": _("machine"), "electricity": _("electricity")}
    for name, usd in terms.items():
        yield names[name], coin.text(float(usd))
    if f.tariff.usd_per_kwh is not None and "electricity" not in terms:
        yield names["electricity"], _("unknown"), _("as the energy is")
    if f.usd_per_1k_output_tokens is not None:
        per = coin.text(f.usd_per_1k_output_tokens)
        yield _("per 1k output tokens"), per, " + ".join(names[n] for n in terms)


def _load(f: Figures) -> str:
    return f"{f.load_1min or 0:.1f}"


def _tokens(count: int, _: Words) -> str:
    return _("{n} tokens").format(n=figure(count))


def _per_s(rate: float | None, _: Words) -> str:
    if rate is None:
        return _("unknown")
    return _("{n} tokens/s").format(n=figure(rate))


def _ms(seconds: float | None, _: Words) -> str:
    return _("unknown") if seconds is None else f"{figure(seconds * 1e3)} ms"


def _bytes(count: float) -> str:
    return f"{figure(count / MEGA)} MB"


def _gflop(flop: float) -> str:
    return f"{figure(flop / _GIGA)} GFLOP"


def _rate(flop: float, seconds: float | None) -> Row:
    return (f"{figure(flop / seconds / _GIGA)} GFLOP/s",) if seconds and flop else ()
