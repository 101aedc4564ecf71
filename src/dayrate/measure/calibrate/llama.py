"""llama.cpp timed through its own server, which lives as long as the block."""

import http.client
import json
import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlparse

from dayrate.errors import InvalidInput
from dayrate.measure.calibrate.points import DECODE_STEPS, Kind, Point
from dayrate.measure.machine.effort import Effort, Watch
from dayrate.measure.server import EmbeddedServer, ServerSettings

__all__ = ["LlamaRunner", "post"]

_TIMEOUT_S = 600.0
_SHORT_TOKENS = 100
_VOCABULARY = range(1000, 40_000)  # plain words, no token that means something


class LlamaRunner:
    """Runs points on the embedded server.

    Prompts are made of random tokens. A batch at some context is filled once: its
    prompts stay in the server's slots, so that only decoding is timed. A batch takes
    slots beside each other: llama.cpp passes through the model once for each run of
    adjacent slots, and a gap between them would cost a pass more.
    """

    def __init__(self, settings: ServerSettings) -> None:
        self._server = EmbeddedServer(settings)
        self._settings = settings
        self._random = random.Random(0)
        self._prompts: dict[int, list[list[int]]] = {}
        self._first_slot: dict[int, int] = {}
        self.request_s: list[float] = []  # what a request takes outside the model

    @property
    def pass_tokens(self) -> int:
        """Most tokens of one pass through the model."""
        return self._settings.micro_batch_tokens

    @property
    def cuda(self) -> bool:
        """Never: the embedded server computes on the processor."""
        return False

    @property
    def pids(self) -> tuple[int, ...]:
        """The server's process."""
        return (self._server.pid,)

    @property
    def server(self) -> EmbeddedServer:
        """The server, while it runs."""
        return self._server

    def __enter__(self) -> Self:
        self._server.start()
        post(self._server.url, _ask(self._tokens(8), 2))  # the first one is slow
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.close()

    def time(self, point: Point) -> Effort:
        """Time a prompt, or one step of a batch."""
        if point.kind is Kind.PREFILL:
            return self._prompt(point.tokens)
        return self._step(point)

    def _prompt(self, tokens: int) -> Effort:
        ask = _ask(self._tokens(tokens), 1)
        with Watch([self._server.pid]) as watch:
            answer = post(self._server.url, ask)
        wall_s = answer["timings"]["prompt_ms"] / 1e3
        e = watch.effort
        outside_s = max(e.wall_s - wall_s, 0.0)
        self.request_s.append(outside_s * (1.0 - e.waited_frac))
        return Effort(wall_s, e.processor_s, e.waited_s, e.load_1min)

    def _step(self, point: Point) -> Effort:
        prompts = self._held(point.tokens, point.sequences)
        # once to fill the slots, where others took them meanwhile; then to time
        self._all(prompts, point.tokens, 1)
        with Watch([self._server.pid]) as watch:
            answers = self._all(prompts, point.tokens, DECODE_STEPS + 1)
        each = sorted(a["timings"]["predicted_ms"] / DECODE_STEPS for a in answers)
        e = watch.effort
        return Effort(
            each[len(each) // 2] / 1e3,
            _share(e.processor_s),
            _share(e.waited_s),
            e.load_1min,
        )

    def _all(
        self, prompts: Sequence[Sequence[int]], tokens: int, output: int
    ) -> list[dict[str, Any]]:
        """Send a batch at once, each prompt to its slot."""
        first = self._slot_of(tokens)
        asks = [
            {**_ask(p, output), "id_slot": first + i, "cache_prompt": True}
            for i, p in enumerate(prompts)
        ]
        with ThreadPoolExecutor(len(asks)) as pool:
            return list(pool.map(lambda ask: post(self._server.url, ask), asks))

    def _slot_of(self, tokens: int) -> int:
        """Short contexts share the first slots; a long one keeps two of the last."""
        if tokens <= _SHORT_TOKENS:
            return 0
        kept = self._settings.slots - 2 * (len(self._first_slot) + 1)
        return self._first_slot.setdefault(tokens, max(kept, 0))

    def _held(self, tokens: int, sequences: int) -> list[list[int]]:
        held = self._prompts.setdefault(tokens, [])
        while len(held) < sequences:
            held.append(self._tokens(tokens))
        return held[:sequences]

    def _tokens(self, count: int) -> list[int]:
        return [self._random.choice(_VOCABULARY) for _ in range(count)]


def _share(seconds: float | None) -> float | None:
    """Of one step; the first one, of the prompt, is as long as the others."""
    return None if seconds is None else seconds / (DECODE_STEPS + 1)


def _ask(prompt: Sequence[int], output: int) -> dict[str, Any]:
    """Ask for so many tokens after a prompt that nothing is known of."""
    return {
        "prompt": list(prompt),
        "n_predict": output,
        "ignore_eos": True,
        "temperature": 0.0,
        "cache_prompt": False,
        "id_slot": 0,
    }


def post(url: str, ask: dict[str, Any]) -> dict[str, Any]:
    """Send one request and read the answer with the server's own timings."""
    connection = http.client.HTTPConnection(urlparse(url).netloc, timeout=_TIMEOUT_S)
    try:
        headers = {"Content-Type": "application/json"}
        connection.request("POST", "/completion", json.dumps(ask), headers)
        answer: dict[str, Any] = json.loads(connection.getresponse().read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise InvalidInput(
            f"The embedded server stopped answering ({error}). Run the command again; "
            "if it fails again, give fewer --slots or a smaller model."
        ) from error
    finally:
        connection.close()
    if "timings" not in answer:
        raise InvalidInput(
            f"The embedded server refused a request: {json.dumps(answer)[:200]}"
        )
    return answer
