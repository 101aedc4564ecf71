"""Every number in the public physics and economics API says its unit and source."""

import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

ROOMS = ("perf", "serving", "training", "energy", "cost")
NUMBERS = {"int", "float", "Num", "array_like", "FloatArray"}

Function = Callable[..., Any]


def public_functions() -> Iterator[Function]:
    for room in ROOMS:
        package = importlib.import_module(f"dayrate.{room}")
        for info in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            module = importlib.import_module(info.name)
            for name, f in inspect.getmembers(module, inspect.isfunction):
                if not name.startswith("_") and f.__module__ == info.name:
                    yield f


def complaints(f: Function) -> Iterator[str]:
    doc = inspect.getdoc(f) or ""
    for section in ("Parameters", "Returns", "Examples", "References"):
        if f"{section}\n{'-' * len(section)}" not in doc:
            yield f"no {section}"
    for names, type_ in re.findall(r"^(\w[\w, ]*) : ([\w.]+)", doc, flags=re.M):
        if type_ in NUMBERS:
            body = doc.split(f"{names} : {type_}")[1]
            if not re.search(r"\[[^\]]+\]", re.split(r"\n(?=\S)", body)[0]):
                yield f"{names} has no [unit]"
    if "Returns\n-------" in doc:
        returns = doc.split("Returns\n-------")[1].split("\n\n")[0]
        numeric = re.search(rf"^({'|'.join(NUMBERS)})\b", returns.strip())
        if numeric and not re.search(r"\[[^\]]+\]", returns):
            yield "the result has no [unit]"


@pytest.mark.parametrize(
    "f", list(public_functions()), ids=lambda f: f"{f.__module__}.{f.__name__}"
)
def test_states_units_and_reference(f: Function) -> None:
    assert not list(complaints(f))


def test_a_missing_unit_is_found() -> None:
    def bad(x: float) -> float:
        """Do it.

        Parameters
        ----------
        x : float
            A number.

        Returns
        -------
        float
            Another.
        """
        return x

    assert list(complaints(bad)) == [
        "no Examples",
        "no References",
        "x has no [unit]",
        "the result has no [unit]",
    ]
