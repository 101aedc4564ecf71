"""The catalogue of models: data that is whole, and names that resolve."""

import csv
import json
from collections import Counter as Tally
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayrate import catalog
from dayrate.catalog import store
from dayrate.catalog.model import ModelSpec, PositionKind
from dayrate.catalog.models import CountsOnly, model, model_counts, model_ids, model_row
from dayrate.catalog.params import total_params
from dayrate.errors import AmbiguousName, InvalidInput, UnknownName, UnreadableConfig
from dayrate.units import DType

ROWS = store.rows("models")
HERE = Path(__file__).parent
#: Every model of the published measurements, frozen so that the test needs no data.
MEASURED = (HERE / "measured_models.txt").read_text(encoding="utf-8").splitlines()
TABLES = ("inference.csv", "serving_closed_loop.csv", "training.csv")
KEYS = {
    "id",
    "aliases",
    "config",
    "config_of",
    "with",
    "counts",
    "why_no_dimensions",
    "published",
    "notes",
    "checked",
    "reference",
}


@pytest.mark.parametrize("row", ROWS, ids=lambda r: r["id"])
def test_every_row_is_whole(row: dict[str, Any]) -> None:
    assert row.keys() <= KEYS
    assert len(row.keys() & {"config", "config_of", "counts"}) == 1
    base = model_row(row["config_of"]) if "config_of" in row else row
    assert "config_of" not in row or "config" in base
    assert base["checked"].isoformat() >= "2026-11-01"
    for reference in base["reference"]:
        assert reference["title"]
        assert reference["href"].startswith("https://")
    if "counts" in row:
        assert row["why_no_dimensions"].endswith(".")
    if "published" in row:
        assert row["published"].keys() >= {"total_params", "title", "href", "date"}


@pytest.mark.parametrize("id", model_ids())
def test_every_id_means_itself(id: str) -> None:
    counts = model_counts(id)
    assert counts.id == id
    if not isinstance(counts, CountsOnly):
        spec = model(id)
        assert spec.id == id
        assert spec.source is not None
        assert spec.source.checked
        assert counts.total_params == total_params(spec)


def test_ids_and_aliases_are_unique() -> None:
    names = Tally(
        name.lower() for row in ROWS for name in (row["id"], *row.get("aliases", ()))
    )
    assert [name for name, n in names.items() if n > 1] == []


@pytest.mark.parametrize("name", MEASURED)
def test_every_measured_model_resolves(name: str) -> None:
    assert model_counts(name).id


def test_the_frozen_names_are_those_of_the_tables(shared_data: Path) -> None:
    found = set()
    for table in TABLES:
        with (shared_data / "measurements" / table).open() as file:
            found |= {row["model"] for row in csv.DictReader(file)}
    assert found == set(MEASURED)


def test_every_served_model_has_a_shape(shared_data: Path) -> None:
    """Whatever was measured serving can be priced; training rows may be sizes only."""
    for table in TABLES[:2]:
        with (shared_data / "measurements" / table).open() as file:
            for name in {row["model"] for row in csv.DictReader(file)}:
                assert model(name).n_layers > 0


@pytest.mark.parametrize(
    ("name", "id"),
    [
        ("llama-3.1-70b", "meta-llama/Llama-3.1-70B"),
        ("Llama-3.1-70B-Instruct", "meta-llama/Llama-3.1-70B-Instruct"),
        ("META-LLAMA/llama-3.1-70b-instruct", "meta-llama/Llama-3.1-70B-Instruct"),
        ("meta-llama/Meta-Llama-3.1-8B", "meta-llama/Llama-3.1-8B"),
        ("gpt-3", "openai/gpt-3-175b"),
        ("GPT-3 175B (davinci)", "openai/gpt-3-175b"),
        ("deepseek-r1", "deepseek-ai/DeepSeek-R1"),
        ("LLAMA3.1_405B", "meta-llama/Llama-3.1-405B"),
        ("  gpt2 ", "openai-community/gpt2"),
    ],
)
def test_names_resolve(name: str, id: str) -> None:
    assert model(name).id == id


