"""The shipped data files, read once: the only place that knows where they lie."""

import functools
from collections.abc import Iterator, Mapping
from importlib import resources
from typing import Any

import yaml

__all__ = ["parse_rows", "row", "rows"]

Row = Mapping[str, Any]


@functools.cache
def rows(kind: str) -> tuple[Row, ...]:
    """All rows of ``data/<kind>/*.yaml``, in the order of the file names.

    A file holds a list of rows, or a single row.
    """
    return tuple(row for text in _texts(kind) for row in _listed(text))


@functools.cache
def row(kind: str, id: str) -> Row | None:
    """Row of an exact id, if there is one, without parsing the files of others."""
    texts = (text for text in _texts(kind) if f"id: {id}\n" in text)
    found = (row for text in texts for row in _listed(text))
    return next((row for row in found if row.get("id") == id), None)


def _texts(kind: str) -> Iterator[str]:
    folder = resources.files("dayrate") / "data" / kind
    for name in sorted(f.name for f in folder.iterdir() if f.name.endswith(".yaml")):
        yield (folder / name).read_text(encoding="utf-8")


def parse_rows(text: str) -> Any:
    """Read YAML, with the fast reader where it was built."""
    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


@functools.cache  # a row and all rows of a kind may both be asked for
def _listed(text: str) -> list[Row]:
    data = parse_rows(text) or []
    return data if isinstance(data, list) else [data]
