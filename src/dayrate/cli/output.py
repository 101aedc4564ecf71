"""Where results and talk go: the result to stdout, everything else to stderr."""

import os
import shutil
import sys

from dayrate.report.i18n import Words, language, words

__all__ = ["PipeClosed", "asked_words", "colour", "page_width", "say", "write"]

_WIDTH = 80


class PipeClosed(Exception):
    """Nobody reads the result any more."""


def write(text: str) -> None:
    """Print a result."""
    try:
        sys.stdout.write(text if text.endswith("\n") else f"{text}\n")
        sys.stdout.flush()
    except BrokenPipeError:
        raise PipeClosed from None


def say(text: str) -> None:
    """Talk to the person at the terminal."""
    sys.stderr.write(f"{text}\n")


def page_width() -> int:
    """Columns to write: 80, less on a narrower terminal. [cell]"""
    if not sys.stdout.isatty():
        return _WIDTH
    return max(40, min(_WIDTH, shutil.get_terminal_size((_WIDTH, 24)).columns))


def colour() -> bool:
    """Whether to write colours: only to a terminal, never under NO_COLOR."""
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return sys.stdout.isatty() and not plain


def asked_words(lang: str | None) -> Words:
    """Return the texts of the language asked for."""
    return words(language(lang))
