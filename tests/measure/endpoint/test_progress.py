"""The bar is for terminals, and counts what failed."""

import io
import sys

import pytest

from dayrate.cli.measure.endpoint_progress import Bar
from dayrate.measure.endpoint.record import Fault, Job, Record
from dayrate.report.i18n import words


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(monkeypatch: pytest.MonkeyPatch, stream: io.StringIO, lang: str) -> str:
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    failed = Record(Job(0, "", 1, 1))
    failed.fail(Fault.CLOSED, "gone")
    with Bar(words(lang)) as bar:
        bar.phase("asking the server")
        bar.phase("load", 3)
        bar.step(failed)
        bar.step(Record(Job(1, "", 1, 1)))
    return stream.getvalue()


def test_a_terminal_sees_steps_and_failures(monkeypatch: pytest.MonkeyPatch) -> None:
    text = shown(monkeypatch, Terminal(), "en")
    assert "2/3" in text
    assert "1 failed" in text


def test_a_file_sees_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown(monkeypatch, io.StringIO(), "en").strip() == ""
