"""Figures are plain data, and a page draws one without another file."""

import json
import re
from importlib import util

import pytest

from dayrate.errors import MissingExtra
from dayrate.report.figures import figure_page, share_figure

BARS = {
    "left": {"work": {"a": 1.0, "b": 3.0}, "time": {"a": 2.0}},
    "right": {"work": {"b": 1.0, "c": 1.0}, "time": {"c": 5.0}},
}


def test_shares_are_of_each_bar() -> None:
    traces = {(t["xaxis"], t["name"]): t for t in share_figure(BARS, title="t")["data"]}
    assert traces["x", "a"]["x"] == [25.0, 100.0]
    assert traces["x", "b"]["x"] == [75.0, 0.0]
    assert traces["x2", "c"]["x"] == [50.0, 100.0]


def test_a_part_has_one_colour_and_one_entry_of_the_legend() -> None:
    data = share_figure(BARS, title="t")["data"]
    colours = {(t["name"], t["marker"]["color"]) for t in data}
    assert len(colours) == 3
    assert [t["name"] for t in data if t["showlegend"]] == ["a", "b", "c"]


def test_an_empty_bar_is_no_division_by_zero() -> None:
    assert share_figure({"p": {"b": {"a": 0.0}}}, title="")["data"][0]["x"] == [0.0]


def test_a_page_holds_script_and_data() -> None:
    pytest.importorskip("plotly")
    page = figure_page(share_figure(BARS, title="</script>"), title="t", lang="zh")
    assert '<html lang="zh">' in page
    assert "src=" not in page.split("<script>")[0]
    drawn = re.search(r"^const figure = (.*);$", page, flags=re.M)
    assert drawn
    assert json.loads(drawn[1])["layout"]["title"]["text"] == "</script>"
    assert "</script>" not in drawn[1]
    assert len(page) > 1_000_000


def test_without_plotly_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(util, "find_spec", lambda _name: None)
    with pytest.raises(MissingExtra, match=r"pip install 'dayrate\[figure\]'"):
        figure_page({}, title="t")
