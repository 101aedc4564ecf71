"""The flags of arrivals: what they mean, and which do not go together."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from dayrate.cli.arrivals import arrival_options, draw_from
from dayrate.cli.main import main
from dayrate.errors import InvalidInput
from dayrate.workload.arrivals import Process
from dayrate.workload.draw import Draw
from dayrate.workload.sessions import History

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
Captured = pytest.CaptureFixture[str]
MODEL = ["simulate", "--model", "gpt2", "--accelerator", "l4"]
DRAWN = [*MODEL, "--isl", "300", "--osl", "30", "--request-rate", "10"]
TALKS = [*DRAWN, "--session-turns", "2", "--closed-loop", "--num-prompts", "50"]
TRACE = [*MODEL, "--trace", str(EXAMPLES / "azure.csv")]


def read(**flags: Any) -> Draw:
    values = {p.name: p.default for p in arrival_options()}
    found: Draw = draw_from({**values, **flags}, 60.0)
    return found


def test_nothing_said_is_as_the_trace_has_it() -> None:
    assert read() == Draw(duration_s=60.0)


def test_burstiness_is_the_shape_of_gamma_gaps_as_in_vllm() -> None:
    process = read(burstiness=0.25).process
    assert process is not None
    assert (process.kind, process.cv) == (Process.GAMMA, 2.0)
    assert read(burstiness_cv=2.0).process == process


def test_bursts() -> None:
    process = read(arrivals="mmpp", burst_ratio=8.0, calm_dwell=60.0).process
    assert process is not None
    assert (process.burst_ratio, process.burst_s, process.calm_s) == (8, 30, 60)


def test_sessions() -> None:
    dialogue = read(session_turns=3.0, think_time=9.0).dialogue
    assert dialogue is not None
    assert (dialogue.turns, dialogue.think_s, dialogue.closed) == (3, 9, False)
    waits = read(session_turns=3.0, closed_loop=True).dialogue
    assert waits is not None
    assert (waits.think_s, waits.closed) == (60, True)
    assert read(history="added").history is History.ADDED


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"arrivals": "magic"}, "poisson, gamma, weibull, mmpp"),
        ({"arrivals": "poisson", "burstiness_cv": 2.0}, "of gamma and weibull"),
        ({"arrivals": "weibull", "burstiness": 0.5}, "--burstiness-cv"),
        ({"burstiness": 0.5, "burstiness_cv": 2.0}, "Give one"),
        ({"burstiness": 0.0}, "above 0"),
        ({"burstiness": math.nan}, "above 0"),
        ({"burstiness_cv": -1.0}, "variation"),
        ({"burstiness_cv": math.nan}, "variation"),
        ({"burst_ratio": 3.0}, "--arrivals mmpp"),
        ({"arrivals": "gamma", "burst_dwell": 3.0}, "--arrivals mmpp"),
        ({"think_time": 3.0}, "--session-turns"),
        ({"closed_loop": True}, "--session-turns"),
        ({"history": "some"}, "included, added"),
        ({"request_rate": -1.0}, "above 0"),
        ({"num_prompts": 0}, "1 at least"),
    ],
)
def test_what_does_not_go_together_is_refused(flags: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        read(**flags)


@pytest.mark.parametrize(
    "flags",
    [
        ["--num-prompts", "50", "--arrivals", "weibull", "--burstiness-cv", "2"],
        ["--requests", "50", "--arrivals", "mmpp", "--burst-dwell", "2"],
        ["--duration", "5"],
        ["--num-prompts", "100", "--thin", "0.5", "--time-warp", "3"],
        ["--num-prompts", "50", "--session-turns", "3"],
        ["--num-prompts", "50", "--session-turns", "3", "--closed-loop"],
    ],
)
def test_the_same_seed_gives_the_same_bytes(flags: list[str], capsys: Captured) -> None:
    outs = []
    for seed in ("1", "1", "2"):
        assert main([*DRAWN, *flags, "--seed", seed, "--json"]) == 0
        outs.append(capsys.readouterr().out)
    assert outs[0] == outs[1] != outs[2]


def test_all_at_once(capsys: Captured) -> None:
    command = [*DRAWN, "--requests-per-day", "1000", "--num-prompts", "20"]
    command[command.index("--request-rate") + 1] = "inf"
    assert main([*command, "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)["summary"]
    assert summary["requests"] == summary["by_state"]["done"] == 20


def test_turns_that_wait_make_a_session_last_longer(capsys: Captured) -> None:
    found = []
    for more in ([], ["--closed-loop"]):
        command = [*DRAWN, "--session-turns", "2", "--num-prompts", "300", *more]
        command += ["--think-time", "1", "--replicas", "1", "--json"]
        assert main(command) == 0
        found.append(json.loads(capsys.readouterr().out))
    opened, closed = found
    assert closed["period_s"] > opened["period_s"]
    assert sum(closed["summary"]["by_state"].values()) == 300
    assert closed["summary"]["hit_frac"] > 0
    assert any("after the answer has ended" in note for note in closed["notes"])


def test_windows_of_a_file(tmp_path: Path, capsys: Captured) -> None:
    path = tmp_path / "w.csv"
    path.write_text(
        "minute,requests,input_tokens,output_tokens\n0,20,400,200\n1,5,100,50\n"
    )
    command = [*MODEL, "--trace", str(path), "--json"]
    assert main(command) == 0
    assert json.loads(capsys.readouterr().out)["summary"]["requests"] == 25


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ([*TRACE, "--time-warp", "0"], "above 0"),
        ([*TRACE, "--time-warp", "nan"], "above 0"),
        ([*TRACE, "--thin", "1.5"], "up to 1"),
        ([*TRACE, "--thin", "nan"], "up to 1"),
        ([*TRACE, "--thin", "0.000001"], "Keep more"),
        ([*TRACE, "--history", "added"], "no session ids"),
        ([*TRACE, "--num-prompts", "30000000"], "more than one simulation"),
        ([*TRACE, "--trace-model", "gpt"], "no model column"),
        ([*DRAWN, "--session-turns", "50"], "fewer turns"),
        ([*TALKS, "--prefill-replicas", "1"], "Leave --closed-loop out"),
        ([*TALKS, "--autoscale", "reactive"], "Leave --closed-loop out"),
        ([*DRAWN, "--request-rate", "nan"], "above 0"),
    ],
)
def test_bad_input_is_a_sentence(
    command: list[str], said: str, capsys: Captured
) -> None:
    assert main([*command, "--lang", "en"]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    "text",
    [
        "minute,requests,input_tokens,output_tokens\n0,0,0,0\n1,0,0,0\n",
        "arrival_s,input_tokens,output_tokens\n",
        "arrival_s,input_tokens,output_tokens\n0,0,0\n1,0,5\n",
        "",
    ],
    ids=["quiet windows", "header", "zero tokens", "empty"],
)
def test_a_trace_of_nothing_is_a_sentence(
    text: str, tmp_path: Path, capsys: Captured
) -> None:
    path = tmp_path / "t.csv"
    path.write_text(text)
    assert main([*MODEL, "--trace", str(path), "--lang", "en"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("Error: ")
    assert len(err.splitlines()) == 1


def test_an_unsorted_trace_is_sorted_and_counted(
    tmp_path: Path, capsys: Captured
) -> None:
    path = tmp_path / "t.csv"
    path.write_text("arrival_s,input_tokens,output_tokens\n5,9,9\n0,9,9\n3,9,9\n")
    assert main([*MODEL, "--trace", str(path), "--lang", "en"]) == 0
    assert "2 rows were out of order" in capsys.readouterr().out
