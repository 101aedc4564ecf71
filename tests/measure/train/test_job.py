"""What a training run may be asked for."""

from typing import Any

import pytest

from dayrate.errors import InvalidInput
from dayrate.measure.train.job import Job, Shape


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"steps": 0}, "--steps is 0"),
        ({"batch": -1}, "--batch is -1"),
        ({"evaluate_every": 0}, "--evaluate-every is 0"),
        ({"context": 4}, "--context is 4; give 8"),
        ({"learning_rate": float("nan")}, "--learning-rate is nan"),
        ({"learning_rate": 2.0}, "--learning-rate is 2"),
        ({"max_seconds": 0.0}, "--max-seconds is 0"),
        ({"lora_rank": 4}, "--from"),
    ],
)
def test_a_job_says_what_is_wrong(given: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        Job(**given)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"layers": 0}, "--layers is 0"),
        ({"hidden": 100, "heads": 3}, "multiple of the heads"),
        ({"vocabulary": 256}, "256 bytes"),
    ],
)
def test_a_shape_says_what_is_wrong(given: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        Shape(**given)
