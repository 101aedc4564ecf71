"""The data files keep their own promises."""

import datetime as dt
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from dayrate.catalog import accelerator
from dayrate.catalog.store import rows
from dayrate.evidence import Grade

FOLDERS = (
    "accelerators",
    "links",
    "processors",
    "servers",
    "prices",
    "sites",
    "startup",
)
ROWS = [
    pytest.param(row, id=f"{folder}:{row.get('kind', '')}:{row['id']}")
    for folder in FOLDERS
    for row in rows(folder)
]
ACCELERATORS = [pytest.param(r, id=r["id"]) for r in rows("accelerators")]
CLOCKED = [p for p in ACCELERATORS if "clock_mhz" in p.values[0]]  # type: ignore[operator]
PRICES = [pytest.param(r, id=r["id"]) for r in rows("prices")]
Row = Mapping[str, Any]


def ranges(value: Any) -> Iterator[Row]:
    """Every {low, mid, high} inside a row."""
    if isinstance(value, Mapping):
        if "mid" in value:
            yield value
        for v in value.values():
            yield from ranges(v)


@pytest.mark.parametrize("row", ROWS)
def test_says_where_and_when(row: Row) -> None:
    assert row["reference"]
    assert all(r["title"] and r.get("date") for r in row["reference"])
    assert isinstance(row["checked"], dt.date)
    assert row["confidence"] in {"high", "medium", "low"}


@pytest.mark.parametrize("row", ROWS)
def test_ranges_are_ordered_and_graded(row: Row) -> None:
    for r in ranges(row):
        assert 0 <= r["low"] <= r["mid"] <= r["high"]
        assert {"grade", "source"} <= r.keys() or "grade" in row
        assert Grade[(r.get("grade") or row["grade"]).upper()]


@pytest.mark.parametrize("row", ROWS)
def test_every_figure_has_a_date(row: Row) -> None:
    """Of its own, as the key it is filed under, or of the whole row's reference."""
    for key, value in row.items():
        if isinstance(value, Mapping) and {"mid", "grade"} <= value.keys():
            assert value["date"], key
        if key in {"unit_price_usd", "capex_usd"} or key.startswith("values"):
            assert all(re.match(r"\d{4}", str(date)) for date in value), key


def test_ids_are_unique() -> None:
    for folder in FOLDERS:
        seen = Counter((r.get("kind"), r["id"]) for r in rows(folder))
        assert max(seen.values()) == 1, seen.most_common(1)


@pytest.mark.parametrize("row", CLOCKED)
def test_peak_follows_from_the_clock(row: Row) -> None:
    for dtype, fma in row["fma_per_clock_per_core"].items():
        flops = row["clock_mhz"] * 1e6 * fma * 2 * row["tensor_cores"]
        assert row["peak_dense_tflops"][dtype] * 1e12 == pytest.approx(flops, rel=0.01)


def test_the_main_parts_have_a_clock() -> None:
    clocked = {p.id for p in CLOCKED}
    assert {"h100-sxm-80gb", "h200-sxm-141gb", "a100-sxm-80gb", "l4", "t4"} <= clocked


@pytest.mark.parametrize("row", ACCELERATORS)
def test_rates_are_dense(row: Row) -> None:
    """A sparse figure in one column breaks the ratio of the columns."""
    peak = row["peak_dense_tflops"]
    if "fp8" in peak:
        assert peak["fp8"] / peak["bf16"] == pytest.approx(2, rel=0.03) or (
            peak["fp8"] == peak["bf16"]
        )
    if "nvfp4" in peak:
        # Ultra has half again as many fp4 units; GeForce halves fp8 with fp32
        # accumulation, but not fp4
        times = 3 if row["generation"] == "blackwell-ultra" else 2
        times = 4 if "GeForce" in row["name"] else times
        assert peak["nvfp4"] / peak["fp8"] == pytest.approx(times, rel=0.01)
    if row["vendor"] == "nvidia" and "tf32" in peak and peak["tf32"] > peak["fp32"]:
        assert peak["bf16"] / peak["tf32"] == pytest.approx(2, rel=0.02)


@pytest.mark.parametrize(
    ("name", "dtype", "sparse"),
    [
        ("h100", "bf16", 1979),
        ("h100", "fp8", 3958),
        ("b200", "bf16", 4500),
        ("l40s", "bf16", 733),
        ("a100", "bf16", 624),
        ("mi300x", "bf16", 2615),
    ],
)
def test_known_sparse_figures_are_absent(name: str, dtype: str, sparse: float) -> None:
    [row] = [r for r in rows("accelerators") if r["id"] == accelerator(name).id]
    assert row["peak_dense_tflops"][dtype] < 0.6 * sparse


