"""Every error the package raises on purpose.

* DayrateError
  x InvalidInput       a value outside its domain, or of the wrong unit
    + AmbiguousName    an alias that fits several catalogue entries
    + UnknownName      a model, accelerator or price nobody catalogued
    + UnreadableConfig a config.json that is absent, malformed or of unknown shape
    + UnreadableTrace  a trace file that holds no usable requests
  x NoPlan             an expected answer: nothing meets the request
    + DoesNotFit       weights + cache exceed memory
    + SloUnreachable   no batch size meets the latency target
  x MissingExtra       an optional dependency is not installed

The command line turns ``InvalidInput`` and ``MissingExtra`` into exit code 2 and
``NoPlan`` into exit code 3. Every message is one sentence or two: what was given, what
is allowed, what to do.
"""

import difflib
from collections.abc import Iterable

__all__ = [
    "AmbiguousName",
    "DayrateError",
    "DoesNotFit",
    "InvalidInput",
    "MissingExtra",
    "NoPlan",
    "SloUnreachable",
    "UnknownName",
    "UnreadableConfig",
    "UnreadableTrace",
]


_LISTED_BY = {"scenario": "dayrate quote --list-scenarios"}


class DayrateError(Exception):
    """Base class of every error raised on purpose."""


class InvalidInput(DayrateError):
    """A value outside its domain, or of the wrong unit."""


class AmbiguousName(InvalidInput):
    """An alias that fits several catalogue entries."""

    def __init__(self, kind: str, name: str, choices: Iterable[str]) -> None:
        super().__init__(
            f"{name!r} may mean several {kind}s: {', '.join(sorted(choices))}. "
            "Give one of these ids."
        )
        self.name = name


class UnknownName(InvalidInput):
    """A name that is in no catalogue."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        close = did_you_mean(name, known)
        hint = f" Did you mean {close}?" if close else ""
        listing = _LISTED_BY.get(kind, f"dayrate catalog {kind}s")
        super().__init__(f"No {kind} called {name!r}.{hint} `{listing}` lists all.")
        self.name = name


class UnreadableConfig(InvalidInput):
    """A config.json that is absent, malformed or of unknown shape."""


class UnreadableTrace(InvalidInput):
    """A trace file that holds no usable requests."""


class NoPlan(DayrateError):
    """Not a bug: the request has no feasible answer, and the message says why."""


class DoesNotFit(NoPlan):
    """Weights and cache exceed the memory of the deployment."""

    def __init__(self, *, need_bytes: float, have_bytes: float, what: str) -> None:
        super().__init__(
            f"{what} needs {need_bytes / 1e9:.1f} GB and the deployment has "
            f"{have_bytes / 1e9:.1f} GB. Try more accelerators "
            "(--tensor-parallel-size), a narrower --quantization, or shorter lengths."
        )
        self.need_bytes, self.have_bytes = need_bytes, have_bytes


class SloUnreachable(NoPlan):
    """No batch size of the deployment meets the latency target."""


class MissingExtra(DayrateError):
    """An optional dependency is not installed."""

    def __init__(self, *, what: str, extra: str = "", install: str = "") -> None:
        command = install or f"pip install 'dayrate[{extra}]'"
        super().__init__(
            f"{what} needs an optional dependency. Install it with: {command}"
        )


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Up to three known names close to ``name``, comma-separated; may be empty."""
    by_lower = {k.lower(): k for k in known}
    close = difflib.get_close_matches(name.lower(), by_lower, n=3)
    return ", ".join(by_lower[c] for c in close)
