"""Many requests at once on the embedded server, and the simulator on the same list."""

import http.client
import json
import random
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlparse

import numpy as np

from dayrate.errors import InvalidInput
from dayrate.measure.machine.effort import Effort, Watch
from dayrate.measure.server import EmbeddedServer
from dayrate.serving.replica import Replica, Slo, Traffic
from dayrate.serving.simulator.engine import simulate
from dayrate.serving.simulator.inputs import RequestList, limits_of
from dayrate.serving.simulator.law import step_law
from dayrate.serving.steady import capacity

__all__ = [
    "Request",
    "Served",
    "Streams",
    "closed_form_tokens_per_s",
    "serve",
    "simulated",
]

_TIMEOUT_S = 600.0
_BLOCK_TOKENS = 16


@dataclass(frozen=True, slots=True)
class Request:
    """How long a prompt and its answer are. [token]"""

    input_tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True)
class Streams:
    """Requests that all come at once to a server with fewer slots than that."""

    slots: int = 16
    requests: int = 32
    seed: int = 1

    def listed(self) -> list[Request]:
        """Draw lengths: unlike each other, and unlike those of a calibration."""
        rng = random.Random(self.seed)
        return [
            Request(rng.randrange(24, 168), rng.randrange(16, 64))
            for _ in range(self.requests)
        ]


@dataclass(frozen=True, slots=True)
class Served:
    """What became of the requests, measured or simulated; means over requests."""

    makespan_s: float
    output_tokens_per_s: float
    total_tokens_per_s: float
    ttft_s: float
    tpot_s: float
    effort: Effort | None = None  # of the server, where it was measured


@dataclass
class _Answer:
    """Times of one answer as they come in."""

    tokens: int = 0
    first_s: float = 0.0
    done_s: float = 0.0
    error: str = ""
    prompt: list[int] = field(default_factory=list)


def serve(server: EmbeddedServer, requests: Sequence[Request], seed: int = 0) -> Served:
    """Send all requests at once and read their streams.

    Raises
    ------
    InvalidInput
        The server stopped, or an answer is short.
    """
    rng = random.Random(seed)
    answers = [_Answer(prompt=_prompt(rng, r.input_tokens)) for r in requests]
    host = urlparse(server.url).netloc
    with Watch([server.pid]) as watch:
        start_s = time.perf_counter()
        readers = [
            threading.Thread(target=_read, args=(host, a, r), daemon=True)
            for a, r in zip(answers, requests, strict=True)
        ]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join()
    wrong = [
        a.error or f"{a.tokens} of {r.output_tokens} tokens came"
        for a, r in zip(answers, requests, strict=True)
        if a.error or a.tokens < r.output_tokens
    ]
    if wrong:
        raise InvalidInput(
            f"{len(wrong)} of {len(requests)} requests failed on the embedded server "
            f"({wrong[0]}). Run the command again."
        )
    own = 1.0 - watch.effort.waited_frac
    return _served(
        requests,
        first_s=[(a.first_s - start_s) * own for a in answers],
        done_s=[(a.done_s - start_s) * own for a in answers],
        effort=watch.effort,
    )


def simulated(replica: Replica, requests: Sequence[Request]) -> Served:
    """Simulate the same requests under the step law of a replica."""
    sides = [np.array([getattr(r, s) for r in requests]) for s in _SIDES]
    longest = int((sides[0] + sides[1]).max())
    asked = RequestList(np.zeros(len(requests)), sides[0], sides[1])
    limits = limits_of(
        replica, float(np.mean(sides[0] + sides[1] / 2)), block_tokens=_BLOCK_TOKENS
    )
    run = simulate(asked, step_law(replica, longest), limits)
    return _served(requests, first_s=run.first_s.tolist(), done_s=run.done_s.tolist())


def closed_form_tokens_per_s(replica: Replica, requests: Sequence[Request]) -> float:
    """Output tokens a second in steady state, with requests always waiting. [1/s]"""
    inputs, outputs = (np.array([getattr(r, s) for r in requests]) for s in _SIDES)
    traffic = Traffic(
        input_tokens=float(inputs.mean()),
        output_tokens=float(outputs.mean()),
        input_tokens_p95=float(np.quantile(inputs, 0.95)),
        output_cv=float(outputs.std() / outputs.mean()),
    )
    found = capacity(replica, traffic, Slo())
    return float(found.requests_per_s) * float(outputs.mean())


_SIDES = ("input_tokens", "output_tokens")


def _served(
    requests: Sequence[Request],
    *,
    first_s: Sequence[float],
    done_s: Sequence[float],
    effort: Effort | None = None,
) -> Served:
    out = sum(r.output_tokens for r in requests)
    total = out + sum(r.input_tokens for r in requests)
    span = max(done_s)
    each = [
        (done - first) / max(r.output_tokens - 1, 1)
        for first, done, r in zip(first_s, done_s, requests, strict=True)
    ]
    return Served(
        makespan_s=span,
        output_tokens_per_s=out / span,
        total_tokens_per_s=total / span,
        ttft_s=float(np.mean(first_s)),
        tpot_s=float(np.mean(each)),
        effort=effort,
    )


def _prompt(rng: random.Random, tokens: int) -> list[int]:
    return [rng.randrange(1000, 40_000) for _ in range(tokens)]


def _read(host: str, answer: _Answer, request: Request) -> None:
    """Read one stream; what goes wrong is kept, since a thread cannot raise it."""
    body = {
        "prompt": answer.prompt,
        "n_predict": request.output_tokens,
        "stream": True,
        "ignore_eos": True,
        "temperature": 0.0,
        "cache_prompt": False,
    }
    connection = http.client.HTTPConnection(host, timeout=_TIMEOUT_S)
    try:
        headers = {"Content-Type": "application/json"}
        connection.request("POST", "/completion", json.dumps(body), headers)
        for line in connection.getresponse():
            if not line.startswith(b"data: {"):
                continue
            now = time.perf_counter()
            event = json.loads(line[6:])
            if event.get("stop"):
                answer.tokens = int(event["tokens_predicted"])
                answer.done_s = now
                break
            answer.first_s = answer.first_s or now
    except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
        answer.error = f"{type(error).__name__}: {error}"
    finally:
        connection.close()
