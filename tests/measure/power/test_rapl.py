"""Counters of processors on made-up sysfs trees."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayrate.measure.power.rapl import FileCounter, hwmon_counters, rapl_counters

RANGE_UJ = 262_143_328_850


def zone(root: Path, name: str, kind: str, energy_uj: int = 1_000_000) -> Path:
    folder = root / name
    folder.mkdir(parents=True)
    (folder / "name").write_text(f"{kind}\n")
    (folder / "energy_uj").write_text(f"{energy_uj}\n")
    (folder / "max_energy_range_uj").write_text(f"{RANGE_UJ}\n")
    return folder


def test_packages_and_their_memory_are_counted_once(tmp_path: Path) -> None:
    for name, kind in {
        "intel-rapl:0": "package-0",
        "intel-rapl:0:0": "core",
        "intel-rapl:0:1": "dram",
        "intel-rapl:1": "package-1",
        "intel-rapl:2": "psys",
        "intel-rapl-mmio:0": "package-0",
    }.items():
        zone(tmp_path, name, kind)
    found = rapl_counters(tmp_path)
    names = [c.name for c in found.counters]
    assert names == ["RAPL package-0", "RAPL dram-0", "RAPL package-1"]
    assert sum(c.joules() for c in found.counters) == 3.0


def test_a_counter_that_turns_over_goes_on(tmp_path: Path) -> None:
    folder = zone(tmp_path, "intel-rapl:0", "package-0", RANGE_UJ - 1_000_000)
    [counter] = rapl_counters(tmp_path).counters
    before = counter.joules()
    (folder / "energy_uj").write_text("2000000")
    assert counter.joules() - before == pytest.approx(3.0)
    (folder / "energy_uj").write_text("5000000")
    assert counter.joules() - before == pytest.approx(6.0)


@given(st.lists(st.integers(0, RANGE_UJ - 1), min_size=1, max_size=20))
def test_joules_are_those_spent_whatever_the_range(
    tmp_path_factory: pytest.TempPathFactory, steps_uj: list[int]
) -> None:
    file = tmp_path_factory.mktemp("zone") / "energy_uj"
    file.write_text("0")
    counter = FileCounter("RAPL", file, RANGE_UJ)
    spent = 0
    for step in steps_uj:
        spent += step
        file.write_text(str(spent % RANGE_UJ))
        assert counter.joules() == pytest.approx(spent / 1e6)


def test_a_counter_that_cannot_be_read_any_more_stands_still(tmp_path: Path) -> None:
    folder = zone(tmp_path, "intel-rapl:0", "package-0")
    [counter] = rapl_counters(tmp_path).counters
    (folder / "energy_uj").unlink()
    assert counter.joules() == 1.0


def test_a_closed_counter_says_how_to_open_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = zone(tmp_path, "intel-rapl:0", "package-0")
    (folder / "energy_uj").chmod(0)
    if os.access(folder / "energy_uj", os.R_OK):  # root reads everything
        monkeypatch.setattr(
            "dayrate.measure.power.rapl.FileCounter.__init__", _not_permitted
        )
    found = rapl_counters(tmp_path)
    assert found.counters == ()
    [note] = found.notes
    assert note.startswith("RAPL package-0 may only be read by root.")
    assert f"sudo chmod a+r {folder / 'energy_uj'}" in note


def _not_permitted(*_arguments: object) -> None:
    raise PermissionError


def test_a_counter_without_a_number_is_told(tmp_path: Path) -> None:
    folder = zone(tmp_path, "intel-rapl:0", "package-0")
    (folder / "energy_uj").write_text("")
    found = rapl_counters(tmp_path)
    assert found.counters == ()
    assert found.notes == ("RAPL intel-rapl:0 is there and gives no number.",)


def test_without_powercap_there_is_nothing(tmp_path: Path) -> None:
    assert rapl_counters(tmp_path / "absent").counters == ()
    assert hwmon_counters(tmp_path / "absent").counters == ()


def test_amd_sockets_are_counted_and_cores_are_not(tmp_path: Path) -> None:
    other, chip = tmp_path / "hwmon0", tmp_path / "hwmon1"
    for folder, name in ((other, "k10temp"), (chip, "amd_energy")):
        folder.mkdir()
        (folder / "name").write_text(name)
    for number, label in enumerate(("Ecore000", "Esocket0", "Esocket1")):
        (chip / f"energy{number}_label").write_text(label)
        (chip / f"energy{number}_input").write_text("7000000")
    found = hwmon_counters(tmp_path)
    names = [c.name for c in found.counters]
    assert names == ["amd_energy Esocket0", "amd_energy Esocket1"]
    assert found.counters[0].joules() == 7.0
