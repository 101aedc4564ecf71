"""Generation by llama.cpp, in this process, from a GGUF file."""

import json
import queue
import secrets
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from dayrate.errors import InvalidInput
from dayrate.measure.generate.ask import Sampling, allowed_context
from dayrate.measure.generate.host import resident_bytes
from dayrate.measure.generate.trace import (
    Clock,
    Finish,
    Host,
    Message,
    Output,
    Pass,
    Prompt,
    Trace,
)
from dayrate.measure.gguf import GgufHeader, gguf_spec, read_gguf
from dayrate.measure.models import EMBEDDED, ModelFiles, needed

__all__ = ["LlamaCppEngine", "load_llamacpp"]

#: Longest context that memory is set aside for unless asked.
DEFAULT_CONTEXT = 8192


def load_llamacpp(
    files: ModelFiles, *, threads: int, context_tokens: int | None
) -> "LlamaCppEngine":
    """Load a GGUF file.

    Raises
    ------
    InvalidInput
        The file is no GGUF, damaged, or of a family this llama.cpp does not know.
    """
    begun = time.perf_counter()
    if not files.is_gguf:
        raise InvalidInput(
            f"llama.cpp reads GGUF files and {files.name} is a folder of safetensors. "
            f"Give a GGUF file or {EMBEDDED}, or use --backend transformers."
        )
    library: Any = needed("xllamacpp", what="The backend llamacpp", extra="measure")
    header = read_gguf(files.path)
    context = _context(header, context_tokens)
    key = secrets.token_hex()  # its port is for this process alone
    settings = _settings(library, files, threads, context)
    settings.api_keys = [key]
    try:
        server = library.Server(settings)
    except RuntimeError as error:
        raise InvalidInput(
            f"llama.cpp cannot load {files.path}. It may be of a family newer than "
            "this version (pip install -U xllamacpp), or larger than the memory."
        ) from error
    _warm_up(server)
    host = Host(
        model=files.name,
        backend="llamacpp",
        device="cpu",
        dtype=_format(files.path.stem),
        threads=threads,
        context_tokens=context,
        spec=gguf_spec(header),
        load_s=time.perf_counter() - begun,
    )
    return LlamaCppEngine(host, server, key, header)


def _context(header: GgufHeader, asked: int | None) -> int:
    trained = header.context_tokens
    return allowed_context(asked, trained) or min(
        trained or DEFAULT_CONTEXT, DEFAULT_CONTEXT
    )


def _settings(library: Any, files: ModelFiles, threads: int, context: int) -> Any:
    params = library.CommonParams()
    params.model.path = str(files.path)
    params.n_ctx, params.n_parallel = context, 1
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    params.ctx_shift = False  # nothing of a conversation is dropped unasked
    params.cache_ram_mib = 0
    params.verbosity, params.warmup = -1, False
    return params


def _warm_up(server: Any) -> None:
    """Generate a token: what the first call sets up is no part of a measurement.

    It also shows that the server's loop runs: one that is closed before hangs.
    """
    server.handle_completions({"prompt": "~", "max_tokens": 1, "cache_prompt": False})


def _format(stem: str) -> str:
    """Read the number format from a file's name, as in ``Model.Q4_1.gguf``."""
    last = stem.replace("-", ".").rsplit(".", 1)[-1]
    return last if last[:1] in {"Q", "I", "F", "B"} and len(last) > 1 else "gguf"


