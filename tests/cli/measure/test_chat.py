"""``dayrate measure chat``: turns and their meter, commands, bad input."""

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dayrate.cli.main import main
from dayrate.cli.measure import chat

Captured = pytest.CaptureFixture[str]
Talk = Callable[..., int]


@pytest.fixture
def talk(tiny_gguf: Path, monkeypatch: pytest.MonkeyPatch) -> Talk:
    """Run a chat on the small model with these lines as the input."""
    pytest.importorskip("xllamacpp")

    def run(*lines: str, flags: tuple[str, ...] = ()) -> int:
        monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{x}\n" for x in lines)))
        command = ["measure", "chat", "--model", str(tiny_gguf), "--threads", "1"]
        return main([*command, "--max-new-tokens", "6", *flags])

    return run


def test_every_turn_has_a_meter(talk: Talk, capsys: Captured) -> None:
    assert talk("hello", "more", "/quit", "not read") == 0
    out = capsys.readouterr().out
    meters = [line for line in out.splitlines() if "tokens in" in line]
    assert len(meters) == 2
    assert "cached" in meters[1]
    assert "6 out" in meters[0]
    assert "> not read" not in out


def test_the_end_of_the_input_ends_it(talk: Talk, capsys: Captured) -> None:
    assert talk("hello") == 0
    assert capsys.readouterr().out.startswith("> hello\n")


def test_cost_adds_up_over_a_reset(talk: Talk, capsys: Captured) -> None:
    price = ("--machine-price", "100 CNY/h", "--currency", "CNY", "--fx", "7")
    assert talk("a", "/reset", "b", "/cost", flags=price) == 0
    out, err = capsys.readouterr()
    assert "2 turns: " in out
    assert "12 out" in out
    assert "¥" in out.splitlines()[-1]
    assert "anew" in err


def test_saved_and_read_again(talk: Talk, tmp_path: Path, capsys: Captured) -> None:
    path = tmp_path / "chat.json"
    said = ("hello", f"/save {path}")
    assert talk(*said, flags=("--system", "Be brief.", "--json")) == 0
    out, err = capsys.readouterr()
    saved = json.loads(path.read_text())
    assert json.loads(out) == saved
    assert [m["role"] for m in saved["messages"]] == ["system", "user", "assistant"]
    assert saved["totals"]["turns"] == len(saved["turns"]) == 1
    assert "Saved to" in err
    assert [p.name for p in tmp_path.iterdir()] == ["chat.json"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("/save", "needs the name of a file"),
        ("/save /no/such/folder/x.json", "Cannot write"),
        ("/save /dev/full/x", "Cannot write"),
        ("/nope", "/help lists them"),
        ("word " * 300, "/reset"),
    ],
)
def test_a_mistake_ends_nothing(
    line: str, said: str, talk: Talk, capsys: Captured
) -> None:
    assert talk("hello", line, "go on", "/cost") == 0
    out, err = capsys.readouterr()
    assert said in err
    assert "2 turns" in out


def test_a_full_disk_keeps_the_conversation(
    talk: Talk, tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_self: Path, _target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    assert talk("hello", f"/save {tmp_path / 'x.json'}", "/cost") == 0
    out, err = capsys.readouterr()
    assert "No space left on device" in err
    assert "1 turns" in out
    assert list(tmp_path.iterdir()) == []


def test_a_full_context_is_said_and_nothing_is_dropped(
    talk: Talk, capsys: Captured
) -> None:
    assert talk("a b c " * 20, flags=("--max-model-len", "256")) == 0
    assert talk("word " * 60, "word " * 60, flags=("--max-model-len", "256")) == 0
    out, err = capsys.readouterr()
    assert "the context is full" in out or "/save keeps" in err


def test_help_lists_every_command(talk: Talk, capsys: Captured) -> None:
    assert talk("/help") == 0
    out = capsys.readouterr().out
    assert all(f"{command} " in out for command, _help in chat._HELP)


def test_a_model_that_does_not_converse(gpt2: Path, capsys: Captured) -> None:
    command = ["measure", "chat", "--model", str(gpt2), "--threads", "1"]
    assert main(command) == 2
    assert "no chat template" in capsys.readouterr().err


def test_two_ctrl_c_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    pressed = []

    def press() -> str:
        pressed.append(1)
        raise KeyboardInterrupt

    monkeypatch.setattr(chat, "_line", press)
    assert list(chat._lines()) == []
    assert len(pressed) == 2
