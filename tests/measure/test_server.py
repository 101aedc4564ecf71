"""The embedded server answers, says what is wrong, and is never left behind."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
import urllib.request
from pathlib import Path
from typing import Any

import psutil
import pytest

from dayrate.errors import InvalidInput, MissingExtra
from dayrate.measure.models import embedded_gguf
from dayrate.measure.server import EmbeddedServer, ServerSettings

GONE_WITHIN_S = 60


@pytest.fixture(scope="module")
def gguf() -> Path:
    try:
        return embedded_gguf()
    except MissingExtra as e:
        pytest.skip(str(e))


def small(gguf: Path) -> ServerSettings:
    return ServerSettings(gguf, "tiny", slots=2, context_tokens=256, threads=1)


def answer(url: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as response:
        found: dict[str, Any] = json.load(response)
        return found


@pytest.mark.slow
def test_it_answers_and_is_gone_after_the_block(gguf: Path) -> None:
    with EmbeddedServer(small(gguf)) as server:
        assert server.url.startswith("http://127.0.0.1:")
        assert answer(f"{server.url}/health") == {"status": "ok"}
        body = {"prompt": "Once upon a time", "max_tokens": 3, "ignore_eos": True}
        found = answer(f"{server.url}/v1/completions", body)
        slots: Any = answer(f"{server.url}/slots")
        pid = server.pid
        assert server.alive
    assert found["usage"]["completion_tokens"] == 3
    assert found["model"] == "tiny"
    assert [s["n_ctx"] for s in slots] == [256, 256]
    assert not server.alive
    assert not psutil.pid_exists(pid)


@pytest.mark.slow
def test_the_log_goes_where_it_was_asked(gguf: Path, tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    with EmbeddedServer(small(gguf), log=log) as server:
        assert "listening" in server.log
    assert "model loaded" in log.read_text()


@pytest.mark.slow
@pytest.mark.parametrize("signal_number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_parent_leaves_no_server(gguf: Path, signal_number: int) -> None:
    parent = running_parent(gguf)
    server = psutil.Process(pid_told_by(parent))
    parent.send_signal(signal_number)
    parent.wait()
    assert gone(server)


@pytest.mark.slow
def test_a_parent_that_forgets_to_close_leaves_no_server(gguf: Path) -> None:
    parent = running_parent(gguf, then="raise SystemExit")
    pid = pid_told_by(parent)
    assert parent.wait() == 0
    assert not psutil.pid_exists(pid)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux's")
def test_a_parent_killed_while_the_model_loads_leaves_no_server(gguf: Path) -> None:
    parent = running_parent(gguf, told_early=True)
    server = psutil.Process(pid_told_by(parent))
    parent.kill()
    parent.wait()
    assert gone(server)


def gone(process: psutil.Process) -> bool:
    """Wait for the end of a process that nobody may be there to bury."""
    deadline = time.monotonic() + GONE_WITHIN_S
    while time.monotonic() < deadline:
        if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.05)
    return False


def running_parent(
    gguf: Path, *, then: str = "import time; time.sleep(600)", told_early: bool = False
) -> subprocess.Popen[str]:
    """Start a process that starts a server and tells the server's process number."""
    waiting = "server._announced = lambda process: ''" if told_early else ""
    script = f"""
        from pathlib import Path
        from dayrate.measure.server import EmbeddedServer, ServerSettings

        settings = ServerSettings(
            Path({str(gguf)!r}), slots=2, context_tokens=256, threads=1
        )
        server = EmbeddedServer(settings, log=Path({os.devnull!r}))
        {waiting}
        server.start()
        print(server.pid, flush=True)
        {then}
        """
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)],
        stdout=subprocess.PIPE,
        text=True,
    )


def pid_told_by(parent: subprocess.Popen[str]) -> int:
    assert parent.stdout is not None
    with parent.stdout:
        return int(parent.stdout.readline())


def test_a_truncated_file_is_named_with_the_reason(gguf: Path, tmp_path: Path) -> None:
    part = tmp_path / "part.gguf"
    with gguf.open("rb") as whole:
        part.write_bytes(whole.read(4_000_000))
    log = tmp_path / "server.log"
    server = EmbeddedServer(small(part), log=log)
    with pytest.raises(InvalidInput, match=r"part\.gguf.*corrupted or incomplete"):
        server.start()
    assert not server.alive


def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("xllamacpp")
    text = tmp_path / "text.gguf"
    text.write_text("hello")
    server = EmbeddedServer(small(text), log=tmp_path / "log")
    with pytest.raises(InvalidInput, match=r"text\.gguf.*magic"):
        server.start()


def test_an_absent_file_is_refused_before_a_process_starts(tmp_path: Path) -> None:
    pytest.importorskip("xllamacpp")
    server = EmbeddedServer(ServerSettings(tmp_path / "none.gguf"))
    with pytest.raises(InvalidInput, match="no model file"):
        server.start()
    with pytest.raises(InvalidInput, match="does not run"):
        _ = server.pid


def test_the_engine_that_is_missing_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"pip install 'dayrate\[measure\]'"):
        EmbeddedServer(ServerSettings(tmp_path)).start()


@pytest.mark.parametrize("field", ["slots", "context_tokens", "threads"])
def test_nothing_is_no_limit(field: str) -> None:
    limits: dict[str, Any] = {field: 0}
    with pytest.raises(InvalidInput, match="give 1 or more"):
        ServerSettings(Path("a.gguf"), **limits)
