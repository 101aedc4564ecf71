"""What `dayrate catalog` shows."""

import pytest

from dayrate.catalog import catalog_rows
from dayrate.errors import InvalidInput


@pytest.mark.parametrize(
    "kind", ["accelerators", "servers", "links", "prices", "sites"]
)
def test_rows_have_an_id_and_a_source(kind: str) -> None:
    shown = catalog_rows(kind)
    assert shown
    assert all(row["id"] and row["source"] for row in shown)


def test_prices_show_the_newest_value_per_accelerator() -> None:
    [row] = [
        r
        for r in catalog_rows("prices")
        if r["id"] == "aws/us-east-1/p5.48xlarge/on-demand"
    ]
    assert row["usd_per_accelerator_hour"] == 6.88
    assert row["date"] == "2026-09-06"


def test_an_unknown_kind_is_an_error() -> None:
    with pytest.raises(InvalidInput, match="Did you mean accelerators"):
        catalog_rows("accelerator")
