"""Imports may only point down the list: the architecture, as a test."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SRC = Path(__file__).parents[2] / "src" / "dayrate"
LAYERS = [
    {"units", "errors", "evidence"},
    {"catalog"},
    {"workload", "perf"},
    {"serving", "training", "energy", "cost"},
    {"scenario"},
    {"compose"},
    {"quoting"},
    {"plan", "uncertainty", "validation", "anatomy"},
    {"measure", "meter", "report"},
    {"cli", "web"},
]
RANK = {name: i for i, names in enumerate(LAYERS) for name in names}
FILES = sorted(SRC.rglob("*.py"))


def room_of(path: Path) -> str:
    return path.relative_to(SRC).parts[0].removesuffix(".py")


def imports_of(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level:
            yield f"relative import, level {node.level}"
        elif isinstance(node, ast.ImportFrom) and node.module == "dayrate":
            yield from (f"dayrate.{a.name}" for a in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def complaints(path: Path) -> Iterator[str]:
    me = room_of(path)
    for name in imports_of(path):
        if name.startswith("relative"):
            yield f"{path.name}: {name}"
        parts = name.split(".")
        if parts[0] != "dayrate" or len(parts) < 2 or parts[1] in {me, "__version__"}:
            continue
        if RANK[parts[1]] >= RANK[me]:
            yield f"{path.relative_to(SRC)} imports {name}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SRC)))
def test_imports_point_down(path: Path) -> None:
    if room_of(path) in {"__init__", "__main__"}:
        pytest.skip("the package root re-exports the faces")
    assert not list(complaints(path))


def test_every_room_has_a_rank() -> None:
    rooms = {room_of(p) for p in FILES} - {"__init__", "__main__"}
    assert rooms <= RANK.keys()


def test_a_wrong_import_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"{__name__}.SRC", tmp_path)
    bad = tmp_path / "perf" / "step.py"
    bad.parent.mkdir()
    bad.write_text("from dayrate.cost.breakdown import Cost\n")
    assert list(complaints(bad)) == ["perf/step.py imports dayrate.cost.breakdown"]
