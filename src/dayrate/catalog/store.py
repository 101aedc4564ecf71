"""The shipped data files, read once: the only place that knows where they lie."""

import functools
import gc
from collections.abc import Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any

import yaml

__all__ = ["parse_rows", "rows"]

Row = Mapping[str, Any]


@functools.cache
def rows(kind: str) -> tuple[Row, ...]:
    """All rows of ``data/<kind>/*.yaml``, in the order of the file names.

    A file holds a list of rows, or a single row.
    """
    folder = resources.files("dayrate") / "data" / kind
    files = sorted(f.name for f in folder.iterdir() if f.name.endswith(".yaml"))
    return tuple(row for name in files for row in _parse(folder / name))


def parse_rows(text: str) -> Any:
    """Read YAML, with the fast reader where it was built."""
    collecting = gc.isenabled()
    gc.disable()  # a file makes many objects and no garbage: a quarter of the time
    try:
        return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    finally:
        if collecting:
            gc.enable()


def _parse(file: Traversable) -> list[Row]:
    data = parse_rows(file.read_text(encoding="utf-8")) or []
    return data if isinstance(data, list) else [data]
