"""What is known of published benchmarks says where it was read, and of which device."""

import datetime as dt
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest

from dayrate import catalog
from dayrate.catalog.store import rows
from dayrate.units import DType

Row = Mapping[str, Any]
DEVICES = set(catalog.accelerator_ids())
ENGINES = {r["match"] for r in rows("engines")}
HARNESS = [pytest.param(r, id=r["id"]) for r in rows("harness")]
POOLS = rows("pools")
LAUNCHED = {
    *("id", "models", "weights", "accelerators", "engine", "since", "until"),
    *("max_num_batched_tokens", "batched_tokens_per_input_token", "kv_cache", "polls"),
    *("gpu_memory_utilization", "free_memory_frac"),
    *("confidence", "checked", "reference"),
}
DIVIDED = {
    *("engine", "model", "weights", "accelerator", "input_tokens", "output_tokens"),
    *("concurrency", "prefill", "decode", "rounds", "kv_cache", "speculative"),
    *("date", "source"),
}
COMMIT = re.compile(r"@[0-9a-f]{7,40}\b")
MONTH = re.compile(r"20\d\d-(0[1-9]|1[0-2])")


@pytest.mark.parametrize("row", HARNESS)
def test_a_launch_says_where_and_when_it_was_read(row: Row) -> None:
    assert isinstance(row["checked"], dt.date)
    assert row["confidence"] == "cited"
    assert row["reference"]
    for r in row["reference"]:
        assert COMMIT.search(r["title"])
        assert r["href"].startswith("https://github.com/")
    months = [row["since"], row.get("until", row["since"])]
    assert all(MONTH.fullmatch(m) for m in months)
    assert months == sorted(months)


@pytest.mark.parametrize("row", HARNESS)
def test_a_launch_is_of_known_devices_engines_and_formats(row: Row) -> None:
    assert set(row) <= LAUNCHED
    assert set(row["accelerators"]) <= DEVICES
    assert any(row["engine"].startswith(e) for e in ENGINES)
    assert DType(row["weights"])
    assert DType(row.get("kv_cache", "bf16"))
    assert row["models"]  # checkpoints by name, also such as the catalogue lacks


@pytest.mark.parametrize("row", HARNESS)
def test_settings_of_a_launch_are_within_bounds(row: Row) -> None:
    for key in ("gpu_memory_utilization", "free_memory_frac"):
        assert 0.5 <= row.get(key, 0.9) < 1
    assert row.get("max_num_batched_tokens", 8192) >= 1024
    polls = row.get("polls", [{"steps": 1}])
    assert all(p["steps"] >= 1 for p in polls)
    assert "below_concurrency" not in polls[-1], "many in flight would have none"


def test_launches_have_ids_of_their_own() -> None:
    [(_, most)] = Counter(r["id"] for r in rows("harness")).most_common(1)
    assert most == 1


@pytest.mark.parametrize("number", range(len(POOLS)))
def test_a_division_says_where_it_was_read_and_of_what(number: int) -> None:
    row = POOLS[number]
    assert set(row) <= DIVIDED
    assert COMMIT.search(row["source"])
    assert MONTH.fullmatch(row["date"])
    assert row["accelerator"] in DEVICES
    assert catalog.model(row["model"]).is_moe
    assert any(row["engine"].startswith(e) for e in ENGINES)
    assert DType(row["weights"])
    assert min(row["input_tokens"], row["output_tokens"], *row["concurrency"]) > 0
    for pool in (row["prefill"], row["decode"]):
        assert min(pool["workers"], pool["ranks"]) >= 1
