"""The still picture: well-formed, and its bars are as long as the shares."""

from xml.etree import ElementTree

import pytest

from dayrate.report.figures import share_figure
from dayrate.report.svg import figure_svg

SVG = "{http://www.w3.org/2000/svg}"
BARS = {
    "left": {"work": {"a<b": 1.0, "b": 3.0}, "time": {"a<b": 2.0}},
    "right": {"work": {"b": 1.0, "c": 1.0}, "time": {"c": 5.0}},
}


def picture(bars: dict[str, dict[str, dict[str, float]]]) -> ElementTree.Element:
    return ElementTree.fromstring(figure_svg(share_figure(bars, title="A & B")))


def test_names_are_written_as_they_are() -> None:
    texts = [t.text for t in picture(BARS).iter(f"{SVG}text")]
    assert {"A & B", "left", "right", "work", "time", "a<b", "c"} <= {*texts}


def test_a_bar_is_as_long_as_its_share() -> None:
    """The first panel's upper bar: one part of four, then three."""
    _page, *rects = picture(BARS).iter(f"{SVG}rect")
    one, three = [r.attrib for r in rects if r.attrib["y"] == rects[0].attrib["y"]][:2]
    short = float(one["width"])
    assert float(three["width"]) == pytest.approx(3 * short, rel=0.001)
    assert float(three["x"]) == pytest.approx(float(one["x"]) + short, abs=0.02)


def test_nothing_leaves_the_picture() -> None:
    many = {f"part number {i}": 1.0 for i in range(20)}
    root = picture({"p": {"work": many}, "q": {"work": many}})
    _x, _y, width, height = map(float, root.attrib["viewBox"].split())
    for rect in root.iter(f"{SVG}rect"):
        x, y = float(rect.attrib.get("x", 0)), float(rect.attrib.get("y", 0))
        assert x + float(rect.attrib["width"]) <= width
        assert y + float(rect.attrib["height"]) <= height