@given(st.sampled_from(model_ids()), st.randoms())
def test_case_does_not_matter(id: str, random: Any) -> None:
    mixed = "".join(random.choice((c.lower(), c.upper())) for c in id)
    assert model_row(mixed)["id"] == id


def test_a_familys_name_is_ambiguous_and_lists_its_members() -> None:
    with pytest.raises(AmbiguousName, match=r"Llama-3\.1-405B, .*Llama-3\.1-70B"):
        model("llama-3.1")


@pytest.mark.parametrize("name", ["", " ", "llama-9", "???", "meta-llama/"])
def test_unknown_names_are_one_sentence(name: str) -> None:
    with pytest.raises(UnknownName, match="No model called"):
        model(name)


def test_a_near_miss_is_suggested() -> None:
    with pytest.raises(UnknownName, match=r"Did you mean .*Llama-3\.1-70B"):
        model("lama-3.1-70b")


def test_a_model_of_unknown_shape_has_a_size_and_says_why() -> None:
    counts = model_counts("Gopher-280B")
    assert isinstance(counts, CountsOnly)
    assert counts.total_params == 280e9
    with pytest.raises(InvalidInput, match=r"280B parameters.*relative positions"):
        model("Gopher-280B")


def test_a_model_of_unknown_size_says_so() -> None:
    assert model_counts("Grok-3").total_params is None
    with pytest.raises(InvalidInput, match="no parameter count"):
        model("Grok-3")


def test_a_written_out_shape_is_read() -> None:
    spec = model("gpt3-175b[L96,h12288,heads96,vocab51200]")
    assert (spec.n_layers, spec.hidden_size, spec.vocab_size) == (96, 12_288, 51_200)
    assert spec.positions is PositionKind.LEARNED
    assert total_params(spec) == pytest.approx(175e9, rel=0.01)
    assert spec.max_position_embeddings == 2048
    assert "GPT-3-like" in spec.notes[0]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("x[L96,h12288,vocab10]", "has no num_attention_heads"),
        ("x[L96,h100,heads96,vocab10]", "do not divide"),
        ("x[L96,h12288,heads0,vocab10]", "positive whole number"),
        ("x[layers96,h12288,heads96,vocab10]", "has the part 'layers96'"),
        ("x[L96,,h12288]", "has the part ''"),
    ],
)
def test_a_badly_written_shape_is_one_sentence(name: str, said: str) -> None:
    with pytest.raises(UnreadableConfig, match=said):
        model(name)


def test_quantised_siblings_differ_in_format_only() -> None:
    plain, fp8 = model("Qwen/Qwen3-32B"), model("Qwen/Qwen3-32B-FP8")
    nvfp4 = model("nvidia/Qwen3-32B-NVFP4")
    assert plain.blocks == fp8.blocks == nvfp4.blocks
    formats = [m.weights_dtype for m in (plain, fp8, nvfp4)]
    assert formats == [DType.BF16, DType.FP8, DType.NVFP4]
    assert nvfp4.kv_cache_dtype is DType.FP8


def test_a_folder_and_a_file_are_read(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    config = model_row("meta-llama/Llama-3.2-1B")["config"]
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "other.json").write_text(json.dumps(config))
    spec = model(str(folder))
    assert isinstance(spec, ModelSpec)
    assert spec.id == "mine"
    assert model(str(folder / "config.json")) == spec
    assert model(str(folder / "other.json")).id == "other"


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    config = dict(model_row("meta-llama/Llama-3.2-1B")["config"])
    file.write_text(json.dumps(config))
    before = model(str(file)).n_layers
    file.write_text(json.dumps({**config, "num_hidden_layers": before + 1}))
    assert model(str(file)).n_layers == before + 1


def test_the_package_offers_the_functions() -> None:
    assert catalog.model is model
    assert catalog.model_counts("gpt2").total_params == 124_439_808
    assert "openai/gpt-oss-120b" in catalog.model_ids()
