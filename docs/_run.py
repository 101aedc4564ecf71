"""What the pages show: command lines that are run, files that are read.

Used from cog blocks (`python -m cogapp -I docs --check docs/*.md`), in the root of the
repository, so that paths on a page are paths of a clone.
"""

import contextlib
import io
import os
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from unittest import mock

from dayrate.cli.main import main

__all__ = ["output", "show", "show_file"]

_CUT = "…"
_RULE = " ──"


def show(
    command: str,
    *,
    sections: Sequence[str] = (),
    max_lines: int | None = None,
    status: int = 0,
) -> None:
    """Write a command line and what it prints as a fenced block.

    ``sections`` keeps those whose heading starts with one of the names; "" is the
    part above the first heading. What is left out is marked.
    """
    lines = output(command, status=status).rstrip("\n").split("\n")
    if sections:
        lines = list(_only(lines, sections))
    if max_lines is not None and len(lines) > max_lines:
        lines = [*lines[:max_lines], _CUT]
    typed = command.replace(" \\\n", " \\\n      ")
    _write(["```console", f"$ {typed}", *lines, "```"])


def show_file(path: str, language: str = "yaml") -> None:
    """Write the text of a file of this repository as a fenced block."""
    text = Path(path).read_text(encoding="utf-8").rstrip("\n")
    _write([f"```{language}", *text.split("\n"), "```"])


def output(command: str, *, status: int = 0) -> str:
    """Return what a ``dayrate`` command line prints: the result, or the error."""
    program, *arguments = shlex.split(command.replace("\\\n", " "))
    if program != "dayrate":
        raise ValueError(f"{command!r} is not a dayrate command")
    result, talk = io.StringIO(), io.StringIO()
    plain = {"NO_COLOR": "1", "COLUMNS": "80", "TERMINAL_WIDTH": "80"}
    kept = {k: v for k, v in os.environ.items() if not k.startswith("DAYRATE_")}
    with (
        mock.patch.dict(os.environ, {**kept, **plain}, clear=True),
        contextlib.redirect_stdout(result),
        contextlib.redirect_stderr(talk),
    ):
        code = main(arguments)
    if code != status:
        raise RuntimeError(f"{command!r} exits {code}: {talk.getvalue()}")
    return talk.getvalue() + result.getvalue()


def _only(lines: Sequence[str], sections: Sequence[str]) -> Iterator[str]:
    """Yield the sections asked for, with one mark for every gap."""
    titles = [line.split(_RULE)[0] if _RULE in line else None for line in lines]
    seen = {title for title in titles if title} | {""}
    for name in sections:
        if not any(_wanted(title, [name]) for title in seen):
            raise ValueError(f"no section starts with {name!r}: {sorted(seen)}")
    current, cut = "", False
    for line, title in zip(lines, titles, strict=True):
        current = current if title is None else title
        if _wanted(current, sections):
            if cut:
                yield from (_CUT, "")
            cut = False
            yield line
        else:
            cut = True
    if cut:
        yield _CUT


def _wanted(title: str, sections: Sequence[str]) -> bool:
    return any(title.startswith(s) if s else not title for s in sections)


def _write(lines: Sequence[str]) -> None:
    import cog  # type: ignore[import-not-found]  # noqa: PLC0415 - only in cog

    cog.outl("\n".join(lines))
