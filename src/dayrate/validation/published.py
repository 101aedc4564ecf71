"""The measurements that ship: a few hundred published rows, chosen by a fixed rule.

``python -m dayrate.validation.published TABLE.csv ...`` rewrites
``data/measurements/published.csv`` from larger tables. Of every (source, gpu, arch,
metric, scenario) of tier A it takes the two rows whose ids have the smallest SHA-256:
all systems and figures are there, and how well a row is predicted plays no part. Only
sources listed in ``data/measurements/sources.yaml`` with their licence are taken.
"""

import csv
import hashlib
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import dayrate
from dayrate.catalog.store import rows
from dayrate.validation.table import OPTIONAL, REQUIRED, Table, read_table

__all__ = ["COLUMNS", "FILE", "chosen", "published_table", "sources"]

FILE = Path(dayrate.__file__).parent / "data" / "measurements" / "published.csv"
_OURS = frozenset({"bound_value", "bound_kind", "achieved_frac", "qc_flags"})
COLUMNS = tuple(
    dict.fromkeys(
        (
            *("row_id", "source", "source_ref", "date", "model", "system", "gpu"),
            *(c for c in (*REQUIRED, *OPTIONAL) if c not in _OURS),
        )
    )
)
STRATUM = ("source", "gpu", "arch", "metric", "scenario")
PER_STRATUM = 2

Cells = Mapping[str, str]


def main(paths: Sequence[str]) -> None:
    """Choose from the tables and rewrite the shipped file."""
    found = [row for path in paths for row in _cells(path)]
    with FILE.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(
            file, COLUMNS, restval="", extrasaction="ignore", lineterminator="\n"
        )
        writer.writeheader()
        writer.writerows(chosen(found))


def published_table() -> Table:
    """Read the table that ships."""
    return read_table(FILE)


def sources() -> list[Mapping[str, Any]]:
    """List the sources of the shipped rows, with licence."""
    return [r for r in rows("measurements") if r["kind"] == "source"]


def chosen(found: Iterable[Cells]) -> list[Cells]:
    """Take two rows of each stratum, by the hash of their ids.

    >>> row = dict.fromkeys(STRATUM, "FasterTransformer") | {"tier": "A"}
    >>> [r["row_id"] for r in chosen(row | {"row_id": i} for i in "abc")]
    ['b', 'c']
    """
    names = tuple(s["name"] for s in sources())
    strata: dict[tuple[str, ...], list[Cells]] = defaultdict(list)
    for row in found:
        if row["tier"] == "A" and row["source"].startswith(names):
            strata[tuple(row[c] for c in STRATUM)].append(row)
    kept = (
        row for part in strata.values() for row in sorted(part, key=_hash)[:PER_STRATUM]
    )
    return sorted(kept, key=lambda r: tuple(r[c] for c in (*STRATUM, "row_id")))


def _hash(row: Cells) -> str:
    return hashlib.sha256(row["row_id"].encode()).hexdigest()


def _cells(path: str) -> list[Cells]:
    with open(path, encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


if __name__ == "__main__":
    main(sys.argv[1:])
