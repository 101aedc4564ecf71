"""Lengths and departures of requests, before any leaves."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayrate.errors import InvalidInput, UnknownName, UnreadableTrace
from dayrate.measure.endpoint.plan import (
    ClosedLoop,
    OpenLoop,
    Pace,
    Sizes,
    TraceTimes,
    sizes_of,
    within,
)
from dayrate.workload import DemandInput

HEAD = "arrival_s,input_tokens,output_tokens"


def sizes(pace: Pace | None = None, *, most: int = 50, **demand: Any) -> Sizes:
    return sizes_of(DemandInput(**demand), pace or ClosedLoop(4), most=most)


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    path = tmp_path / "trace.csv"
    rows = [f"{100 + i * i},{10 * (i + 1)},{i + 1}" for i in range(8)]
    path.write_text("\n".join([HEAD, *rows]) + "\n")
    return path


def test_fixed_lengths() -> None:
    found = sizes(isl=100, osl=20)
    assert found.fixed
    assert set(found.input_tokens) == {100}
    assert set(found.output_tokens) == {20}
    assert len(found.input_tokens) == 50
    assert found.at_s is None


def test_a_preset_is_drawn_and_scaled() -> None:
    found = sizes(preset="chat", isl=100, most=4000)
    assert not found.fixed
    assert found.input_tokens.mean() == pytest.approx(100, rel=0.2)
    assert found.output_tokens.mean() == pytest.approx(211, rel=0.2)
    assert found.name == "chat"
    again = sizes(preset="chat", isl=100, most=4000)
    assert (found.input_tokens == again.input_tokens).all()


def test_a_trace_keeps_its_order(trace: Path) -> None:
    found = sizes(trace_path=trace, most=5)
    assert found.input_tokens.tolist() == [10, 20, 30, 40, 50]
    assert found.output_tokens.tolist() == [1, 2, 3, 4, 5]
    assert found.at_s is None


def test_a_trace_is_replayed_at_its_pace(trace: Path) -> None:
    found = sizes(TraceTimes(2.0), trace_path=trace, most=4)
    assert found.at_s is not None
    assert found.at_s.tolist() == [0.0, 0.5, 2.0, 4.5]


def test_a_trace_is_scaled_whole_and_then_cut(trace: Path) -> None:
    found = sizes(trace_path=trace, isl=90, osl=9, most=2)
    assert found.input_tokens.tolist() == [20, 40]
    assert found.output_tokens.tolist() == [2, 4]


def test_a_trace_may_leave_at_another_rate(trace: Path) -> None:
    found = sizes(OpenLoop(10.0), trace_path=trace)
    assert found.at_s is not None
    assert len(found.at_s) == len(found.input_tokens) == 8


@given(
    rate=st.floats(0.01, 1e4), burstiness=st.floats(0.05, 50), seed=st.integers(0, 9)
)
def test_departures_never_go_back(rate: float, burstiness: float, seed: int) -> None:
    pace = OpenLoop(rate, burstiness)
    found = sizes_of(DemandInput(isl=1, osl=1), pace, most=40, seed=seed)
    assert found.at_s is not None
    assert found.at_s[0] == 0.0
    assert (np.diff(found.at_s) >= 0).all()


@pytest.mark.parametrize("burstiness", [0.25, 1.0, 4.0])
def test_gaps_have_the_rate_and_the_burstiness(burstiness: float) -> None:
    found = sizes(OpenLoop(5.0, burstiness), isl=1, osl=1, most=40_000)
    assert found.at_s is not None
    gaps_s = np.diff(found.at_s)
    assert gaps_s.mean() == pytest.approx(0.2, rel=0.05)
    cv = gaps_s.std() / gaps_s.mean()  # of a gamma distribution
    assert cv == pytest.approx(1 / math.sqrt(burstiness), rel=0.05)


def test_all_at_once() -> None:
    found = sizes(OpenLoop(math.inf), isl=1, osl=1)
    assert found.at_s is not None
    assert set(found.at_s) == {0.0}


def test_what_fits_a_context() -> None:
    found = sizes(isl=100, osl=20)
    assert within(found, 120).all()
    assert within(found, None).all()
    assert not within(found, 119).any()


def test_prefixes_of_a_trace_are_said_to_be_lost(tmp_path: Path) -> None:
    path = tmp_path / "mooncake.jsonl"
    line = '{"timestamp": 0, "input_length": 600, "output_length": 2, "hash_ids": [1]}'
    path.write_text(f"{line}\n")
    assert "not replayed" in sizes(trace_path=path).notes[0]


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: ClosedLoop(0), "--concurrency"),
        (lambda: OpenLoop(0.0), "--request-rate"),
        (lambda: OpenLoop(math.nan), "--request-rate"),
        (lambda: OpenLoop(1.0, 0.0), "--burstiness"),
        (lambda: OpenLoop(1.0, math.inf), "--burstiness"),
        (lambda: TraceTimes(0.0), "--speedup"),
        (sizes, "how long requests are"),
        (lambda: sizes(isl=100), "how long requests are"),
        (lambda: sizes(isl=0, osl=5), "input length is 0"),
        (lambda: sizes(isl=5, osl=math.inf), "output length is inf"),
        (lambda: sizes(TraceTimes(), isl=5, osl=5), "Give a --trace"),
        (lambda: sizes(preset="chat", trace_path="a.csv"), "Give one of them"),
    ],
)
def test_what_cannot_be_sent(make: Any, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        make()


def test_names_that_nobody_knows() -> None:
    with pytest.raises(UnknownName):
        sizes(preset="chatt")
    with pytest.raises(UnreadableTrace):
        sizes(trace_path="none.csv")


def test_traces_that_cannot_be_replayed(tmp_path: Path) -> None:
    lengths = tmp_path / "lengths.csv"
    lengths.write_text("input_tokens,output_tokens\n5,5\n")
    with pytest.raises(InvalidInput, match=r"lengths\.csv does not say when"):
        sizes(TraceTimes(), trace_path=lengths)
    windows = tmp_path / "windows.csv"
    windows.write_text("t_s,requests,input_tokens,output_tokens\n0,2,9,9\n60,2,9,9\n")
    with pytest.raises(InvalidInput, match="windows of requests"):
        sizes(trace_path=windows)
    with pytest.raises(InvalidInput, match="mean length is 0"):
        sizes(trace_path=lengths, isl=0)
