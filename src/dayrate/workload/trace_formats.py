"""The accepted trace formats: text in, columns of numbers out.

Formats are told apart by their header:

* ``csv``: ``input_tokens,output_tokens`` with any of ``arrival_s, model, session_id,
  priority, cancel_s, hash_ids`` (block ids, or ``id:tokens``, separated by spaces)
* ``windows``: ``t_s`` or ``minute`` with ``requests,input_tokens,output_tokens``, the
  totals of a window
* ``azure``: ``TIMESTAMP,ContextTokens,GeneratedTokens``
* ``burstgpt``: ``Timestamp,Model,Request tokens,Response tokens,...``
* ``mooncake``: one JSON object per line, with ``timestamp`` in ms, ``input_length``,
  ``output_length`` and, mostly, ``hash_ids``

Rows go through in chunks, so that a trace of many million rows needs memory for its
numbers only.
"""

import csv
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

import numpy as np
import numpy.typing as npt

from dayrate.errors import UnreadableTrace

__all__ = ["ACCEPTED", "Raw", "read_rows"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Texts = npt.NDArray[np.str_]
Columns = Mapping[str, Sequence[str]]
#: Blocks per row, their ids in one line, and their tokens if the trace says so.
Hashes = tuple[Ints, Ints, Ints | None]

ACCEPTED = (
    "Accepted are the columns arrival_s,input_tokens,output_tokens[,model,session_id,"
    "priority,cancel_s,hash_ids]; input_tokens,output_tokens; t_s or minute,requests,"
    "input_tokens,output_tokens; Azure's TIMESTAMP,ContextTokens,GeneratedTokens; "
    "BurstGPT's Timestamp,Model,Request tokens,Response tokens; and Mooncake's JSON "
    "lines with timestamp, input_length, output_length."
)
_CHUNK_ROWS = 100_000
_MINUTE_S = 60.0
_ISO = re.compile(
    r"\s*(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d(?:\.\d+)?)\s*(?:Z|([+-]\d\d):?(\d\d))?\s*"
)


@dataclass(frozen=True, slots=True)
class Raw:
    """Columns as read: what is not a number is NaN, nothing is dropped yet."""

    input_tokens: Floats
    output_tokens: Floats
    arrival_s: Floats | None = None
    requests: Floats | None = None  # of a window
    sessions: Texts | None = None
    models: Texts | None = None
    hashes: Hashes | None = None
    priority: Floats | None = None  # lower goes first
    cancel_s: Floats | None = None  # infinite where nobody cancels


def read_rows(lines: Iterable[str], name: str) -> tuple[str, Raw]:
    """Read all rows; the first result is the name of the format."""
    lines = (line for line in lines if line.strip())
    first = next(lines, None)
    if first is None:
        raise UnreadableTrace(f"{name} is empty. {ACCEPTED}")
    if first.lstrip().startswith("{"):
        return "mooncake", _join(_mooncake_chunks(chain([first], lines), name))
    header = [c.strip().lower() for c in next(csv.reader([first]))]
    form, parse = _csv_format(set(header), name, first.strip())
    chunks = [parse(c, name) for c in _chunks(csv.reader(lines), header)]
    if not chunks:
        raise UnreadableTrace(f"{name} has a header and no rows; give one at least.")
    return form, _join(chunks)


Parser = Callable[[Columns, str], Raw]


def _csv_format(columns: set[str], name: str, header: str) -> tuple[str, Parser]:
    if {"timestamp", "contexttokens", "generatedtokens"} <= columns:
        return "azure", _azure
    if {"timestamp", "request tokens", "response tokens"} <= columns:
        return "burstgpt", _burstgpt
    if {"input_tokens", "output_tokens"} <= columns:
        if "requests" in columns and columns & {"t_s", "minute"}:
            return "windows", _windows
        if not columns & {"t_s", "minute", "timestamp", "requests"}:
            return "csv", _plain
    raise UnreadableTrace(
        f"{name} starts with {header[:120]!r}, the header of no known trace. {ACCEPTED}"
    )


def _chunks(rows: Iterator[list[str]], header: list[str]) -> Iterator[Columns]:
    """Columns of the next rows; a row that is too short is padded with nothing."""
    width = len(header)
    padding = [""] * width
    while block := list(islice(rows, _CHUNK_ROWS)):
        whole = [r if len(r) == width else (r + padding)[:width] for r in block]
        yield dict(zip(header, zip(*whole, strict=True), strict=True))


def _plain(columns: Columns, name: str) -> Raw:
    arrivals, hashes = columns.get("arrival_s"), columns.get("hash_ids")
    return Raw(
        input_tokens=_numbers(columns["input_tokens"]),
        output_tokens=_numbers(columns["output_tokens"]),
        arrival_s=None if arrivals is None else _numbers(arrivals),
        sessions=_texts(columns, "session_id"),
        models=_texts(columns, "model"),
        hashes=None if hashes is None else _hashes(hashes, name),
        priority=_numbers(columns["priority"]) if "priority" in columns else None,
        cancel_s=_or_never(columns["cancel_s"]) if "cancel_s" in columns else None,
    )


def _or_never(cells: Sequence[str]) -> Floats:
    """Read times, and infinity where a cell is empty."""
    return _numbers([cell.strip() or "inf" for cell in cells])


def _windows(columns: Columns, _name: str) -> Raw:
    in_minutes = "t_s" not in columns
    time = _numbers(columns["minute" if in_minutes else "t_s"])
    return Raw(
        input_tokens=_numbers(columns["input_tokens"]),
        output_tokens=_numbers(columns["output_tokens"]),
        arrival_s=time * _MINUTE_S if in_minutes else time,
        requests=_numbers(columns["requests"]),
        models=_texts(columns, "model"),
    )


def _azure(columns: Columns, _name: str) -> Raw:
    return Raw(
        input_tokens=_numbers(columns["contexttokens"]),
        output_tokens=_numbers(columns["generatedtokens"]),
        arrival_s=_iso_s(columns["timestamp"]),
    )


def _burstgpt(columns: Columns, _name: str) -> Raw:
    return Raw(
        input_tokens=_numbers(columns["request tokens"]),
        output_tokens=_numbers(columns["response tokens"]),
        arrival_s=_numbers(columns["timestamp"]),
        sessions=_texts(columns, "session id"),
        models=_texts(columns, "model"),
    )


def _mooncake_chunks(lines: Iterator[str], name: str) -> list[Raw]:
    chunks, number = [], 1
    while block := list(islice(lines, _CHUNK_ROWS)):
        rows = [_json_row(line, number + i, name) for i, line in enumerate(block)]
        chunks.append(_mooncake(rows, name))
        number += len(block)
    return chunks


def _json_row(line: str, number: int, name: str) -> Mapping[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as e:
        raise UnreadableTrace(f"{name}, request {number}, is not JSON: {e}.") from e
    missing = {"timestamp", "input_length", "output_length"} - set(row)
    if missing:
        raise UnreadableTrace(
            f"{name}, request {number}, lacks {', '.join(sorted(missing))}. {ACCEPTED}"
        )
    return dict(row)


def _mooncake(rows: Sequence[Mapping[str, Any]], name: str) -> Raw:
    hashes = None
    if any("hash_ids" in row for row in rows):
        lists = [row.get("hash_ids") or [] for row in rows]
        hashes = _hashes([" ".join(map(str, ids)) for ids in lists], name)
    return Raw(
        input_tokens=_numbers([row["input_length"] for row in rows]),
        output_tokens=_numbers([row["output_length"] for row in rows]),
        arrival_s=_numbers([row["timestamp"] for row in rows]) / 1000,
        hashes=hashes,
    )


def _texts(columns: Columns, key: str) -> Texts | None:
    return np.array(columns[key], dtype=np.str_) if key in columns else None


def _numbers(cells: Sequence[Any]) -> Floats:
    try:
        return np.array(cells, dtype=np.float64)
    except (ValueError, TypeError):
        return np.array([_number(c) for c in cells])


def _number(cell: Any) -> float:
    try:
        return float(cell)
    except (ValueError, TypeError):
        return math.nan


def _hashes(cells: Sequence[str], name: str) -> Hashes:
    lists = [cell.split() for cell in cells]
    counts = np.array([len(ids) for ids in lists], dtype=np.int64)
    flat = list(chain.from_iterable(lists))
    with_tokens = bool(flat) and ":" in flat[0]
    try:
        if with_tokens:
            pairs = np.array(" ".join(flat).replace(":", " ").split(), dtype=np.int64)
            ids, tokens = pairs.reshape(len(flat), 2).T
            return counts, ids, tokens
        return counts, np.array(flat, dtype=np.int64), None
    except (ValueError, OverflowError) as e:
        raise UnreadableTrace(
            f"{name} has hash_ids that are not all whole numbers, or id:tokens pairs: "
            f"{e}. Number the distinct blocks from 0."
        ) from e


def _iso_s(cells: Sequence[str]) -> Floats:
    """Seconds since 1970 UTC; a stamp without a zone is taken as UTC."""
    parts = [_ISO.fullmatch(cell) for cell in cells]
    stamps = [f"{m[1]}T{m[2]}" if m else "NaT" for m in parts]
    try:
        time = np.array(stamps, dtype="datetime64[ns]")
    except ValueError:
        time = np.array([_stamp(s) for s in stamps], dtype="datetime64[ns]")
    seconds = time.astype(np.int64) / 1e9
    east = [
        (abs(int(m[3])) * 60 + int(m[4])) * (-1 if m[3][0] == "-" else 1)
        if m and m[3]
        else 0
        for m in parts
    ]
    return np.where(np.isnat(time), math.nan, seconds - np.array(east) * _MINUTE_S)


def _stamp(stamp: str) -> np.datetime64:
    try:
        return np.datetime64(stamp, "ns")
    except ValueError:
        return np.datetime64("NaT", "ns")


def _join(chunks: Sequence[Raw]) -> Raw:
    def column(key: str) -> Any:
        parts = [getattr(c, key) for c in chunks]
        return None if parts[0] is None else np.concatenate(parts)

    return Raw(
        input_tokens=column("input_tokens"),
        output_tokens=column("output_tokens"),
        arrival_s=column("arrival_s"),
        requests=column("requests"),
        sessions=column("sessions"),
        models=column("models"),
        hashes=_join_hashes([c.hashes for c in chunks if c.hashes is not None]),
        priority=column("priority"),
        cancel_s=column("cancel_s"),
    )


def _join_hashes(parts: Sequence[Hashes]) -> Hashes | None:
    if not parts:
        return None
    tokens = [t for _, _, t in parts if t is not None]
    return (
        np.concatenate([counts for counts, _, _ in parts]),
        np.concatenate([ids for _, ids, _ in parts]),
        np.concatenate(tokens) if len(tokens) == len(parts) else None,
    )
