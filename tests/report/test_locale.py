"""The Chinese texts: complete, compiled, with the placeholders of the English ones."""

import ast
import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import read_mo, write_mo
from babel.messages.pofile import read_po

from dayrate.errors import InvalidInput
from dayrate.report.i18n import language, words
from dayrate.report.phrases import PHRASES, phrase

SRC = Path(__file__).parents[2] / "src" / "dayrate"
PO = SRC / "locale" / "zh_CN" / "LC_MESSAGES" / "dayrate.po"
UPDATE = "run `make messages`, then translate what is new in the .po and run it again"


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    with PO.open("rb") as file:
        return read_po(file, locale="zh_CN", domain="dayrate")


def in_source() -> set[str]:
    found = extract_from_dir(
        SRC, [("**.py", "python")], keywords={"_": None, "mark": None}
    )
    return {m for _file, _line, m, _comments, _context in found if isinstance(m, str)}


def placeholders(text: str) -> list[str]:
    return sorted(re.findall(r"\{(\w+)\}", text))


def test_every_text_of_the_source_is_in_the_catalogue(catalog: Catalog) -> None:
    assert {m.id for m in catalog if m.id} == in_source(), UPDATE


def test_every_text_is_translated(catalog: Catalog) -> None:
    open_ = [m.id for m in catalog if m.id and (not m.string or m.fuzzy)]
    assert not open_, UPDATE


def test_placeholders_are_those_of_the_original(catalog: Catalog) -> None:
    differ = [
        m.id for m in catalog if placeholders(str(m.id)) != placeholders(str(m.string))
    ]
    assert not differ[1:]  # the first entry is the header


def test_the_compiled_file_is_the_readable_one(catalog: Catalog) -> None:
    compiled = io.BytesIO()
    write_mo(compiled, catalog)
    compiled.seek(0)
    with PO.with_suffix(".mo").open("rb") as file:
        assert texts(read_mo(file)) == texts(read_mo(compiled)), UPDATE


def texts(catalog: Catalog) -> dict[str, str]:
    """All but the header, which names the version of the compiler."""
    return {str(m.id): str(m.string) for m in catalog if m.id}


def literals() -> Iterator[str]:
    """Yield every text of the source, with an empty placeholder for each value."""
    for file in SRC.rglob("*.py"):
        if file.parent.name == "report":
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value
            elif isinstance(node, ast.JoinedStr):
                yield "".join(
                    str(p.value) if isinstance(p, ast.Constant) else "{}"
                    for p in node.values
                )


def test_translated_phrases_are_still_written_below() -> None:
    written = [without_advice(text) for text in literals()]
    for said in PHRASES:
        pattern = ".+".join(map(re.escape, re.split(r"\{\w+\}", said)))
        assert any(re.fullmatch(pattern, text) for text in written), said


def without_advice(text: str) -> str:
    return text if ": set --" in text else text.split("; set --", maxsplit=1)[0]


def test_values_are_carried_into_a_phrase() -> None:
    said = "3 of 100 rows dropped: zero tokens (3)"
    assert phrase(said, words("zh")) == "共 100 行，剔除 3 行：zero tokens (3)"
    assert phrase(said, words("en")) == said
    assert phrase("nobody wrote this", words("zh")) == "nobody wrote this"


def test_the_language_is_the_flag_then_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DAYRATE_LANG", "zh_CN.UTF-8")
    assert language() == "zh"
    assert language("en") == "en"
    monkeypatch.delenv("DAYRATE_LANG")
    assert language() == "en"
    with pytest.raises(InvalidInput, match="'fr'; give one of en, zh"):
        language("fr")
