"""The tables against the step they tabulate, for every kind of model."""

import dataclasses

import pytest

from dayrate import catalog
from dayrate.perf.deployment import Parallelism
from dayrate.serving.examples import LLAMA_ON_H100
from dayrate.serving.simulator.law import step_law


@pytest.mark.parametrize(
    ("model", "parallelism"),
    [
        ("meta-llama/Llama-3.1-70B-Instruct", Parallelism(tensor=8)),
        ("meta-llama/Llama-3.1-70B-Instruct", Parallelism(tensor=4, pipeline=2)),
        ("mistralai/Mixtral-8x7B-Instruct-v0.1", Parallelism(tensor=2)),
        ("google/gemma-2-27b-it", Parallelism(tensor=2)),
        ("openai/gpt-oss-120b", Parallelism(tensor=2)),
        ("deepseek-ai/DeepSeek-V3", Parallelism(tensor=8)),
    ],
    ids=str,
)
def test_deviates_by_less_than_two_percent(
    model: str, parallelism: Parallelism
) -> None:
    replica = dataclasses.replace(
        LLAMA_ON_H100, model=catalog.model(model), parallelism=parallelism
    )
    assert step_law(replica, 32_768).error_frac < 0.02


def test_a_replica_of_one_sequence_has_a_law_too() -> None:
    engine = dataclasses.replace(LLAMA_ON_H100.engine, max_num_seqs=1)
    alone = dataclasses.replace(LLAMA_ON_H100, engine=engine)
    assert step_law(alone, 8192).error_frac < 0.01
