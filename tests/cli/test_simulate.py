"""``dayrate simulate``: text, JSON, the timeline, and what it says of bad input."""

import json
from pathlib import Path

import pytest

from dayrate.cli.main import main

Captured = pytest.CaptureFixture[str]
MODEL = ["simulate", "--model", "gpt2", "--accelerator", "l4"]
DRAWN = [*MODEL, "--isl", "200", "--osl", "50", "--requests-per-day", "100000"]


@pytest.fixture
def trace(tmp_path: Path) -> str:
    path = tmp_path / "trace.csv"
    rows = [f"{i * 0.5},{100 + i},{20 + i}" for i in range(40)]
    path.write_text("\n".join(["arrival_s,input_tokens,output_tokens", *rows]) + "\n")
    return str(path)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_text_fits_a_terminal(trace: str, lang: str, capsys: Captured) -> None:
    assert main([*MODEL, "--trace", trace, "--lang", lang]) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    assert ("time to first token" if lang == "en" else "首 token 延迟") in out


def test_json_and_a_whole_timeline(
    trace: str, tmp_path: Path, capsys: Captured
) -> None:
    lines = tmp_path / "lines.csv"
    command = [*MODEL, "--trace", trace, "--replicas", "2", "--json"]
    assert main([*command, "--timeline", str(lines)]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["summary"]["by_state"]["done"] == 40
    assert document["replicas"] == 2
    assert lines.read_text().startswith("time_s,running,waiting,")
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_a_seed_repeats_and_another_does_not(capsys: Captured) -> None:
    outs = []
    for seed in ("1", "1", "2"):
        assert main([*DRAWN, "--duration", "60", "--seed", seed, "--json"]) == 0
        outs.append(capsys.readouterr().out)
    assert outs[0] == outs[1] != outs[2]


def test_a_request_too_long_is_counted(tmp_path: Path, capsys: Captured) -> None:
    path = tmp_path / "long.csv"
    rows = [f"{i},10,10" for i in range(9)] + ["9,2000,10"]
    path.write_text("\n".join(["arrival_s,input_tokens,output_tokens", *rows]) + "\n")
    assert main([*MODEL, "--trace", str(path), "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)["summary"]
    assert summary["by_state"]["too_long"] == 1


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ([*DRAWN, "--replicas", "0"], "number from 1, or auto"),
        ([*DRAWN, "--duration", "0"], "duration"),
        ([*DRAWN, "--duration", "nan"], "duration"),
        ([*DRAWN, "--timeout", "nan"], "--timeout"),
        ([*DRAWN, "--routing", "magic"], "round-robin, least-loaded"),
        ([*DRAWN, "--duration", "1", "--timeline", "/no/such/x.csv"], "Cannot write"),
        ([*DRAWN, "--duration", "1e12"], "shorter --duration"),
        (["simulate"], "nothing to simulate"),
    ],
)
def test_bad_input_is_a_sentence(
    command: list[str], said: str, capsys: Captured
) -> None:
    assert main([*command, "--lang", "en"]) == 2
    assert said in capsys.readouterr().err
