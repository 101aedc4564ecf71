"""Which server is asked, and that it is the one on this machine unless said otherwise.

The name is resolved once and the load goes to that address, so that a name cannot mean
loopback when it is checked and another machine when it is asked.
"""

import ipaddress
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from dayrate.errors import InvalidInput

__all__ = ["Target", "target_of"]

_PORTS = {"http": 80, "https": 443}
_CONNECT_TIMEOUT_S = 5.0
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class Target:
    """A server that answered a connection.

    Parameters
    ----------
    url : str
        As given, without ``/v1``: for people.
    root : str
        The address that requests go to.
    host : str
        The name as given, which a certificate is checked against.
    authority : str
        The name with its port, for the ``Host`` header.
    key : str
        Of the API; empty without one. Not part of the text form.
    here : bool
        Whether it is this machine, asked without TLS.
    """

    url: str
    root: str
    host: str
    authority: str
    key: str = field(default="", repr=False)
    here: bool = True

    @property
    def headers(self) -> Mapping[str, str]:
        """Of every request."""
        headers = {"Host": self.authority, "Accept-Encoding": "identity"}
        if self.here:
            # connecting takes no time here, and llama.cpp's server closes after a
            # stream whatever it announces: the next request would find it closed
            headers["Connection"] = "close"
        return headers | ({"Authorization": f"Bearer {self.key}"} if self.key else {})

    def without_key(self, text: str) -> str:
        """Strike the key out of what a server says."""
        return text.replace(self.key, "***") if self.key else text


def target_of(
    url: str, *, allow_remote: bool = False, api_key_env: str | None = None
) -> Target:
    """Check where a URL leads, and connect to it once.

    Parameters
    ----------
    url : str
        ``http://host:port``, with or without ``/v1``.
    allow_remote : bool
        Whether the host may be another machine.
    api_key_env : str, optional
        Environment variable that holds the key.

    Raises
    ------
    InvalidInput
        The URL is none, leads to another machine, or nothing listens there.
    """
    scheme, host, port, path = _parts(url)
    addresses = _resolved(host, port)
    if not allow_remote:
        _loopback_only(host, addresses)
    address = _listening(url, addresses, port)
    literal = f"[{address}]" if address.version == 6 else str(address)
    return Target(
        url=url.rstrip("/").removesuffix("/v1"),
        root=f"{scheme}://{literal}:{port}{path}",
        host=host,
        authority=_authority(scheme, host, port),
        key=_key(api_key_env),
        here=scheme == "http" and _is_loopback(address),
    )


def _parts(url: str) -> tuple[str, str, int, str]:
    if "@" in url:
        raise InvalidInput(
            "The URL holds a user or a password, which would end up in results. Put "
            "the key into an environment variable and name that with --api-key-env."
        )
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as e:
        raise InvalidInput(f"{url!r} is no URL ({e}). {_EXAMPLE}") from None
    if parts.scheme not in _PORTS or not host:
        raise InvalidInput(f"{url!r} is no http or https URL. {_EXAMPLE}")
    if parts.query or parts.fragment:
        raise InvalidInput(f"{url!r} has more than a path. {_EXAMPLE}")
    path = parts.path.rstrip("/").removesuffix("/v1")
    return parts.scheme, host, port or _PORTS[parts.scheme], path


_EXAMPLE = "Give for example http://127.0.0.1:8000."


def _resolved(host: str, port: int) -> list[Address]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as e:
        raise InvalidInput(
            f"The host {host!r} cannot be resolved ({e.strerror or e}). Check the URL."
        ) from None
    texts = dict.fromkeys(str(entry[4][0]) for entry in found)
    return [ipaddress.ip_address(text.partition("%")[0]) for text in texts]


def _loopback_only(host: str, addresses: list[Address]) -> None:
    outside = [a for a in addresses if not _is_loopback(a)]
    if outside:
        shown = "" if str(outside[0]) == host else f" ({outside[0]})"
        raise InvalidInput(
            f"{host}{shown} is not this machine, and a load test is a load on it. "
            "Give a loopback address, or --allow-remote if the server is yours to load."
        )


def _is_loopback(address: Address) -> bool:
    inner = getattr(address, "ipv4_mapped", None)
    return bool((inner or address).is_loopback)


def _listening(url: str, addresses: list[Address], port: int) -> Address:
    reason = "no address"
    for address in addresses:
        try:
            with socket.create_connection((str(address), port), _CONNECT_TIMEOUT_S):
                return address
        except OSError as e:
            reason = e.strerror or str(e)
    raise InvalidInput(
        f"Nothing answers at {url} ({reason}). Start the server, or give its URL; "
        "--local starts a small one."
    )


def _authority(scheme: str, host: str, port: int) -> str:
    name = f"[{host}]" if ":" in host else host
    return name if port == _PORTS[scheme] else f"{name}:{port}"


def _key(variable: str | None) -> str:
    if variable is None:
        return ""
    key = os.environ.get(variable, "")
    if not key.strip():
        raise InvalidInput(
            f"The environment variable {variable} of --api-key-env is empty. Put the "
            "key of the API into it."
        )
    if not key.strip().isascii() or not key.strip().isprintable():
        raise InvalidInput(
            f"The key in {variable} has characters that no header can carry."
        )
    return key.strip()