@pytest.mark.parametrize("row", ACCELERATORS)
def test_capacity_is_what_the_name_says_in_gib(row: Row) -> None:
    """Sold as 80 GB: 80 GiB less a reserve; 74.5 would be 80 GB read as decimal."""
    sold = re.search(r"-(\d+)gb", row["id"])
    if sold:
        assert 0.97 <= row["hbm_capacity_gib"] / int(sold[1]) <= 1.0


def test_links_and_devices_that_are_named_exist() -> None:
    links = {r["id"] for r in rows("links")}
    devices = {r["id"] for r in rows("accelerators")}
    machines = [r for r in rows("servers") if r["kind"] in {"server", "generic"}]
    assert {r["link"]["id"] for r in rows("accelerators")} <= links
    assert {r["inter_node"] for r in machines} <= links
    for row in (*rows("prices"), *(r for r in machines if r["kind"] == "server")):
        assert row["accelerators"].keys() <= devices, row["id"]
    power = {r["id"] for r in rows("servers") if r["kind"] == "power"}
    assert power - {"default"} <= devices


def test_only_transfers_over_pcie_pass_through_host_memory() -> None:
    relayed = [r for r in rows("links") if "relay_frac" in r]
    assert {r["id"] for r in relayed} == {f"pcie{n}-x16" for n in (3, 4, 5)}
    for r in relayed:
        assert 0 < r["relay_frac"] < 1
        assert r["relay_us"] > 0
        assert all(x["title"] and x["date"] for x in r["relay_reference"])
    link = accelerator("rtx-4090").link
    [row] = [r for r in relayed if r["id"] == "pcie4-x16"]
    assert link.relay_frac == row["relay_frac"]
    assert link.relay_s == pytest.approx(row["relay_us"] * 1e-6)


def test_boards_with_chips_for_graphics_are_a_generation_of_their_own() -> None:
    """A core of the A100's chip multiplies at least twice as much per clock."""
    known = [r for r in rows("accelerators") if "fma_per_clock_per_core" in r]
    found = {
        g: [r["fma_per_clock_per_core"]["bf16"] for r in known if r["generation"] == g]
        for g in ("ampere", "ampere-rtx")
    }
    assert set(found["ampere"]) == {256}
    assert max(found["ampere-rtx"]) <= 128


@pytest.mark.parametrize("row", [r for r in rows("servers") if r["kind"] == "server"])
def test_idle_is_below_busy_below_rated(row: Row) -> None:
    assert row["idle_kw"]["mid"] < row["busy_kw"]["mid"] < row["rated_kw"]["mid"]


@pytest.mark.parametrize("row", PRICES)
def test_prices_are_prices(row: Row) -> None:
    [n] = row["accelerators"].values()
    for date, value in row["values"].items():
        assert isinstance(date, dt.date)
        assert date <= row["checked"]
        # 700.0 stands for "no price" in one source, 0 for capacity blocks in another
        assert 0.05 <= value / n <= 20, (row["id"], value)
    assert len(row["id"].split("/")) == 4
    assert row["unit"] == "usd_per_instance_hour"


def newest(pricing: str) -> dict[str, tuple[dt.date, float]]:
    """Newest price by seller, region and machine; spot zones apart."""
    found = {}
    for r in rows("prices"):
        place, _, how = r["id"].rpartition("/")
        if how == pricing:
            found[place] = max(r["values"].items())
    return found


def test_spot_is_below_on_demand_and_no_placeholder() -> None:
    on_demand = newest("on-demand")
    compared = 0
    for place, (_, spot) in newest("spot").items():
        if place.split("@")[0] in on_demand:
            ratio = spot / on_demand[place.split("@")[0]][1]
            assert ratio < 1, place
            assert ratio != pytest.approx(0.1, abs=1e-4), place
            compared += 1
    assert compared > 10


def test_longer_commitments_are_cheaper_on_the_same_day() -> None:
    one, three, on_demand = map(newest, ("reserved-1y", "reserved-3y", "on-demand"))
    for place, (day, price) in one.items():
        assert three[place][1] < price, place
        if place in on_demand and on_demand[place][0] == day:
            assert price < on_demand[place][1], place
