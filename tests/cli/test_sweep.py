"""``dayrate sweep``: the same rows on every backend, resumed, interrupted, refused."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from dayrate.cli import sweep
from dayrate.cli.main import main

Captured = pytest.CaptureFixture[str]
BASE = ["--model", "gpt2", "--accelerator", "l4", "--isl", "200", "--osl", "20"]
SIMULATE = ["sweep", "simulate", *BASE, "--request-rate", "50", "--num-prompts", "100"]
GRID = ["--over", "replicas=1,2", "--over", "max-num-seqs=4:16:x2"]
HERE = ["--jobs", "1"]


def rows_of(command: list[str], capsys: Captured, status: int = 0) -> list[Any]:
    assert main([*command, "--json"]) == status
    rows: list[Any] = json.loads(capsys.readouterr().out)["rows"]
    return rows


def test_a_grid(capsys: Captured) -> None:
    rows = rows_of([*SIMULATE, *GRID, *HERE], capsys)
    assert [tuple(r["point"].values()) for r in rows] == [
        (replicas, seqs) for replicas in "12" for seqs in ("4", "8", "16")
    ]
    assert all(r["status"] == "ok" for r in rows)
    assert {r["result"]["replicas"] for r in rows} == {1, 2}
    assert {r["result"]["limits.max_num_seqs"] for r in rows} == {4, 8, 16}


def test_a_row_can_be_had_again_by_its_command(capsys: Captured) -> None:
    row = rows_of([*SIMULATE, *GRID, *HERE], capsys)[4]
    words = row["command"].split()
    assert main([*words[1:], "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again["summary"]["ttft"]["p95_s"] == row["result"]["summary.ttft.p95_s"]


def test_points_of_one_demand_serve_the_same_requests(capsys: Captured) -> None:
    rows = rows_of([*SIMULATE, *GRID, *HERE], capsys)
    assert len({r["seed"] for r in rows}) == 1
    rows = rows_of([*SIMULATE, "--over", "seed=1:3", *HERE], capsys)
    assert len({r["seed"] for r in rows}) == 3
    rows = rows_of([*SIMULATE, "--over", "osl=10,20", *HERE], capsys)
    assert len({r["seed"] for r in rows}) == 2


@pytest.mark.slow
def test_processes_give_the_same_bytes(tmp_path: Path, capsys: Captured) -> None:
    files = []
    for jobs in ("1", "2"):
        files.append(tmp_path / f"{jobs}.jsonl")
        command = [*SIMULATE, *GRID, "--jobs", jobs, "--results", str(files[-1])]
        assert main(command) == 0
        capsys.readouterr()
    assert files[0].read_bytes() == files[1].read_bytes()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the cluster's own
@pytest.mark.parametrize(
    ("backend", "module"), [("dask", "distributed"), ("ray", "ray")]
)
def test_clusters_give_the_same_rows(
    backend: str, module: str, capsys: Captured
) -> None:
    pytest.importorskip(module)
    few = [*SIMULATE, "--over", "replicas=1,2"]
    here = rows_of([*few, *HERE], capsys)
    assert rows_of([*few, *HERE, "--backend", backend], capsys) == here


@pytest.mark.parametrize("name", ["r.jsonl", "r.csv"])
def test_finished_points_are_not_computed_again(
    tmp_path: Path, name: str, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / name
    kept = ["--results", str(path), *HERE]
    assert main([*SIMULATE, "--over", "replicas=1,2", *kept]) == 0
    asked = []
    answer = sweep._answer

    def counted(arguments: Any) -> Any:
        asked.append(arguments)
        return answer(arguments)

    monkeypatch.setattr(sweep, "_answer", counted)
    capsys.readouterr()
    more = [*SIMULATE, "--over", "replicas=1,2,3", *kept, "--resume"]
    rows = rows_of(more, capsys)
    assert len(asked) == 1
    assert [r["point"]["replicas"] for r in rows] == ["1", "2", "3"]
    assert len({len(r["result"]) for r in rows}) == 1
    whole = tmp_path / f"whole-{name}"
    command = [*SIMULATE, "--over", "replicas=1,2,3", *HERE, "--results", str(whole)]
    assert main(command) == 0
    assert path.read_bytes() == whole.read_bytes()


def test_a_changed_trace_is_another_point(tmp_path: Path, capsys: Captured) -> None:
    trace = tmp_path / "t.csv"
    keys = []
    for tokens in (10, 11):
        rows = [f"{i},{tokens},5" for i in range(5)]
        trace.write_text("\n".join(["arrival_s,input_tokens,output_tokens", *rows]))
        command = ["sweep", "simulate", *BASE[:4], "--trace", str(trace)]
        found = rows_of([*command, "--over", "replicas=1", *HERE], capsys)
        keys.append(found[0]["key"])
    assert keys[0] != keys[1]


def test_points_without_an_answer_are_rows(capsys: Captured) -> None:
    big = ["sweep", "quote", "--model", "meta-llama/Llama-3.1-70B-Instruct", "--isl"]
    big += ["100", "--osl", "10", "--requests-per-day", "1000", *HERE]
    over = ["--over", "accelerator=h100-sxm-80gb,nothing", "--over", "accelerators=1,4"]
    big += over
    assert main(big) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    assert "no plan" in out
    assert "wrong input" in out
    assert "3-4: No accelerator called" in " ".join(out.split())


@pytest.mark.parametrize(
    ("over", "status"),
    [("accelerators=1,2", 3), ("accelerator=none,nothing", 2)],
)
def test_no_answer_at_all_says_why(over: str, status: int, capsys: Captured) -> None:
    big = [
        "sweep",
        "quote",
        "--model",
        "deepseek-ai/DeepSeek-R1",
        "--accelerator",
        "l4",
    ]
    big += ["--preset", "chat", "--requests-per-day", "1000", *HERE]
    rows_of([*big, "--over", over], capsys, status)


def test_a_bug_is_a_row_and_exit_code_1(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("no such luck")

    monkeypatch.setattr("dayrate.cli.simulate._simulated", broken)
    rows = rows_of([*SIMULATE, "--over", "replicas=1", *HERE], capsys, 1)
    assert (rows[0]["status"], rows[0]["result"]) == ("bug", {})
    assert "no such luck" in rows[0]["reason"]


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_table_fits_a_terminal(lang: str, capsys: Captured) -> None:
    assert main([*SIMULATE, *GRID, *HERE, "--lang", lang]) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    assert "replicas" in out
    assert out.splitlines()[-1].split()[:3] == ["6", "2", "16"]


def test_columns_of_ones_own(capsys: Captured) -> None:
    command = [*SIMULATE, "--over", "replicas=1", *HERE]
    assert main([*command, "--show", "summary.e2e.p99_s, summary.steps"]) == 0
    assert "e2e.p99_s" in capsys.readouterr().out
    assert main([*command, "--show", "summary.e2e.p98_s"]) == 2
    assert "Did you mean" in capsys.readouterr().err


def test_a_switch_is_swept_by_true_and_false(capsys: Captured) -> None:
    switch = ["--over", "enable-chunked-prefill=true,false", *HERE]
    rows = rows_of([*SIMULATE, *switch], capsys)
    assert [r["result"]["limits.chunked_prefill"] for r in rows] == [True, False]


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["sweep", "simulate", *BASE], "Add --over"),
        (["sweep", "simulte", *BASE, "--over", "isl=1,2"], "Did you mean simulate"),
        ([*SIMULATE, "--over", "replica=1,2"], "Did you mean replicas"),
        ([*SIMULATE, "--over", "replicas"], "write name=2,4,8"),
        ([*SIMULATE, "--over", "seed=a,b"], "valid integer"),
        ([*SIMULATE, "--over", "json=true"], "no flag to sweep"),
        ([*SIMULATE, "--over", "enable-chunked-prefill=1"], "true or false"),
        ([*SIMULATE, "--no-such-flag", *GRID], "--no-such-flag"),
        ([*SIMULATE, *GRID, "--resume"], "add --results"),
        ([*SIMULATE, *GRID, "--backend", "spark"], "local, ray, dask"),
        ([*SIMULATE, *GRID, "--address", "tcp://x:1"], "--backend"),
        ([*SIMULATE, *GRID, "--jobs", "0"], "1 or more"),
        ([*SIMULATE, *GRID, "--timeline", "x.csv"], "many points"),
        (["sweep", "simulate", "-", *GRID], "give a file"),
    ],
)
def test_bad_input_is_a_sentence(
    command: list[str], said: str, capsys: Captured
) -> None:
    assert main([*command, "--lang", "en"]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_an_interrupted_sweep_keeps_what_it_has(tmp_path: Path, jobs: str) -> None:
    path = tmp_path / "r.jsonl"
    many = ["sweep", "simulate", *BASE, "--request-rate", "20", "--num-prompts", "3000"]
    many += ["--over", "seed=1:200", "--jobs", jobs, "--results", str(path)]
    process = subprocess.Popen(
        [sys.executable, "-m", "dayrate", *many],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while process.poll() is None and not (path.exists() and path.stat().st_size):
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err == ""
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert 1 <= len(rows) < 200
    assert f"{len(rows)} of 200 points" in " ".join(out.split())


def test_csv_holds_a_row_for_each_point(tmp_path: Path, capsys: Captured) -> None:
    path = tmp_path / "r.csv"
    assert main([*SIMULATE, *GRID, *HERE, "--results", str(path)]) == 0
    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert [r["point.replicas"] for r in rows] == list("111222")
    assert all(float(r["result.summary.ttft.p95_s"]) > 0 for r in rows)
