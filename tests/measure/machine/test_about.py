"""What a machine says of itself, on made-up trees."""

from pathlib import Path
from types import SimpleNamespace

from dayrate.measure.machine.about import about, cores_to_run_on

CPU = """processor : {n}
model name : Made-Up 9000
cpu family : 1
model : 1
physical id : 0
core id : {core}
flags : fpu avx2 avx512f hypervisor
"""


class FakeNvml:
    NVMLError = RuntimeError

    def __init__(self, limit: float | None) -> None:
        self.limit = limit

    def nvmlDeviceGetCount(self) -> int:
        return 1

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        return index

    def nvmlDeviceGetName(self, _device: int) -> str:
        return "NVIDIA L4"

    def nvmlDeviceGetMemoryInfo(self, _device: int) -> SimpleNamespace:
        return SimpleNamespace(total=24 * 2**30)

    def nvmlDeviceGetEnforcedPowerLimit(self, _device: int) -> float:
        if self.limit is None:
            raise RuntimeError
        return self.limit


def tree(root: Path) -> dict[str, Path]:
    cpus = [CPU.format(n=n, core=n // 2) for n in range(4)]  # two threads a core
    (root / "cpuinfo").write_text("\n".join(cpus))
    (root / "meminfo").write_text("MemFree: 1 kB\nMemTotal:  1048576 kB\n")
    for index, (level, kind, size, shared) in enumerate(
        [
            (1, "Data", "32K", "0"),
            (2, "Unified", "1024K", "0"),
            (3, "Unified", "32M", "0-3,8"),
        ]
    ):
        folder = root / "cpu" / "cpu0" / "cache" / f"index{index}"
        folder.mkdir(parents=True)
        values = {"level": level, "type": kind, "size": size, "shared_cpu_list": shared}
        for name, value in values.items():
            (folder / name).write_text(f"{value}\n")
    return {
        "cpuinfo": root / "cpuinfo",
        "system_cpu": root / "cpu",
        "meminfo": root / "meminfo",
    }


def test_everything_is_read(tmp_path: Path) -> None:
    found = about(**tree(tmp_path), nvml=FakeNvml(72_000.0))
    assert (found.processor, found.cores) == ("Made-Up 9000", 2)
    assert found.instructions == ("avx2", "avx512f")
    assert found.virtual is True
    assert [c.size_bytes for c in found.caches] == [2**15, 2**20, 2**25]
    assert [c.cores for c in found.caches] == [1, 1, 5]
    assert found.last_cache_bytes == 2**25
    assert found.memory_bytes == 2**30
    [gpu] = found.gpus
    assert (gpu.name, gpu.memory_bytes, gpu.power_limit_w) == (
        "NVIDIA L4",
        24 * 2**30,
        72,
    )


def test_a_limit_nobody_tells_is_unknown(tmp_path: Path) -> None:
    [gpu] = about(**tree(tmp_path), nvml=FakeNvml(None)).gpus
    assert gpu.power_limit_w is None


def test_a_machine_that_says_nothing_is_unknown_not_guessed(tmp_path: Path) -> None:
    nowhere = tmp_path / "absent"
    found = about(cpuinfo=nowhere, system_cpu=nowhere, meminfo=nowhere)
    assert found.memory_bytes is None
    assert found.virtual is None
    assert found.caches == ()
    assert found.threads >= found.usable_threads == cores_to_run_on() >= 1
