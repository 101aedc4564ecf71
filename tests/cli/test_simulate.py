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


@pytest.mark.parametrize(
    ("flags", "chunked"),
    [
        ([], True),
        (["--engine", "llama.cpp"], False),
        (["--engine", "llama.cpp", "--enable-chunked-prefill"], True),
        (["--no-enable-chunked-prefill"], False),
    ],
)
def test_prompts_are_chunked_as_the_engine_does(
    flags: list[str], chunked: bool, capsys: Captured
) -> None:
    assert main([*DRAWN, *flags, "--duration", "20", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["limits"]["chunked_prefill"] == chunked


def test_a_request_too_long_is_counted(tmp_path: Path, capsys: Captured) -> None:
    path = tmp_path / "long.csv"
    rows = [f"{i},10,10" for i in range(9)] + ["9,2000,10"]
    path.write_text("\n".join(["arrival_s,input_tokens,output_tokens", *rows]) + "\n")
    assert main([*MODEL, "--trace", str(path), "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)["summary"]
    assert summary["by_state"]["too_long"] == 1


def test_priorities_and_cancellations_come_from_the_trace(
    tmp_path: Path, capsys: Captured
) -> None:
    path = tmp_path / "ranked.csv"
    head = "arrival_s,input_tokens,output_tokens,priority,cancel_s"
    rows = ["10,100,200,1,", "10.1,100,200,0,10.2", "10.2,100,200,0,", "11,100,9,2,99"]
    path.write_text("\n".join([head, *rows]) + "\n")
    command = [*MODEL, "--trace", str(path), "--scheduling-policy", "priority"]
    assert main([*command, "--json"]) == 0
    states = json.loads(capsys.readouterr().out)["summary"]["by_state"]
    assert (states["done"], states["cancelled"]) == (3, 1)


def test_drafts_and_separate_prefill(trace: str, capsys: Captured) -> None:
    p50 = []
    for more in (
        [],
        ["--num-speculative-tokens", "3", "--speculative-acceptance", "0.6"],
        ["--prefill-replicas", "1"],
    ):
        assert main([*MODEL, "--trace", trace, "--json", *more]) == 0
        document = json.loads(capsys.readouterr().out)
        p50.append(document["summary"]["tpot"]["p50_s"])
    assert p50[1] < p50[0]
    assert (document["replicas"], document["prefill_replicas"]) == (2, 1)


def test_separate_prefill_is_paid_for_and_says_so(trace: str, capsys: Captured) -> None:
    bills = []
    for more in ([], ["--prefill-replicas", "1"]):
        command = [*MODEL, "--trace", trace, "--replicas", "1", *more, "--json"]
        assert main(command) == 0
        found = json.loads(capsys.readouterr().out)
        bills.append(found["cost"]["total_usd"] / found["period_s"])
        assert sum(h["usd"] for h in found["hours"]) == pytest.approx(
            found["cost"]["total_usd"]
        )
        assert sum(h["kwh"] for h in found["hours"]) == pytest.approx(
            found["energy"]["kwh"]
        )
    assert bills[1] == pytest.approx(2 * bills[0])
    assert main([*command[:-1], "--lang", "en"]) == 0
    out = capsys.readouterr().out
    assert "of them for prompts alone          1" in out
    scaled = ["--day", "--autoscale", "reactive", "--prefill-replicas", "1"]
    scaled += ["--no-compare", "--requests-per-day", "5000"]
    assert main([*DRAWN, *scaled, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["replicas_mean"] >= 2


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
        ([*DRAWN, "--scheduling-policy", "magic"], "fcfs, priority"),
        ([*DRAWN, "--scheduling-policy", "priority"], "requests with a priority"),
        ([*DRAWN, "--prefill-replicas", "1", "--kv-transfer-bandwidth", "nan"], "GB/s"),
        (["simulate"], "nothing to simulate"),
    ],
)
def test_bad_input_is_a_sentence(
    command: list[str], said: str, capsys: Captured
) -> None:
    assert main([*command, "--lang", "en"]) == 2
    assert said in capsys.readouterr().err
