"""Candidates hold what was given and what engines can run."""

from typing import Any

import numpy as np
import pytest

from dayrate import catalog
from dayrate.compose.splits import splits
from dayrate.errors import InvalidInput
from dayrate.scenario.schema import DeploymentSection

H100 = catalog.server_for("h100-sxm-80gb")
LLAMA = catalog.model("meta-llama/Llama-3.1-8B-Instruct")
R1 = catalog.model("deepseek-ai/DeepSeek-R1")


def rows(model: Any, **given: Any) -> set[tuple[float, ...]]:
    p = splits(DeploymentSection(**given), model, H100)
    sizes = (p.tensor, p.pipeline, p.expert, p.attention_data)
    return set(map(tuple, np.stack(list(map(np.asarray, sizes)), axis=1)))


def test_dense_layers_fill_a_server_before_they_are_staged() -> None:
    found = rows(LLAMA)
    assert {(1, 1, 1, 1), (2, 1, 1, 1), (4, 1, 1, 1), (8, 1, 1, 1)} <= found
    assert all(t == 8 for t, p, _, _ in found if p > 1)
    assert all(e == 1 and d == 1 for _, _, e, d in found)


def test_a_mixture_may_be_spread_wide() -> None:
    wide = {d for t, _, e, d in rows(R1) if e > 1}
    assert wide == {8, 16, 32, 64, 128}
    assert all(e == t * d for t, _, e, d in rows(R1) if e > 1)
    assert all(e == 1 and d == 1 for *_, e, d in rows(R1, enable_expert_parallel=False))
    assert all(e == t * d for t, _, e, d in rows(R1, enable_expert_parallel=True))


@pytest.mark.parametrize(
    ("key", "column"),
    [
        ("tensor_parallel_size", 0),
        ("pipeline_parallel_size", 1),
        ("data_parallel_size", 3),
    ],
)
def test_what_is_given_stays(key: str, column: int) -> None:
    assert {row[column] for row in rows(LLAMA, **{key: 2})} == {2}


def test_no_candidate_exceeds_what_is_there() -> None:
    assert max(t * p * d for t, p, _, d in rows(R1, accelerators=20)) <= 20
    too_small = rows(LLAMA, accelerators=1, tensor_parallel_size=4)
    assert len(too_small) == 1  # its error says what is missing


def test_every_tensor_split_divides_the_heads() -> None:
    gpt2 = catalog.model("gpt2")  # 12 heads
    assert {t for t, *_ in rows(gpt2)} == {1, 2, 4}
    assert {t for t, *_ in rows(gpt2, tensor_parallel_size=3)} == {3}


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"tensor_parallel_size": 5}, r"heads of .* \(32\). Give a divisor"),
        ({"tensor_parallel_size": 64}, "does not divide"),
        ({"pipeline_parallel_size": 40}, "32 layers. Give at most that many"),
        ({"enable_expert_parallel": True}, "no experts. Leave it out"),
    ],
)
def test_what_no_engine_runs_is_refused(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        rows(LLAMA, **given)


def test_candidates_are_arrays_of_one_length() -> None:
    p = splits(DeploymentSection(), R1, H100)
    shapes = {np.shape(x) for x in (p.tensor, p.pipeline, p.expert, p.attention_data)}
    assert len(shapes) == 1
