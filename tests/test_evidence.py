import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayrate.evidence import Estimate, Grade, Ledger, Source, format_value

grades = st.sampled_from(Grade)


def two_facts(a: Grade, b: Grade) -> Ledger:
    ledger = Ledger().fact("x.a", 2.0, "h", grade=a, source="hand")
    return ledger.fact("x.b", 3.0, "USD/h", grade=b, source="hand")


@given(a=grades, b=grades)
def test_a_result_is_as_weak_as_its_weakest_input(a: Grade, b: Grade) -> None:
    ledger = two_facts(a, b).derive("cost", 6.0, "USD", formula="x.a * x.b")
    assert ledger["cost"].grade == max(a, b)
    assert ledger.weakest == max(a, b)


def test_inputs_come_from_the_formula() -> None:
    ledger = two_facts(Grade.GIVEN, Grade.CITED)
    ledger = ledger.derive("cost", 6.0, "USD", formula="max(x.a, 1) * x.b + x.a")
    assert ledger["cost"].inputs == ("x.a", "x.b")


def test_numbers_replace_names() -> None:
    ledger = two_facts(Grade.GIVEN, Grade.CITED)
    ledger = ledger.derive("cost", 6.0, "USD", formula="x.a * x.b")
    assert ledger["cost"].substituted(ledger.lines) == "2 * 3"


def test_a_name_is_written_once() -> None:
    ledger = two_facts(Grade.GIVEN, Grade.GIVEN)
    with pytest.raises(ValueError, match=r"x\.a is already"):
        ledger.fact("x.a", 1.0, "h", grade=Grade.GIVEN, source="")
    with pytest.raises(ValueError, match=r"already in the ledger: x\.a, x\.b"):
        ledger.update(ledger)


def test_deriving_from_an_unknown_name_is_our_bug() -> None:
    with pytest.raises(KeyError):
        Ledger().derive("y", 1.0, "1", formula="nobody * 2")


def test_a_range_must_be_ordered() -> None:
    with pytest.raises(ValueError, match="does not hold"):
        Estimate(2, 1, 3, Grade.CITED, Source("x"))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (1234.5, "1,234.5"),
        (3.15e23, "3.15e+23"),
        (1e-9, "1e-09"),
        ("h100", "h100"),
    ],
)
def test_numbers_are_printed_short(value: float | str, text: str) -> None:
    assert format_value(value) == text
