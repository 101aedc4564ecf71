import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayrate.cost.breakdown import Cost

terms = st.dictionaries(st.sampled_from("abcd"), st.floats(0, 1e9))
Terms = dict[str, float]


@given(terms, terms)
def test_adding_bills_keeps_every_dollar(a: Terms, b: Terms) -> None:
    both = Cost(a) + Cost(b)
    assert both.total_usd == pytest.approx(Cost(a).total_usd + Cost(b).total_usd)
    assert set(both.terms_usd) == {*a, *b}


@given(terms, st.floats(0, 400))
def test_scaling_scales_every_term(a: Terms, days: float) -> None:
    scaled = Cost(a).scaled(days)
    assert scaled.total_usd == pytest.approx(Cost(a).total_usd * days)
    assert list(scaled.terms_usd) == list(a)


def test_an_empty_bill_is_nothing() -> None:
    assert Cost({}).total_usd == 0.0


def test_terms_may_be_arrays() -> None:
    bill = Cost({"a": np.array([1.0, 2.0]), "b": 3.0})
    np.testing.assert_array_equal(bill.total_usd, [4.0, 5.0])
