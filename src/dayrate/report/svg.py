"""A figure of stacked bars as a still picture, without a browser."""

from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

from dayrate.report.figures import Figure

__all__ = ["figure_svg"]

_WIDTH, _LEFT, _TOP, _BAR, _GAP, _BETWEEN = 1000, 110, 84, 44, 12, 34
_LETTER = 5.9  # mean width of a letter of 11 px; a Chinese one is twice as wide


def figure_svg(figure: Figure) -> str:
    """Draw what `dayrate.report.figures.share_figure` made.

    Examples
    --------
    >>> from dayrate.report.figures import share_figure
    >>> svg = figure_svg(share_figure({"now": {"work": {"a": 1.0}}}, title="Shares"))
    >>> svg.count("<rect"), "Shares" in svg
    (3, True)
    """
    data, layout = figure["data"], figure["layout"]
    bars = data[0]["y"] if data else []
    axes = [name for name in layout if name.startswith("xaxis")]
    bottom = _TOP + len(bars) * (_BAR + _GAP)
    drawn = [
        _text(layout["title"]["text"], _WIDTH / 2, 30, size=18, anchor="middle"),
        *(_text(b, _LEFT - 8, _middle(i), anchor="end") for i, b in enumerate(bars)),
    ]
    for axis, label in zip(axes, layout["annotations"], strict=True):
        left, width = _span(layout[axis]["domain"])
        drawn.append(_text(label["text"], left + width / 2, 66, anchor="middle"))
        traces = [t for t in data if t["xaxis"] == axis.replace("axis", "")]
        drawn += _panel(traces, left, width)
        drawn += _scale(left, width, bottom)
    legend, height = _legend([t for t in data if t["showlegend"]], bottom + 50)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
            'font-family="sans-serif">',
            f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
            *drawn,
            *legend,
            "</svg>",
            "",
        ]
    )


def _span(domain: Sequence[float]) -> tuple[float, float]:
    """Left edge and width of a panel, with room beside it for its scale."""
    whole = _WIDTH - _LEFT - 30
    left, right = (_LEFT + whole * edge for edge in domain)
    return left, right - left - (_BETWEEN if domain[1] < 1 else 0)


def _middle(bar: int) -> float:
    return _TOP + bar * (_BAR + _GAP) + _BAR / 2 + 4


def _panel(
    traces: Sequence[dict[str, Any]], left: float, width: float
) -> Iterator[str]:
    drawn = [0.0] * max((len(t["x"]) for t in traces), default=0)
    for trace in traces:
        for bar, share in enumerate(trace["x"]):
            x, size = left + width * drawn[bar] / 100, width * share / 100
            drawn[bar] += share
            if size < 0.05:
                continue
            y, colour = _TOP + bar * (_BAR + _GAP), trace["marker"]["color"]
            yield _rect(x, y, size, _BAR, colour)
            label = trace["text"][bar]
            if label and _wide(label) < size - 6:
                ink = "#ffffff" if _dark(colour) else "#222222"
                yield _text(label, x + size / 2, _middle(bar), anchor="middle", ink=ink)


def _scale(left: float, width: float, bottom: float) -> Iterator[str]:
    for tick in (0, 50, 100):
        yield _text(
            f"{tick} %", left + width * tick / 100, bottom + 12, anchor="middle"
        )


def _legend(traces: Sequence[dict[str, Any]], top: float) -> tuple[list[str], int]:
    x, y, drawn = float(_LEFT), top, []
    for trace in traces:
        width = 22 + _wide(trace["name"]) + 22
        if x + width > _WIDTH - 20:
            x, y = float(_LEFT), y + 24
        drawn.append(_rect(x, y - 10, 12, 12, trace["marker"]["color"]))
        drawn.append(_text(trace["name"], x + 18, y))
        x += width
    return drawn, int(y + 24)


def _wide(text: str) -> float:
    return sum(_LETTER * (2 if ord(c) > 0x2E80 else 1) for c in text)


def _dark(colour: str) -> bool:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return 0.3 * red + 0.59 * green + 0.11 * blue < 140


def _rect(x: float, y: float, width: float, height: float, colour: str) -> str:
    place = f'x="{x:.2f}" y="{y:.2f}" width="{width:.2f}" height="{height:.2f}"'
    return f'<rect {place} fill="{colour}"/>'


def _text(
    text: str,
    x: float,
    y: float,
    *,
    size: int = 11,
    anchor: str = "start",
    ink: str = "#222222",
) -> str:
    place = f'x="{x:.2f}" y="{y:.2f}" font-size="{size}" text-anchor="{anchor}"'
    return f'<text {place} fill="{ink}">{escape(text)}</text>'
