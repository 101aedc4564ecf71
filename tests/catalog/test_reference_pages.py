"""Tables of the reference pages are generated, and are what the data say today."""

from pathlib import Path

import pytest
from cogapp import Cog  # type: ignore[import-untyped]

DOCS = Path(__file__).parents[2] / "docs" / "reference"


@pytest.mark.parametrize("page", ["accelerators.md", "prices-and-sites.md"])
def test_tables_are_current(page: str) -> None:
    """On failure: ``cog -r docs/reference/*.md``."""
    assert Cog().main(["cog", "--check", str(DOCS / page)]) == 0
