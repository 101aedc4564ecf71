"""Only loopback is loaded unless asked; the key stays secret."""

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from dayrate.errors import InvalidInput
from dayrate.measure.endpoint.target import target_of


@pytest.fixture
def port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def resolving_to(*addresses: str) -> Any:
    return lambda host, port, *_, **__: [
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, port)) for a in addresses
    ]


@pytest.mark.parametrize("path", ["", "/", "/v1", "/v1/"])
def test_a_server_here(port: int, path: str) -> None:
    target = target_of(f"http://127.0.0.1:{port}{path}")
    assert target.root == target.url == f"http://127.0.0.1:{port}"
    assert target.headers["Host"] == f"127.0.0.1:{port}"
    assert "Authorization" not in target.headers
    assert target.headers["Connection"] == "close"


def test_a_path_before_v1_is_kept(port: int) -> None:
    assert target_of(f"http://127.0.0.1:{port}/a/v1").root.endswith(f":{port}/a")


def test_a_name_is_asked_at_the_address_that_was_checked(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", resolving_to("127.0.0.1"))
    target = target_of(f"http://inference.test:{port}")
    assert target.root == f"http://127.0.0.1:{port}"
    assert target.headers["Host"] == f"inference.test:{port}"


@pytest.mark.parametrize(
    ("host", "addresses"),
    [
        ("192.0.2.1", ["192.0.2.1"]),
        ("api.test", ["192.0.2.1"]),
        ("both.test", ["127.0.0.1", "192.0.2.1"]),
        ("mapped.test", ["::ffff:192.0.2.1"]),
        ("0.0.0.0", ["0.0.0.0"]),
    ],
)
def test_other_machines_are_refused_before_a_connection(
    host: str, addresses: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", resolving_to(*addresses))
    monkeypatch.setattr(socket, "create_connection", pytest.fail)
    with pytest.raises(InvalidInput, match=r"not this machine.*--allow-remote"):
        target_of(f"http://{host}:8000")


def test_other_machines_are_connected_to_when_allowed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", resolving_to("192.0.2.1"))
    opened = []

    def connected(address: tuple[str, int], timeout: float) -> socket.socket:
        opened.append(address)
        return socket.socket()

    monkeypatch.setattr(socket, "create_connection", connected)
    target = target_of("https://api.test/v1", allow_remote=True)
    assert opened == [("192.0.2.1", 443)]
    assert (target.root, target.host) == ("https://192.0.2.1:443", "api.test")
    assert "Connection" not in target.headers  # kept: a handshake takes long


@pytest.mark.parametrize("mapped", ["::ffff:127.0.0.1", "127.5.5.5", "::1"])
def test_every_loopback_address_counts(
    mapped: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", resolving_to(mapped))
    monkeypatch.setattr(
        socket, "create_connection", lambda address, timeout: socket.socket()
    )
    assert target_of("http://here.test:8000").host == "here.test"


def test_nobody_there_says_how_to_start(port: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        free = server.getsockname()[1]
    with pytest.raises(InvalidInput, match=r"Nothing answers.*--local"):
        target_of(f"http://127.0.0.1:{free}")


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("127.0.0.1:8000", "no http or https URL"),
        ("ftp://127.0.0.1", "no http or https URL"),
        ("http://", "no http or https URL"),
        ("http://127.0.0.1:99999", "no URL"),
        ("http://[::1", "no URL"),
        ("http://127.0.0.1:8000/v1?key=a", "more than a path"),
    ],
)
def test_what_is_no_url(url: str, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        target_of(url)


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "127.0.0.1:99999"])
def test_a_password_in_the_url_is_refused_and_not_repeated(host: str) -> None:
    with pytest.raises(InvalidInput, match="--api-key-env") as error:
        target_of(f"http://me:secret@{host}")
    assert "secret" not in str(error.value)


def test_the_key_comes_from_the_environment_and_is_never_shown(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", "sk-123\n")
    target = target_of(f"http://127.0.0.1:{port}", api_key_env="MY_KEY")
    assert target.headers["Authorization"] == "Bearer sk-123"
    assert "sk-123" not in repr(target)
    assert target.without_key("bad key sk-123") == "bad key ***"


@pytest.mark.parametrize("key", ["", "  ", "schlüssel", "a\nb"])
def test_a_key_that_cannot_be_is_refused(
    key: str, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", key)
    with pytest.raises(InvalidInput, match="MY_KEY"):
        target_of(f"http://127.0.0.1:{port}", api_key_env="MY_KEY")
