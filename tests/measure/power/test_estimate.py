"""Joules from processor time, and when there are none to tell."""

import subprocess
import sys
from pathlib import Path

import pytest

from dayrate.catalog.processors import core_power
from dayrate.measure.power import Places, energy_meter, find_meters, find_readers
from dayrate.measure.power.estimate import (
    ProcessorEstimate,
    processor_time_s,
    this_core_power,
)
from dayrate.measure.power.reading import EnergySource

EPYC = "cpu family\t: 25\nmodel\t\t: 17\nmodel name\t: {}\n\nprocessor\t: 1"


def cpuinfo(tmp_path: Path, name: str) -> Path:
    file = tmp_path / "cpuinfo"
    file.write_text(EPYC.format(name))
    return file


def nowhere(tmp_path: Path, cpuinfo: Path) -> Places:
    return Places(tmp_path / "no", tmp_path / "no", cpuinfo, NoDevices())


class NoDevices:
    def nvmlDeviceGetCount(self) -> int:
        return 0


def test_a_named_part_has_its_rating(tmp_path: Path) -> None:
    core = this_core_power(cpuinfo(tmp_path, "AMD EPYC 9554P 64-Core Processor"))
    assert core is not None
    assert (core.low_w, core.mid_w, core.high_w) == (5.625, 5.625, 5.625)


def test_a_hidden_part_is_one_of_its_series(tmp_path: Path) -> None:
    core = this_core_power(cpuinfo(tmp_path, "AMD EPYC"))
    assert core is not None
    assert core.low_w < core.mid_w < core.high_w
    assert core.what == "a part of AMD EPYC 9004"


@pytest.mark.parametrize(
    ("name", "watts"),
    [
        ("Intel(R) Xeon(R) Platinum 8480+", 350 / 56),
        ("Intel(R) Core(TM) i7-8700K CPU @ 3.70GHz", 95 / 6),
        ("Intel(R) Core(TM) i7-8700 CPU @ 3.20GHz", 65 / 6),
        ("13th Gen Intel(R) Core(TM) i9-13900K", 125 / 24),
        ("AMD EPYC 9654P 96-Core Processor", 360 / 96),
    ],
)
def test_parts_are_told_apart(name: str, watts: float) -> None:
    core = core_power(name)
    assert core is not None
    assert core.mid_w == pytest.approx(watts)


def test_joules_are_time_times_watts() -> None:
    core = core_power("AMD EPYC 9654")
    assert core is not None
    seconds = iter([10.0, 14.0])
    estimate = ProcessorEstimate(core, lambda: next(seconds))
    estimate.start()
    energy = estimate.energy()
    assert energy.joules == pytest.approx(4 * 3.75)
    assert (energy.low_joules, energy.high_joules) == (7.5, 18.0)
    assert energy.source is EnergySource.ESTIMATED
    assert "3.75 W a core: 9654" in energy.meter


def test_an_unknown_processor_leaves_energy_unknown(tmp_path: Path) -> None:
    file = tmp_path / "cpuinfo"
    file.write_text("model name : Abacus\ncpu family : 1\nmodel : 1\n")
    meters = find_meters(nowhere(tmp_path, file))
    with meters.meter() as meter:
        pass
    assert meter.energy.source is EnergySource.UNKNOWN
    assert find_readers(nowhere(tmp_path, tmp_path / "absent")) == ()


def test_meters_do_not_share_a_start(tmp_path: Path) -> None:
    meters = find_meters(nowhere(tmp_path, cpuinfo(tmp_path, "AMD EPYC 9654")))
    with meters.meter() as outer:
        sum(range(10**6))
        with meters.meter() as inner:
            pass
    assert (outer.energy.joules or 0.0) >= (inner.energy.joules or 0.0)


def test_a_counter_of_devices_alone_says_so(tmp_path: Path) -> None:
    class OneDevice(NoDevices):
        NVMLError = OSError

        def nvmlDeviceGetCount(self) -> int:
            return 1

        def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
            return index

        def nvmlDeviceGetName(self, _device: int) -> str:
            return "L4"

        def nvmlDeviceGetTotalEnergyConsumption(self, _device: int) -> int:
            return 1000

    places = Places(tmp_path, tmp_path, tmp_path / "absent", OneDevice())
    meters = find_meters(places)
    assert [r.name for r in meters.readers] == ["NVML L4 0"]
    assert "without the processor" in meters.notes[0]


def test_time_of_children_counts_while_they_run_and_after() -> None:
    busy = "print(sum(range(3_000_000)), flush=True); input()"
    before = processor_time_s()
    with subprocess.Popen(
        [sys.executable, "-c", busy], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        during = processor_time_s()
        child.communicate(b"\n")
    assert before < during <= processor_time_s() + 0.02  # ticks of the kernel's clock


def test_this_machine_has_an_answer() -> None:
    with energy_meter() as meter:
        sum(range(10**5))
    energy = meter.energy
    assert (energy.joules is None) is (energy.source is EnergySource.UNKNOWN)
