import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayrate.cost.compare import break_even_utilisation

prices = st.floats(0.1, 20)


@given(own=prices, rent=prices)
def test_at_break_even_both_cost_the_same(own: float, rent: float) -> None:
    used = break_even_utilisation(
        owned_usd_per_accelerator_hour=own, rented_usd_per_accelerator_hour=rent
    )
    assert used * rent == pytest.approx(own)
