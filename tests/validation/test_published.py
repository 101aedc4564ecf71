"""The measurements that ship: sourced, chosen by the rule, and none unpredicted."""

import csv
from collections import Counter
from pathlib import Path

import pytest

from dayrate.validation.published import (
    COLUMNS,
    FILE,
    PER_STRATUM,
    STRATUM,
    chosen,
    published_table,
    sources,
)


def shipped() -> list[dict[str, str]]:
    with FILE.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_row_has_its_source_and_a_licence() -> None:
    names = tuple(s["name"] for s in sources())
    assert all(r["source_ref"] and r["source"].startswith(names) for r in shipped())
    assert all(s["licence"] and s["reference"][0]["href"] for s in sources())
    used = {s["name"] for s in sources() for r in shipped() if _from(s["name"], r)}
    assert used == set(names)


def _from(name: str, row: dict[str, str]) -> bool:
    return row["source"].startswith(name)


def test_a_few_hundred_rows_spread_over_systems() -> None:
    rows = shipped()
    assert 300 <= len(rows) <= 600
    assert len({r["row_id"] for r in rows}) == len(rows)
    strata = Counter(tuple(r[c] for c in STRATUM) for r in rows)
    assert max(strata.values()) <= PER_STRATUM
    assert set(rows[0]) == set(COLUMNS)


def test_every_row_can_be_predicted() -> None:
    assert not {r.reason for r in published_table().rows if r.reason}


def test_the_choice_does_not_look_at_values() -> None:
    rows = shipped()
    other = [r | {"value": "1", "notes": ""} for r in reversed(rows)]
    assert [r["row_id"] for r in chosen(other)] == [r["row_id"] for r in chosen(rows)]


def test_the_file_is_what_the_rule_chooses(shared_data: Path) -> None:
    names = ("inference.csv", "serving_closed_loop.csv")
    found: list[dict[str, str]] = []
    for name in names:
        with (shared_data / "measurements" / name).open(newline="") as file:
            found += csv.DictReader(file)
    expected = [{c: r.get(c, "") for c in COLUMNS} for r in chosen(found)]
    assert shipped() == expected


@pytest.mark.parametrize("row", [{"tier": "B"}, {"source": "a blog without licence"}])
def test_what_is_not_taken(row: dict[str, str]) -> None:
    assert list(chosen([shipped()[0] | row])) == []
