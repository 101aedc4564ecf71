import dataclasses
import re
from pathlib import Path

import pytest
from rich.cells import cell_len

from dayrate.cost.breakdown import Cost
from dayrate.report.canvas import Page
from dayrate.report.i18n import words
from dayrate.report.text import bar, render_text
from dayrate.scenario.answer import Quote

GOLDEN = Path(__file__).parent / "golden"


def page(lang: str = "en", width: int = 80, *, color: bool = False) -> Page:
    return Page(words(lang), width, color)


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("width", [80, 60])
@pytest.mark.parametrize("which", ["quote", "replayed"])
def test_no_line_is_wider_than_the_page(
    request: pytest.FixtureRequest, which: str, width: int, lang: str
) -> None:
    text = render_text(request.getfixturevalue(which), page(lang, width))
    assert max(map(cell_len, text.splitlines())) <= width
    assert not re.search(r"[ \t]$", text, flags=re.M)


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("which", ["quote", "replayed"])
def test_the_page_looks_as_it_did(
    request: pytest.FixtureRequest, which: str, lang: str
) -> None:
    quote = request.getfixturevalue(which)
    expected = (GOLDEN / f"{which}.{lang}.txt").read_text(encoding="utf-8")
    assert render_text(quote, page(lang)) == expected


def test_the_answer_comes_first(quote: Quote) -> None:
    lines = render_text(quote).splitlines()
    assert lines[:3] == [
        "Llama 3.1 70B, chat",
        "",
        "  $1,155 per day  idle capacity included; 48.2 % of it did work",
    ]


def test_unknown_is_a_word_and_never_zero(quote: Quote) -> None:
    energy = dataclasses.replace(quote.energy, kwh_per_day=None)
    text = render_text(dataclasses.replace(quote, energy=energy))
    assert re.search(r"electricity per day +unknown", text)
    assert re.search(r"per million cached input tokens +unknown", text)


def test_a_zero_is_a_zero(quote: Quote) -> None:
    bill = dataclasses.replace(quote.bill, usd_per_million_cached_input_tokens=0.0)
    text = render_text(dataclasses.replace(quote, bill=bill))
    assert re.search(r"per million cached input tokens +\$0\.00$", text, flags=re.M)


def test_amounts_are_in_the_currency_asked_for(quote: Quote) -> None:
    bill = dataclasses.replace(quote.bill, currency="CNY", currency_per_usd=7.2)
    text = render_text(dataclasses.replace(quote, bill=bill))
    assert "¥8,317 per day" in text
    assert "7.2 CNY/USD" in text
    assert "$" not in text


def test_the_used_basis_leaves_idle_capacity_out(quote: Quote) -> None:
    text = render_text(quote, used=True)
    assert "$556.43 per day  idle capacity left out: 51.8 % of the bill" in text
    assert "$0.00111" in text  # per request: 0.00231 * 0.4817


def test_shares_of_the_terms_are_of_the_total(quote: Quote) -> None:
    bill = dataclasses.replace(quote.bill, cost=Cost({"staff": 30.0, "data": 10.0}))
    text = render_text(dataclasses.replace(quote, bill=bill))
    assert re.search(r"staff +\$30\.00  █{21} +75\.0 %", text)
    assert re.search(r"data +\$10\.00  █{7} +25\.0 %", text)


def test_a_bill_of_nothing_has_no_shares(quote: Quote) -> None:
    bill = dataclasses.replace(quote.bill, cost=Cost({"accelerators": 0.0}))
    text = render_text(dataclasses.replace(quote, bill=bill))
    assert "$0.00 per day" in text


def test_a_bill_without_terms_is_unknown_not_zero(quote: Quote) -> None:
    bill = dataclasses.replace(quote.bill, cost=Cost({}))
    bare = dataclasses.replace(quote, bill=bill)
    assert "  unknown per day\n" in render_text(bare)
    assert "Cost per day" not in render_text(bare)
    assert bare.to_dict()["cost"]["total_usd_per_day"] is None


def test_the_title_may_be_that_of_the_file(quote: Quote) -> None:
    assert render_text(quote, title="一天").startswith("一天\n")


def test_a_target_is_met_or_missed(quote: Quote) -> None:
    text = render_text(quote)
    assert "612 ms  target 1,000 ms · met" in text
    assert "41.7 ms  target 40 ms · missed" in text


def test_assumptions_name_the_flag_that_changes_them(quote: Quote) -> None:
    text = render_text(quote)
    assert re.search(r"shape of the day +flat +--day-shape", text)
    assert re.search(r"PUE +1\.3 +--pue", text)


def test_a_published_figure_stands_beside_ours(replayed: Quote) -> None:
    text = render_text(replayed)
    assert re.search(r"694,444 +694,464 +1\.00 +holds", text)
    assert re.search(r"11,599,200 +251\.3 +0\.0000217 +wrong", text)
    assert re.search(r"total per day +\$694,444 +\$1,155", text)
    assert "The arithmetic holds." in text


def test_colour_is_only_written_when_asked_for(quote: Quote) -> None:
    plain, colored = render_text(quote), render_text(quote, page(color=True))
    assert "\x1b" not in plain
    assert "\x1b[" in colored
    bare = re.sub(r"\x1b\[[0-9;]*m", "", colored)
    assert [line.rstrip() for line in bare.splitlines()] == plain.splitlines()


def test_chinese_says_unknown_in_chinese(replayed: Quote) -> None:
    text = render_text(replayed, page("zh"))
    assert "未知" in text
    assert "unknown" not in text


def test_bars_never_overflow() -> None:
    assert bar(2.0, 10) == "█" * 10
    assert bar(0.0, 10) == ""
