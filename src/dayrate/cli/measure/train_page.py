"""A training run as a page of text."""

from rich.table import Table
from rich.text import Text

from dayrate.evidence import Estimate
from dayrate.measure.money import MachinePrices
from dayrate.measure.power import Energy, EnergySource
from dayrate.measure.train.extrapolate import (
    CLUSTER,
    OWN_STEP_TOKENS,
    RUN_TOKENS,
    Extrapolation,
)
from dayrate.measure.train.job import Objective, Run
from dayrate.report.canvas import Canvas, Page
from dayrate.report.i18n import Words, mark
from dayrate.report.numbers import Coin, figure, percent, significant
from dayrate.scenario.quantity import Money

__all__ = ["render_training"]

_SOURCES = {
    EnergySource.MEASURED: mark("measured"),
    EnergySource.ESTIMATED: mark("estimated"),
    EnergySource.UNKNOWN: mark("unknown"),
}

Rows = list[tuple[str, ...]]


def render_training(
    run: Run, far: Extrapolation, prices: MachinePrices, page: Page
) -> str:
    """Write the whole answer."""
    canvas, _ = Canvas(page), page.words
    canvas.heading(_("Training"))
    canvas.rows(_training(run, _))
    canvas.write()
    canvas.write(_evaluations(run, _))
    canvas.heading(_("Speed and cost here"))
    canvas.rows(_speed(run, prices, _))
    canvas.heading(
        _("The same for {model} on {accelerator}").format(
            model=far.model, accelerator=far.accelerator
        )
    )
    canvas.rows(_far(far, _))
    canvas.heading(_("Assumptions"))
    for line in _assumptions(far, _):
        canvas.bullet(line)
    return canvas.text()


def _training(run: Run, _: Words) -> Rows:
    objectives = {
        Objective.CAUSAL: _("the next token"),
        Objective.MASKED: _("hidden tokens, and whether a passage follows"),
    }
    first, last = run.evaluations[0], run.evaluations[-1]
    rows: Rows = [
        (_("model"), run.model),
        (_("objective"), objectives[run.job.objective]),
        (_("parameters"), figure(run.params), _trained(run, _)),
        (_("text"), _("{n} tokens").format(n=figure(run.training_tokens))),
        (
            _("steps"),
            figure(run.steps),
            _("of {n} tokens").format(n=figure(run.job.step_tokens)),
            run.stopped,
        ),
        (
            _("validation perplexity"),
            f"{figure(first.perplexity)} → {figure(last.perplexity)}",
            _("on {n} tokens kept from training").format(
                n=figure(run.validation_tokens)
            ),
        ),
    ]
    if last.next_passage_accuracy_frac is not None:
        right = percent(last.next_passage_accuracy_frac)
        rows.append((_("“follows” answered rightly"), right, _("50 % by chance")))
    return rows


def _trained(run: Run, _: Words) -> str:
    if run.trained_params == run.params:
        return ""
    return _("{n} of them trained").format(n=figure(run.trained_params))


def _evaluations(run: Run, _: Words) -> Table:
    table = Table.grid(padding=(0, 3, 0, 0))
    heads = (_("step"), _("training loss"), _("validation loss"), _("perplexity"))
    for _head in heads:
        table.add_column(justify="right", no_wrap=True)
    table.add_row(*(Text(f"  {h}", style="dim") for h in heads))
    before = 0
    for found in run.evaluations:
        since = run.losses[before : found.step]
        mean = f"{sum(since) / len(since):.3f}" if since else ""
        table.add_row(
            str(found.step), mean, f"{found.loss:.3f}", f"{found.perplexity:.1f}"
        )
        before = found.step
    return table


