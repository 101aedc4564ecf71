"""One request after another over HTTP: streamed, timed, retried within a budget."""

import asyncio
import contextlib
import email.utils
import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dayrate.errors import MissingExtra
from dayrate.measure.endpoint.api import (
    DONE,
    BadEvent,
    Dialect,
    ServerFault,
    chunk_of,
    message_of,
)
from dayrate.measure.endpoint.record import Fault, Record, State
from dayrate.measure.endpoint.sse import Event, EventStream, EventTooLong
from dayrate.measure.endpoint.target import Target

if TYPE_CHECKING:
    import httpx

__all__ = ["Budget", "Client", "Patience", "opened"]

_CONNECT_TIMEOUT_S = 5.0
_DRAIN_S = 0.5
_KEEPALIVE_S = 1.0  # well before servers close an idle connection, often at 5 s
_MOST_ERROR_BYTES = 1 << 16
_MOST_JSON_BYTES = 64 << 20
_OK = 200
_RETRIED = frozenset({429, 500, 502, 503, 504})


@dataclass(slots=True)
class Budget:
    """How many requests may be sent and until when; every attempt counts.

    Parameters
    ----------
    requests : int
        Calls for tokens, probes, warm-up and retries included. [1]
    seconds : float
        Since the start. [s]
    """

    requests: int
    seconds: float
    sent: int = 0
    started_s: float = field(default_factory=time.perf_counter)

    def now_s(self) -> float:
        """Time since the start. [s]"""
        return time.perf_counter() - self.started_s

    @property
    def left_s(self) -> float:
        """Until the end. [s]"""
        return self.seconds - self.now_s()

    @property
    def empty(self) -> bool:
        """Whether nothing more may be sent."""
        return self.sent >= self.requests or self.left_s <= 0

    def take(self) -> bool:
        """Take leave to send one request."""
        if self.empty:
            return False
        self.sent += 1
        return True


@dataclass(frozen=True, slots=True)
class Patience:
    """How errors are met.

    Parameters
    ----------
    retries : int
        Attempts after the first of one request. [1]
    backoff_s, longest_backoff_s : float
        Before the first retry, doubled each time up to the longest. [s]
    request_timeout_s : float or None
        Of one attempt; None: the budget alone ends it. [s]
    """

    retries: int = 2
    backoff_s: float = 0.5
    longest_backoff_s: float = 10.0
    request_timeout_s: float | None = None

    def delay_s(self, retry: int, rng: random.Random) -> float:
        """Seconds before a retry, half of them by chance so that no herd forms."""
        whole = min(self.backoff_s * 2.0**retry, self.longest_backoff_s)
        return whole * (0.5 + 0.5 * rng.random())


class _Refused(Exception):
    """An attempt that failed before its first token."""

    def __init__(self, fault: Fault, message: str, wait_s: float | None = None) -> None:
        super().__init__(message)
        self.fault, self.wait_s = fault, wait_s


class Client:
    """Sends requests to one server.

    Parameters
    ----------
    http : httpx.AsyncClient
        Open.
    target : Target
        The server.
    budget : Budget
        Shared by all that is sent.
    patience : Patience
        How errors are met.
    """

    def __init__(
        self,
        http: "httpx.AsyncClient",
        target: Target,
        budget: Budget,
        patience: Patience,
    ) -> None:
        self.target, self.budget = target, budget
        self._http, self._patience = http, patience
        self._rng = random.Random()

    async def fetch(
        self, method: str, path: str, body: Any = None
    ) -> tuple[int, Any, str]:
        """Return status, JSON (None if it is none) and redirect target of a call."""
        content = None if body is None else json.dumps(body).encode()
        async with self._http.stream(
            method, self.target.root + path, content=content, **self._request()
        ) as response:
            raw = await _limited(response, _MOST_JSON_BYTES)
            place = response.headers.get("location", "")
            with contextlib.suppress(ValueError, RecursionError):
                return response.status_code, json.loads(raw), place
            return response.status_code, None, place

    async def answer(self, record: Record, dialect: Dialect) -> None:
        """Send a request until it is answered, hopeless, or out of budget.

        The record holds what came even when this is cancelled.
        """
        first_s: float | None = None
        for attempt in range(self._patience.retries + 1):
            if not self.budget.take():
                break
            record.sent_s = self.budget.now_s()
            first_s = record.sent_s if first_s is None else first_s
            record.retries, record.waited_s = attempt, record.sent_s - first_s
            try:
                await self._attempt(record, dialect)
            except _Refused as refused:
                record.fail(refused.fault, self.target.without_key(str(refused)))
                if refused.wait_s is None or attempt == self._patience.retries:
                    return
                # a server may close a kept connection just when it is used again
                stale = attempt == 0 and refused.fault is Fault.CLOSED
                backoff_s = self._patience.delay_s(attempt, self._rng)
                wait_s = 0.0 if stale else max(refused.wait_s, backoff_s)
                if wait_s >= self.budget.left_s:
                    return
                await asyncio.sleep(wait_s)
            else:
                return
        if record.state is State.WAITING:
            record.state = State.CANCELLED  # the budget was gone before it began

    async def _attempt(self, record: Record, dialect: Dialect) -> None:
        import httpx

        body = dialect.body(record.job.prompt, record.job.output_tokens)
        record.state = State.WAITING
        try:
            async with asyncio.timeout(self._patience.request_timeout_s):
                await self._streamed(record, dialect.api.path, body)
        except TimeoutError:
            record.fail(Fault.TIMEOUT, "no answer in time")
        except (httpx.ConnectError, httpx.ConnectTimeout) as e:
            raise _Refused(Fault.CONNECT, _said(e, "no connection"), 0.0) from None
        except httpx.TransportError as e:
            message = _said(e, "the connection broke")
            if not record.token_s:
                raise _Refused(Fault.CLOSED, message, 0.0) from None
            record.fail(Fault.CLOSED, message)
        except (BadEvent, EventTooLong) as e:
            record.fail(Fault.MALFORMED, _said(e, "an event has no end"))
        except ServerFault as e:
            record.fail(Fault.SERVER, str(e))
        record.message = self.target.without_key(record.message)

    async def _streamed(self, record: Record, path: str, body: dict[str, Any]) -> None:
        async with self._http.stream(
            "POST",
            self.target.root + path,
            content=json.dumps(body).encode(),
            **self._request(),
        ) as response:
            record.status = response.status_code
            await _check(response)
            events, pieces = EventStream(), response.aiter_raw()
            async for piece in pieces:
                at_s = self.budget.now_s()
                if any(_take(record, e, at_s) for e in events.feed(piece)):
                    await _drained(pieces)
                    break
            else:
                last = events.close()
                if last is not None:
                    _take(record, last, self.budget.now_s())
            _finish(record)

    def _request(self) -> dict[str, Any]:
        return {
            "headers": {**self.target.headers, "Content-Type": "application/json"},
            "extensions": {"sni_hostname": self.target.host},
        }


