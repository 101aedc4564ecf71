"""Cores this process may use, and those that are idle."""

from pathlib import Path

import pytest

from dayrate.measure.generate import host


def test_a_quota_counts(tmp_path: Path) -> None:
    quota = tmp_path / "cpu.max"
    quota.write_text("100000 100000\n")
    assert host.usable_cores(quota) == 1
    quota.write_text("max 100000\n")
    assert host.usable_cores(quota) == host.usable_cores(tmp_path / "none") >= 1


@pytest.mark.parametrize(("load", "idle"), [(0.2, 8), (3.4, 5), (50.0, 1), (None, 8)])
def test_busy_cores_are_left_alone(
    load: float | None, idle: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "usable_cores", lambda: 8)
    monkeypatch.setattr(host, "load_1min", lambda: load)
    assert host.idle_cores() == idle


def test_memory_in_use_is_more_than_nothing() -> None:
    pytest.importorskip("psutil")
    assert host.resident_bytes() > 10**6
