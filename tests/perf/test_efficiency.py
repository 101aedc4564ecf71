import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayrate import catalog
from dayrate.catalog.store import rows
from dayrate.perf.collectives import Transfer, TransferKind
from dayrate.perf.efficiency import LinkCoefficients, load_efficiency
from dayrate.perf.examples import H100
from dayrate.perf.operators import OpKind
from dayrate.perf.tuning import halved_peak
from dayrate.units import DType

ROWS = [pytest.param(row, id=row["id"]) for row in rows("calibration")]


@pytest.mark.parametrize("row", ROWS)
def test_no_row_is_above_one_and_all_say_where_they_come_from(
    row: Mapping[str, Any],
) -> None:
    fractions = [row.get("flop_frac", 1.0), *np.atleast_1d(row.get("byte_frac", 1.0))]
    assert all(0 < f <= 1 for f in fractions)
    assert row["reference"][0]["title"]
    assert row["checked"]
    assert row["date"]
    assert row["confidence"] in {"fitted", "assumed"}


def test_a_narrow_format_without_a_row_uses_the_devices_own_16_bits() -> None:
    a100 = load_efficiency("a100-sxm-80gb", "ampere")
    fp8 = a100.coefficients(OpKind.GEMM, DType.FP8)
    assert fp8 == a100.coefficients(OpKind.GEMM, DType.BF16)
    assert fp8.level == "accelerator"


def test_generation_before_default() -> None:
    own, sister, stranger = (
        load_efficiency(*name)
        for name in (
            ("h100-sxm-80gb", "hopper"),
            ("h20", "hopper"),
            ("mi300x", "cdna3"),
        )
    )
    assert (own.level, sister.level, stranger.level) == (
        "accelerator",
        "generation",
        "default",
    )
    gemm = (OpKind.GEMM, DType.BF16)
    assert own.kernels[gemm].flop_frac == sister.kernels[gemm].flop_frac


def test_collective_interpolates_between_measured_ranks() -> None:
    link = LinkCoefficients([2, 8], [0.5, 0.9], [4e-6, 8e-6])
    byte_frac, fixed = link.at(np.array([1.0, 2.0, 4.0, 8.0, 64.0]))
    assert byte_frac == pytest.approx([0.5, 0.5, 0.7, 0.9, 0.9])
    assert fixed == pytest.approx([4e-6, 4e-6, 6e-6, 8e-6, 8e-6])


@pytest.mark.parametrize("kind", TransferKind)
@given(mb=st.floats(0.001, 1000))
def test_a_relay_takes_its_share_of_the_rate_and_begins_later(
    kind: TransferKind, mb: float
) -> None:
    """Closed form: fixed + bytes / (rate x share), for every kind of transfer."""
    efficiency = load_efficiency("rtx-4090", "ada")
    peer = dataclasses.replace(H100, link_bytes_per_s=32e9, link_latency_s=10e-6)
    relayed = dataclasses.replace(peer, relay_frac=0.5, relay_s=14e-6)
    transfer = Transfer("x", kind, 2, mb * 1e6, 0.0, 0.0, count=3)
    fast, slow = (efficiency.transfer_s(transfer, m) for m in (peer, relayed))
    byte_frac, _ = efficiency.link.at(2)
    once = 14e-6 + mb * 1e6 / (32e9 * byte_frac)  # as much again at half the rate
    assert slow - fast == pytest.approx(3 * once, rel=1e-6)


def test_a_relay_of_nothing_is_free() -> None:
    relayed = dataclasses.replace(H100, relay_frac=0.5, relay_s=14e-6)
    nothing = Transfer("x", TransferKind.ALL_REDUCE, 2, 0.0, 0.0, 0.0)
    assert load_efficiency("rtx-4090", "ada").transfer_s(nothing, relayed) == 0


HALVED = [n for n in catalog.accelerator_ids() if halved_peak(catalog.accelerator(n))]


def best_share(kind: OpKind, dtype: DType) -> float:
    measured = [r for r in rows("calibration") if r.get("operation") == kind.value]
    alike = [r for r in measured if r.get("dtype", "bf16") == dtype.value]
    return max(float(r["flop_frac"]) for r in alike)


@pytest.mark.parametrize("name", HALVED)
def test_a_halved_peak_is_reached_by_twice_the_share_or_the_best(name: str) -> None:
    generation = catalog.accelerator(name).generation
    usual, halved = (
        load_efficiency(name, generation, halved_peak=h) for h in (False, True)
    )
    for key, c in halved.kernels.items():
        known = usual.kernels[key]
        assert known.flop_frac <= c.flop_frac <= best_share(*key)
        assert c.flop_frac in {2 * known.flop_frac, best_share(*key)}
        assert dataclasses.replace(c, flop_frac=known.flop_frac) == known


def test_a_device_with_rows_of_its_own_keeps_them() -> None:
    """What was measured on it holds, whatever its peak counts."""
    usual, halved = (
        load_efficiency("l40s", "ada", halved_peak=h) for h in (False, True)
    )
    gemm = (OpKind.GEMM, DType.BF16)
    assert usual.kernels[gemm].level == "accelerator"
    assert halved.kernels[gemm] == usual.kernels[gemm]


def test_geforce_reaches_as_many_flops_as_its_sister_at_the_full_rate() -> None:
    """Twice the share of half the peak, where no bound is met: the chip is the same."""
    boards = [catalog.accelerator(n) for n in ("rtx-4090", "rtx-6000-ada")]
    key = (OpKind.ATTENTION_PREFILL, DType.BF16)
    geforce, sister = (
        load_efficiency(b.id, b.generation, halved_peak=halved_peak(b)).kernels[key]
        for b in boards
    )
    assert geforce.flop_frac <= 2 * sister.flop_frac
    assert geforce.flop_frac > sister.flop_frac


def test_large_all_reduce_on_8_h100() -> None:
    # measured: 0.322 ms for 64 MiB over 8 ranks of a DGX (Vidur's profiles)
    sent = 2 * 7 / 8 * 2**26
    transfer = Transfer("x", TransferKind.ALL_REDUCE, 8, sent, 0.0, 0.0)
    efficiency = load_efficiency("h100-sxm-80gb", "hopper")
    assert efficiency.transfer_s(transfer, H100) == pytest.approx(322e-6, rel=0.15)
