"""The search finds where what grows is 0, for many at once, and stays inside."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayrate.serving.search import growing_root


@given(st.floats(0.01, 0.99), st.floats(0.0, 50.0))
def test_the_root_is_found(root: float, bend: float) -> None:
    found = growing_root(
        lambda x: np.log(x / root) + bend * (x - root), 1.0, cuts=9, rounds=12
    )
    assert float(found) == pytest.approx(root, rel=1e-9)


def test_a_steep_wall_is_approached_from_both_sides() -> None:
    found = growing_root(
        lambda x: np.log(x / (1.0 - np.minimum(x, 1.0 - 1e-9))), 1.0, rounds=30
    )
    assert float(found) == pytest.approx(0.5, rel=1e-9)


@given(st.floats(1.0, 1e6), st.floats(1.1, 100.0))
def test_beyond_the_ends_the_nearer_is_taken(most: float, over: float) -> None:
    assert float(growing_root(lambda x: np.log(x / (most * over)), most)) == most
    low = growing_root(lambda x: np.log(x / (most * 1e-9)), most, lightest=1e-3)
    assert float(low) == pytest.approx(most * 1e-3)


def test_arrays_are_many_scalars() -> None:
    roots = np.array([0.02, 0.3, 0.7])
    found = growing_root(lambda x: np.log(x / roots), np.ones(3))
    assert np.asarray(found).tolist() == pytest.approx(roots.tolist())