class LlamaCppEngine:
    """A loaded GGUF file; see `Engine`."""

    def __init__(self, host: Host, server: Any, key: str, header: GgufHeader) -> None:
        self.host = host
        self._server, self._key, self._header = server, key, header

    def conversation(self, messages: Sequence[Message]) -> Prompt:
        """Write a conversation as its model wants it."""
        if not self._header.has_chat_template:
            raise InvalidInput(
                f"{self.host.model} has no chat template: it continues text and does "
                "not converse. Use `dayrate measure generate`, or an instruct model."
            )
        answer = self._post("/apply-template", {"messages": list(messages)})
        return Prompt(answer["prompt"], templated=True)

    def count(self, prompt: Prompt) -> int:
        """Tokens of a prompt. [token]"""
        asked = {"content": prompt.text, "add_special": True, "parse_special": True}
        return len(self._post("/tokenize", asked)["tokens"])

    def complete(
        self,
        prompt: Prompt,
        new_tokens: int,
        sampling: Sampling,
        on_text: Callable[[str], None],
    ) -> Trace:
        """Continue a prompt; several texts come one after the other."""
        refuse_unsupported(sampling)
        outputs, passes, peak = [], [], 0
        for i in range(sampling.num_return_sequences):
            drawn = replace(sampling, seed=sampling.seed + i)
            listen = on_text if sampling.num_return_sequences == 1 else _nobody
            output, done, used = self._once(prompt, new_tokens, drawn, listen)
            outputs.append(output)
            passes.append(done)
            peak = max(peak, used)
            if output.finish is Finish.INTERRUPTED:
                break
        return Trace(tuple(outputs), tuple(passes), peak)

    def counted_flop(self, trace: Trace) -> int | None:
        """llama.cpp counts no operations."""
        del trace
        return None

    def _once(
        self,
        prompt: Prompt,
        new_tokens: int,
        sampling: Sampling,
        on_text: Callable[[str], None],
    ) -> tuple[Output, Pass, int]:
        clock, parts, last = Clock(resident_bytes), list[str](), dict[str, Any]()
        finish = Finish.INTERRUPTED
        stream = _Stream(self._server, _request(prompt, new_tokens, sampling))
        try:
            for at, chunk in stream:
                last = chunk.get("timings", last)
                clock.tick(last.get("predicted_n", 0) - len(clock.step_s), at=at)
                (choice,) = chunk["choices"]
                if choice["text"]:
                    parts.append(choice["text"])
                    on_text(choice["text"])
                if choice["finish_reason"]:
                    finish = Finish(choice["finish_reason"])
        except KeyboardInterrupt:
            stream.stop()
        except BaseException:
            stream.stop()
            raise
        cached = last.get("cache_n", 0)
        done = clock.finished(cached + last.get("prompt_n", 0), cached, 1)
        output = Output("".join(parts), len(clock.step_s), finish)
        return output, done, clock.peak_rss_bytes

    def _post(self, path: str, body: Mapping[str, Any]) -> Any:
        """Ask what the library offers over its own port only."""
        request = urllib.request.Request(
            self._server.listening_address + path,
            json.dumps(body).encode(),
            {
                "Content-Type": "application/json",
                "Authorization": f"Bearer {self._key}",
            },
        )
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with direct.open(request) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            detail = json.loads(error.read() or b"{}").get("error", {})
            raise InvalidInput(
                f"llama.cpp refuses the text: {detail.get('message', error)}."
            ) from error


def refuse_unsupported(sampling: Sampling) -> None:
    """Refuse what llama.cpp has no counterpart for.

    Raises
    ------
    InvalidInput
        Beams, or n-grams that may not repeat.
    """
    asked = {
        "--num-beams": sampling.num_beams > 1,
        "--no-repeat-ngram-size": sampling.no_repeat_ngram_size > 0,
    }
    for flag, given in asked.items():
        if given:
            raise InvalidInput(
                f"llama.cpp has no {flag}. Use --backend transformers with it."
            )


def _request(prompt: Prompt, new_tokens: int, sampling: Sampling) -> dict[str, Any]:
    return {
        "prompt": prompt.text,
        "max_tokens": new_tokens,
        "stream": True,
        "timings_per_token": True,
        "cache_prompt": True,
        "seed": sampling.seed,
        "temperature": (sampling.temperature or 1.0) if sampling.samples else 0.0,
        "top_p": sampling.top_p or 1.0,
        "top_k": sampling.top_k or 0,
        "min_p": 0.0,
    }


class _Stream:
    """Chunks of one answer, made by another thread so that Ctrl-C is heard here."""

    def __init__(self, server: Any, request: dict[str, Any]) -> None:
        self._chunks: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._stopped = threading.Event()
        self._thread = threading.Thread(
            target=self._run, args=(server, request), daemon=True
        )
        self._thread.start()

    def __iter__(self) -> Iterator[tuple[float, dict[str, Any]]]:
        while (item := self._chunks.get()) is not None:
            at, chunk = item
            if isinstance(chunk, BaseException):
                raise chunk
            if "error" in chunk:
                raise InvalidInput(f"llama.cpp: {chunk['error'].get('message')}.")
            yield at, chunk

    def stop(self) -> None:
        """Let the answer end after its next token."""
        self._stopped.set()
        self._thread.join()

    def _run(self, server: Any, request: dict[str, Any]) -> None:
        try:
            server.handle_completions(request, self._take)
        except Exception as error:
            self._chunks.put((time.perf_counter(), error))
        self._chunks.put(None)

    def _take(self, chunk: Any) -> bool:
        """Hand a chunk over; the answer is whether to stop."""
        for one in chunk if isinstance(chunk, list) else [chunk]:
            self._chunks.put((time.perf_counter(), one))
        return self._stopped.is_set()


def _nobody(_text: str) -> None:
    """Several texts are shown when all are there."""
