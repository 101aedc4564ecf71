"""Rates on small matrices; whether they are high is nobody's business here."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from dayrate.measure.machine import probe as probing
from dayrate.measure.machine.backend import (
    Backend,
    NumpyBackend,
    TorchBackend,
    find_backends,
)
from dayrate.measure.machine.rates import (
    Budget,
    device_memory_rate,
    gemm_rate,
    gemv_rate,
    memory_rates,
)

SMALL = Budget(round_s=1e-9, largest_side=256, array_bytes=2**16, rounds=2)


class FakeTorch:
    """As much of torch as is asked, on numpy; counts waits for the device."""

    __version__ = "9.9"
    float32, bfloat16, float16, int8 = "fp32", "bf16", "fp16", "int8"

    def __init__(self, devices: int = 1) -> None:
        self.waits, self.threads = 0, 8
        self.cuda = SimpleNamespace(
            is_available=lambda: devices > 0,
            device_count=lambda: devices,
            get_device_name=lambda device: f"NVIDIA Fake {device}",
            synchronize=self._wait,
        )

    def _wait(self, _device: str) -> None:
        self.waits += 1

    def full(self, shape: tuple[int, int], value: float, **how: Any) -> Any:
        if how["dtype"] == "fp16":
            raise RuntimeError("not implemented for 'Half'")
        array = np.full(shape, value)
        return SimpleNamespace(array=array, dtype=how["dtype"])

    def matmul(self, a: Any, b: Any) -> Any:
        return a.array @ b.array

    _int_mm = matmul

    def add(self, a: Any, b: Any, *, alpha: float, out: Any) -> None:
        np.add(a.array, alpha * b.array, out=out.array)

    def inference_mode(self) -> Any:
        return memoryview(b"")  # any context manager

    def get_num_threads(self) -> int:
        return self.threads

    def set_num_threads(self, count: int) -> None:
        self.threads = count


def positive(rate: float | None) -> bool:
    return rate is not None and rate > 0


@pytest.mark.parametrize("backend", [NumpyBackend(), TorchBackend(FakeTorch())])
def test_products_have_rates(backend: Backend) -> None:
    gemm, gemv = (m(backend, "fp32", 1, SMALL) for m in (gemm_rate, gemv_rate))
    assert gemm is not None
    assert gemv is not None
    assert positive(gemm.flop_per_s)
    assert gemm.size == 128  # the smallest: a larger one would take too long
    assert positive(gemv.bytes_per_s)
    assert gemv.size**2 * 4 <= SMALL.array_bytes


def test_a_format_the_device_refuses_has_no_rate() -> None:
    backend = TorchBackend(FakeTorch())
    assert gemm_rate(backend, "fp16", 1, SMALL) is None
    assert gemv_rate(backend, "fp16", 1, SMALL) is None
    assert gemv_rate(backend, "int8", 1, SMALL) is None
    assert gemm_rate(backend, "int8", 1, SMALL) is not None


def test_a_wide_budget_multiplies_the_largest() -> None:
    patient = Budget(round_s=1e9, largest_side=256, rounds=1)
    rate = gemm_rate(NumpyBackend(), "fp32", 1, patient)
    assert rate is not None
    assert rate.size == 256


def test_cuda_is_waited_for() -> None:
    torch = FakeTorch()
    processor, device = find_backends(torch)
    assert (processor.name, device.name) == (
        "torch 9.9",
        "torch 9.9 on NVIDIA Fake cuda:0",
    )
    gemm_rate(processor, "fp32", 1, SMALL)
    assert torch.waits == 0
    gemm_rate(device, "bf16", 1, SMALL)
    rate = device_memory_rate(device, SMALL)
    assert torch.waits == 1 + 1 + SMALL.rounds + SMALL.rounds
    assert positive(rate.bytes_per_s)


def test_memory_is_read_by_each_number_of_threads() -> None:
    rates = memory_rates((1, 2), SMALL)
    assert [r.threads for r in rates] == [1, 2]
    assert all(positive(r.bytes_per_s) for r in rates)


def test_threads_are_given_back() -> None:
    torch = FakeTorch()
    with TorchBackend(torch).using(3):
        assert torch.threads == 3
    assert torch.threads == 8


def test_a_calibration_starts_from_the_accelerator(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch = FakeTorch()
    monkeypatch.setattr(probing, "find_backends", lambda: find_backends(torch))
    monkeypatch.setattr(probing, "_array_bytes", lambda _about: 2**16)
    monkeypatch.setattr(probing, "_QUICK", SMALL)
    rates = probing.quick_rates(1, cuda=True)
    assert [(r.what, r.dtype) for r in rates] == [
        ("gemm", "fp32"),
        ("gemm", "bf16"),
        ("memory", "fp32"),
    ]
    assert all("NVIDIA" in r.where for r in rates)
    rates = probing.quick_rates(1)  # of an engine that does not use it
    assert not any("NVIDIA" in r.where for r in rates)
