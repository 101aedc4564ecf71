"""Energy of a block: counters first, then an estimate, else unknown."""

from itertools import pairwise

import pytest

from dayrate.errors import InvalidInput
from dayrate.measure.power.reading import Energy, EnergyMeter, EnergySource


class Counter:
    name = "counter"

    def __init__(self, *values: float) -> None:
        self.values = list(values)

    def joules(self) -> float:
        return self.values.pop(0)


class Fixed:
    started = False

    def start(self) -> None:
        self.started = True

    def energy(self) -> Energy:
        return Energy(2.0, 1.0, 4.0, EnergySource.ESTIMATED, "assumed")


def test_counters_are_added() -> None:
    with EnergyMeter([Counter(1.0, 4.0), Counter(10.0, 12.5)]) as meter:
        pass
    assert meter.energy.joules == 5.5
    assert meter.energy.source is EnergySource.MEASURED
    assert meter.energy.meter == "counter + counter"


def test_a_counter_wins_over_an_estimate() -> None:
    fallback = Fixed()
    with EnergyMeter([Counter(0.0, 1.0)], fallback) as meter:
        pass
    assert meter.energy.joules == 1.0
    assert not fallback.started


def test_without_a_counter_it_is_estimated() -> None:
    with EnergyMeter([], Fixed()) as meter:
        pass
    assert meter.energy.source is EnergySource.ESTIMATED
    assert meter.energy.low_joules == 1.0


def test_while_it_runs_it_only_grows() -> None:
    with EnergyMeter([Counter(0.0, 1.0, 2.0, 3.0)]) as meter:
        seen = [meter.so_far().joules or 0.0 for _ in range(2)]
    assert all(a <= b for a, b in pairwise([*seen, meter.energy.joules or 0.0]))


def test_before_the_end_there_is_no_energy() -> None:
    with pytest.raises(InvalidInput, match="when the block ends"):
        _ = EnergyMeter([]).energy
