"""What a machine says of itself: processor, caches, memory, accelerators."""

import os
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dayrate.measure.power.estimate import read_cpuinfo
from dayrate.measure.power.nvml import device_name, load_nvml

__all__ = ["About", "Cache", "Gpu", "about", "cores_to_run_on"]

SYSTEM_CPU = Path("/sys/devices/system/cpu")
CPUINFO = Path("/proc/cpuinfo")
MEMINFO = Path("/proc/meminfo")
_UNITS = {"K": 2**10, "M": 2**20, "G": 2**30}
#: Instructions that decide which kernels an engine takes.
_FLAGS = (
    "avx2",
    "avx512f",
    "avx512_vnni",
    "avx512_bf16",
    "amx_tile",
    "amx_int8",
    "asimd",
    "sve",
    "i8mm",
)


@dataclass(frozen=True, slots=True)
class Cache:
    """A cache of one core, or of several that share it."""

    level: int
    kind: str  # "data", "instruction" or "unified"
    size_bytes: int
    cores: int  # that share it


@dataclass(frozen=True, slots=True)
class Gpu:
    """An NVIDIA device as its driver describes it."""

    name: str
    memory_bytes: int
    power_limit_w: float | None


@dataclass(frozen=True, slots=True)
class About:
    """The machine; None is what it does not say."""

    processor: str
    architecture: str
    cores: int  # physical, where the system says so
    threads: int
    usable_threads: int  # fewer in a container
    instructions: tuple[str, ...]
    caches: tuple[Cache, ...]
    memory_bytes: int | None
    virtual: bool | None  # whether it is a virtual machine
    gpus: tuple[Gpu, ...]

    @property
    def last_cache_bytes(self) -> int:
        """Size of the largest cache, 32 MiB where none is listed. [B]"""
        return max((c.size_bytes for c in self.caches), default=2**25)


def about(
    *,
    cpuinfo: Path = CPUINFO,
    system_cpu: Path = SYSTEM_CPU,
    meminfo: Path = MEMINFO,
    nvml: Any | None = None,
) -> About:
    """Read what this machine says of itself."""
    cpu = read_cpuinfo(cpuinfo)
    flags = (cpu.get("flags") or cpu.get("Features") or "").split()
    threads = os.cpu_count() or 1
    return About(
        processor=cpu.get("model name") or platform.processor() or "unknown",
        architecture=platform.machine(),
        cores=_cores(cpuinfo) or threads,
        threads=threads,
        usable_threads=cores_to_run_on(),
        instructions=tuple(f for f in _FLAGS if f in flags),
        caches=_caches(system_cpu),
        memory_bytes=_memory_bytes(meminfo),
        virtual="hypervisor" in flags if flags else None,
        gpus=_gpus(nvml),
    )


def cores_to_run_on() -> int:
    """Count the hardware threads that this process may use. [1]"""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cores(cpuinfo: Path) -> int | None:
    """Count different pairs of package and core; two threads may share a core."""
    try:
        text = cpuinfo.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    pairs = set()
    for block in text.split("\n\n"):
        keys = dict(
            (k.strip(), v.strip())
            for k, _, v in (line.partition(":") for line in block.splitlines())
        )
        if "core id" in keys:
            pairs.add((keys.get("physical id"), keys["core id"]))
    return len(pairs) or None


def _caches(system_cpu: Path) -> tuple[Cache, ...]:
    """Read which caches the first core uses, smallest first."""
    found = []
    for folder in sorted((system_cpu / "cpu0" / "cache").glob("index*")):
        try:
            text = {
                name: (folder / name).read_text(encoding="ascii").strip()
                for name in ("level", "type", "size", "shared_cpu_list")
            }
            size = int(text["size"][:-1]) * _UNITS[text["size"][-1]]
            shared = _count_listed(text["shared_cpu_list"])
            found.append(Cache(int(text["level"]), text["type"].lower(), size, shared))
        except (OSError, ValueError, KeyError, IndexError):
            continue
    return tuple(found)


def _count_listed(ranges: str) -> int:
    """Count what a list such as ``0-3,8`` names."""
    ends = (part.split("-") for part in ranges.split(","))
    return sum(int(e[-1]) - int(e[0]) + 1 for e in ends)


def _memory_bytes(meminfo: Path) -> int | None:
    try:
        for line in meminfo.read_text(encoding="ascii").splitlines():
            if line.startswith("MemTotal:"):
                return int(line.split()[1]) * 2**10
    except (OSError, ValueError, IndexError):
        pass
    return None


def _gpus(nvml: Any | None) -> tuple[Gpu, ...]:
    nvml = load_nvml() if nvml is None else nvml
    if nvml is None:
        return ()
    found = []
    for index in range(nvml.nvmlDeviceGetCount()):
        device = nvml.nvmlDeviceGetHandleByIndex(index)
        try:
            limit = nvml.nvmlDeviceGetEnforcedPowerLimit(device) / 1e3
        except nvml.NVMLError:
            limit = None
        memory = int(nvml.nvmlDeviceGetMemoryInfo(device).total)
        found.append(Gpu(device_name(nvml, device), memory, limit))
    return tuple(found)
