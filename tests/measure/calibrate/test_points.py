"""What a point is in steps of the law."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayrate.measure.calibrate.points import (
    CALIBRATED,
    CHECKED,
    Kind,
    Point,
    steps_of,
)


@given(st.integers(1, 5000), st.integers(1, 2048))
def test_passes_add_up_to_the_prompt(tokens: int, pass_tokens: int) -> None:
    steps = steps_of(Point(Kind.PREFILL, tokens), pass_tokens)
    assert sum(s.prefill_tokens for s in steps) == tokens
    assert sum(s.logit_sequences for s in steps) == 1
    pairs = sum(s.prefill_tokens * s.prefill_context_tokens for s in steps)
    assert pairs == pytest.approx(tokens**2 / 2)


def test_what_is_checked_was_not_calibrated() -> None:
    assert not set(CALIBRATED) & set(CHECKED)
    assert len(set(CHECKED)) == len(CHECKED)


def test_a_batch_is_one_step() -> None:
    [step] = steps_of(Point(Kind.DECODE, 64, 3), 512)
    assert (step.decode_sequences, step.logit_sequences) == (3, 3)
    assert step.prefill_tokens == 0
