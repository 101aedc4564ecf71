"""What is found out about a server before the load."""

import asyncio
from typing import Any

import pytest

from dayrate.errors import InvalidInput
from dayrate.measure.endpoint.api import Api
from dayrate.measure.endpoint.client import Budget, Patience, opened
from dayrate.measure.endpoint.learn import Manner, Served, learn
from dayrate.measure.endpoint.target import Target, target_of


def learnt(
    fake: Any,
    manner: Manner | None = None,
    *,
    target: Target | None = None,
    requests: int = 10,
) -> Served:
    async def ask() -> Served:
        there = target or target_of(fake.url)
        patience = Patience(retries=1, backoff_s=0.001)
        async with opened(there, Budget(requests, 60.0), patience) as client:
            return await learn(client, manner or Manner())

    return asyncio.run(ask())


def length_of(served: Served, tokens: int) -> tuple[str, int]:
    return asyncio.run(served.prompter.text(tokens))


@pytest.mark.parametrize("form", ["llama.cpp", "vLLM", "TGI"])
@pytest.mark.parametrize("api", list(Api))
def test_the_tokenizer_of_each_server(fake: Any, form: str, api: Api) -> None:
    fake.tokenizer, fake.overhead_tokens = form, 7

    async def prompt() -> tuple[str, int, str]:
        target = target_of(fake.url)
        async with opened(target, Budget(9, 60.0), Patience()) as client:
            served = await learn(client, Manner(api))
            return *await served.prompter.text(50), served.prompter.tokenizer

    text, counted, name = asyncio.run(prompt())
    assert fake.tokens(text) + 7 == counted == 50
    assert form in name


def test_without_a_tokenizer_usage_calibrates(fake: Any) -> None:
    fake.tokenizer, fake.overhead_tokens = "", 7
    served = learnt(fake)
    text, counted = length_of(served, 400)
    assert "usage" in served.prompter.tokenizer
    assert counted == pytest.approx(400, abs=2)
    assert fake.tokens(text) + 7 == pytest.approx(400, rel=0.2)
    assert len(fake.asked) == 2


def test_with_neither_a_word_is_a_token(fake: Any) -> None:
    fake.tokenizer, fake.usage = "", False
    served = learnt(fake)
    assert not served.has_usage
    assert "assumed" in served.prompter.tokenizer
    text, counted = length_of(served, 30)
    assert len(text.split()) == counted == 30


@pytest.mark.parametrize("extra", ["stream_options", "ignore_eos"])
def test_fields_that_are_refused_are_left_out(fake: Any, extra: str) -> None:
    fake.refuses = frozenset({extra})
    served = learnt(fake)
    assert extra not in served.dialect.extras
    assert len(served.dialect.extras) == 1
    assert [n for n in served.notes if extra in n]
    assert served.has_usage == (extra != "stream_options")


def test_ends_of_answers_may_be_left_to_the_model(fake: Any) -> None:
    learnt(fake, Manner(ignore_eos=False))
    assert "ignore_eos" not in fake.asked[0].body


def test_the_engine_and_its_limits(fake: Any) -> None:
    fake.context_tokens = 512
    served = learnt(fake)
    assert (served.engine, served.engine_version) == ("llama.cpp", "b1-fake")
    assert served.longest_tokens == 512
    fake.owner = "somebody"
    assert learnt(fake).engine == ""


def test_the_first_model_is_asked_unless_one_is_named(fake: Any) -> None:
    fake.models = ("a", "b")
    served = learnt(fake)
    assert served.dialect.model == "a"
    assert "2 models" in served.notes[0]
    named = learnt(fake, Manner(served_model="b"))
    assert (named.dialect.model, named.notes) == ("b", ())


def test_a_server_without_a_list_needs_the_name(fake: Any) -> None:
    fake.models = ()
    with pytest.raises(InvalidInput, match="--served-model-name"):
        learnt(fake)
    assert learnt(fake, Manner(served_model="b")).dialect.model == "b"


@pytest.mark.parametrize("place", ["http://192.0.2.1:8000/v1/models", "/elsewhere"])
def test_no_redirect_is_followed(fake: Any, place: str) -> None:
    fake.redirect = place
    with pytest.raises(InvalidInput, match="follows no redirect") as error:
        learnt(fake)
    assert place in str(error.value)
    assert len(fake.calls) == 1


def test_a_key_that_is_missing_or_wrong(
    fake: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake.key = "right"
    with pytest.raises(InvalidInput, match=r"wants a key \(HTTP 401\).*--api-key-env"):
        learnt(fake)
    monkeypatch.setenv("KEY", "wrong")
    with pytest.raises(InvalidInput, match="refuses the key") as error:
        learnt(fake, target=target_of(fake.url, api_key_env="KEY"))
    assert "wrong" not in str(error.value)
    monkeypatch.setenv("KEY", "right")
    assert learnt(fake, target=target_of(fake.url, api_key_env="KEY")).has_usage


def test_a_key_that_the_server_repeats_is_struck_out(
    fake: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY", "sk-secret")
    fake.statuses = [418]
    with pytest.raises(InvalidInput, match=r"trouble Bearer \*\*\*"):
        learnt(fake, target=target_of(fake.url, api_key_env="KEY"))


@pytest.mark.parametrize(
    ("manner", "says"),
    [
        ("whole", "no event stream but application/json"),
        ("drops", "does not answer a first short request"),
    ],
)
def test_a_server_that_cannot_stream(fake: Any, manner: str, says: str | None) -> None:
    fake.manner = manner
    with pytest.raises(InvalidInput, match=says):
        learnt(fake)


def test_a_call_that_is_not_there(fake: Any) -> None:
    fake.statuses = [404]
    with pytest.raises(InvalidInput, match=r"404.*--api and --served-model-name"):
        learnt(fake)


def test_errors_that_go_on_are_quoted(fake: Any) -> None:
    fake.statuses = [500, 500, 500]
    with pytest.raises(InvalidInput, match="HTTP 500: trouble"):
        learnt(fake)


def test_no_budget_for_a_probe(fake: Any) -> None:
    with pytest.raises(InvalidInput, match="budget ended"):
        learnt(fake, requests=0)


def test_what_speaks_no_http(fake: Any) -> None:
    async def garbage(_reader: Any, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-hello\r\n")
        writer.close()

    fake.handler = garbage
    with pytest.raises(InvalidInput, match="does not speak HTTP"):
        learnt(fake)
