"""An anatomy as a figure: whose share of work, bytes, time and energy is whose."""

from collections.abc import Callable, Iterator

from dayrate.anatomy.walk import Anatomy, Phase
from dayrate.anatomy.work import Work
from dayrate.report.anatomy.names import PARTS, PHASES
from dayrate.report.anatomy.text import asked_for
from dayrate.report.figures import Figure, share_figure
from dayrate.report.i18n import Words
from dayrate.report.numbers import figure

__all__ = ["anatomy_figure"]


def anatomy_figure(anatomy: Anatomy, words: Words) -> Figure:
    """Draw prefill beside one decode step; parts of both stacks together."""
    _ = words
    bars = {
        f"{_(PHASES[phase.name])}: {_tokens(phase, _)}": dict(_bars(phase, anatomy, _))
        for phase in anatomy.phases
        if phase.name != "request"
    }
    title = f"{anatomy.model.id}: {asked_for(anatomy, _)}"
    if anatomy.accelerator:
        title += f", {anatomy.accelerators} x {anatomy.accelerator}"
    return share_figure(bars, title=title)


def _tokens(phase: Phase, _: Words) -> str:
    if phase.name == "prefill":
        return _("{n} tokens in one pass").format(n=figure(phase.tokens))
    return _("one token, which sees {n}").format(n=figure(phase.context))


def _bars(
    phase: Phase, anatomy: Anatomy, _: Words
) -> Iterator[tuple[str, dict[str, float]]]:
    columns: list[tuple[str, Callable[[Work], float | None]]] = [
        (_("work"), lambda w: w.flop),
        (_("bytes"), lambda w: w.bytes),
        (_("time, cost"), lambda w: w.seconds),
        (_("energy"), lambda w: w.joules),
    ]
    for name, amount in columns:
        if amount(phase.total) is not None:
            yield name, _amounts(phase, amount, anatomy, _)


def _amounts(
    phase: Phase, amount: Callable[[Work], float | None], anatomy: Anatomy, _: Words
) -> dict[str, float]:
    works = phase.by_part
    amounts: dict[str, float] = {}
    for part in anatomy.parts:
        if part.key in works:
            name = _(PARTS[part.key.name])
            amounts[name] = amounts.get(name, 0.0) + (amount(works[part.key]) or 0.0)
    return {name: value for name, value in amounts.items() if value}
