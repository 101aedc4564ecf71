"""Reading tables: nothing is lost, and the value is never seen by a prediction."""

import dataclasses
from pathlib import Path

import pytest

from dayrate.errors import InvalidInput
from dayrate.validation.configuration import Configuration
from dayrate.validation.examples import row, table
from dayrate.validation.table import REQUIRED, parse_rows, read_table


def configured(**cells: str) -> Configuration:
    found = row(**cells).configuration
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"gpu": "Abacus 9000"}, "unknown gpu"),
        (
            {"gpu": "epyc-9654", "weights_dtype": "fp16"},
            "no rate of the device in this format",
        ),
        ({"model": "nobody/nothing"}, "unknown model"),
        ({"metric": "smiles_per_s"}, "unknown metric"),
        ({"value": "fast"}, "value is not a number"),
        ({"value": "-3"}, "value is not positive"),
        ({"value": "inf"}, "value is not positive"),
        ({"isl": ""}, "isl missing"),
        ({"osl": "many"}, "osl is not a number"),
        ({"isl": "nan"}, "isl is not a number"),
        ({"gpus": "0"}, "gpus missing"),
        ({"tp": "inf"}, "tp is not a number"),
        ({"weights_dtype": "fp7"}, "unknown weights_dtype"),
        ({"scenario": "dream"}, "unknown scenario"),
        ({"spec_decode": "MTP k=3"}, "speculative decoding without acceptance"),
        ({"notes": "OFFLOADING: cpu"}, "weights offloaded to the host"),
        ({"scenario": "static_batch", "request_rate": ""}, "batch missing"),
    ],
)
def test_what_cannot_be_predicted_says_why(cells: dict[str, str], reason: str) -> None:
    assert row(**cells).reason == reason


def test_a_short_line_is_kept_with_its_reason() -> None:
    found = parse_rows([list(REQUIRED), ["r1", "a paper"]], name="test.csv").rows
    assert [r.reason for r in found] == ["value is not a number"]


def test_missing_columns_are_named() -> None:
    with pytest.raises(InvalidInput, match=r"lacks the columns source, metric"):
        parse_rows([[c for c in REQUIRED if c not in {"source", "metric"}]], name="x")


def test_an_empty_file_lacks_columns(tmp_path: Path) -> None:
    empty = tmp_path / "empty.csv"
    empty.touch()
    with pytest.raises(InvalidInput, match="lacks the columns"):
        read_table(empty)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="cannot be read"):
        read_table(tmp_path / "none.csv")


def test_a_file_that_is_not_text(tmp_path: Path) -> None:
    binary = tmp_path / "x.csv"
    binary.write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(InvalidInput, match="not a CSV file"):
        read_table(binary)


def test_unknown_columns_are_ignored_and_counted() -> None:
    assert table({}, more=("mood", "weather")).unknown_columns == ("mood", "weather")


def test_a_configuration_holds_no_outcome() -> None:
    names = {f.name for f in dataclasses.fields(Configuration)}
    assert not names & {"value", "notes", "achieved_frac", "bound_value"}
    notes = "latency_s=0.6883; throughput(total tok/s)=4113.6"
    assert configured(notes=notes) == configured(value="7")


def test_harness_lengths_are_nine_tenths_of_nominal() -> None:
    c = configured(
        len_kind="random_range_mean",
        concurrency_or_batch="8",
        request_rate="closed-loop",
        scenario="online",
    )
    assert [c.input_tokens, c.output_tokens] == pytest.approx([921.6, 115.2])
    assert c.requests == 80


def test_realised_lengths_are_kept() -> None:
    c = configured(len_kind="random_range_mean", notes="isl/osl are realised means")
    assert c.input_tokens == 1024


@pytest.mark.parametrize(
    ("notes", "requests"),
    [("num_requests=1500; x", 1500), ("500 requests; Triton", 500), ("", float("inf"))],
)
def test_finite_request_counts(notes: str, requests: float) -> None:
    assert configured(notes=notes).requests == requests


@pytest.mark.parametrize(
    ("cells", "ranks"),
    [
        ({"tp": "1", "ep": "8", "gpus": "8"}, (1, 8, 8)),  # DEP8
        ({"tp": "8", "ep": "8", "gpus": "8"}, (8, 8, 1)),
        ({"tp": "4", "gpus": "4", "notes": "MoE run with attention DP"}, (1, 4, 4)),
        ({"tp": "64", "ep": "8", "moe_tp": "8", "gpus": "64"}, (8, 8, 1)),
        ({"tp": "4", "ep": "16", "attention_dp": "4", "gpus": "16"}, (4, 4, 1)),
        ({"tp": "", "gpus": "8"}, (None, 1, 1)),
    ],
)
def test_ranks(cells: dict[str, str], ranks: tuple[int | None, int, int]) -> None:
    c = configured(**cells)
    assert (c.tensor, c.expert, c.attention_data) == ranks


def test_a_power_cap_is_read_from_the_name() -> None:
    assert configured(gpu="H100-SXM-80GB-powercap50").power_cap_frac == 0.5
