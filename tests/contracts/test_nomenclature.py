"""The glossary names every field of an answer, so that a name cannot drift."""

import dataclasses
from pathlib import Path

import pytest

from dayrate.scenario.result import Bill, Deployment, Energy, Serving

GLOSSARY = (
    Path(__file__).parents[2] / "docs" / "reference" / "nomenclature.md"
).read_text(encoding="utf-8")
FIELDS = [
    f.name
    for part in (Deployment, Serving, Energy, Bill)
    for f in dataclasses.fields(part)
    if f.name != "cost"  # shown as terms and their total
]


@pytest.mark.parametrize("name", [*FIELDS, "terms_usd_per_day", "total_usd_per_day"])
def test_every_field_is_in_the_glossary(name: str) -> None:
    assert f"`{name}`" in GLOSSARY
