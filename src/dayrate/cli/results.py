"""A file that fills with the rows of a sweep and survives its interruption."""

import csv
import io
import json
import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from dayrate.cli.output import write_file
from dayrate.errors import InvalidInput

__all__ = ["CsvResults", "JsonResults", "Results", "open_results"]

Row = Mapping[str, Any]
_NAME = "results.jsonl"  # in a folder
_APART_S = 1.0  # between two writings of a CSV


def open_results(path: str, *, resume: bool) -> "Results":
    """Open FILE.jsonl, FILE.csv, or a folder; rows there are read, if wanted.

    Raises
    ------
    InvalidInput
        There are rows and nobody said to go on from them, or they are no rows.
    """
    target = Path(path)
    kind = {".csv": CsvResults, ".jsonl": JsonResults}.get(target.suffix)
    if kind is None:
        if target.is_file():
            raise InvalidInput(
                f"{path} is a file of no known kind. Name it FILE.jsonl or FILE.csv, "
                "or give a folder."
            )
        kind, target = JsonResults, target / _NAME
        _make(target.parent)
    if target.exists() and not resume:
        raise InvalidInput(
            f"{target} exists. Add --resume to keep its rows and compute what is "
            "missing, or give another name."
        )
    results = kind(target)
    results.start()
    return results


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise InvalidInput(
            f"Cannot make the folder {folder}: {e.strerror or e}. Give another."
        ) from e


class Results:
    """Rows by key; what was added is on disk, whole rows only."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: dict[str, Row] = {}

    def start(self) -> None:
        """Read what is there, without a row that was cut short, and write it anew."""
        try:
            text = self.path.read_text(encoding="utf-8") if self.path.exists() else ""
            self.rows = {row["key"]: row for row in self._parse(text)}
        except (OSError, ValueError, KeyError, TypeError) as e:
            raise InvalidInput(
                f"{self.path} does not hold the rows of a sweep ({e}). Give the file "
                "that --results wrote, or another name."
            ) from e
        self.save(self.rows.values())

    def add(self, row: Row) -> None:
        """Keep one more row."""
        self.rows[row["key"]] = row

    def finish(self, rows: Iterable[Row]) -> None:
        """Write the rows of this sweep in its order, behind those of others."""
        mine = {row["key"]: row for row in rows}
        others = [row for key, row in self.rows.items() if key not in mine]
        self.save([*others, *mine.values()])

    def save(self, rows: Iterable[Row]) -> None:
        """Replace the file as a whole."""
        write_file(str(self.path), self._text(rows))

    def _parse(self, text: str) -> Iterable[Row]:
        raise NotImplementedError

    def _text(self, rows: Iterable[Row]) -> str:
        raise NotImplementedError


class JsonResults(Results):
    """One JSON object a line; a row is appended as soon as it is known."""

    def add(self, row: Row) -> None:
        """Append one line, in one writing."""
        super().add(row)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(_line(row))
            file.flush()
            os.fsync(file.fileno())

    def _parse(self, text: str) -> Iterable[Row]:
        *whole, rest = text.split("\n")
        rows = [json.loads(line) for line in whole if line.strip()]
        try:
            return [*rows, json.loads(rest)]
        except ValueError:
            return rows  # the last line was cut short, or there is none

    def _text(self, rows: Iterable[Row]) -> str:
        return "".join(_line(row) for row in rows)


class CsvResults(Results):
    """A table, replaced as a whole about once a second."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._saved_at = 0.0

    def add(self, row: Row) -> None:
        """Keep a row; it may reach the disk a second later, or at the end."""
        super().add(row)
        if time.monotonic() - self._saved_at >= _APART_S:
            self.save(self.rows.values())
            self._saved_at = time.monotonic()

    def _parse(self, text: str) -> Iterable[Row]:
        table = csv.DictReader(io.StringIO(text, newline=""))
        if text and "key" not in (table.fieldnames or ()):
            raise ValueError("it has no column key")
        return [_nested(row) for row in table]

    def _text(self, rows: Iterable[Row]) -> str:
        flat = [_flat(row) for row in rows]
        columns = list(dict.fromkeys(name for row in flat for name in row))
        # what a point says of itself first, whichever row brought a column along
        columns.sort(key=lambda name: name.startswith("result."))
        buffer = io.StringIO(newline="")
        table = csv.DictWriter(buffer, columns, lineterminator="\n")
        table.writeheader()
        table.writerows(flat)
        return buffer.getvalue() if flat else ""


def _line(row: Row) -> str:
    return json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n"


def _flat(row: Row) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, Mapping):
            flat |= {f"{name}.{k}": v for k, v in value.items()}
        else:
            flat[name] = value
    return flat


def _nested(flat: Mapping[str, str]) -> Row:
    row: dict[str, Any] = {}
    for name, text in flat.items():
        part, dot, rest = name.partition(".")
        if not dot:
            row[name] = text if name != "seed" else _value(text)
        elif part == "point":
            row.setdefault(part, {})[rest] = text
        elif flat["status"] == "ok":
            row.setdefault(part, {})[rest] = _value(text)
    return {**row, "result": row.get("result", {})}


def _value(text: str) -> Any:
    """Read back a number; repr and float undo each other."""
    if text == "":
        return None
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return {"True": True, "False": False}.get(text, text)
