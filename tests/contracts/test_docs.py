"""The pages are all found, lead somewhere, and leave no command or scenario out."""

import json
import re
from pathlib import Path

import pytest

from dayrate.cli.reference import parameters
from dayrate.scenario.read import shipped_scenarios
from dayrate.scenario.schema import Scenario

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
LINKED = [*PAGES, *ROOT.glob("*.md")]
LINK = re.compile(r"\]\(([^)\s]+)\)")
COMMENT = re.compile(r"<!--.*?-->", flags=re.DOTALL)
HEADING = re.compile(r"^#+ (.+)$", flags=re.MULTILINE)


def text_of(page: Path) -> str:
    """Return what a reader sees: no comments, and so no code of cog."""
    return COMMENT.sub("", page.read_text(encoding="utf-8"))


def links_of(page: Path) -> list[str]:
    return [link for link in LINK.findall(text_of(page)) if "://" not in link]


def anchors_of(page: Path) -> list[str]:
    if page.suffix != ".md":
        return []
    headings = (h.lower() for h in HEADING.findall(text_of(page)))
    return [re.sub(r"[^\w\- ]", "", h).strip().replace(" ", "-") for h in headings]


def broken(page: Path) -> list[str]:
    wrong = []
    for link in links_of(page):
        path, _, part = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        known = target.exists() and part in {"", *anchors_of(target)}
        wrong += [] if known else [link]
    return wrong


@pytest.mark.parametrize("page", LINKED, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_resolve(page: Path) -> None:
    assert broken(page) == []


def test_every_page_is_in_the_index() -> None:
    index = DOCS / "README.md"
    listed = {(DOCS / link.partition("#")[0]).resolve() for link in links_of(index)}
    assert {p for p in PAGES if p != index} <= listed


def test_every_command_has_a_section() -> None:
    headings = HEADING.findall(text_of(DOCS / "reference" / "cli.md"))
    commands = {name for name, _ in parameters()}
    assert {f"`{f'dayrate {name}'.strip()}`" for name in commands} <= set(headings)


def test_every_shipped_scenario_is_among_the_published_estimates() -> None:
    page = text_of(DOCS / "concepts" / "published-estimates.md")
    assert [s.id for s in shipped_scenarios() if f"`{s.id}`" not in page] == []


def test_the_schema_of_scenario_files_is_current() -> None:
    """On failure: ``python docs/_tables.py``."""
    shipped = json.loads(text_of(DOCS / "reference" / "scenario.schema.json"))
    assert shipped == Scenario.model_json_schema()


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# One thing\n[a](#one-thing) [b](#two) [c](none.md)\n")
    assert broken(page) == ["#two", "none.md"]
