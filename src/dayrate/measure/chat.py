"""A conversation with a model that runs here, every turn measured.

The messages are kept as they were said. The engines keep the keys and values of a
conversation, so that a turn computes only what is new.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from dayrate.cost.breakdown import Cost
from dayrate.errors import InvalidInput
from dayrate.measure.generate.ask import Sampling
from dayrate.measure.generate.figures import Figures
from dayrate.measure.generate.run import run
from dayrate.measure.generate.tariff import Tariff
from dayrate.measure.generate.trace import Engine, Message
from dayrate.measure.power import Energy, EnergySource

__all__ = ["Conversation", "Totals"]


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over turns."""

    turns: int
    computed_tokens: int
    output_tokens: int
    seconds: float
    energy: Energy
    cost: Cost

    @classmethod
    def of(cls, turns: Sequence[Figures]) -> "Totals":
        """Add turns up."""
        return cls(
            turns=len(turns),
            computed_tokens=sum(t.prompt_tokens - t.cached_tokens for t in turns),
            output_tokens=sum(t.output_tokens for t in turns),
            seconds=sum(t.seconds for t in turns),
            energy=_added([t.energy for t in turns]),
            cost=sum((t.cost for t in turns), start=Cost({})),
        )

    def to_dict(self) -> dict[str, Any]:
        """Give the sums as JSON types."""
        return {
            "turns": self.turns,
            "computed_tokens": self.computed_tokens,
            "output_tokens": self.output_tokens,
            "seconds": self.seconds,
            "joules": self.energy.joules,
            "energy_source": self.energy.source.value,
            "total_usd": self.cost.total_usd if self.cost.terms_usd else None,
        }


@dataclass(slots=True)
class Conversation:
    """What was said and what it took; ``reset`` forgets the one and keeps the other."""

    engine: Engine
    max_new_tokens: int
    sampling: Sampling
    tariff: Tariff
    system: str | None = None
    messages: list[Message] = field(default_factory=list)
    turns: list[Figures] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.reset()
        self.engine.conversation([*self.messages, _said("user", "?")])

    def reset(self) -> None:
        """Begin anew."""
        self.messages = [] if self.system is None else [_said("system", self.system)]

    def say(self, text: str, on_text: Callable[[str], None]) -> Figures:
        """Answer, with all that was said before; a stopped answer is kept as far.

        Raises
        ------
        InvalidInput
            The conversation is longer than the context; nothing of it is dropped.
        """
        asked = [*self.messages, _said("user", text)]
        prompt = self.engine.conversation(asked)
        context = self.engine.host.context_tokens
        tokens = self.engine.count(prompt)
        if context is not None and tokens >= context:
            raise InvalidInput(
                f"With this the conversation is {tokens:,} tokens and the context "
                f"holds {context:,}, with the answer. Say less, or /reset; /save keeps "
                "what was said."
            )
        figures = run(
            self.engine,
            prompt,
            self._room(tokens),
            self.sampling,
            self.tariff,
            on_text=on_text,
        )
        (output,) = figures.trace.outputs
        self.messages = [*asked, _said("assistant", output.text)]
        self.turns.append(figures)
        return figures

    def totals(self) -> Totals:
        """Add up all turns, those before a reset too."""
        return Totals.of(self.turns)

    def to_dict(self) -> dict[str, Any]:
        """Give the conversation and its figures as JSON types."""
        host = self.engine.host
        return {
            "model": host.model,
            "backend": host.backend,
            "device": host.device,
            "dtype": host.dtype,
            "threads": host.threads,
            "context_tokens": host.context_tokens,
            "messages": [dict(m) for m in self.messages],
            "turns": [t.numbers() for t in self.turns],
            "totals": self.totals().to_dict(),
        }

    def _room(self, tokens: int) -> int:
        """Tokens an answer may have: as many as asked, or as there is room for."""
        context = self.engine.host.context_tokens
        wanted = self.max_new_tokens
        return wanted if context is None else min(wanted, context - tokens)


def _added(parts: Sequence[Energy]) -> Energy:
    """Sum energies; as sure as the least sure of them, unknown if one is."""
    joules, low, high = 0.0, 0.0, 0.0
    for part in parts:
        if None in (part.joules, part.low_joules, part.high_joules):
            return part
        joules += part.joules or 0
        low += part.low_joules or 0
        high += part.high_joules or 0
    if not parts:
        return Energy.unknown("nothing has run")
    sources = {p.source for p in parts}
    source = EnergySource.ESTIMATED if len(sources) > 1 else parts[0].source
    return Energy(joules, low, high, source, parts[0].meter)


def _said(role: str, content: str) -> Message:
    return {"role": role, "content": content}
