"""Data sheets arrive in SI, and machines without a row are derived and say so."""

import csv
from pathlib import Path

import pytest

from dayrate.catalog import (
    accelerator,
    accelerator_ids,
    parts,
    server_for,
    server_ids,
    serving_power,
)
from dayrate.errors import InvalidInput
from dayrate.evidence import Grade
from dayrate.units import GIB, DType


def test_units_are_converted() -> None:
    h100 = accelerator("h100-sxm-80gb")
    assert h100.hbm_bytes == 79.65 * GIB
    assert h100.hbm_bytes_per_s == 3.35e12
    assert h100.matmul_flop_per_s(DType.BF16) == 989e12
    assert h100.tdp_w == 700
    assert h100.link.bytes_per_s == 450e9
    assert h100.link.latency_s == pytest.approx(1.4e-6)
    assert h100.link.world_size == 8


def test_a_missing_format_is_an_error() -> None:
    with pytest.raises(InvalidInput, match="no published fp8 rate"):
        accelerator("a100").matmul_flop_per_s(DType.FP8)


@pytest.mark.parametrize("device", accelerator_ids())
def test_every_row_loads(device: str) -> None:
    found = accelerator(device)
    assert found.id == device
    assert found.hbm_bytes > 2**30
    assert found.hbm_bytes_per_s > 5e10
    assert found.peak_flop_per_s


# Where another source than the table of facts is followed, with the reason in the row.
BETTER = {("b200-sxm", "mem_bw_gbs"), ("b300-sxm", "mem_bw_gbs")}


def test_agrees_with_the_collected_facts(shared_data: Path) -> None:
    path = shared_data / "facts" / "accelerators.csv"
    with path.open(encoding="utf-8") as file:
        facts = list(csv.DictReader(file))
    for row in facts:
        device = accelerator(row["id"])
        bf16 = device.peak_flop_per_s.get(
            DType.BF16, device.peak_flop_per_s.get(DType.FP16)
        )
        if row["fp16_bf16"]:
            assert bf16 == pytest.approx(float(row["fp16_bf16"]) * 1e12, rel=0.01)
        if (row["id"], "mem_bw_gbs") not in BETTER:
            assert device.hbm_bytes_per_s == float(row["mem_bw_gbs"]) * 1e9, row["id"]
        if row["tdp_w"]:
            assert device.tdp_w == float(row["tdp_w"]), row["id"]
    assert len(facts) == 45


def test_a_catalogued_server() -> None:
    dgx = server_for("H100")
    assert dgx.id == "dgx-h100"
    assert dgx.accelerators == 8
    assert dgx.rated_w.mid == 10_200
    assert dgx.idle_w.mid == 2_400
    assert dgx.capex_usd is not None
    assert dgx.capex_usd.mid == 255_237
    assert dgx.inter_node.bytes_per_s == 50e9


def test_a_derived_server_is_assumed() -> None:
    server = server_for("l40s")
    assert server.id not in server_ids()
    assert server.accelerators == 8
    estimates = [server.rated_w, server.idle_w, server.busy_w]
    assert all(e.grade is Grade.ASSUMED for e in estimates)
    assert server.rated_w.mid == pytest.approx(8 * 350 * 1.8)
    assert server.capex_usd is not None
    assert server.capex_usd.mid == pytest.approx(8 * 8500 * 1.4)
    assert server.capex_usd.grade is Grade.ASSUMED


def test_a_derived_server_without_a_price_has_no_capital() -> None:
    assert server_for("a30").capex_usd is None
    assert server_for("h800").capex_usd is None


def test_unpublished_power_is_an_error_not_a_guess() -> None:
    with pytest.raises(InvalidInput, match="power of sn40l is not published"):
        server_for("sn40l")
    with pytest.raises(InvalidInput, match="not published"):
        serving_power("sn40l")


@pytest.mark.parametrize("device", accelerator_ids())
def test_every_device_has_a_server_or_says_why_not(device: str) -> None:
    try:
        server = server_for(device)
    except InvalidInput:
        assert accelerator(device).tdp_w is None
    else:
        assert server.accelerator_id == device
        assert server.accelerators >= 1
        assert server.idle_w.mid < server.busy_w.mid < server.rated_w.mid


def test_serving_power_is_measured_where_it_was() -> None:
    h100 = serving_power("h100")
    assert h100.serving_w.grade is Grade.MEASURED
    assert h100.serving_w.low == pytest.approx(0.57 * 700)
    assert h100.serving_w.high == pytest.approx(0.90 * 700)
    other = serving_power("l40s")
    assert other.serving_w.grade is Grade.ASSUMED
    assert other.idle_w.mid == pytest.approx(0.115 * 350)


def test_part_powers_are_per_si_unit() -> None:
    article = parts("article")
    assert article.w_per_memory_byte.mid * 1e9 == pytest.approx(10)
    assert article.w_per_storage_byte.mid * 1e12 == pytest.approx(30)
    assert article.w_per_network_bit_per_s.mid * 1e6 == pytest.approx(10)
    real = parts("realistic")
    assert real.w_per_memory_byte.mid * 1e9 == pytest.approx(0.392)
