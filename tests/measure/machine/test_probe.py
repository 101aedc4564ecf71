"""The whole probe, on small matrices."""

import json

import pytest

from dayrate.errors import InvalidInput
from dayrate.measure.machine import probe as probing
from dayrate.measure.machine.backend import NumpyBackend
from dayrate.measure.machine.probe import Report, probe
from dayrate.measure.machine.rates import Budget
from dayrate.report.json_ import to_json

SMALL = Budget(round_s=1e-9, largest_side=128, array_bytes=2**16, rounds=1)


@pytest.fixture
def report(monkeypatch: pytest.MonkeyPatch) -> Report:
    monkeypatch.setattr(probing, "find_backends", lambda: (NumpyBackend(),))
    return probe(threads=1, budget=SMALL)


def test_products_and_memory_are_there(report: Report) -> None:
    assert [r.what for r in report.rates] == ["gemm", "gemv", "memory"]
    assert report.effort.wall_s > 0


def test_it_is_json(report: Report) -> None:
    back = json.loads(to_json(report.to_dict()))
    assert back["about"]["processor"] == report.about.processor
    assert back["rates"][0]["dtype"] == "fp32"


def test_more_threads_than_there_are_is_an_error() -> None:
    with pytest.raises(InvalidInput, match="--threads is 100000; this process may use"):
        probe(threads=100_000)


def test_threads_double_up_to_all() -> None:
    assert probing._thread_counts(6) == (1, 2, 4, 6)
    assert probing._thread_counts(1) == (1,)
