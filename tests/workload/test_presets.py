import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest

from dayrate.catalog import store
from dayrate.errors import UnknownName
from dayrate.evidence import Grade
from dayrate.workload.presets import preset, preset_names, profile_of_preset
from dayrate.workload.shape import shape_names

ROWS = {r["id"]: r for r in store.rows("workloads") if r["kind"] == "preset"}
NAMED_BY_THE_ARTICLES = {
    "agent",
    "chat",
    "code-completion",
    "content-writing",
    "customer-service",
    "education",
    "finance",
    "medical",
    "rag",
    "reasoning",
    "summarisation",
    "translation",
}
MEASURED = {
    "chat": "azure2023_conv",
    "chat-with-history": "sharegpt_lengths",
    "rag": "ragpulse_7d",
    "summarisation": "arxiv_lengths",
    "agent": "mooncake_synthetic",
    "long-context": "mooncake_conversation",
}


def test_all_uses_are_there() -> None:
    assert set(preset_names()) >= NAMED_BY_THE_ARTICLES


@pytest.mark.parametrize("name", preset_names())
def test_a_preset_says_where_it_comes_from(name: str) -> None:
    p, row = preset(name), ROWS[name]
    assert p.grade in {Grade.MEASURED, Grade.ASSUMED}
    assert p.basis.endswith(".")
    assert p.cached_basis.endswith(".")
    assert p.day_shape in shape_names()
    assert isinstance(row["checked"], dt.date)
    assert p.source.title
    assert p.source.href.startswith("https://")
    assert p.source.date
    if p.grade is Grade.ASSUMED:
        assert {"low", "high"} <= row["input"].keys() & row["output"].keys()
        assert "assumption" in p.source.title or "composed" in p.basis
    for (low, high), lengths in (
        (p.input_mean_range, p.input_length),
        (p.output_mean_range, p.output_length),
    ):
        assert low <= lengths.mean_tokens * 1.001
        assert lengths.mean_tokens <= high * 1.001


def stated(spec: dict[str, Any]) -> list[tuple[float, float]]:
    quantiles: dict[float, float] = spec.get("quantiles", {})
    return [(q, x) for q, x in quantiles.items() if 0.05 < q < 0.99]


@pytest.mark.parametrize("name", preset_names())
def test_lengths_keep_what_the_row_states(name: str) -> None:
    p, row = preset(name), ROWS[name]
    for side, lengths in (("input", p.input_length), ("output", p.output_length)):
        if "mean" in row[side]:
            assert lengths.mean_tokens == pytest.approx(row[side]["mean"])
        for q, tokens in stated(row[side]):
            assert lengths.quantile(q) == pytest.approx(tokens, rel=0.02, abs=0.5)


@pytest.mark.parametrize(("name", "key"), MEASURED.items())
def test_measured_presets_equal_the_traces(
    shared_data: Path, name: str, key: str
) -> None:
    stats = json.loads((shared_data / "traces" / "stats.json").read_text())[key]
    p = preset(name)
    for side, lengths in (("input", p.input_length), ("output", p.output_length)):
        assert lengths.mean_tokens == pytest.approx(stats[side]["mean"], rel=1e-4)
        assert lengths.quantile(0.5) == pytest.approx(stats[side]["p50"], rel=0.02)
        assert lengths.quantile(0.95) == pytest.approx(stats[side]["p95"], rel=0.02)
        cv = stats[side]["std"] / stats[side]["mean"]
        assert lengths.cv == pytest.approx(cv, rel=0.15)


def test_aliases_and_spelling() -> None:
    assert preset("Summarization") is preset("summarisation")
    assert preset("code completion") is preset("code-completion")
    names = [*preset_names(), *(a for r in ROWS.values() for a in r["aliases"])]
    assert len(names) == len(set(names))
    with pytest.raises(UnknownName, match="Did you mean chat"):
        preset("chta")


def test_chatgpt_messages_per_weekly_user() -> None:
    # 18e9 messages a week, 700 million weekly users (NBER WP 34255, July 2025)
    assert preset("chat").requests_per_user_per_day == pytest.approx(
        18e9 / 7 / 700e6, abs=0.005
    )


def test_an_assumed_preset_warns() -> None:
    assert profile_of_preset("chat").notes == ()
    (note,) = profile_of_preset("translation").notes
    assert note.startswith("translation is an assumption: No public trace")
    assert profile_of_preset("translation").shape.grade is Grade.ASSUMED


def test_the_shape_of_another_service_is_an_assumption() -> None:
    assert profile_of_preset("chat").shape.grade is Grade.MEASURED
    assert profile_of_preset("code-completion").shape.grade is Grade.ASSUMED


def test_no_preset_bursts_as_a_service_of_a_few_requests_an_hour_does() -> None:
    assert max(profile_of_preset(name).shape.burst for name in preset_names()) < 3
