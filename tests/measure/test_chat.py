"""A conversation with a model that answers by rule: what is kept, summed, refused."""

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayrate.errors import InvalidInput
from dayrate.measure.chat import Conversation, Totals
from dayrate.measure.generate.ask import Sampling
from dayrate.measure.generate.figures import Figures
from dayrate.measure.generate.tariff import Tariff
from dayrate.measure.generate.trace import (
    Finish,
    Host,
    Message,
    Output,
    Pass,
    Prompt,
    Trace,
)
from dayrate.measure.power import Energy, EnergySource

CONTEXT = 40


class Echo:
    """A token is a word; an answer repeats ``word`` as often as it may, to 5 times."""

    host = Host("echo", "transformers", "cpu", "float32", 1, CONTEXT, None, 0.0)

    def conversation(self, messages: Sequence[Message]) -> Prompt:
        return Prompt(" ".join(m["content"] for m in messages), templated=True)

    def count(self, prompt: Prompt) -> int:
        return len(prompt.text.split())

    def complete(
        self,
        prompt: Prompt,
        new_tokens: int,
        sampling: Sampling,
        on_text: Callable[[str], None],
    ) -> Trace:
        del sampling
        n, finish = min(5, new_tokens), Finish.LENGTH
        try:
            on_text("word " * n)
        except KeyboardInterrupt:
            n, finish = 1, Finish.INTERRUPTED
        one = Pass(self.count(prompt), 0, 1, tuple(0.1 * i for i in range(n)), 1.0)
        return Trace((Output("word " * n, n, finish),), (one,), 10**6)

    def counted_flop(self, trace: Trace) -> int | None:
        del trace
        return None


def conversation(system: str | None = None) -> Conversation:
    return Conversation(Echo(), 128, Sampling(), Tariff(machine_usd_per_h=3.6), system)


def nobody(_text: str) -> None:
    pass


def stop(_text: str) -> None:
    raise KeyboardInterrupt


def test_nothing_said_is_dropped() -> None:
    talk = conversation("be brief")
    while talk.engine.count(talk.engine.conversation(talk.messages)) < CONTEXT - 5:
        talk.say("turn has four words", nobody)
    said = list(talk.messages)
    with pytest.raises(InvalidInput, match=r"/reset; /save keeps"):
        talk.say("turn has five more words", nobody)
    assert talk.messages == said
    assert said[0] == {"role": "system", "content": "be brief"}
    assert len(said) == 1 + 2 * len(talk.turns)


def test_an_answer_takes_the_room_there_is() -> None:
    talk = conversation()
    figures = talk.say("a " * (CONTEXT - 2), nobody)
    assert figures.output_tokens == 2


def test_a_stopped_answer_is_kept_as_far_as_it_came() -> None:
    talk = conversation()
    assert talk.say("go", stop).trace.interrupted
    assert talk.messages[-1] == {"role": "assistant", "content": "word "}


def test_a_reset_forgets_what_was_said_and_not_what_it_took() -> None:
    talk = conversation("be brief")
    talk.say("one", nobody)
    talk.reset()
    talk.say("two", nobody)
    assert [m["content"] for m in talk.messages][:2] == ["be brief", "two"]
    totals = talk.totals()
    assert (totals.turns, totals.output_tokens) == (2, 10)
    assert totals.cost.total_usd == pytest.approx(2 * 3.6 / 3600)


def turn(energy: Energy) -> Figures:
    one = Pass(4, 0, 1, (0.1,), 1.0)
    trace = Trace((Output("a", 1, Finish.STOP),), (one,), 10**6)
    return Figures(Echo.host, trace, energy, Tariff())


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=5))
def test_measured_joules_add_up(joules: list[float]) -> None:
    energy = Totals.of([turn(Energy.measured(j, "RAPL")) for j in joules]).energy
    assert energy.joules == pytest.approx(sum(joules))
    assert energy.source is EnergySource.MEASURED


def test_a_sum_is_as_sure_as_its_least_sure_part() -> None:
    measured = turn(Energy.measured(1.0, "RAPL"))
    guessed = turn(Energy(1.0, 0.5, 2.0, EnergySource.ESTIMATED, "processor time"))
    unknown = turn(Energy.unknown("no meter"))
    assert Totals.of([measured, guessed]).energy.source is EnergySource.ESTIMATED
    assert Totals.of([measured, guessed]).energy.high_joules == 3.0
    assert Totals.of([measured, unknown]).energy.joules is None
    assert Totals.of([]).energy.joules is None
