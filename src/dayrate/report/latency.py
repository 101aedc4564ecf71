"""Latencies as a table: mean and quantiles, simulated or measured."""

from collections.abc import Iterable
from typing import Protocol

from rich.table import Table
from rich.text import Text

from dayrate.report.i18n import Words
from dayrate.report.numbers import figure

__all__ = ["Spread", "latency_table"]


class Spread(Protocol):
    """Mean and quantiles of a latency; None where there is none. [s]"""

    @property
    def mean_s(self) -> float | None:
        """Mean. [s]"""

    @property
    def p50_s(self) -> float | None:
        """Median. [s]"""

    @property
    def p95_s(self) -> float | None:
        """What 95 % do not exceed. [s]"""

    @property
    def p99_s(self) -> float | None:
        """What 99 % do not exceed. [s]"""


def latency_table(rows: Iterable[tuple[str, Spread]], _: Words) -> Table:
    """Write latencies in milliseconds, one a row, by their names."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(ratio=1, overflow="fold")
    heads = (_("mean"), "p50", "p95", "p99")
    for _head in heads:
        table.add_column(justify="right", no_wrap=True)
    table.add_row(*(Text(t, style="dim") for t in ("  ms", *heads)))
    for name, spread in rows:
        values = (spread.mean_s, spread.p50_s, spread.p95_s, spread.p99_s)
        cells = ["-" if v is None else figure(v * 1e3) for v in values]
        table.add_row(Text(f"  {name}"), *cells)
    return table