@contextlib.asynccontextmanager
async def opened(target: Target, budget: Budget, patience: Patience) -> Any:
    """Open a client: no proxy, no redirect, no limit on connections.

    Raises
    ------
    MissingExtra
        httpx is not installed.
    """
    try:
        import httpx
    except ImportError:
        raise MissingExtra(what="A load test", extra="measure") from None
    encrypted = target.root.startswith("https:")
    async with httpx.AsyncClient(
        verify=encrypted,  # reading certificates takes long, and http has none
        trust_env=False,
        follow_redirects=False,
        timeout=httpx.Timeout(None, connect=_CONNECT_TIMEOUT_S),
        limits=httpx.Limits(
            max_connections=None,
            max_keepalive_connections=None,
            keepalive_expiry=_KEEPALIVE_S,
        ),
    ) as http:
        yield Client(http, target, budget, patience)


async def _check(response: "httpx.Response") -> None:
    """Raise unless this is the start of a stream."""
    status = response.status_code
    if 300 <= status < 400:
        where = response.headers.get("location", "nowhere")
        raise _Refused(Fault.REDIRECT, f"redirected to {where}")
    if status != _OK:
        raw = await _limited(response, _MOST_ERROR_BYTES)
        wait_s = None
        if status in _RETRIED:
            wait_s = _retry_after_s(response.headers.get("retry-after", ""))
        raise _Refused(Fault.STATUS, f"HTTP {status}: {_error_text(raw)}", wait_s)
    kind = response.headers.get("content-type", "")
    if not kind.startswith("text/event-stream"):
        raise _Refused(Fault.NO_STREAM, f"no event stream but {kind or 'no type'}")


def _take(record: Record, event: Event, at_s: float) -> bool:
    """Note an event, and say whether it was the last."""
    if event.data.strip() == DONE:
        record.finish_reason = record.finish_reason or "done"
        return True
    if event.type == "error":
        raise ServerFault(event.data)
    chunk = chunk_of(event.data)
    if chunk.has_token:
        record.token_s.append(at_s)
    record.finish_reason = chunk.finish_reason or record.finish_reason
    record.usage = chunk.usage or record.usage
    return False


def _finish(record: Record) -> None:
    if not record.finish_reason:
        record.fail(Fault.CLOSED, "the stream ended before the answer")
    elif not record.token_s:
        record.fail(Fault.EMPTY, "an answer without a token")
    else:
        record.state = State.DONE
        record.fault, record.message = None, ""


async def _drained(pieces: Any) -> None:
    """Read what follows the end, so that the connection can be used again."""
    import httpx

    with contextlib.suppress(TimeoutError, httpx.TransportError):
        async with asyncio.timeout(_DRAIN_S):
            async for _piece in pieces:
                pass


async def _limited(response: "httpx.Response", most_bytes: int) -> bytes:
    raw = b""
    async for piece in response.aiter_raw():
        raw += piece
        if len(raw) > most_bytes:
            break
    return raw


def _retry_after_s(text: str, now: Callable[[], float] = time.time) -> float:
    """Seconds that a server asks to wait: given so, or as a date.

    >>> _retry_after_s("7"), _retry_after_s(""), _retry_after_s("soon")
    (7.0, 0.0, 0.0)
    """
    if text.strip().isdigit():
        return float(text)
    try:
        asked = email.utils.parsedate_to_datetime(text).timestamp()
    except (TypeError, ValueError):
        return 0.0
    return max(asked - now(), 0.0)


def _error_text(raw: bytes) -> str:
    text = raw.decode("utf-8", "replace")
    try:
        return message_of(json.loads(text))
    except (ValueError, RecursionError):
        return message_of(text) or "no reason given"


def _said(error: Exception, otherwise: str) -> str:
    return str(error) or otherwise
