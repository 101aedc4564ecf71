"""llama.cpp's server as a child process: OpenAI-compatible, on loopback, never left.

The server ends with the ``with`` block, at the interpreter's exit, and when this
process dies in any way, SIGKILL included: it watches a pipe from its parent.
"""

import atexit
import contextlib
import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from dayrate.errors import InvalidInput, MissingExtra
from dayrate.measure.generate.host import idle_cores

__all__ = ["EmbeddedServer", "ServerSettings"]

_CHILD = Path(__file__).with_name("gguf_server.py")
_START_TIMEOUT_S = 120.0
_STOP_TIMEOUT_S = 5.0
_ERROR_LINE = re.compile(r"^[\d.]+ E +\S+ *\S*: (?:error loading model: )?(.+)$", re.M)


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """What the embedded server serves, and how.

    Parameters
    ----------
    model : Path
        A GGUF file.
    alias : str
        The model's name in the API.
    slots : int
        Sequences that decode together; more requests wait. [1]
    context_tokens : int
        Longest prompt and answer of one request. [token]
    batch_tokens, micro_batch_tokens : int
        Most tokens of a step, and of one pass through the model. [token]
    threads : int or None
        None: as many as cores are idle. [1]
    prompt_cache : bool
        Whether a slot keeps the cache of its last prompt.
    """

    model: Path
    alias: str = "local"
    slots: int = 4
    context_tokens: int = 2048
    batch_tokens: int = 2048
    micro_batch_tokens: int = 512
    threads: int | None = None
    prompt_cache: bool = False

    def __post_init__(self) -> None:
        for name in (f.name for f in fields(self) if f.name.endswith("tokens")):
            _at_least_one(name, getattr(self, name))
        _at_least_one("slots", self.slots)
        if self.threads is not None:
            _at_least_one("threads", self.threads)

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON types."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return values | {"model": str(self.model)}


class EmbeddedServer:
    """A server of one GGUF file that lives as long as its ``with`` block.

    Parameters
    ----------
    settings : ServerSettings
        The model and its limits.
    log : Path, optional
        Where the server's own log goes. Without it the log is a temporary file, which
        is kept only if the server fails.
    start_timeout_s : float
        Time for loading the model. [s]
    """

    def __init__(
        self,
        settings: ServerSettings,
        *,
        log: Path | None = None,
        start_timeout_s: float = _START_TIMEOUT_S,
    ) -> None:
        self.settings = settings
        self.url = ""
        self._given_log = log
        self._timeout_s = start_timeout_s
        self._process: subprocess.Popen[str] | None = None
        self._log: Path | None = None
        self._owner = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """The server's process, to read its processor time and memory from."""
        if self._process is None:
            raise InvalidInput("The embedded server does not run yet.")
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def log_path(self) -> Path | None:
        """Where its log is; gone after a temporary one that ended well."""
        return self._log

    @property
    def log(self) -> str:
        """What the server has said so far."""
        if self._log is None or not self._log.exists():
            return ""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def start(self) -> None:
        """Start the process and wait until it answers.

        Raises
        ------
        MissingExtra
            xllamacpp is not installed.
        InvalidInput
            The file is no model, or the server did not come up.
        """
        if importlib.util.find_spec("xllamacpp") is None:
            raise MissingExtra(what="The embedded server", extra="measure")
        if not self.settings.model.is_file():
            raise InvalidInput(
                f"There is no model file {self.settings.model}. Give a GGUF file."
            )
        self._owner = os.getpid()
        self._process = self._spawned()
        atexit.register(self.close)
        try:
            self.url = self._announced(self._process)
        except BaseException:
            self._stop()
            raise

    def close(self) -> None:
        """End the process; its temporary log goes if it had not died before."""
        if self._process is None or self._owner != os.getpid():
            return  # nothing started, or this is a fork of who started it
        died = self._process.poll() is not None
        self._stop()
        if not died and self._log is not None and self._log != self._given_log:
            self._log.unlink(missing_ok=True)

    def _spawned(self) -> subprocess.Popen[str]:
        self._log = self._given_log or _temporary_log()
        threads = self.settings.threads or idle_cores()
        asked = {"parent": os.getpid(), "threads": threads}
        with self._log.open("w", encoding="utf-8") as log:
            process = subprocess.Popen(
                [sys.executable, "-P", str(_CHILD)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,  # Ctrl-C is for the parent to handle
            )
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(json.dumps(self.settings.to_dict() | asked) + "\n")
            process.stdin.flush()
        return process

    def _announced(self, process: subprocess.Popen[str]) -> str:
        """Wait for the server's address: it comes when the model is loaded."""
        assert process.stdout is not None
        lines: list[str] = []
        reader = threading.Thread(
            target=lambda out: lines.append(out.readline()),
            args=(process.stdout,),
            daemon=True,
        )
        reader.start()
        reader.join(self._timeout_s)
        if lines and lines[0]:
            return str(json.loads(lines[0])["url"])
        raise InvalidInput(self._why_not(late=not lines))

    def _why_not(self, *, late: bool) -> str:
        model = self.settings.model.name
        if late:
            return (
                f"The embedded server did not load {model} within "
                f"{self._timeout_s:g} s. Its log is {self._log}."
            )
        found = _ERROR_LINE.search(self.log)
        said = f" ({found.group(1).strip()})" if found else ""
        return (
            f"The embedded server cannot serve {model}{said}. Give a whole GGUF file "
            f"and a --context that fits in memory; its log is {self._log}."
        )

    def _stop(self) -> None:
        process = self._process
        assert process is not None
        atexit.unregister(self.close)
        process.terminate()
        try:
            process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


def _temporary_log() -> Path:
    handle, name = tempfile.mkstemp(prefix="dayrate-server-", suffix=".log")
    os.close(handle)
    return Path(name)


def _at_least_one(name: str, value: int) -> None:
    if value < 1:
        raise InvalidInput(
            f"The server's {name.replace('_', ' ')} is {value}; give 1 or more."
        )
