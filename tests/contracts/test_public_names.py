"""The public names are there, are loaded lazily, and nothing else is promised."""

import subprocess
import sys

import pytest

import dayrate


@pytest.mark.parametrize("name", dayrate.__all__)
def test_every_public_name_exists(name: str) -> None:
    assert getattr(dayrate, name) is not None


def test_other_names_do_not() -> None:
    with pytest.raises(AttributeError, match="no attribute 'quotes'"):
        _ = dayrate.quotes


def test_importing_the_package_loads_nothing_heavy() -> None:
    heavy = {"numpy", "scipy", "pydantic", "pint", "pandas", "rich", "yaml"}
    code = "import sys, dayrate; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert not heavy & set(done.stdout.split())


def test_a_quote_loads_neither_scipy_nor_pint() -> None:
    code = (
        "import sys, dayrate; dayrate.quote(model='gpt2', isl=100, osl=100, "
        "requests_per_day=1000, accelerator='l4'); print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert not {"scipy", "pint", "pandas"} & set(done.stdout.split())
