"""Energy counters of NVIDIA devices through NVML."""

import importlib
import threading
import time
from collections.abc import Callable
from typing import Any

__all__ = ["CountedDevice", "SampledDevice", "load_nvml", "nvml_readers"]

_MILLI = 1e-3
_SAMPLE_S = 0.1


def load_nvml() -> Any | None:
    """Import and start NVML, or return None: no library, no driver, no device."""
    try:
        nvml = importlib.import_module("pynvml")
        nvml.nvmlInit()
    except Exception:  # the library raises its own errors for a missing driver
        return None
    return nvml


def nvml_readers(
    nvml: Any | None = None,
) -> tuple["CountedDevice | SampledDevice", ...]:
    """Find a reader for each NVIDIA device: a counter, else its sampled power."""
    nvml = load_nvml() if nvml is None else nvml
    if nvml is None:
        return ()
    readers: list[CountedDevice | SampledDevice] = []
    for index in range(nvml.nvmlDeviceGetCount()):
        reader = _reader(nvml, index)
        if reader is not None:
            readers.append(reader)
    return tuple(readers)


def _reader(nvml: Any, index: int) -> "CountedDevice | SampledDevice | None":
    """Prefer the counter (since Volta) over samples; neither is neither."""
    device = nvml.nvmlDeviceGetHandleByIndex(index)
    name = f"NVML {device_name(nvml, device)} {index}"
    for kind in (CountedDevice, SampledDevice):
        try:
            return kind(nvml, device, name)
        except nvml.NVMLError:
            continue
    return None


def device_name(nvml: Any, device: Any) -> str:
    """Name a device; old versions of the library answer in bytes."""
    name = nvml.nvmlDeviceGetName(device)
    return name.decode() if isinstance(name, bytes) else str(name)


class CountedDevice:
    """The device's own counter of millijoules."""

    def __init__(self, nvml: Any, device: Any, name: str) -> None:
        self._nvml, self._device, self._name = nvml, device, name
        self.joules()  # raises where the device has no counter

    @property
    def name(self) -> str:
        """What it counts."""
        return self._name

    def joules(self) -> float:
        """Energy since the driver was loaded. [J]"""
        counted = self._nvml.nvmlDeviceGetTotalEnergyConsumption(self._device)
        return float(counted) * _MILLI


class SampledDevice:
    """Power of a device without a counter, added up by a thread of its own.

    The thread starts when it is first read and ends with the program.
    """

    def __init__(
        self,
        nvml: Any,
        device: Any,
        name: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._nvml, self._device = nvml, device
        self._name, self._clock = f"{name} (sampled)", clock
        self._lock = threading.Lock()
        self._joules = 0.0
        self._before = (clock(), self._watts())
        self._thread: threading.Thread | None = None

    @property
    def name(self) -> str:
        """What it counts."""
        return self._name

    def joules(self) -> float:
        """Energy since it was first read. [J]"""
        if self._thread is None:
            self._before = (self._clock(), self._watts())
            self._thread = threading.Thread(target=self._keep_sampling, daemon=True)
            self._thread.start()
        return self.sample()

    def sample(self) -> float:
        """Add the trapezoid since the last sample. [J]"""
        with self._lock:
            now, watts = self._clock(), self._watts()
            then, before = self._before
            self._joules += (now - then) * (watts + before) / 2
            self._before = (now, watts)
            return self._joules

    def _watts(self) -> float:
        return float(self._nvml.nvmlDeviceGetPowerUsage(self._device)) * _MILLI

    def _keep_sampling(self) -> None:
        while True:
            time.sleep(_SAMPLE_S)
            try:
                self.sample()
            except self._nvml.NVMLError:
                return  # the device is gone: nothing more to add
