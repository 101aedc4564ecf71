"""A machine whose coefficients are known, and an engine that runs at them."""

import datetime as dt
from collections.abc import Callable
from types import TracebackType
from typing import Self

import pytest

from dayrate.measure.calibrate import check as checking
from dayrate.measure.calibrate import run as running
from dayrate.measure.calibrate.fit import Device, efficiency_of, fit, predict_s
from dayrate.measure.calibrate.points import CALIBRATED, Point
from dayrate.measure.calibrate.run import Ask, Calibration, Timed, device_of
from dayrate.measure.machine.about import About
from dayrate.measure.machine.effort import Effort
from dayrate.measure.machine.rates import Rate
from dayrate.measure.power import Energy, EnergySource

TRUE = {
    "gemm_flop_frac": 0.6,
    "prefill_attention_flop_frac": 0.3,
    "decode_attention_flop_frac": 0.08,
    "byte_frac": 0.8,
    "step_s": 800e-6,
    "layer_s": 90e-6,
    "sequence_s": 900e-6,
}
QUIET = Effort(1.0, 1.0, 0.0, 0.5)
RATES = (
    Rate("gemm", "numpy", "fp32", 512, 1, 1e11, None, 0.01, QUIET),
    Rate("memory", "numpy", "fp64", 2**20, 1, None, 2e10, 0.01, QUIET),
)


class FakeRunner:
    """Takes as long as the law says, or so many times as long."""

    pass_tokens = 512
    cuda = False
    pids = (10**9,)  # no such process

    def __init__(self, device: Device, slowness: float = 1.0) -> None:
        self._device, self._slowness = device, slowness
        self.request_s = [2e-3]
        self.ran: list[Point] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        pass

    def time(self, point: Point) -> Effort:
        self.ran.append(point)
        [seconds] = predict_s([point], self._device, efficiency_of(TRUE))
        wall = float(seconds) * self._slowness
        return Effort(wall, wall, 0.0, 0.5)


@pytest.fixture
def device() -> Device:
    return device_of(Ask(threads=1), RATES, 512)


@pytest.fixture
def calibration(device: Device) -> Calibration:
    """A calibration of that machine, as if it had been timed."""
    runner = FakeRunner(device)
    timed = tuple(Timed(p, runner.time(p), 0.02) for p in CALIBRATED)
    return Calibration(
        ask=Ask(threads=1),
        engine_version="xllamacpp 1.0",
        date=dt.datetime(2026, 11, 22, 9, tzinfo=dt.UTC),
        about=About("Made-Up 9000", "x86_64", 2, 2, 2, ("avx2",), (), 2**34, False, ()),
        rates=RATES,
        device=device,
        cuda=False,
        fit=fit(CALIBRATED, [t.effort.own_s for t in timed], device),
        timed=timed,
        request_s=2e-3,
        energy=Energy(100.0, 50.0, 200.0, EnergySource.ESTIMATED, "made up"),
        total=Effort(10.0, 9.0, 0.1, 0.5),
        load_after=0.6,
    )


@pytest.fixture
def engine(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> Callable[[float], FakeRunner]:
    """Put a runner of that machine in place of a real engine."""

    def put(slowness: float = 1.0) -> FakeRunner:
        runner = FakeRunner(device, slowness)
        monkeypatch.setattr(running, "quick_rates", lambda _threads, **_k: RATES)
        for module in (running, checking):
            monkeypatch.setattr(module, "runner_of", lambda *_a, **_k: runner)
        return runner

    return put
