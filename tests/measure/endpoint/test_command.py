"""``dayrate measure endpoint``: pages, files, exit codes, Ctrl-C, bad input."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from dayrate.cli.main import main
from dayrate.cli.measure import endpoint
from dayrate.cli.measure.endpoint_progress import Bar
from dayrate.errors import InvalidInput, MissingExtra
from dayrate.measure.models import embedded_gguf

Captured = pytest.CaptureFixture[str]
LOAD = ["--isl", "20", "--osl", "5", "--max-requests", "12"]
NAMED = ["--model", "gpt2", "--accelerator", "l4"]
WITHIN_S = 60


def measure(fake: Any, *more: str, load: list[str] | None = None) -> int:
    return main(
        ["measure", "endpoint", fake.url, *(LOAD if load is None else load), *more]
    )


@pytest.fixture(autouse=True)
def _english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DAYRATE_LANG", raising=False)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_text_fits_a_terminal(fake: Any, lang: str, capsys: Captured) -> None:
    limits = ["--ttft", "5000", "--tpot", "1000"]
    assert measure(fake, *NAMED, *limits, "--lang", lang) == 0
    captured = capsys.readouterr()
    assert max(map(len, captured.out.splitlines())) <= 80
    assert ("time to first token" if lang == "en" else "首 token 延迟") in captured.out
    assert "--max-requests" in captured.err
    assert "12" in captured.err


def test_an_open_loop_and_a_shared_beginning_are_named(
    fake: Any, capsys: Captured
) -> None:
    rate = ["--request-rate", "200", "--burstiness", "0.5"]
    assert measure(fake, *rate, "--shared-prefix-tokens", "8") == 0
    out = capsys.readouterr().out
    assert "at 200/s, burstiness 0.5" in out
    assert "8 tokens" in out
    assert measure(fake, "--request-rate", "inf") == 0
    assert "all at once" in capsys.readouterr().out


def test_a_trace_with_arrivals_is_replayed(
    fake: Any, tmp_path: Path, capsys: Captured
) -> None:
    trace = tmp_path / "trace.csv"
    rows = [f"{i / 100},{10 + i},{2 + i % 3}" for i in range(20)]
    trace.write_text("arrival_s,input_tokens,output_tokens\n" + "\n".join(rows) + "\n")
    load = ["--trace", str(trace), "--max-requests", "9"]
    assert measure(fake, load=load) == 0
    assert "when the trace says" in capsys.readouterr().out
    assert measure(fake, "--concurrency", "2", "--json", load=load) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["workload"]["loop"] == "closed"
    assert document["workload"]["lengths"] == "trace.csv"
    assert document["requests_sent_in_all"] == 9


def test_json_and_files_that_the_backtest_reads(
    fake: Any, tmp_path: Path, capsys: Captured
) -> None:
    table, lines = tmp_path / "results.csv", tmp_path / "requests.jsonl"
    files = ["--results", str(table), "--requests", str(lines)]
    assert measure(fake, *NAMED, *files, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["summary"]["by_state"]["done"] == 9
    assert len(document["prediction"]["metrics"]) == 6
    assert [json.loads(x)["state"] for x in lines.read_text().splitlines()] == [
        "done"
    ] * 9
    assert main(["backtest", str(table), "--json"]) == 0
    scored = json.loads(capsys.readouterr().out)
    assert scored["unsupported_rows"] == []
    assert sorted(p.name for p in tmp_path.iterdir()) == [lines.name, table.name]


def test_requests_as_csv(fake: Any, tmp_path: Path) -> None:
    path = tmp_path / "requests.csv"
    assert measure(fake, "--requests", str(path)) == 0
    assert path.read_text().startswith("request,state,due_s,")


def test_no_prediction_says_why(fake: Any, capsys: Captured) -> None:
    assert measure(fake) == 0
    assert "no prediction: it takes --model and --accelerator" in one_line(capsys)


@pytest.mark.parametrize(("load", "said"), [(0.0, False), (1e6, True)])
def test_a_busy_machine_is_mentioned(
    fake: Any,
    load: float,
    said: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Captured,
) -> None:
    monkeypatch.setattr(os, "getloadavg", lambda: (load, load, load))
    assert measure(fake) == 0
    assert ("this machine was busy" in one_line(capsys)) is said


def test_no_answer_at_all_is_an_error_with_its_records(
    fake: Any, tmp_path: Path, capsys: Captured
) -> None:
    path = tmp_path / "requests.csv"
    fake.statuses = [200] + [400] * 20
    assert measure(fake, "--warmup", "0", "--requests", str(path)) == 2
    captured = capsys.readouterr()
    assert "No request was answered: HTTP 400: trouble" in captured.err
    assert "refused by an HTTP status" in captured.out
    assert path.read_text().count("failed") == 11


def test_a_disk_that_is_full_still_leaves_the_page(
    fake: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    def full(path: str, text: str) -> None:
        raise InvalidInput(f"Cannot write {path}: No space left on device.")

    monkeypatch.setattr(endpoint, "write_file", full)
    assert measure(fake, "--results", str(tmp_path / "a.csv")) == 2
    captured = capsys.readouterr()
    assert "No space left" in captured.err
    assert "answered" in captured.out


def test_a_key_is_in_no_output(
    fake: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.setenv("MY_KEY", "sk-very-secret")
    fake.key, fake.statuses = "sk-very-secret", [200, 200, 200, 400, 200]
    lines = tmp_path / "requests.jsonl"
    key = ["--api-key-env", "MY_KEY", "--requests", str(lines), "--json"]
    assert measure(fake, *key) == 0
    captured = capsys.readouterr()
    assert "trouble Bearer ***" in lines.read_text()
    assert "sk-very-secret" not in captured.out + captured.err + lines.read_text()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "how long requests are"),
        (["--isl", "5"], "how long requests are"),
        (["--isl", "5", "--osl", "0"], "output length is 0"),
        ([*LOAD, "--api", "embeddings"], "completions or chat"),
        ([*LOAD, "--concurrency", "0"], "--concurrency is 0"),
        ([*LOAD, "--request-rate", "-1"], "--request-rate is -1"),
        ([*LOAD, "--burstiness", "2"], "Give --request-rate too"),
        ([*LOAD, "--speedup", "2"], "Give a --trace"),
        ([*LOAD, "--concurrency", "1", "--request-rate", "1"], "Give one of them"),
        ([*LOAD, "--max-requests", "0"], "allows no test"),
        ([*LOAD, "--max-seconds", "-1"], "allows no test"),
        ([*LOAD, "--request-timeout", "0"], "--request-timeout is 0"),
        ([*LOAD, "--ttft", "0"], "--ttft is 0"),
        ([*LOAD, "--tpot", "nan"], "--tpot is nan"),
        ([*LOAD, "--model", "gpt-9000"], "No model called"),
        ([*LOAD, "--accelerator", "h1000"], "No accelerator called"),
        ([*LOAD, "--accelerators", "3", "-tp", "2"], "whole replicas"),
        ([*LOAD, "--results", "/no/such/folder/a.csv"], "cannot be written"),
        ([*LOAD, "--requests", "."], "cannot be written"),
        ([*LOAD, "--local"], "one of the two"),
        ([*LOAD, "--gguf", "a.gguf"], "Give --local"),
        ([*LOAD, "--api-key-env", "NO_SUCH_KEY"], "NO_SUCH_KEY"),
        (["--preset", "chatt"], "Did you mean chat"),
        (["--trace", "none.csv"], "Cannot read the trace"),
    ],
)
def test_bad_input_is_refused_before_a_request(
    fake: Any, arguments: list[str], says: str, capsys: Captured
) -> None:
    assert measure(fake, load=arguments) == 2
    captured = capsys.readouterr()
    assert says in captured.err
    assert captured.out == ""
    assert fake.calls == []


@pytest.mark.parametrize(
    ("url", "says"),
    [
        (None, "--local"),
        ("http://127.0.0.1:1", "Nothing answers"),
        ("http://192.0.2.1:8000", "--allow-remote"),
        ("nonsense", "no http or https URL"),
    ],
)
def test_urls_that_are_not_loaded(url: str | None, says: str, capsys: Captured) -> None:
    assert main(["measure", "endpoint", *([url] if url else []), *LOAD]) == 2
    assert says in capsys.readouterr().err


def test_ctrl_c_leaves_what_came(fake: Any, tmp_path: Path) -> None:
    lines = tmp_path / "requests.jsonl"
    arguments = [*LOAD, "--max-requests", "150", "--requests", str(lines), "--json"]
    fake.gap_s = 0.02
    with dayrate("measure", "endpoint", fake.url, *arguments) as process:
        wait_until(lambda: len(fake.asked) > 12)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=WITHIN_S)
    assert process.returncode == 130, err
    document = json.loads(out)
    assert document["stop"] == "interrupted"
    counts = document["summary"]["by_state"]
    assert counts["done"] >= 1
    assert counts["cancelled"] >= 1
    assert len(lines.read_text().splitlines()) == sum(counts.values())


def test_ctrl_c_before_the_load_has_nothing_to_tell(fake: Any) -> None:
    fake.manner = "hangs"
    with dayrate("measure", "endpoint", fake.url, *LOAD) as process:
        wait_until(lambda: fake.asked)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=WITHIN_S)
    assert (process.returncode, out) == (130, ""), err
    assert "Traceback" not in err


@pytest.mark.slow
def test_the_embedded_server_is_loaded_and_gone(capsys: Captured) -> None:
    try:
        embedded_gguf()
    except MissingExtra as e:
        pytest.skip(str(e))
    load = ["--isl", "12", "--osl", "4", "--max-requests", "6", "--max-seconds", "600"]
    small = ["--slots", "2", "--max-model-len", "128", "--threads", "1"]
    command = ["measure", "endpoint", "--local", *small, *load, "--json"]
    assert main([*command, "--concurrency", "2", "--api", "chat"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["server"]["engine"] == "llama.cpp"
    assert document["summary"]["by_state"]["done"] == 3
    assert document["summary"]["mean_output_tokens"] == 4.0
    assert [p for p in psutil.Process().children() if "gguf" in str(p.cmdline())] == []


@pytest.mark.slow
def test_an_embedded_server_that_dies_names_its_log(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Captured
) -> None:
    try:
        embedded_gguf()
    except MissingExtra as e:
        pytest.skip(str(e))
    phase = Bar.phase

    def killing(self: Bar, name: str, total: int | None = None) -> None:
        phase(self, name, total)
        if name == "load":
            (server,) = (
                p for p in psutil.Process().children() if "gguf" in str(p.cmdline())
            )
            server.kill()
            server.wait()

    monkeypatch.setattr(Bar, "phase", killing)
    log = tmp_path / "server.log"
    load = ["--isl", "12", "--osl", "4", "--max-requests", "60", "--max-retries", "0"]
    small = ["--slots", "1", "--max-model-len", "128", "--threads", "1"]
    command = ["measure", "endpoint", "--local", *small, *load, "--max-seconds", "600"]
    assert main([*command, "--server-log", str(log)]) == 2
    captured = capsys.readouterr()
    assert f"The embedded server died. Its log is {log}" in captured.err
    assert "No request was answered" in captured.err
    assert "the server was gone" in captured.out


@pytest.mark.slow
def test_exact_lengths_on_a_real_tokenizer(tmp_path: Path) -> None:
    try:
        embedded_gguf()
    except MissingExtra as e:
        pytest.skip(str(e))
    lines = tmp_path / "requests.jsonl"
    load = ["--isl", "40", "--osl", "2", "--max-requests", "5", "--max-seconds", "600"]
    small = ["--slots", "1", "--max-model-len", "128", "--threads", "1"]
    command = ["measure", "endpoint", "--local", *small, *load, "--warmup", "0"]
    assert main([*command, "--requests", str(lines)]) == 0
    found = [json.loads(line) for line in lines.read_text().splitlines()]
    assert [(r["input_tokens"], r["output_tokens"]) for r in found] == [(40, 2)] * 4


def test_a_model_file_that_is_none(tmp_path: Path, capsys: Captured) -> None:
    command = ["measure", "endpoint", "--local", "--gguf", str(tmp_path / "a.gguf")]
    assert main([*command, *LOAD]) == 2
    assert "no model file" in capsys.readouterr().err


def dayrate(*arguments: str) -> subprocess.Popen[str]:
    run = "from dayrate.cli.main import run; run()"
    return subprocess.Popen(
        [sys.executable, "-c", run, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": ":".join(sys.path)},
    )


def wait_until(true: Any) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def one_line(capsys: Captured) -> str:
    return " ".join(capsys.readouterr().out.split())
