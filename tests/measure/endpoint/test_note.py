"""Figures go into the sentence, or into its translation."""

from dayrate.measure.endpoint.note import Note, mark


def test_figures_and_translations() -> None:
    note = Note(mark("{n} of {m}"), {"n": 1, "m": "two"})
    assert str(note) == "1 of two"
    assert note.said("{m} 之 {n}") == "two 之 1"


def test_a_text_without_figures_may_hold_braces() -> None:
    assert str(Note("a{b}.csv is odd")) == "a{b}.csv is odd"
