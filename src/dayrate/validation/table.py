"""Published measurements from CSV: a configuration, a metric and a value per row.

Nothing is dropped: a row that cannot be predicted keeps a short, stable reason.
"""

import csv
import functools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from dayrate import catalog
from dayrate.errors import DayrateError, InvalidInput
from dayrate.validation.configuration import METRICS, Configuration
from dayrate.validation.deployments import check_formats
from dayrate.validation.pools import with_pools
from dayrate.validation.reading import Unreadable, read_configuration

__all__ = ["OPTIONAL", "REQUIRED", "Measurement", "Table", "parse_rows", "read_table"]

REQUIRED = (
    *("row_id", "source", "model", "gpu", "gpus", "tp", "weights_dtype", "kv_dtype"),
    *("engine", "engine_version", "scenario", "isl", "osl", "concurrency_or_batch"),
    *("request_rate", "metric", "value", "arch", "tier"),
)
OPTIONAL = (
    *("source_ref", "date", "system", "pp", "ep", "attention_dp", "moe_tp", "len_kind"),
    *("spec_decode", "notes", "bound_value", "bound_kind", "achieved_frac", "qc_flags"),
)


@dataclass(frozen=True, slots=True)
class Measurement:
    """One row; ``reason`` says why it has no configuration or no usable value."""

    keys: Mapping[str, str]  # the columns as written, to group by
    configuration: Configuration | None
    metric: str
    value: float
    reason: str

    @property
    def tier(self) -> str:
        """A: everything known; B: something missing; C: not for accuracy."""
        return self.keys["tier"]


@dataclass(frozen=True, slots=True)
class Table:
    """All rows of a file, and how many columns of it nobody knows."""

    rows: tuple[Measurement, ...]
    unknown_columns: tuple[str, ...]


def read_table(path: str | Path) -> Table:
    """Read a CSV with the columns of `REQUIRED`.

    Raises
    ------
    InvalidInput
        The file cannot be read, is empty, or lacks required columns.
    """
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            return parse_rows(csv.reader(file), name=str(path))
    except OSError as error:
        raise InvalidInput(
            f"{path} cannot be read: {error.strerror}. Give the path of a CSV file."
        ) from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise InvalidInput(
            f"{path} is not a CSV file in UTF-8 ({error}). Export it as CSV."
        ) from None


def parse_rows(lines: Iterable[list[str]], *, name: str) -> Table:
    """Parse a header and its rows.

    Raises
    ------
    InvalidInput
        There is no header, or required columns are missing.
    """
    rows = iter(lines)
    header = [h.strip() for h in next(rows, [])]
    missing = [c for c in REQUIRED if c not in header]
    if missing:
        raise InvalidInput(
            f"{name} lacks the columns {', '.join(missing)}. A table needs "
            f"{', '.join(REQUIRED)}."
        )
    known = {*REQUIRED, *OPTIONAL}
    unknown = tuple(c for c in header if c not in known)
    measurements = tuple(_measurement(header, cells) for cells in rows if any(cells))
    return Table(measurements, unknown)


def _measurement(header: list[str], cells: list[str]) -> Measurement:
    row = {c: "" for c in (*REQUIRED, *OPTIONAL)}
    row |= {c: cell.strip() for c, cell in zip(header, cells, strict=False)}
    ragged = len(cells) != len(header)
    value, reason = _value(row["value"])
    configuration = None
    try:
        if ragged:
            raise Unreadable("wrong number of cells")
        if row["metric"] not in METRICS:
            raise Unreadable("unknown metric")
        configuration = read_configuration(row, _accelerator_id(row["gpu"]))
        _known_model(configuration.model)
        configuration = with_pools(configuration)
        _computable(configuration)
    except Unreadable as error:
        configuration, reason = None, reason or str(error)
    return Measurement(row, configuration, row["metric"], value, reason)


def _value(text: str) -> tuple[float, str]:
    try:
        value = float(text)
    except ValueError:
        return math.nan, "value is not a number"
    if not (math.isfinite(value) and value > 0):
        return math.nan, "value is not positive"
    return value, ""


@functools.cache
def _accelerator_id(gpu: str) -> str:
    try:
        return catalog.accelerator(gpu).id
    except DayrateError:
        raise Unreadable("unknown gpu") from None


def _computable(configuration: Configuration) -> None:
    try:
        check_formats(configuration)
    except DayrateError:
        raise Unreadable("no rate of the device in this format") from None


@functools.cache
def _known_model(name: str) -> None:
    try:
        catalog.model(name)
    except DayrateError:
        raise Unreadable("unknown model") from None