def _speed(run: Run, prices: MachinePrices, _: Words) -> Rows:
    counted = run.flop_per_step_counted
    ratio = "" if counted is None else run.flop_per_step_predicted / counted - 1
    energy = run.energy
    return [
        (_("time in steps"), f"{figure(run.seconds)} s", _busy(run, _)),
        (_("tokens per second"), figure(run.tokens_per_s)),
        (
            _("operations of a step, predicted"),
            f"{figure(run.flop_per_step_predicted / 1e9)} GFLOP",
        ),
        (
            _("… counted by torch"),
            _("not counted") if counted is None else f"{figure(counted / 1e9)} GFLOP",
            "" if ratio == "" else f"{100 * float(ratio):+.2f} %",
        ),
        (
            _("peak of matrix products here"),
            f"{figure(run.peak_flop_per_s / 1e9)} GFLOP/s",
            _("measured"),
        ),
        (_("MFU"), percent(run.mfu_frac), _("of that peak; full score matrix")),
        (_("most memory"), f"{figure(run.peak_memory_bytes / 1e6)} MB"),
        (_("energy, evaluations included"), *_joules(energy, _), energy.meter),
        (
            _("electricity"),
            _amount(prices.electricity(energy), _("give --electricity"), energy, _),
        ),
        (
            _("machine"),
            _amount(prices.machine(run.seconds), _("give --machine-price"), None, _),
        ),
    ]


def _joules(energy: Energy, _: Words) -> tuple[str, ...]:
    source = _(_SOURCES[energy.source])
    if energy.joules is None:
        return (source,)
    joules = f"{figure(energy.joules)} J"
    if energy.low_joules is None or energy.low_joules == energy.high_joules:
        return joules, source
    high = energy.high_joules or energy.joules
    return f"{joules}  ({figure(energy.low_joules)} – {figure(high)})", source


def _busy(run: Run, _: Words) -> str:
    busy = _("{n} s of processor time").format(n=figure(run.cpu_s))
    if run.load_average is None:
        return busy
    return f"{busy}, " + _("load {n}").format(n=f"{run.load_average:.1f}")


def _amount(money: Money | None, hint: str, energy: Energy | None, _: Words) -> str:
    if money is None:
        unknown = energy is not None and energy.joules is None
        return _("unknown: no energy") if unknown else _("unknown: ") + hint
    return Coin(money.currency).text(money.amount)


def _far(far: Extrapolation, _: Words) -> Rows:
    seconds = far.accelerator_seconds
    tokens = _("a step of {n} tokens")
    return [
        (
            tokens.format(n=figure(far.step_tokens)),
            _range(far.step_usd, Coin().text),
            _("{n} s of one accelerator").format(n=significant(seconds.mid)),
        ),
        (
            tokens.format(n=figure(OWN_STEP_TOKENS)),
            _range(far.own_step_usd, Coin().text),
            _("its own step"),
        ),
        (
            _("all {n} billion tokens").format(n=figure(RUN_TOKENS / 1e9)),
            _range(far.run_usd, Coin().text),
        ),
        (_("accelerator-hours"), _range(far.run_accelerator_hours, figure)),
        (
            _("days on {n} accelerators").format(n=figure(CLUSTER)),
            _range(far.run_days, figure),
        ),
    ]


def _range(e: Estimate, text: object) -> str:
    assert callable(text)
    return f"{text(e.mid)}  ({text(e.low)} – {text(e.high)})"


def _assumptions(far: Extrapolation, _: Words) -> list[str]:
    mfu, price = far.mfu, far.usd_per_accelerator_hour
    return [
        _("{n} GFLOP per token: 6 per parameter and the full score matrix").format(
            n=figure(far.flop_per_token / 1e9)
        ),
        _("MFU {mid} ({low} to {high}) of {peak} TFLOP/s: {source}").format(
            mid=percent(mfu.mid),
            low=percent(mfu.low),
            high=percent(mfu.high),
            peak=figure(far.peak_flop_per_s / 1e12),
            source=mfu.source,
        ),
        _("rent {mid} ({low} to {high}) per hour: {source}").format(
            mid=Coin().text(price.mid),
            low=Coin().text(price.low),
            high=Coin().text(price.high),
            source=price.source,
        ),
        _("{n} accelerators at least: 16 bytes per parameter with AdamW").format(
            n=far.least_accelerators
        ),
        _("no restarts, no failed attempts, no storage, no people"),
    ]
