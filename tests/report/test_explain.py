import re

import pytest
from rich.cells import cell_len

from dayrate.report.canvas import Page
from dayrate.report.explain import render_explanation
from dayrate.report.i18n import words
from dayrate.scenario.answer import Quote


def test_every_line_is_shown_once_with_its_grade(quote: Quote) -> None:
    text = render_explanation(quote)
    for line in quote.ledger:
        assert text.count(f"  {line.name} = ") == 1
    assert len(re.findall(r"\[(given|fitted|cited|assumed)\]$", text, flags=re.M)) == 9


def test_a_formula_is_followed_by_its_numbers(quote: Quote) -> None:
    text = render_explanation(quote)
    assert "      = serving.replicas * 4 * 24 * economics.gpu_hour_price\n" in text
    assert "      = 6 * 4 * 24 * 2\n" in text


def test_groups_come_in_the_order_of_the_chain(quote: Quote) -> None:
    headings = re.findall(r"^(\w[\w ]*) ─", render_explanation(quote), flags=re.M)
    assert headings == ["Workload", "Performance", "Cost"]


def test_our_own_answer_is_explained_too(replayed: Quote) -> None:
    text = render_explanation(replayed)
    assert text.count("  workload.requests_per_day = ") == 2


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_it_fits_the_page(quote: Quote, lang: str) -> None:
    text = render_explanation(quote, Page(words(lang)))
    assert max(map(cell_len, text.splitlines())) <= 80


def test_grades_are_translated(quote: Quote) -> None:
    text = render_explanation(quote, Page(words("zh")))
    assert "[假定]" in text
    assert "[assumed]" not in text
