"""Where results and talk go: the result to stdout, everything else to stderr."""

import io
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from dayrate.errors import InvalidInput
from dayrate.report.i18n import Words, language, words

__all__ = [
    "PipeClosed",
    "asked_words",
    "captured",
    "colour",
    "page_width",
    "say",
    "write",
    "write_file",
    "write_part",
]

_WIDTH = 80

#: Result and talk of a command that another one runs, in this thread alone.
_CAPTURED: ContextVar[tuple[io.StringIO, io.StringIO] | None] = ContextVar(
    "captured", default=None
)


class PipeClosed(Exception):
    """Nobody reads the result any more."""


@contextmanager
def captured() -> Iterator[tuple[io.StringIO, io.StringIO]]:
    """Keep result and talk of what runs inside, in place of printing them."""
    both = io.StringIO(), io.StringIO()
    token = _CAPTURED.set(both)
    try:
        yield both
    finally:
        _CAPTURED.reset(token)


def write(text: str) -> None:
    """Print a result."""
    if (kept := _CAPTURED.get()) is not None:
        kept[0].write(text)
        return
    write_part(text if text.endswith("\n") else f"{text}\n")


def write_part(text: str) -> None:
    """Print what has come of a result; the line may go on."""
    if (kept := _CAPTURED.get()) is not None:
        kept[0].write(text)
        return
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        raise PipeClosed from None
    except OSError as e:  # a full disk, most of all
        raise InvalidInput(
            f"Cannot write the result: {e.strerror or e}. Free some space, or write "
            "it elsewhere."
        ) from e


def write_file(path: str, content: str | bytes) -> None:
    """Write a file whole or not at all, whatever interrupts it."""
    target = Path(path)
    data = content.encode() if isinstance(content, str) else content
    try:
        with tempfile.NamedTemporaryFile(
            "wb", dir=target.parent, prefix=f".{target.name}.", delete=False
        ) as file:
            part = Path(file.name)
            try:
                file.write(data)
                file.close()
                part.chmod(_mode(target))
                part.replace(target)
            except BaseException:
                part.unlink(missing_ok=True)
                raise
    except OSError as e:
        raise InvalidInput(
            f"Cannot write {path}: {e.strerror or e}. Give a path in a folder that "
            "exists and may be written."
        ) from e


def _mode(target: Path) -> int:
    """Permissions a file has, or that a new one gets: temporary ones are private."""
    if target.exists():
        return target.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def say(text: str) -> None:
    """Talk to the person at the terminal."""
    if (kept := _CAPTURED.get()) is not None:
        kept[1].write(f"{text}\n")
        return
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
