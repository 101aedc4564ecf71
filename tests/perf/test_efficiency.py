from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from dayrate.catalog.store import rows
from dayrate.perf.collectives import Transfer, TransferKind
from dayrate.perf.efficiency import LinkCoefficients, load_efficiency
from dayrate.perf.examples import H100
from dayrate.perf.operators import OpKind
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


def test_large_all_reduce_on_8_h100() -> None:
    # measured: 0.322 ms for 64 MiB over 8 ranks of a DGX (Vidur's profiles)
    sent = 2 * 7 / 8 * 2**26
    transfer = Transfer("x", TransferKind.ALL_REDUCE, 8, sent, 0.0, 0.0)
    efficiency = load_efficiency("h100-sxm-80gb", "hopper")
    assert efficiency.transfer_s(transfer, H100) == pytest.approx(322e-6, rel=0.15)
