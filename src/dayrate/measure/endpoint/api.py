"""The two streaming calls of OpenAI's API: what is sent, and what comes back."""

import enum
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Api", "BadEvent", "Chunk", "Dialect", "ServerFault", "Usage", "chunk_of"]

DONE = "[DONE]"


class Api(enum.Enum):
    """Which call is made."""

    COMPLETIONS = "completions"
    CHAT = "chat"

    @property
    def path(self) -> str:
        """Of the call."""
        return "/v1/chat/completions" if self is Api.CHAT else "/v1/completions"


class BadEvent(Exception):
    """An event that is no chunk of an answer."""


class ServerFault(Exception):
    """The server says, within the stream, that it failed."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one server is asked: the call, the model's name there, what it understands.

    ``extras`` are fields that some servers refuse; the first request finds out.
    """

    api: Api
    model: str
    extras: Mapping[str, Any] = field(default_factory=dict)

    def body(self, prompt: str, output_tokens: int) -> dict[str, Any]:
        """JSON of a request for exactly so many tokens, where the server obeys."""
        asked: dict[str, Any] = {"model": self.model}
        if self.api is Api.CHAT:
            asked["messages"] = [{"role": "user", "content": prompt}]
        else:
            asked["prompt"] = prompt
        asked |= {"max_tokens": output_tokens, "temperature": 0.0, "stream": True}
        return asked | dict(self.extras)

    def without(self, extra: str) -> "Dialect":
        """Leave out what the server does not understand."""
        kept = {k: v for k, v in self.extras.items() if k != extra}
        return Dialect(self.api, self.model, kept)


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the server counts them; None is what it does not say."""

    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    completion_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Chunk:
    """One event of an answer."""

    has_token: bool = False
    finish_reason: str = ""
    usage: Usage | None = None


def chunk_of(data: str) -> Chunk:
    """Read the data of an event.

    Raises
    ------
    BadEvent
        It is not JSON, or JSON of another kind.
    ServerFault
        It is an error of the server.

    Examples
    --------
    >>> chunk_of('{"choices": [{"text": " a", "finish_reason": null}]}')
    Chunk(has_token=True, finish_reason='', usage=None)
    """
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        raise BadEvent(f"an event is not JSON: {_short(data)}") from None
    if not isinstance(found, dict):
        raise BadEvent(f"an event is not an object: {_short(data)}")
    if found.get("error"):
        raise ServerFault(message_of(found) or _short(data))
    choices, usage = found.get("choices"), _usage(found.get("usage"))
    if choices is None and usage is not None:
        return Chunk(usage=usage)
    if not isinstance(choices, list):
        raise BadEvent(f"an event has no choices: {_short(data)}")
    if not choices:
        return Chunk(usage=usage)
    choice = choices[0]
    if not isinstance(choice, dict):
        raise BadEvent(f"a choice is not an object: {_short(data)}")
    reason = choice.get("finish_reason")
    said = reason if isinstance(reason, str) else ""
    return Chunk(_has_token(choice), said, usage)


def message_of(found: Any) -> str:
    """Return what an error object says, in any of the shapes that servers use.

    >>> message_of({"error": {"message": "no room"}}), message_of({"detail": "no"})
    ('no room', 'no')
    """
    for key in ("error", "message", "detail"):
        if isinstance(found, dict) and key in found:
            return message_of(found[key])
    return _short(found if isinstance(found, str) else json.dumps(found))


def _has_token(choice: Mapping[str, Any]) -> bool:
    """Whether a choice carries a token, which may print nothing.

    A token may be part of a character, so what counts is that the answer goes on. The
    opening chunk of a chat, which only says who speaks, is none.
    """
    delta = choice.get("delta")
    if isinstance(delta, dict):
        texts = [delta.get(k) for k in ("content", "reasoning_content", "reasoning")]
        said = any(t is not None for t in texts) or bool(delta.get("tool_calls"))
        return any(texts) or (said and "role" not in delta)
    text = choice.get("text")
    return isinstance(text, str) and (bool(text) or not choice.get("finish_reason"))


def _usage(found: Any) -> Usage | None:
    if not isinstance(found, dict):
        return None
    details = found.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, dict) else None
    return Usage(
        prompt_tokens=_count(found.get("prompt_tokens")),
        cached_tokens=_count(cached),
        completion_tokens=_count(found.get("completion_tokens")),
    )


def _count(value: Any) -> int | None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    return value if whole and value >= 0 else None


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 120 else f"{line[:119]}…"
