"""How a load test goes, on stderr: a bar on a terminal, nothing elsewhere."""

import sys
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from dayrate.measure.endpoint.record import Record, State
from dayrate.report.i18n import Words, mark

__all__ = ["Bar"]

_PHASES = (
    mark("asking the server"),
    mark("making prompts"),
    mark("warming up"),
    mark("load"),
)


class Bar:
    """A progress bar that counts failures, gone when the test is over."""

    def __init__(self, words: Words) -> None:
        self._words, self._failed = words, 0
        self._task: TaskID | None = None
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[failed]}", style="red"),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
            refresh_per_second=4,  # drawing must not delay what is timed
            disable=not sys.stderr.isatty(),
        )

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def phase(self, name: str, total: int | None = None) -> None:
        """Begin a bar of so many steps in the place of the one before."""
        if self._task is not None:
            self._progress.remove_task(self._task)
        text = self._words(name)
        self._task = self._progress.add_task(text, total=total, failed="")

    def step(self, record: Record | None = None) -> None:
        """Move by one; a request that failed is counted."""
        assert self._task is not None
        if record is not None and record.state is State.FAILED:
            self._failed += 1
            _ = self._words
            said = _("{n} failed").format(n=self._failed)
            self._progress.update(self._task, failed=said)
        self._progress.advance(self._task)
