import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayrate.perf.moe import distinct_experts


@pytest.mark.parametrize(("batch", "touched"), [(32, 163), (64, 222), (128, 252)])
def test_deepseek_v3_routing(batch: int, touched: int) -> None:
    # occupancy of 256 experts by 8 per token
    n = distinct_experts(n_experts=256, experts_per_token=8, tokens=batch)
    assert round(float(n)) == touched


@given(st.integers(2, 512), st.data(), st.floats(1, 1e6))
def test_between_one_tokens_experts_and_all(
    experts: int, data: st.DataObject, tokens: float
) -> None:
    k = data.draw(st.integers(1, experts))
    n = float(distinct_experts(n_experts=experts, experts_per_token=k, tokens=tokens))
    assert k * (1 - 1e-9) <= n <= experts * (1 + 1e-9)


def test_agrees_with_simulated_routing() -> None:
    rng = np.random.default_rng(1)
    picks = [
        len({int(e) for _ in range(20) for e in rng.permutation(64)[:6]})
        for _ in range(200)
    ]
    expected = distinct_experts(n_experts=64, experts_per_token=6, tokens=20)
    assert np.mean(picks) == pytest.approx(float(expected), rel=0.01)
