"""The shipped rows, one by one and all of a kind."""

import pytest

from dayrate.catalog import store


@pytest.mark.parametrize("kind", ["models", "engines", "accelerators"])
def test_a_row_is_that_of_the_whole_list(kind: str) -> None:
    listed = store.rows(kind)
    assert listed
    for row in listed:
        assert store.row(kind, row["id"]) == row


def test_what_is_no_id_has_no_row() -> None:
    assert store.row("models", "gpt") is None
    assert store.row("models", "GPT2") is None
