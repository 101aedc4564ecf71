"""Engines that a deployment may name: measured, with limits, found by any spelling."""

import pytest

from dayrate.catalog.store import rows
from dayrate.errors import InvalidInput
from dayrate.perf.engines import DEFAULT_ENGINE, engine_names, served_by
from dayrate.perf.tuning import engine_row, fitted_scopes

ERAS = {row["id"]: row for row in rows("engines")}


def test_the_usual_engine_may_be_named() -> None:
    assert DEFAULT_ENGINE in engine_names()


@pytest.mark.parametrize("name", engine_names())
def test_each_was_measured_as_its_newest_era(name: str) -> None:
    found = served_by(name)
    assert f"engine:{found.era}" in fitted_scopes()
    assert found.era == engine_row(name, "999.9")["id"]
    row = ERAS[found.era]
    assert found.max_num_seqs == row["max_num_seqs"]
    assert found.chunked_prefill == row["chunked_prefill"]
    assert served_by(f" {found.name} ") == found


def test_another_is_refused_with_what_is_allowed() -> None:
    with pytest.raises(InvalidInput, match=r"'vlm'; give one of .*Did you mean vllm"):
        served_by("vlm")
    with pytest.raises(InvalidInput, match="give one of vllm"):
        served_by("abacus")
