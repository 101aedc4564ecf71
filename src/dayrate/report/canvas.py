"""A page of plain text: headings, rows and tables of a fixed width, as a string."""

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from dayrate.report.i18n import Words, words

__all__ = ["Canvas", "Page"]


_ENGLISH = words("en")


@dataclass(frozen=True, slots=True)
class Page:
    """For whom a report is written: language, width in cells, with colour or not."""

    words: Words = _ENGLISH
    width: int = 80
    color: bool = False


class Canvas:
    """Collects what is written and gives it back as one string."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self._buffer = io.StringIO()
        self._console = Console(
            file=self._buffer,
            width=page.width,
            color_system="standard" if page.color else None,
            force_terminal=page.color,
            no_color=not page.color,
            legacy_windows=False,
            emoji=False,
            markup=False,
            highlight=False,
            _environ={},
        )

    def write(self, item: RenderableType = "") -> None:
        """Write one thing and a line break."""
        self._console.print(item)

    def heading(self, text: str) -> None:
        """Write the title of a section, with a rule to the right margin."""
        rule = "─" * max(0, self.page.width - cell_len(text) - 1)
        self.write()
        self.write(Text.assemble((text, "bold"), " ", (rule, "dim")))

    def paragraph(self, text: str, *, style: str = "", indent: int = 2) -> None:
        """Write text that wraps at the margin and keeps its indent."""
        self.write(Padding(Text(text, style=style), (0, 0, 0, indent)))

    def bullet(self, text: str) -> None:
        """Write one entry of a list."""
        grid = Table.grid(padding=(0, 1, 0, 0))
        grid.add_column()
        grid.add_column(overflow="fold")  # Chinese has few blanks to break at
        grid.add_row(Text("-"), Text(text))
        self.write(Padding(grid, (0, 0, 0, 2)))

    def rows(self, rows: Iterable[Sequence[str]]) -> None:
        """Write rows of a label, a value and, after it, remarks."""
        grid = Table.grid(padding=(0, 2, 0, 0))
        grid.add_column(width=min(34, self.page.width * 42 // 100))
        grid.add_column(overflow="fold")
        for name, value, *remarks in rows:
            cell = Text(value)
            for remark in filter(None, remarks):
                cell.append(f"  {remark}", style="dim")
            grid.add_row(Text(name), cell)
        self.write(Padding(grid, (0, 0, 0, 2)))

    def text(self) -> str:
        """Everything written so far, without blanks at the ends of lines."""
        lines = self._buffer.getvalue().split("\n")
        return "\n".join(line.rstrip() for line in lines).strip("\n") + "\n"
