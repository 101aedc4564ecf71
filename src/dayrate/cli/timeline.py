"""The timeline of a simulation as a file: CSV, or Parquet by an extra."""

import importlib
import importlib.util
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dayrate.cli.output import write_file
from dayrate.errors import InvalidInput, MissingExtra

if TYPE_CHECKING:
    from dayrate.compose.simulation import SimulatedDay

__all__ = ["check_timeline", "write_timeline"]

_PARQUET = ".parquet"
#: What a row says of the moment it begins with; the rest is of the time until the next.
_MOMENT = ("running", "waiting", "kv_used_blocks", "kv_cached_blocks")


def check_timeline(path: str) -> None:
    """Refuse, before anything runs, a file that could not be written.

    Raises
    ------
    InvalidInput
        The name has another ending, or its folder is none.
    MissingExtra
        It is Parquet and pyarrow is not installed.
    """
    ending, folder = Path(path).suffix, Path(path).parent
    if ending not in {".csv", _PARQUET}:
        raise InvalidInput(
            f"--timeline is {path!r}; give a file that ends in .csv or .parquet."
        )
    if not folder.is_dir():
        raise InvalidInput(
            f"Cannot write {path}: {folder} is no folder. Make it first."
        )
    if ending == _PARQUET and importlib.util.find_spec("pyarrow") is None:
        raise MissingExtra(what="A timeline in Parquet", extra="parquet")


def write_timeline(path: str, day: "SimulatedDay") -> None:
    """Write a row for each sample: the state then, and amounts until the next."""
    columns = _columns(day)
    if Path(path).suffix == _PARQUET:
        write_file(path, _parquet(columns))
        return
    rows = zip(*columns.values(), strict=True)
    lines = [",".join(columns), *(",".join(map(repr, row)) for row in rows)]
    write_file(path, "\n".join(lines) + "\n")


def _columns(day: "SimulatedDay") -> dict[str, Sequence[float]]:
    from dayrate.compose.fleetday import sampled  # noqa: PLC0415 - slow

    moments, over_time = sampled(day.fleet)
    rows = list(over_time.rows())
    first = {"time_s": [row["start_s"] for row in rows]}
    state: dict[str, Sequence[float]] = dict(zip(_MOMENT, moments, strict=True))
    names = [name for name in rows[0] if name != "start_s"]
    amounts = {name: [row[name] for row in rows] for name in names}
    return {**first, **state, **amounts}


def _parquet(columns: dict[str, Sequence[float]]) -> bytes:
    arrow: Any = importlib.import_module("pyarrow")
    parquet: Any = importlib.import_module("pyarrow.parquet")
    buffer = io.BytesIO()
    parquet.write_table(arrow.table(columns), buffer)
    return buffer.getvalue()
