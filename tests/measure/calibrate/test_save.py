"""A calibration on disk is a device that quotes can use."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import yaml

from dayrate import catalog, quote
from dayrate.catalog.local import local_file, local_host_row
from dayrate.errors import InvalidInput
from dayrate.evidence import Grade
from dayrate.measure.calibrate import save as saving
from dayrate.measure.calibrate.check import replica_of
from dayrate.measure.calibrate.fit import Device, efficiency_of, predict_s
from dayrate.measure.calibrate.points import CHECKED
from dayrate.measure.calibrate.run import EMBEDDED, Ask, Calibration
from dayrate.measure.calibrate.save import document, ready_to_write, save
from dayrate.measure.machine.about import Gpu
from dayrate.measure.power import Energy, Meters


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DAYRATE_CONFIG_DIR", str(tmp_path / "deep" / "config"))
    return tmp_path / "deep" / "config"


@pytest.fixture(autouse=True)
def no_rating(monkeypatch: pytest.MonkeyPatch) -> None:
    """The power of a machine is what the test says, not that of this one."""
    monkeypatch.setattr(saving, "find_meters", lambda: Meters((), None, ()))


def with_watts(c: Calibration, watts: float) -> Calibration:
    ask = dataclasses.replace(c.ask, full_load_w=watts)
    return dataclasses.replace(c, ask=ask)


def test_the_file_gives_the_fitted_times_back(
    calibration: Calibration, folder: Path
) -> None:
    assert save(with_watts(calibration, 65.0)) == folder / "this-machine.yaml"
    replica = replica_of(Ask(threads=1), local_host_row("this-machine"), 16)
    read = Device(replica.model, replica.machine, replica.precision, 512)
    fitted = efficiency_of(calibration.fit.values)
    assert predict_s(CHECKED, read, replica.efficiency) == pytest.approx(
        predict_s(CHECKED, calibration.device, fitted), rel=2e-3
    )


def test_it_is_a_device_of_the_catalogue(calibration: Calibration) -> None:
    save(with_watts(calibration, 65.0))
    device = catalog.accelerator("This Machine")
    assert (device.id, device.form, device.tdp_w) == ("this-machine", "CPU", 65.0)
    assert device.hbm_bytes == 2**34
    assert catalog.server_for(device.id).busy_w.mid == 65.0


def test_a_quote_uses_it(calibration: Calibration) -> None:
    save(with_watts(calibration, 65.0))
    asked: dict[str, Any] = {
        "model": EMBEDDED,
        "accelerator": "this-machine",
        "isl": 100,
        "osl": 20,
        "requests_per_day": 100,
    }
    answer = quote(**asked, gpu_hour_price=0.05)
    line = answer.ledger["perf.calibration"]
    assert (line.value, line.grade) == ("accelerator", Grade.FITTED)
    assert "dayrate measure calibrate` on 2026-11-22 with xllamacpp 1.0" in line.source
    with pytest.raises(InvalidInput, match="Give --gpu-hour-price, or --pricing owned"):
        quote(**asked)


def test_no_share_of_a_roof_exceeds_one(calibration: Calibration) -> None:
    """The engine may be faster than the probe was: then it is the better probe."""
    fast = calibration.fit.coefficients
    c = fast["gemm_flop_frac"]
    fit = dataclasses.replace(
        calibration.fit,
        coefficients={
            **fast,
            "gemm_flop_frac": dataclasses.replace(c, value=1.5, low=1.4, high=1.6),
        },
    )
    rows = document(dataclasses.replace(calibration, fit=fit))
    [device] = rows["accelerators"]
    assert device["peak_dense_tflops"]["bf16"] == pytest.approx(0.15)
    assert rows["calibration"][0]["flop_frac"] == 1.0
    assert all(r.get("flop_frac", 0.0) <= 1.0 for r in rows["calibration"])


def test_without_a_known_power_quotes_say_what_to_do(calibration: Calibration) -> None:
    unknown = dataclasses.replace(calibration, energy=Energy.unknown("nothing counts"))
    save(unknown)
    assert catalog.accelerator("this-machine").tdp_w is None
    with pytest.raises(InvalidInput, match="calibrate --full-load-watts"):
        catalog.server_for("this-machine")


def test_counted_joules_are_measured_power(calibration: Calibration) -> None:
    counted = dataclasses.replace(calibration, energy=Energy.measured(250.0, "RAPL"))
    save(counted)
    busy = catalog.server_for("this-machine").busy_w
    assert busy.grade is Grade.MEASURED
    assert busy.mid == pytest.approx(25.0)  # over 10 s


def test_an_accelerator_is_described_by_itself(calibration: Calibration) -> None:
    board = Gpu("NVIDIA L4", 24 * 2**30, 72.0)
    about = dataclasses.replace(calibration.about, gpus=(board,))
    beside = dataclasses.replace(calibration, about=about)
    assert document(beside)["accelerators"][0]["form"] == "CPU"  # it did not compute
    [row] = document(dataclasses.replace(beside, cuda=True))["accelerators"]
    assert (row["name"], row["form"]) == ("NVIDIA L4", "GPU")
    assert row["hbm_capacity_gib"] == 24


def test_conditions_and_times_are_kept(calibration: Calibration) -> None:
    data = yaml.safe_load(save(calibration).read_text(encoding="utf-8"))
    assert data["conditions"]["load_before"] == 0.5
    assert data["conditions"]["energy_source"] == "estimated"
    assert len(data["timed"]) == len(calibration.timed)
    assert {"own_ms", "wall_ms", "processor_ms"} <= data["timed"][0].keys()
    row = data["calibration"][0]
    low, high = row["flop_frac_80"]
    assert low < row["flop_frac"] < high
    assert row["date"] == "2026-11-22"


def test_a_second_calibration_is_seen_at_once(calibration: Calibration) -> None:
    save(with_watts(calibration, 65.0))
    assert catalog.accelerator("this-machine").tdp_w == 65.0
    save(with_watts(calibration, 95.0))
    assert catalog.accelerator("this-machine").tdp_w == 95.0


def test_an_interrupted_write_leaves_the_old_file(
    calibration: Calibration, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = save(calibration).read_text(encoding="utf-8")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(InvalidInput, match="No space left on device"):
        save(with_watts(calibration, 95.0))
    assert local_file("this-machine").read_text(encoding="utf-8") == before
    assert [p.name for p in folder.iterdir()] == ["this-machine.yaml"]


def test_a_folder_that_cannot_be_is_told(
    calibration: Calibration, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DAYRATE_CONFIG_DIR", str(tmp_path / "file" / "below"))
    with pytest.raises(InvalidInput, match="Set DAYRATE_CONFIG_DIR to a folder"):
        save(calibration)
    with pytest.raises(InvalidInput, match="Set DAYRATE_CONFIG_DIR to a folder"):
        ready_to_write("this-machine")
