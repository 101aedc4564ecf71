from pathlib import Path

import pytest

from dayrate import quote
from dayrate.errors import InvalidInput, UnknownName
from dayrate.scenario.read import parse_scenario, read_scenario


def test_sections_are_read(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("workload: {isl: 5}\n")
    scenario = read_scenario(str(file))
    assert scenario.id == "mine"
    assert scenario.sections == {"workload": {"isl": 5}}
    assert scenario.replay is None


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"a: [1\n", "is not valid YAML near line 2"),
        (b"- 1\n", "does not hold a mapping"),
        (b"", "does not hold a mapping"),
        (b"\xff\xfe", "it is not UTF-8 text"),
    ],
)
def test_a_bad_file_is_a_sentence(
    tmp_path: Path, content: bytes, sentence: str
) -> None:
    file = tmp_path / "bad.yaml"
    file.write_bytes(content)
    with pytest.raises(InvalidInput, match=sentence):
        read_scenario(str(file))


def test_an_absent_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="No such file"):
        read_scenario(str(tmp_path / "none.yaml"))


def test_a_folder_is_not_a_scenario(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="Is a directory"):
        read_scenario(str(tmp_path))


def test_an_unknown_id_suggests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "dayrate.scenario.read.rows", lambda kind: ({"id": "llama-chat", "quote": {}},)
    )
    with pytest.raises(UnknownName, match="Did you mean llama-chat"):
        read_scenario("llama-chta")


def test_an_estimate_takes_plain_text_as_english(tmp_path: Path) -> None:
    file = tmp_path / "post.yaml"
    file.write_text("title: A post\nreplay: {facts: [], steps: [], verdict: Yes.}\n")
    scenario = read_scenario(str(file))
    assert scenario.title == {"en": "A post"}
    assert quote(scenario).verdict == {"en": "Yes."}


def test_an_estimate_with_sections_beside_it_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "post.yaml"
    file.write_text("replay: {facts: []}\nqoute: {model: {id: gpt2}}\n")
    with pytest.raises(InvalidInput, match=r"qoute .* Did you mean quote\?"):
        read_scenario(str(file))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("model: {id: a}\nmodel: {id: b}\n", "model is given twice, again in line 2"),
        ("workload: {isl: 5, isl: 9}\n", "isl is given twice"),
        ("? [a, b]\n: 1\n", "The key in line 1 is no text"),
        ("quote: 5\n", "quote in .* is 5; it must be a mapping"),
        ("replay: 5\n", "replay in .* is 5; it must be a mapping"),
        ("quote: {}\nqoute: {}\n", "qoute is not a key of .* Did you mean quote"),
        ("quote: {}\nworkload: {}\n", "workload is not a key of .* Keys: id, title"),
    ],
)
def test_what_yaml_would_swallow_is_a_sentence(content: str, sentence: str) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        parse_scenario(content, name="mine.yaml")


def test_a_mapping_may_be_merged_into_another() -> None:
    text = "model: &m {id: gpt2}\nslo: {<<: *m, ttft_ms: 5}\n"
    assert parse_scenario(text, name="x").sections["slo"]["ttft_ms"] == 5


def test_a_scenario_may_look_like_a_shipped_one() -> None:
    text = "id: mine\ngrade: cited\nquote: {workload: {isl: 5}}\n"
    assert parse_scenario(text, name="x").sections == {"workload": {"isl": 5}}
