"""The embedded server's own process: llama.cpp's server, until the parent is gone.

Run as a script, not imported: ``python -P gguf_server.py``. The first line of stdin is
a JSON object of settings; the pipe then stays open, and its end means that the parent
died. The only line on stdout is a JSON object with the server's ``url``. Everything
that llama.cpp says goes to stderr. Nothing here imports the rest of the package, so
that the process starts as fast as the library loads.
"""

import contextlib
import ctypes
import json
import os
import signal
import sys
import threading
import time
from typing import Any, TextIO

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_PARENT_POLL_S = 1.0


def _main() -> None:
    answer = _own_stdout()
    settings = json.loads(sys.stdin.readline())
    # loading holds the interpreter's lock, so the watch below cannot run before its end
    _die_with_the_parent_thread(signal.SIGKILL)
    server = _served(settings)
    _die_with_the_parent_thread(0)
    threading.Thread(target=_until_stdin_ends, daemon=True).start()
    with answer:
        answer.write(json.dumps({"url": server.listening_address}) + "\n")
    while os.getppid() == settings["parent"]:
        time.sleep(_PARENT_POLL_S)
    os._exit(0)


def _own_stdout() -> TextIO:
    """Keep stdout for the answer; what libraries print there goes to stderr."""
    kept = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return kept


def _served(settings: dict[str, Any]) -> Any:
    import xllamacpp

    p = xllamacpp.CommonParams()
    p.model.path = settings["model"]
    p.model_alias = {settings["alias"]}
    p.hostnames = ["127.0.0.1"]
    p.port = 0
    p.n_parallel = settings["slots"]
    p.n_ctx = settings["slots"] * settings["context_tokens"]
    p.n_batch = settings["batch_tokens"]
    p.n_ubatch = settings["micro_batch_tokens"]
    p.cont_batching = True
    p.cache_prompt = settings["prompt_cache"]
    p.cache_ram_mib = 0
    p.fit_params = False  # what was asked for, or an error
    p.offline = True
    p.ui = False
    for pool in (p.cpuparams, p.cpuparams_batch):
        pool.n_threads = settings["threads"]
        pool.poll = 0  # other work runs here too: wait asleep
    return xllamacpp.Server(p)


def _die_with_the_parent_thread(signal_number: int) -> None:
    """Ask Linux to signal this process when the thread that started it ends."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal_number), 0, 0, 0)


def _until_stdin_ends() -> None:
    while sys.stdin.buffer.read(4096):
        pass
    os._exit(0)


if __name__ == "__main__":
    _main()
