import json
from typing import Any

import pytest
from rich.cells import cell_len

from dayrate.errors import InvalidInput, UnknownName
from dayrate.report.canvas import Page
from dayrate.report.catalog import found, render_list, render_row
from dayrate.report.i18n import words
from dayrate.report.json_ import to_json

KINDS = ("accelerators", "servers", "links", "prices", "sites", "workloads")


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_row_is_listed_and_shown_within_the_page(kind: str, lang: str) -> None:
    page = Page(words(lang))
    rows = found(kind, None)
    listed = render_list(kind, rows, page)
    texts = [listed, *(render_row(row, page) for row in rows)]
    assert rows
    assert listed.count("\n") >= len(rows)
    assert max(cell_len(line) for t in texts for line in t.splitlines()) <= 80


@pytest.mark.parametrize("kind", KINDS)
def test_rows_are_json(kind: str) -> None:
    rows = found(kind, None)
    assert json.loads(to_json(rows)) == rows


def test_an_alias_finds_its_row() -> None:
    (row,) = found("accelerators", "H100")
    assert row["id"] == "h100-sxm-80gb"


def test_a_row_shows_where_it_was_read() -> None:
    text = render_row(found("accelerators", "h100-sxm-80gb")[0], Page())
    assert "NVIDIA H100 SXM5 80 GB" in text
    assert "last checked" in text
    assert "https://" in text


def test_part_of_a_name_finds_several() -> None:
    rows = found("accelerators", "h100")
    assert len(found("prices", "p5.48xlarge")) > 1
    assert all("h100" in str(row).lower() for row in rows)


def test_an_unknown_name_gets_a_suggestion() -> None:
    with pytest.raises(UnknownName, match="Did you mean h100-sxm-80gb"):
        found("accelerators", "h100-smx-80gb")


def test_an_unknown_kind_lists_the_kinds() -> None:
    with pytest.raises(InvalidInput, match="Did you mean prices"):
        found("price", None)


def test_a_range_is_shown_with_its_grade() -> None:
    row: dict[str, Any] = {
        "id": "x",
        "tdp_w": {"low": 1, "mid": 2, "high": 3, "grade": "cited", "date": "2025"},
        "year": 2022,
    }
    text = render_row(row, Page())
    assert "2 (1 to 3)  cited, 2025" in text
    assert "2022" in text
