"""Figures, as Plotly describes them: plain data that pages and notebooks draw alike."""

import json
from collections.abc import Mapping, Sequence
from importlib import util
from pathlib import Path
from typing import Any

from dayrate.errors import MissingExtra

__all__ = ["Bars", "Figure", "figure_page", "share_figure"]

#: A Plotly figure: ``data`` and ``layout``.
Figure = dict[str, Any]
#: Panels by title; in each, bars by label; in each, amounts by part.
Bars = Mapping[str, Mapping[str, Mapping[str, float]]]

#: Okabe and Ito's colours, then their pale ones: told apart by colour-blind readers.
_COLOURS = (
    "#0072b2",
    "#e69f00",
    "#009e73",
    "#cc79a7",
    "#56b4e9",
    "#d55e00",
    "#f0e442",
    "#5b6770",
    "#7fb8d8",
    "#f2cf7f",
    "#7fceb9",
    "#e5bcd3",
    "#aad9f4",
    "#eaae7f",
    "#f7f1a0",
    "#b9bfc4",
)
_PAGE = """<!DOCTYPE html>
<html lang="{lang}">
<head>
<meta charset="utf-8">
<title>{title}</title>
<script>{plotly}</script>
</head>
<body style="margin:0">
<div id="figure" style="width:100vw;height:100vh"></div>
<script>
const figure = {figure};
const config = {{responsive: true, displaylogo: false}};
Plotly.newPlot("figure", figure.data, figure.layout, config);
</script>
</body>
</html>
"""


def share_figure(bars: Bars, *, title: str) -> Figure:
    """Show what share each part has of each bar, panels side by side.

    Examples
    --------
    >>> bars = {"now": {"work": {"a": 1.0, "b": 3.0}}}
    >>> [trace["x"] for trace in share_figure(bars, title="")["data"]]
    [[25.0], [75.0]]
    """
    panels = list(bars.values())
    parts = list(dict.fromkeys(p for bs in panels for b in bs.values() for p in b))
    data = [
        _trace(part, parts.index(part), i, panel, shown=part not in earlier)
        for i, panel in enumerate(panels)
        for earlier in [{p for q in panels[:i] for p in _parts(q)}]
        for part in _parts(panel)
    ]
    return {"data": data, "layout": _layout(list(bars), title)}


def _parts(panel: Mapping[str, Mapping[str, float]]) -> list[str]:
    return list(dict.fromkeys(part for amounts in panel.values() for part in amounts))


def _trace(
    part: str,
    colour: int,
    panel: int,
    bars: Mapping[str, Mapping[str, float]],
    *,
    shown: bool,
) -> dict[str, Any]:
    shares = [_percent(amounts, part) for amounts in bars.values()]
    return {
        "type": "bar",
        "orientation": "h",
        "name": part,
        "legendgroup": part,
        "showlegend": shown,
        "marker": {"color": _COLOURS[colour % len(_COLOURS)]},
        "x": shares,
        "y": list(bars),
        "text": [f"{part} {s:.0f} %" if s >= 5 else "" for s in shares],
        "textposition": "inside",
        "insidetextanchor": "middle",
        "textangle": 0,
        "hovertemplate": f"{part}: %{{x:.2f}} %<extra></extra>",
        "xaxis": "x" if panel == 0 else f"x{panel + 1}",
        "yaxis": "y",
    }


def _percent(amounts: Mapping[str, float], part: str) -> float:
    total = sum(amounts.values())
    return 100 * amounts.get(part, 0.0) / total if total else 0.0


def _layout(panels: Sequence[str], title: str) -> dict[str, Any]:
    gap = 0.04
    width = (1 + gap) / max(len(panels), 1) - gap
    layout: dict[str, Any] = {
        "title": {"text": title},
        "barmode": "stack",
        "template": "none",
        "font": {"size": 14},
        "legend": {"orientation": "h", "y": -0.12, "traceorder": "normal"},
        "margin": {"l": 110, "r": 30, "t": 110, "b": 90},
        "yaxis": {"autorange": "reversed", "ticklabelstandoff": 8},
        "uniformtext": {"minsize": 10, "mode": "hide"},
        "annotations": [],
    }
    for i, panel in enumerate(panels):
        left = i * (width + gap)
        layout["xaxis" if i == 0 else f"xaxis{i + 1}"] = {
            "domain": [left, left + width],
            "range": [0, 100],
            "ticksuffix": " %",
        }
        layout["annotations"].append(_label(panel, left + width / 2, 1.06))
    return layout


def _label(text: str, x: float, y: float) -> dict[str, Any]:
    where = {"xref": "paper", "yref": "paper", "x": x, "y": y}
    return {"text": text, "showarrow": False, "xanchor": "center", **where}


def figure_page(figure: Figure, *, title: str, lang: str = "en") -> str:
    """Write a page that draws the figure and needs no other file.

    Raises
    ------
    MissingExtra
        The plotly package, which ships the script, is not installed.
    """
    script = _plotly_script().read_text(encoding="utf-8")
    data = json.dumps(figure, ensure_ascii=False, allow_nan=False).replace(
        "<", "\\u003c"
    )
    return _PAGE.format(lang=lang, title=title, plotly=script, figure=data)


def _plotly_script() -> Path:
    """Find plotly.js inside the plotly package, without importing that."""
    found = util.find_spec("plotly")
    folders = found.submodule_search_locations if found else None
    for folder in folders or ():
        script = Path(folder) / "package_data" / "plotly.min.js"
        if script.is_file():
            return script
    raise MissingExtra(what="A figure", extra="figure")
