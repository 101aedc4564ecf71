"""A server that speaks as much of OpenAI's API as a test wants, well or badly."""

import asyncio
import itertools
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

JSON = {"content-type": "application/json"}


@dataclass
class Call:
    """A request as the server got it."""

    method: str
    path: str
    headers: dict[str, str]
    body: dict[str, Any]


@dataclass
class Fake:
    """What the server does; every field may be set by a test.

    ``manner`` says how streams go: fine, malformed, array, closes, cut, error, empty,
    hangs, drops (before it), or whole (in one piece).
    """

    manner: str = "fine"
    tokenizer: str = "llama.cpp"  # whose form of /tokenize; "" for none
    usage: bool = True
    cached_tokens: int | None = 0
    overhead_tokens: int = 1
    refuses: frozenset[str] = frozenset()  # fields of the body
    statuses: list[int] = field(default_factory=list)  # of the first calls, then 200
    retry_after: str = ""
    redirect: str = ""
    models: tuple[str, ...] = ("tiny",)
    owner: str = "llamacpp"
    context_tokens: int | None = None
    key: str = ""
    gap_s: float = 0.0
    crlf: bool = False
    calls: list[Call] = field(default_factory=list)
    hold: int = 0  # streams wait until so many are open at once
    in_flight: int = 0
    most_in_flight: int = 0
    handler: Any = None  # of whole connections, in the place of all this
    url: str = ""

    @property
    def asked(self) -> list[Call]:
        """Calls for tokens."""
        return [c for c in self.calls if c.path.endswith("completions")]

    def prompt(self, call: Call) -> str:
        if "prompt" in call.body:
            return str(call.body["prompt"])
        return str(call.body["messages"][0]["content"])

    def tokens(self, text: str) -> int:
        """One a word, and one more for words of six letters and more."""
        return sum(1 + (len(word) >= 6) for word in text.split())

    async def serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Answer the requests of one connection."""
        if self.handler is not None:
            await self.handler(reader, writer)
            return
        try:
            while (call := await self._read(reader)) is not None:
                self.calls.append(call)
                if not await self._answer(call, writer):
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> Call | None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return None
        first, *lines = head.decode().strip().split("\r\n")
        method, path, _version = first.split()
        pairs = (line.split(": ", 1) for line in lines)
        headers = {name.lower(): value for name, value in pairs}
        raw = await reader.readexactly(int(headers.get("content-length", 0)))
        return Call(method, path, headers, json.loads(raw) if raw else {})

    async def _answer(self, call: Call, writer: asyncio.StreamWriter) -> bool:
        if self.redirect:
            return await _plain(writer, 307, {}, {"location": self.redirect})
        if self.key and call.headers.get("authorization") != f"Bearer {self.key}":
            said = {
                "error": {"message": f"bad key {call.headers.get('authorization')}"}
            }
            return await _plain(writer, 401, said)
        if call.path == "/tokenize":
            return await self._tokenize(call, writer)
        if call.path.endswith("completions"):
            return await self._complete(call, writer)
        pages = {"/v1/models": self._models(), "/props": {"build_info": "b1-fake"}}
        if call.path in pages:
            return await _plain(writer, 200, pages[call.path])
        return await _plain(writer, 404, {"detail": "Not Found"})

    def _models(self) -> dict[str, Any]:
        meta = {"n_ctx": self.context_tokens} if self.context_tokens else {}
        return {
            "data": [
                {"id": name, "owned_by": self.owner, "meta": meta}
                for name in self.models
            ]
        }

    async def _tokenize(self, call: Call, writer: asyncio.StreamWriter) -> bool:
        forms = {"llama.cpp": "content", "vLLM": "prompt", "TGI": "inputs"}
        text = call.body.get(forms.get(self.tokenizer, ""))
        if text is None:
            return await _plain(writer, 422, {"detail": "no"})
        tokens = list(range(self.tokens(text)))
        whole = tokens if self.tokenizer == "TGI" else {"tokens": tokens}
        return await _plain(writer, 200, whole)

    async def _complete(self, call: Call, writer: asyncio.StreamWriter) -> bool:
        refused = self.refuses & call.body.keys()
        if refused:
            said = {"error": {"message": f"Unrecognized field: {min(refused)}"}}
            return await _plain(writer, 400, said)
        status = self.statuses.pop(0) if self.statuses else 200
        if status != 200:
            more = {"retry-after": self.retry_after} if self.retry_after else {}
            said = {
                "error": {"message": f"trouble {call.headers.get('authorization')}"}
            }
            return await _plain(writer, status, said, more)
        if self.manner == "drops":
            return False
        if self.manner == "whole":
            return await _plain(writer, 200, {"choices": [{"text": "a"}]})
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            while self.most_in_flight < self.hold:
                await asyncio.sleep(0.001)
            return await self._stream(call, writer)
        finally:
            self.in_flight -= 1

    async def _stream(self, call: Call, writer: asyncio.StreamWriter) -> bool:
        writer.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
            b"transfer-encoding: chunked\r\n\r\n"
        )
        async for text in self._events(call):
            if text is None:  # cut: no end of the body
                return False
            raw = text.replace("\n", "\r\n" if self.crlf else "\n").encode()
            writer.write(f"{len(raw):x}\r\n".encode() + raw + b"\r\n")
            await writer.drain()
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        return True

    async def _events(self, call: Call) -> AsyncIterator[str | None]:
        chat = "chat" in call.path
        count = 0 if self.manner == "empty" else int(call.body["max_tokens"])
        yield ": hello\n\n"
        if chat:
            yield _data({"choices": [{"delta": {"role": "assistant", "content": ""}}]})
        for number in range(count):
            bad = self._bad(number)
            if bad is not None:
                for text in bad:
                    yield text
                return
            await asyncio.sleep(3600 if self.manner == "hangs" else self.gap_s)
            piece: dict[str, Any] = {"text": " a"}
            if chat:
                piece = {"delta": {"content": " a"}}
            yield _data({"choices": [piece]})
        end: dict[str, Any] = {"finish_reason": "length"}
        end["delta" if chat else "text"] = {} if chat else ""
        yield _data({"choices": [end]})
        if self.usage and "stream_options" in call.body:
            yield _data({"choices": [], "usage": self._usage(call, count)})
        yield "data: [DONE]\n\n"

    def _bad(self, number: int) -> list[str | None] | None:
        ways: dict[str, list[str | None]] = {
            "malformed": ["data: {oops\n\n"],
            "array": ["data: [1]\n\n"],
            "closes": [],
            "cut": [None],
            "error": [_data({"error": {"message": "out of memory"}})],
            "named error": ["event: error\ndata: out of memory\n\n"],
        }
        return ways.get(self.manner) if number == 2 else None

    def _usage(self, call: Call, count: int) -> dict[str, Any]:
        whole = self.tokens(self.prompt(call)) + self.overhead_tokens
        usage: dict[str, Any] = {"prompt_tokens": whole, "completion_tokens": count}
        if self.cached_tokens is not None:
            usage["prompt_tokens_details"] = {"cached_tokens": self.cached_tokens}
        return usage


def _data(document: Any) -> str:
    return f"data: {json.dumps(document)}\n\n"


async def _plain(
    writer: asyncio.StreamWriter,
    status: int,
    document: Any,
    headers: dict[str, str] | None = None,
) -> bool:
    raw = json.dumps(document).encode()
    lines = [f"HTTP/1.1 {status} X", f"content-length: {len(raw)}"]
    lines += [f"{k}: {v}" for k, v in (JSON | (headers or {})).items()]
    writer.write("\r\n".join([*lines, "", ""]).encode() + raw)
    await writer.drain()
    return True


@pytest.fixture
def fake() -> Iterator[Fake]:
    """Run a server on loopback for the length of a test."""
    server = Fake()
    with _running(server.serve) as port:
        server.url = f"http://127.0.0.1:{port}"
        yield server


class _running:
    """An asyncio server in a thread."""

    def __init__(self, serve: Callable[..., Any]) -> None:
        self._serve, self._loop = serve, asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> int:
        self._thread.start()
        started = asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._server = asyncio.run_coroutine_threadsafe(started, self._loop).result()
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    def __exit__(self, *_error: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        """Close, when the last connections are accepted, served and closed too."""
        await asyncio.sleep(0.02)
        self._server.close()
        for turn in itertools.count():
            others = asyncio.all_tasks() - {asyncio.current_task()}
            if not others:
                break
            await asyncio.wait(others, timeout=0.02)
            for task in others if turn > 20 else ():  # hangs, as a test wants it
                task.cancel()
        for _turn in range(5):  # transports close in the turns that follow
            await asyncio.sleep(0.01)
