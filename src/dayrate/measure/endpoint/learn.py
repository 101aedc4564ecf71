"""What a server is and understands, found out before the load."""

import random
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import Any

from dayrate.errors import InvalidInput
from dayrate.measure.endpoint.api import Api, Dialect
from dayrate.measure.endpoint.client import Client
from dayrate.measure.endpoint.note import mark
from dayrate.measure.endpoint.prompts import Counter, Prompter
from dayrate.measure.endpoint.record import Fault, Job, Record, State

__all__ = ["Manner", "Served", "learn"]

#: ``owned_by`` of a model list, and the engine as the measurement tables name it.
_ENGINES: Mapping[str, str] = {
    "vllm": "vLLM",
    "llamacpp": "llama.cpp",
    "sglang": "SGLang",
}
#: How servers are asked to count tokens, and what the form is called.
_FORMS = ("llama.cpp", "vLLM", "TGI")
_PROBE_WORDS, _LONG_PROBE_WORDS, _PROBE_TOKENS = 16, 144, 2
_BAD_REQUEST = frozenset({400, 422})
_NO_KEY = frozenset({401, 403})
_NOT_FOUND = 404


@dataclass(frozen=True, slots=True)
class Manner:
    """How to ask.

    Parameters
    ----------
    api : Api
        Which call.
    served_model : str or None
        The model's name on the server; None: the first it lists.
    ignore_eos : bool
        Whether answers go on to the length asked for.
    """

    api: Api = Api.COMPLETIONS
    served_model: str | None = None
    ignore_eos: bool = True


@dataclass(frozen=True, slots=True)
class Served:
    """A server as it was found.

    ``longest_tokens`` is the limit on prompt and answer together; None where unknown.
    """

    dialect: Dialect
    engine: str
    engine_version: str
    longest_tokens: int | None
    prompter: Prompter
    has_usage: bool
    notes: tuple[str, ...]


async def learn(client: Client, manner: Manner) -> Served:
    """Ask for the models, the tokenizer, and a first short answer.

    Raises
    ------
    InvalidInput
        The server redirects, wants a key, does not stream, or does not answer.
    """
    models = await _models(client)
    name = manner.served_model or (str(models[0].get("id", "")) if models else "")
    if not name:
        raise InvalidInput(
            f"{client.target.url} lists no models. Give the model's name on the server "
            "with --served-model-name."
        )
    notes = []
    if manner.served_model is None and len(models) > 1:
        notes.append(f"the first of {len(models)} models on the server is asked")
    asked = next((m for m in models if m.get("id") == name), {})
    extras: dict[str, Any] = {"stream_options": {"include_usage": True}}
    extras |= {"ignore_eos": True} if manner.ignore_eos else {}
    form, count = await _tokenizer(client, name)
    rng = random.SystemRandom()
    first = Prompter("words", 0, 1.0, count, rng)
    text = " ".join(first.words(_PROBE_WORDS))
    record, dialect = await _probe(client, Dialect(manner.api, name, extras), text)
    notes += [_REFUSED[extra] for extra in extras if extra not in dialect.extras]
    prompter = await _prompter(client, dialect, record, first, form)
    engine = _ENGINES.get(str(asked.get("owned_by", "")).lower(), "")
    return Served(
        dialect=dialect,
        engine=engine,
        engine_version=await _version(client, engine),
        longest_tokens=_longest(asked),
        prompter=prompter,
        has_usage=record.usage.completion_tokens is not None,
        notes=tuple(notes),
    )


_REFUSED: Mapping[str, str] = {
    "stream_options": mark(
        "the server refuses stream_options: it may not count tokens"
    ),
    "ignore_eos": mark(
        "the server refuses ignore_eos: answers may be shorter than asked"
    ),
}


async def _models(client: Client) -> list[dict[str, Any]]:
    status, found, place = await _called(client, "GET", "/v1/models")
    if 300 <= status < 400:
        raise _redirected(client, place)
    if status in _NO_KEY:
        raise _locked(client, status)
    data = found.get("data") if isinstance(found, dict) else None
    return [m for m in data if isinstance(m, dict)] if isinstance(data, list) else []


async def _called(
    client: Client, method: str, path: str, body: Any = None
) -> tuple[int, Any, str]:
    import httpx

    try:
        return await client.fetch(method, path, body)
    except (httpx.HTTPError, httpx.InvalidURL) as e:
        raise InvalidInput(
            f"{client.target.url} listens but does not speak HTTP as expected "
            f"({e or type(e).__name__}). Check the URL and the server's log."
        ) from None


async def _tokenizer(client: Client, model: str) -> tuple[str, Counter | None]:
    for form in _FORMS:
        count = _counter(client, model, form)
        try:
            if await count("one two") > 0:
                return form, count
        except InvalidInput:
            continue
    return "", None


