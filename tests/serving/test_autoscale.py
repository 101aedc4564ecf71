"""Policies: what they want, and what they refuse."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayrate.errors import InvalidInput
from dayrate.serving.autoscale import (
    Autoscale,
    Scaling,
    wanted_by_load,
    wanted_by_schedule,
)

DAY = (1,) * 8 + (4,) * 12 + (2,) * 4


@given(
    st.integers(0, 9),
    st.floats(0, 50),
    st.integers(0, 500),
    st.integers(0, 500),
    st.floats(0.5, 1e3),
)
def test_what_the_load_wants_is_within_bounds_and_enough(
    held: int, per_s: float, in_flight: int, in_queue: int, each: float
) -> None:
    policy = Autoscale(
        Scaling.REACTIVE,
        minimum=1,
        maximum=7,
        per_s=3.0,
        in_flight=each,
        in_queue=5,
        kept=2,
    )
    in_queue = min(in_queue, in_flight)
    wanted = wanted_by_load(
        policy, held=held, per_s=per_s, in_flight=in_flight, in_queue=in_queue
    )
    assert 2 <= wanted <= 7
    load = max(per_s / 3, in_flight / each, in_queue / 5)
    assert wanted == 7 or wanted * 1.1 >= load * (1 - 1e-9)


def test_nobody_is_needed_for_nothing() -> None:
    policy = Autoscale(Scaling.REACTIVE, minimum=0, maximum=7, per_s=1.0)
    assert wanted_by_load(policy, held=3, per_s=0.0, in_flight=0, in_queue=0) == 0
    assert wanted_by_load(policy, held=0, per_s=0.0, in_flight=1, in_queue=1) == 1


@given(st.floats(0, 3 * 86_400), st.floats(0, 7200))
def test_a_schedule_holds_what_will_serve_when_a_start_is_over(
    time_s: float, startup_s: float
) -> None:
    wanted = wanted_by_schedule(DAY, time_s, startup_s)
    assert wanted >= DAY[math.floor(time_s / 3600) % 24]
    assert wanted >= DAY[math.floor((time_s + startup_s) / 3600) % 24]


def test_a_schedule_starts_in_time_however_times_are_rounded() -> None:
    for startup_s in (0.1, 227.3, 394.521871029752, 3599.9):
        assert wanted_by_schedule(DAY, 8 * 3600 - startup_s, startup_s) == 4
        assert wanted_by_schedule(DAY, 7.99 * 3600 - startup_s, startup_s) == 1


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"scaling": Scaling.SCHEDULED, "by_hour": (1,) * 23}, "24 numbers"),
        ({"scaling": Scaling.SCHEDULED, "by_hour": (0,) * 24}, "serves nobody"),
        ({"minimum": 3, "maximum": 2}, "--max-replicas"),
        ({"minimum": -1}, "--min-replicas from 0"),
        ({"minimum": 0, "maximum": 0}, "1 or more"),
        ({"startup_s": -1.0}, "start-up delay is -1"),
        ({"cooldown_s": math.nan}, "cool-down is nan"),
        ({"interval_s": 0.0}, "between decisions is 0"),
        ({"in_flight": -2.0}, "in flight is -2"),
        ({"per_s": math.nan}, "requests per second is nan"),
        ({"window_s": 0.0}, "counted is 0"),
    ],
)
def test_what_cannot_be_is_refused(fields: dict[str, object], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        Autoscale(**fields)  # type: ignore[arg-type]
