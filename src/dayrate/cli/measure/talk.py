"""Progress of a measurement, on one line of a terminal."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["talking"]


@contextmanager
def talking() -> Iterator[Callable[[str], None]]:
    """Give a function that shows a text in place of the one before.

    Where stderr is no terminal, nothing is shown.
    """
    shown = sys.stderr.isatty()

    def show(text: str) -> None:
        if shown:
            sys.stderr.write(f"\r\x1b[K{text}")
            sys.stderr.flush()

    try:
        yield show
    finally:
        show("")
