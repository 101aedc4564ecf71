"""Names resolve without regard to spelling, and never by guessing."""

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayrate.catalog import accelerator, accelerator_ids, server
from dayrate.catalog.names import name_index
from dayrate.errors import AmbiguousName, UnknownName


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("H100", "h100-sxm-80gb"),
        ("h100_sxm", "h100-sxm-80gb"),
        ("H100-SXM-80GB", "h100-sxm-80gb"),
        ("NVIDIA H100 SXM5 80GB", "h100-sxm-80gb"),
        ("NVIDIA H100-SXM5-80GB", "h100-sxm-80gb"),
        ("h100 pcie", "h100-pcie-80gb"),
        ("h100-nvl", "h100-nvl-94gb"),
        ("H800", "h800-sxm-80gb"),
        ("910B", "ascend-910b"),
        ("A100", "a100-sxm-80gb"),
        ("A100 40GB PCIe", "a100-pcie-40gb"),
        ("NVIDIA A100 SXM4 40 GB", "a100-sxm-40gb"),
        ("Intel(R) Gaudi(R) 2 AI Accelerator", "gaudi2"),
        ("NVIDIA Blackwell GPU (GB200)", "gb200-nvl72"),
        ("Google TPU v3", "tpu-v3"),
        ("CPU:8592+", "xeon-8592+"),
        ("L40", "l40"),
        ("H20", "h20"),
    ],
)
def test_usual_spellings(name: str, expected: str) -> None:
    assert accelerator(name).id == expected


@given(
    device=st.sampled_from(accelerator_ids()),
    separator=st.sampled_from("-_ /"),
    upper=st.booleans(),
)
def test_case_and_separators_do_not_matter(
    device: str, separator: str, upper: bool
) -> None:
    spelt = device.replace("-", separator)
    assert accelerator(spelt.upper() if upper else spelt).id == device


@pytest.mark.parametrize(
    ("name", "choices"),
    [
        ("h100-80gb", ["h100-pcie-80gb", "h100-sxm-80gb"]),
        ("a100-40gb", ["a100-pcie-40gb", "a100-sxm-40gb"]),
        ("MI3", ["mi300a", "mi300x", "mi325x", "mi350x", "mi355x"]),
        ("v100", ["v100-pcie-16gb", "v100-sxm2-16gb", "v100-sxm2-32gb"]),
    ],
)
def test_ambiguity_lists_the_choices(name: str, choices: list[str]) -> None:
    with pytest.raises(AmbiguousName) as error:
        accelerator(name)
    assert f": {', '.join(choices)}." in str(error.value)


@pytest.mark.parametrize("name", ["h100-sxn-80gb", "", "banana", "rtx509"])
def test_the_unknown_is_not_guessed(name: str) -> None:
    with pytest.raises(UnknownName):
        accelerator(name)


def test_a_typing_error_gets_a_suggestion() -> None:
    with pytest.raises(UnknownName, match="Did you mean h100-sxm-80gb"):
        accelerator("h100-sxn-80gb")


def test_an_alias_of_two_is_an_error() -> None:
    index = name_index("fruit", {"a-1": ["x"], "b-1": ["x"]})
    with pytest.raises(AmbiguousName, match="a-1, b-1"):
        index.resolve("X")


def test_servers_resolve_too() -> None:
    assert server("DGX_H100").id == "dgx-h100"


@pytest.mark.parametrize(
    ("table", "column", "unresolved"),
    [
        ("inference.csv", "gpu", set[str]()),
        ("serving_closed_loop.csv", "gpu", set[str]()),
        (
            "training.csv",
            "accelerator",
            {  # two devices in one row, or 16 and 32 GB both fit
                "NVIDIA A100 SXM4 40 GB,NVIDIA A100 SXM4 80 GB",
                "NVIDIA A100,NVIDIA Tesla V100 SXM2",
                "NVIDIA V100",
            },
        ),
    ],
)
def test_every_measured_device_resolves(
    shared_data: Path, table: str, column: str, unresolved: set[str]
) -> None:
    with (shared_data / "measurements" / table).open(encoding="utf-8") as file:
        names = {row[column] for row in csv.DictReader(file)}
    failed = set()
    for name in names:
        try:
            accelerator(name)
        except (AmbiguousName, UnknownName):
            failed.add(name)
    assert failed == unresolved
