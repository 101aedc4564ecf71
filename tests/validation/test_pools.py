"""Which rows list a total of accelerators, and how they are divided."""

import dataclasses

import pytest

from dayrate import catalog
from dayrate.catalog.store import rows
from dayrate.units import DType
from dayrate.validation.configuration import Configuration, Split, Workers
from dayrate.validation.examples import TOTAL, row
from dayrate.validation.pools import ranks_of, splits


def configured(**cells: str) -> Configuration:
    found = row(**(TOTAL | cells)).configuration
    assert found is not None
    return found


def test_a_launch_file_says_who_prefills() -> None:
    c = configured()
    assert c.prefill_apart
    assert c.split == Split(
        Workers(4, 4, attention_data=True, max_tokens=8448),
        Workers(1, 32, attention_data=True, max_batch=16),
    )
    assert c.requests == 8 * 538
    assert c.kv_cache is DType.FP8


@pytest.mark.parametrize(
    ("cells", "decode"),
    [
        ({"gpus": "28", "tp": "28", "concurrency_or_batch": "102"}, (3, 8)),
        ({"gpus": "28", "tp": "28", "concurrency_or_batch": "1800"}, (1, 8)),  # nearest
        ({"concurrency_or_batch": "2150"}, (1, 16)),
        ({"gpus": "20", "tp": "20", "isl": "1024"}, (1, 16)),
        (
            {"engine": "SGLang", "weights_dtype": "fp8", "gpus": "72", "tp": "72"},
            (1, 24),
        ),
    ],
)
def test_the_split_is_that_of_the_nearest_concurrency(
    cells: dict[str, str], decode: tuple[int, int]
) -> None:
    split = configured(**cells).split
    assert split is not None
    assert (split.decode.count, split.decode.ranks) == decode


def test_runs_that_only_drafting_launch_files_list_count_without_drafts() -> None:
    cells = {"gpus": "52", "tp": "52", "concurrency_or_batch": "269"}
    assert row(**(TOTAL | cells)).reason == ""
    split = configured(**cells).split
    assert split is not None
    assert split.prefill.accelerators + split.decode.accelerators == 52


def test_of_two_launch_files_as_near_the_one_without_drafts_is_taken() -> None:
    """Both list 12 in flight on 28 accelerators; drafting allows batches of 16."""
    split = configured(gpus="28", tp="28", concurrency_or_batch="12").split
    assert split is not None
    assert split.decode.max_batch == 32


@pytest.mark.parametrize(
    "cells",
    [
        {"gpus": "8", "tp": "8"},
        {"gpus": "16", "tp": "16"},  # 128 columns of each expert
        {"gpus": "32", "tp": "32", "ep": "32"},
        {"scenario": "static_batch", "request_rate": ""},
        {"model": "meta-llama/Llama-3.1-70B-Instruct", "gpus": "16", "tp": "16"},
    ],
)
def test_a_possible_group_is_one(cells: dict[str, str]) -> None:
    assert not configured(**cells).prefill_apart


@pytest.mark.parametrize("ranks", ["12", "20", "32", "36", "64", "72"])
def test_an_impossible_group_is_a_total(ranks: str) -> None:
    assert configured(gpus=ranks, tp=ranks, isl="3000").prefill_apart


def test_notes_that_state_pools_are_believed() -> None:
    notes = "PREFILL/DECODE DISAGGREGATED 8P+16D GPUs; anything"
    c = configured(gpu="MI355X", gpus="24", tp="", notes=notes)
    assert c.prefill_apart
    assert c.prefill_accelerators == 8
    assert {s.prefill.accelerators for s in splits(c)} == {8}
    mute = TOTAL | {"tp": "", "notes": "DISAGGREGATED"}
    assert row(**mute).reason == "disaggregated prefill and decode"


@pytest.mark.parametrize(("weights", "ranks"), [("fp4", 4), ("fp8", 8)])
def test_prefill_workers_are_as_small_as_hold_the_weights(
    weights: str, ranks: int
) -> None:
    """The worker sizes of the launch files: DEP4 for FP4 weights, DEP8 for FP8."""
    found = splits(configured(gpus="68", tp="68", isl="3000", weights_dtype=weights))
    assert {s.prefill.ranks for s in found} == {ranks}


@pytest.mark.parametrize("total", [9, 12, 36, 40, 72])
@pytest.mark.parametrize("model", ["deepseek-ai/DeepSeek-R1", "Qwen/Qwen3-235B-A22B"])
def test_splits_fill_the_accelerators(total: int, model: str) -> None:
    c = dataclasses.replace(configured(), accelerators=total, model=model)
    found = splits(c)
    assert found
    assert len(found) == len(set(found))
    for s in found:
        assert s.prefill.accelerators + s.decode.accelerators == total


def test_experts_are_over_all_ranks_of_a_worker() -> None:
    deepseek = catalog.model("deepseek-ai/DeepSeek-R1")
    llama = catalog.model("meta-llama/Llama-3.1-70B-Instruct")
    assert ranks_of(deepseek, Workers(1, 32, attention_data=True)) == (1, 32, 32)
    assert ranks_of(deepseek, Workers(4, 8, attention_data=False)) == (8, 8, 1)
    assert ranks_of(llama, Workers(4, 8, attention_data=False)) == (8, 1, 1)


def test_launch_files_are_consistent() -> None:
    for r in rows("pools"):
        assert r["concurrency"] == sorted(r["concurrency"])
        decode = r["decode"]
        if "max_batch" in decode:  # slots for nearly all that are in flight
            ranks = decode["ranks"] if decode["attention_data"] else 1
            slots = decode["workers"] * ranks * decode["max_batch"]
            assert slots >= 0.85 * max(r["concurrency"])
