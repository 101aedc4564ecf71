"""Counters of NVIDIA devices on a made-up library."""

from collections.abc import Callable

import pytest

from dayrate.measure.power.nvml import SampledDevice, nvml_readers


class FakeError(Exception):
    """What the library raises."""


class FakeNvml:
    """As much of pynvml as is asked; a device is its millijoules and milliwatts."""

    NVMLError = FakeError

    def __init__(self, *devices: tuple[float | None, float | None]) -> None:
        self.devices = [list(d) for d in devices]

    def nvmlDeviceGetCount(self) -> int:
        return len(self.devices)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        return index

    def nvmlDeviceGetName(self, _device: int) -> bytes:
        return b"NVIDIA H100"

    def nvmlDeviceGetTotalEnergyConsumption(self, device: int) -> float:
        return self._known(self.devices[device][0])

    def nvmlDeviceGetPowerUsage(self, device: int) -> float:
        return self._known(self.devices[device][1])

    @staticmethod
    def _known(value: float | None) -> float:
        if value is None:
            raise FakeError
        return value


def ticking(*seconds: float) -> Callable[[], float]:
    left = list(seconds)
    return lambda: left.pop(0)


def test_each_device_has_its_counter() -> None:
    nvml = FakeNvml((1500.0, None), (2500.0, 1.0))
    first, second = nvml_readers(nvml)
    assert first.name == "NVML NVIDIA H100 0"
    assert first.joules() + second.joules() == 4.0


def test_without_a_counter_power_is_added_up() -> None:
    nvml = FakeNvml((None, 100_000.0))
    device = SampledDevice(nvml, 0, "NVML old 0", ticking(0.0, 1.0, 3.0))
    assert device.sample() == pytest.approx(100.0)  # 100 W for 1 s
    nvml.devices[0][1] = 300_000.0
    assert device.sample() == pytest.approx(100.0 + 2 * 200.0)
    assert device.name == "NVML old 0 (sampled)"


def test_such_a_device_is_found_and_never_falls() -> None:
    [reader] = nvml_readers(FakeNvml((None, 50_000.0)))
    assert reader.name == "NVML NVIDIA H100 0 (sampled)"
    assert 0.0 <= reader.joules() <= reader.joules()


def test_a_device_with_neither_is_left_out() -> None:
    assert nvml_readers(FakeNvml((None, None))) == ()


def test_without_the_library_there_is_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dayrate.measure.power.nvml.load_nvml", lambda: None)
    assert nvml_readers() == ()
