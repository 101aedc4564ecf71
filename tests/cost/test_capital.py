import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayrate.cost.capital import annual_capital, capital_recovery_factor

rates = st.floats(1e-9, 0.5)
lives = st.floats(0.5, 40)


def test_published_factor() -> None:
    crf = capital_recovery_factor(discount_rate=0.08, lifetime_years=4)
    assert crf == pytest.approx(0.3019, abs=5e-5)
    assert crf / 0.25 - 1 == pytest.approx(0.208, abs=5e-4)  # against straight line


@given(r=rates, n=st.integers(1, 30), residual=st.floats(0, 1))
def test_payments_and_resale_repay_the_outlay(
    r: float, n: int, residual: float
) -> None:
    annual = annual_capital(
        outlay_usd=1.0, discount_rate=r, lifetime_years=n, residual_frac=residual
    )
    payments = sum(annual / (1 + r) ** year for year in range(1, n + 1))
    assert payments + residual / (1 + r) ** n == pytest.approx(1.0, rel=1e-6)


@given(n=lives, residual=st.floats(0, 1))
def test_free_money_is_the_limit(n: float, residual: float) -> None:
    at = [
        annual_capital(
            outlay_usd=1.0, discount_rate=r, lifetime_years=n, residual_frac=residual
        )
        for r in (0.0, 1e-12)
    ]
    assert at[0] == pytest.approx((1 - residual) / n, abs=1e-12)
    assert at[1] == pytest.approx(at[0], rel=1e-6, abs=1e-9)


@given(r=rates, n=lives)
def test_interest_never_makes_it_cheaper(r: float, n: float) -> None:
    crf = capital_recovery_factor(discount_rate=r, lifetime_years=n)
    assert crf >= 1 / n * (1 - 1e-9)


def test_array_equals_scalar() -> None:
    r, n = np.array([0.0, 0.04, 0.08]), np.array([3.0, 4.0, 5.0])
    together = annual_capital(
        outlay_usd=100.0, discount_rate=r, lifetime_years=n, residual_frac=0.1
    )
    alone = [
        annual_capital(
            outlay_usd=100.0, discount_rate=ri, lifetime_years=ni, residual_frac=0.1
        )
        for ri, ni in zip(r, n, strict=True)
    ]
    np.testing.assert_array_equal(together, alone)
