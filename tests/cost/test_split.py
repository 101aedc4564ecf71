import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayrate.cost.split import (
    Basis,
    TokenCounts,
    TokenSeconds,
    UnitCosts,
    blended_usd_per_token,
    on_basis,
    per_1k,
    per_million,
    per_request,
    unit_costs,
)

counts = st.floats(1, 1e13)
seconds = st.floats(1e-9, 1.0)
tokens = st.builds(TokenCounts, counts, counts, counts)
times = st.builds(TokenSeconds, seconds, seconds, seconds)
totals = st.floats(0.01, 1e9)


def recovered(unit: UnitCosts, n: TokenCounts) -> float:
    parts = (
        n.input_tokens * unit.usd_per_input_token,
        n.cached_input_tokens * unit.usd_per_cached_input_token,
        n.output_tokens * unit.usd_per_output_token,
    )
    return float(np.nansum(np.array(parts)))


@given(usd=totals, n=tokens, s=times)
def test_the_parts_add_up_to_the_total(
    usd: float, n: TokenCounts, s: TokenSeconds
) -> None:
    unit = unit_costs(total_usd=usd, tokens=n, marginal_seconds=s)
    assert recovered(unit, n) == pytest.approx(usd)


@given(usd=totals, n=tokens, s=times, factor=st.floats(0.001, 1000))
def test_scale(usd: float, n: TokenCounts, s: TokenSeconds, factor: float) -> None:
    one = unit_costs(total_usd=usd, tokens=n, marginal_seconds=s)
    dearer = unit_costs(total_usd=usd * factor, tokens=n, marginal_seconds=s)
    slower = unit_costs(
        total_usd=usd,
        tokens=n,
        marginal_seconds=TokenSeconds(
            s.input_s * factor, s.cached_input_s * factor, s.output_s * factor
        ),
    )
    assert dearer.usd_per_output_token == pytest.approx(
        factor * one.usd_per_output_token
    )
    assert slower.usd_per_output_token == pytest.approx(one.usd_per_output_token)


@given(usd=totals, n=tokens, s=times)
def test_prices_follow_marginal_cost(
    usd: float, n: TokenCounts, s: TokenSeconds
) -> None:
    unit = unit_costs(total_usd=usd, tokens=n, marginal_seconds=s)
    assert unit.usd_per_cached_input_token >= 0
    cached_is_cheaper = unit.usd_per_cached_input_token <= unit.usd_per_input_token
    assert cached_is_cheaper or s.cached_input_s > s.input_s


def test_a_kind_nobody_asked_for_is_unknown() -> None:
    unit = unit_costs(
        total_usd=10.0,
        tokens=TokenCounts(100.0, 0.0, 0.0),
        marginal_seconds=TokenSeconds(1.0, math.nan, math.nan),
    )
    assert unit.usd_per_input_token == pytest.approx(0.1)
    assert np.isnan(unit.usd_per_cached_input_token)
    assert np.isnan(unit.usd_per_output_token)


def test_unknown_seconds_make_the_split_unknown() -> None:
    unit = unit_costs(
        total_usd=10.0,
        tokens=TokenCounts(100.0, 0.0, 10.0),
        marginal_seconds=TokenSeconds(1.0, 0.0, math.nan),
    )
    assert np.isnan(unit.usd_per_input_token)


def test_no_tokens_at_all() -> None:
    nothing = TokenCounts(0.0, 0.0, 0.0)
    unit = unit_costs(
        total_usd=10.0, tokens=nothing, marginal_seconds=TokenSeconds(1.0, 0.1, 4.0)
    )
    assert np.isnan(unit.usd_per_input_token)
    assert np.isnan(blended_usd_per_token(total_usd=10.0, tokens=nothing))
    assert np.isnan(per_request(total_usd=10.0, requests=0.0))


def test_array_equals_scalar() -> None:
    n = np.array([0.0, 10.0, 1e6])
    together = unit_costs(
        total_usd=5.0,
        tokens=TokenCounts(n, 3.0, 7.0),
        marginal_seconds=TokenSeconds(1.0, 0.1, 4.0),
    )
    alone = [
        unit_costs(
            total_usd=5.0,
            tokens=TokenCounts(float(i), 3.0, 7.0),
            marginal_seconds=TokenSeconds(1.0, 0.1, 4.0),
        )
        for i in n
    ]
    np.testing.assert_array_equal(
        together.usd_per_input_token, [u.usd_per_input_token for u in alone]
    )
    np.testing.assert_array_equal(
        together.usd_per_output_token, [u.usd_per_output_token for u in alone]
    )


def test_bases() -> None:
    for basis, expected in ((Basis.ALLOCATED, 100.0), (Basis.USED, 35.0)):
        usd = on_basis(allocated_usd=100.0, basis=basis, utilisation_frac=0.35)
        assert usd == pytest.approx(expected)


def test_units_of_a_price_list() -> None:
    """DeepSeek's decode servers: $50.5k a day for 168e9 tokens, $0.300 a million."""
    per_token = 131.4 * 8 * 24 * 2 / 168e9
    assert per_million(per_token) == pytest.approx(0.300, rel=0.002)
    assert per_1k(per_token) == pytest.approx(0.0003, rel=0.002)
