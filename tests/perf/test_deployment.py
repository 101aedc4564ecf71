import dataclasses

import pytest

from dayrate import catalog
from dayrate.catalog.hardware import Accelerator, Link
from dayrate.errors import InvalidInput
from dayrate.evidence import Source
from dayrate.perf.deployment import Precision, compute_dtype, machine_of
from dayrate.units import DType

PCIE = Link("PCIe4", 32e9, 2e-6, 1)
NETWORK = Link("InfiniBand", 50e9, 5e-6, 10_000)


def device(**peaks: float) -> Accelerator:
    return Accelerator(
        id="x",
        name="X",
        vendor="V",
        generation="g",
        form="PCIe",
        year=2024,
        hbm_bytes=48e9,
        hbm_bytes_per_s=864e9,
        peak_flop_per_s={DType(name): value for name, value in peaks.items()},
        tdp_w=None,
        link=PCIE,
        unit_price_usd=None,
        aliases=(),
        source=Source("made up for a test"),
        confidence="high",
    )


def precision(weights: DType) -> Precision:
    return Precision(weights, DType.BF16, DType.BF16)


@pytest.mark.parametrize("weights", [DType.INT4, DType.Q4_K_M, DType.Q8_0])
def test_storage_formats_compute_in_16_bits(weights: DType) -> None:
    assert compute_dtype(weights) is DType.BF16


def test_a_device_uses_the_rate_it_has() -> None:
    modern, older = device(bf16=1e12, fp8=2e12), device(fp16=1e12)
    fp8 = precision(DType.FP8)
    for chip, rate in ((modern, 2e12), (older, 1e12)):
        machine = machine_of(chip, network=NETWORK, precision=fp8)
        assert machine.matmul_flop_per_s == rate
        assert machine.attention_flop_per_s == 1e12


def test_4_bit_floats_meet_8_bits_where_the_device_multiplies_them() -> None:
    mxfp4 = precision(DType.MXFP4)
    for chip, rate in (
        (device(bf16=1e12, fp8=2e12, mxfp4=4e12), 2e12),
        (device(bf16=1e12, fp8=2e12), 1e12),
    ):
        found = machine_of(chip, network=NETWORK, precision=mxfp4)
        assert found.matmul_flop_per_s == rate


def test_a_server_without_fabric_still_is_one_server() -> None:
    machine = machine_of(
        device(bf16=1e12),
        network=NETWORK,
        precision=precision(DType.BF16),
        per_server=8,
    )
    assert machine.link_world_size == 8


@pytest.mark.parametrize(
    ("peer_access", "relay"), [(False, (0.5, 9e-6)), (True, (1, 0))]
)
def test_peers_do_not_pass_through_host_memory(
    peer_access: bool, relay: tuple[float, float]
) -> None:
    relayed = dataclasses.replace(PCIE, relay_frac=0.5, relay_s=9e-6)
    chip = dataclasses.replace(device(bf16=1e12), link=relayed)
    found = machine_of(
        chip,
        network=NETWORK,
        precision=precision(DType.BF16),
        peer_access=peer_access,
    )
    assert (found.relay_frac, found.relay_s) == relay
    assert found.link_bytes_per_s == PCIE.bytes_per_s


@pytest.mark.parametrize("name", ["h100-sxm-80gb", "gb200-nvl72", "mi300x", "tpu-v5e"])
def test_a_fabric_has_peers_in_any_server(name: str) -> None:
    chip = catalog.accelerator(name)
    bf16 = precision(DType.BF16)
    anywhere, behind_switches = (
        machine_of(chip, network=NETWORK, precision=bf16, peer_access=peers)
        for peers in (False, True)
    )
    assert anywhere == behind_switches


def test_a_device_without_16_bits_is_refused() -> None:
    with pytest.raises(InvalidInput, match="no published fp16 rate"):
        machine_of(device(int8=1e12), network=NETWORK, precision=precision(DType.INT8))
