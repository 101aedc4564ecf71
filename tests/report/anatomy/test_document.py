"""The document holds all of it, and its parts sum to its totals."""

import json
from typing import Any

import pytest

from dayrate.anatomy.walk import anatomy_of
from dayrate.report.anatomy.document import to_document
from dayrate.report.json_ import to_json
from dayrate.scenario.flags import nested
from dayrate.scenario.schema import scenario_from

AMOUNTS = (
    "matmul_flop",
    "other_flop",
    "weight_bytes",
    "activation_bytes",
    "kv_bytes",
    "seconds",
    "joules",
    "usd",
)


def document(model: str, **flags: Any) -> dict[str, Any]:
    found = anatomy_of(scenario_from(nested({"model": model, **flags})))
    read: dict[str, Any] = json.loads(to_json(to_document(found)))
    return read


@pytest.mark.parametrize("model", ["gpt2", "google-t5/t5-small", "bert-base"])
def test_parts_and_operators_sum_to_the_total(model: str) -> None:
    found = document(model, accelerator="l4")
    for phase in found["phases"]:
        for rows in (phase["parts"], phase.get("operators", phase["parts"])):
            for amount in AMOUNTS:
                whole = sum(row[amount] or 0.0 for row in rows)
                assert whole == pytest.approx(phase["total"][amount], rel=1e-12)
    assert sum(p["params"] for p in found["parts"]) == found["model"]["params"]


def test_what_is_unknown_is_null() -> None:
    found = document("gpt2")
    total = found["phases"][0]["total"]
    assert (found["accelerator"], total["seconds"], total["usd"]) == (None, None, None)
    assert document("bert-base")["cache_bytes"] is None


def test_shapes_and_matrices_are_there() -> None:
    found = document("gpt2", isl=10, osl=2)
    shapes = {p["part"]: p["shape"] for p in found["parts"]}
    assert shapes["qkv"] == "768 × 2304 → [B, T, 2304]"
    assert shapes["exchange"] is None
    rows = {o["operator"]: o for o in found["phases"][0]["operators"]}
    assert rows["qkv"]["matrix"] == [768.0, 2304.0]
    assert (rows["qkv"]["calls"], rows["qkv"]["rows"]) == (12.0, 10.0)


def test_figures_say_where_they_come_from() -> None:
    lines = {e["name"]: e for e in document("gpt2", accelerator="l4")["evidence"]}
    assert lines["economics.usd_per_accelerator_hour"]["source"]
    assert lines["workload.isl"]["grade"] == "assumed"
