"""The file of a sweep: whole rows only, read back as they were."""

import json
from pathlib import Path
from typing import Any

import pytest

from dayrate.cli.results import open_results
from dayrate.errors import InvalidInput


def row(key: str, **result: Any) -> dict[str, Any]:
    return {
        "key": key,
        "status": "ok",
        "point": {"isl": "1e3", "note": "a, b"},
        "seed": 7,
        "command": "dayrate simulate --isl '1 2'",
        "reason": "",
        "result": result,
    }


FAILED: dict[str, Any] = {
    "status": "no plan",
    "reason": "Too big.",
    "seed": None,
    "result": {},
}
ROWS = [
    row("a", x=0.1 + 0.2, n=3, on=True, name="l4"),
    row("b", x=1e-300, n=-1, on=False, name=None),
    {**row("c"), **FAILED},
]


@pytest.mark.parametrize("name", ["r.jsonl", "r.csv", "folder"])
def test_rows_come_back(tmp_path: Path, name: str) -> None:
    path = str(tmp_path / name)
    first = open_results(path, resume=False)
    for r in ROWS:
        first.add(r)
    first.finish(ROWS)
    again = open_results(path, resume=True)
    assert list(again.rows) == ["a", "b", "c"]
    assert [again.rows[r["key"]] for r in ROWS] == ROWS


@pytest.mark.parametrize("name", ["r.jsonl", "r.csv"])
def test_the_end_is_in_order_behind_other_rows(tmp_path: Path, name: str) -> None:
    path = str(tmp_path / name)
    for order in ([0, 1, 2], [2, 0]):
        results = open_results(path, resume=True)
        for i in order:
            results.add(ROWS[i])
        results.finish([ROWS[i] for i in sorted(order)])
    assert list(open_results(path, resume=True).rows) == ["b", "a", "c"]


def test_each_row_is_on_disk_at_once(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    results = open_results(str(path), resume=False)
    for i, r in enumerate(ROWS, 1):
        results.add(r)
        assert len(path.read_text().splitlines()) == i


@pytest.mark.parametrize("cut", [1, 30, 100])
def test_a_row_cut_short_is_dropped(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "r.jsonl"
    whole = json.dumps(ROWS[0]) + "\n"
    path.write_text(whole + json.dumps(ROWS[1])[:-cut])
    results = open_results(str(path), resume=True)
    assert list(results.rows) == ["a"]
    results.add(ROWS[2])
    assert list(open_results(str(path), resume=True).rows) == ["a", "c"]


def test_an_empty_file_has_no_rows(tmp_path: Path) -> None:
    for name in ("r.jsonl", "r.csv"):
        (tmp_path / name).write_text("")
        assert open_results(str(tmp_path / name), resume=True).rows == {}


def test_nothing_is_overwritten_unasked(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text("precious\n")
    with pytest.raises(InvalidInput, match="--resume"):
        open_results(str(path), resume=False)
    with pytest.raises(InvalidInput, match="does not hold the rows"):
        open_results(str(path), resume=True)
    assert path.read_text() == "precious\n"


@pytest.mark.parametrize("text", ["{broken\n{}\n", "[1]\n", '{"no": "key"}\n'])
def test_what_is_no_sweep_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text(text)
    with pytest.raises(InvalidInput, match="does not hold the rows"):
        open_results(str(path), resume=True)
    assert path.read_text() == text


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(InvalidInput, match=r"FILE\.jsonl or FILE\.csv"):
        open_results(str(tmp_path / "notes.txt"), resume=False)


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidInput, match="Cannot make"):
        open_results(str(tmp_path / "file" / "folder"), resume=False)
