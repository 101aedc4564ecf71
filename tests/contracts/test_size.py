"""Budgets, so that no file becomes the one nobody wants to open."""

import ast
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

SRC = Path(__file__).parents[2] / "src" / "dayrate"
MODULE_LINES, BODY_LINES, PARAMETERS, MEDIAN_BODY = 500, 60, 8, 10
FILES = sorted(SRC.rglob("*.py"))
QUOTE_LINES = 250

Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(path: Path) -> Iterator[Function]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, Function):
            yield node


def body_lines(node: Function) -> int:
    doc = ast.get_docstring(node, clean=False)
    lines = (node.end_lineno or node.lineno) - node.body[0].lineno + 1
    return lines - (doc.count("\n") + 1 if doc else 0)


def is_command(node: Function) -> bool:
    """A command's parameters are its flags, so it may have many."""
    names = (ast.unparse(d) for d in node.decorator_list)
    named = node.name.endswith("_command")  # registered in cli/main.py
    return named or any(".command" in n or ".callback" in n for n in names)


def complaints(path: Path) -> Iterator[str]:
    text = path.read_text(encoding="utf-8")
    budget = QUOTE_LINES if path == SRC / "quoting.py" else MODULE_LINES
    if text.count("\n") > budget:
        yield f"{path.name}: over {budget} lines"
    if any(isinstance(n, ast.Global) for n in ast.walk(ast.parse(text))):
        yield f"{path.name}: global"
    for node in functions(path):
        if body_lines(node) > BODY_LINES:
            yield f"{path.name}:{node.lineno}: {node.name} has {body_lines(node)} lines"
        args = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        named = [a for a in args if a.arg not in {"self", "cls"}]
        if len(named) > PARAMETERS and not is_command(node):
            yield f"{path.name}:{node.lineno}: {node.name}: {len(named)} parameters"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SRC)))
def test_size(path: Path) -> None:
    assert not list(complaints(path))


def test_the_median_function_is_small() -> None:
    sizes = [body_lines(f) for path in FILES for f in functions(path)]
    assert statistics.median(sizes) < MEDIAN_BODY