def _counter(client: Client, model: str, form: str) -> Counter:
    def count(text: str) -> Awaitable[int]:
        bodies: dict[str, dict[str, Any]] = {
            "llama.cpp": {"content": text},
            "vLLM": {"model": model, "prompt": text, "add_special_tokens": False},
            "TGI": {"inputs": text, "add_special_tokens": False},
        }
        return _count(client, bodies[form])

    return count


async def _count(client: Client, body: dict[str, Any]) -> int:
    status, found, _place = await _called(client, "POST", "/tokenize", body)
    tokens = found.get("tokens") if isinstance(found, dict) else found
    if status == 200 and isinstance(tokens, list):
        return len(tokens)
    raise InvalidInput(f"/tokenize of {client.target.url} answers HTTP {status}.")


async def _probe(client: Client, dialect: Dialect, text: str) -> tuple[Record, Dialect]:
    """Get a first answer, leaving out what the server does not understand."""
    while True:
        record = Record(Job(-1, text, _PROBE_WORDS, _PROBE_TOKENS))
        await client.answer(record, dialect)
        refused = record.fault is Fault.STATUS and record.status in _BAD_REQUEST
        if not refused or not dialect.extras:
            break
        named = [extra for extra in dialect.extras if extra in record.message]
        dialect = dialect.without(named[0] if named else next(iter(dialect.extras)))
    if record.state is State.DONE or record.fault is Fault.EMPTY:
        return record, dialect
    raise _unanswered(client, record, dialect)


def _unanswered(client: Client, record: Record, dialect: Dialect) -> InvalidInput:
    url, path = client.target.url, dialect.api.path
    if record.fault is Fault.REDIRECT:
        return _redirected(client, record.message.removeprefix("redirected to "))
    if record.fault is Fault.STATUS and record.status in _NO_KEY:
        return _locked(client, record.status)
    if record.fault is Fault.STATUS and record.status == _NOT_FOUND:
        return InvalidInput(
            f"{url} answers 404 to {path} for the model {dialect.model!r} "
            f"({record.message}). Check --api and --served-model-name."
        )
    if record.state is State.CANCELLED:
        return InvalidInput(
            f"The budget ended before {url} gave a first answer. Raise --max-requests "
            "or --max-seconds."
        )
    return InvalidInput(
        f"{url} does not answer a first short request: {record.message}. Check the "
        "server's log."
    )


def _redirected(client: Client, place: str) -> InvalidInput:
    return InvalidInput(
        f"{client.target.url} redirects to {place or 'nowhere'}, and a load test "
        "follows no redirect. Give the URL of the server itself."
    )


def _locked(client: Client, status: int | None) -> InvalidInput:
    given = "refuses the key" if client.target.key else "wants a key"
    return InvalidInput(
        f"{client.target.url} {given} (HTTP {status}). Put it into an environment "
        "variable and name that with --api-key-env."
    )


async def _prompter(
    client: Client, dialect: Dialect, probe: Record, first: Prompter, form: str
) -> Prompter:
    counted = probe.usage.prompt_tokens
    if first.count is not None:
        own = await first.count(probe.job.prompt)
        overhead = 0 if counted is None else max(counted - own, 0)
        name = f"the server's /tokenize ({form})"
        return Prompter(name, overhead, own / _PROBE_WORDS, first.count, first.rng)
    if counted is None:
        return Prompter("one token a word, assumed", 0, 1.0, None, first.rng)
    text = " ".join(first.words(_LONG_PROBE_WORDS))
    record, _dialect = await _probe(client, dialect, text)
    longer = record.usage.prompt_tokens or counted
    slope = (longer - counted) / (_LONG_PROBE_WORDS - _PROBE_WORDS)
    if slope <= 0:
        return Prompter("one token a word, assumed", 0, 1.0, None, first.rng)
    overhead = max(round(counted - slope * _PROBE_WORDS), 0)
    name = f"{slope:.3g} tokens a word, from the server's usage"
    return Prompter(name, overhead, slope, None, first.rng)


async def _version(client: Client, engine: str) -> str:
    paths = {"vLLM": ("/version", "version"), "llama.cpp": ("/props", "build_info")}
    if engine not in paths:
        return ""
    path, key = paths[engine]
    _status, found, _place = await _called(client, "GET", path)
    value = found.get(key) if isinstance(found, dict) else None
    return value if isinstance(value, str) else ""


def _longest(model: Mapping[str, Any]) -> int | None:
    """Limit of a request, as vLLM, SGLang or llama.cpp state it."""
    meta = model.get("meta")
    found = model.get("max_model_len")
    if found is None and isinstance(meta, dict):
        found = meta.get("n_ctx")
    return found if isinstance(found, int) and found > 0 else None
