import csv
import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayrate.catalog import store
from dayrate.errors import InvalidInput, UnknownName
from dayrate.evidence import Grade
from dayrate.workload.demand import DayShape
from dayrate.workload.shape import (
    day_shape,
    given_shape,
    measured_shape,
    peak_over_hour,
    shape_names,
)
from dayrate.workload.traces import read_trace

ROWS = {r["id"]: r for r in store.rows("workloads") if r["kind"] == "day-shape"}
WINDOWS = {
    "servegen-m-large": "m-large",
    "servegen-m-mid": "m-mid",
    "servegen-m-small": "m-small",
    "servegen-deepseek-r1": "deepseek-r1",
    "servegen-image-chat": "mm-image",
}


@pytest.mark.parametrize("name", shape_names())
def test_shipped_shapes_are_whole(name: str) -> None:
    shape, row = day_shape(name), ROWS[name]
    assert len(shape.hour_frac) == 24
    assert math.fsum(shape.hour_frac) == pytest.approx(1)
    assert shape.peak_over_mean == pytest.approx(max(row["hour_over_mean"]), rel=0.002)
    assert shape.burst >= 1
    assert shape.source.title
    assert row["how"].endswith(".")
    # The busiest hour of the record lies between the average day's and the burst.
    assert row["peak_hour_over_mean"] >= 0.999 * shape.peak_over_mean
    if name != "burstgpt":  # its ten-minute peak is unknown
        assert row["peak_hour_over_mean"] <= 1.001 * shape.peak_over_mean * shape.burst


@given(st.lists(st.floats(0, 1e6), min_size=24, max_size=24).filter(any))
def test_a_given_shape_sums_to_one(hours: list[float]) -> None:
    shape = day_shape(hours)
    assert math.fsum(shape.hour_frac) == pytest.approx(1)
    assert shape.peak_over_mean >= 1 - 1e-9
    assert shape.grade is Grade.GIVEN


@pytest.mark.parametrize(
    ("hours", "sentence"),
    [
        ([1.0] * 23, "has 23 numbers; give 24"),
        ([0.0] * 24, "only zeros"),
        ([-1.0] + [1.0] * 23, "holds -1.0"),
        ([math.nan] + [1.0] * 23, "holds nan"),
        ([math.inf] + [1.0] * 23, "holds inf"),
    ],
)
def test_a_bad_shape_is_a_sentence(hours: list[float], sentence: str) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        given_shape(hours)


def test_bad_bursts_and_names_are_sentences() -> None:
    with pytest.raises(InvalidInput, match=r"burst of 0\.5"):
        given_shape([1.0] * 24, burst=0.5)
    with pytest.raises(UnknownName, match="Did you mean flat"):
        day_shape("flatt")


def test_a_day_and_a_half_is_folded_without_bias() -> None:
    time = (
        np.arange(2160, dtype=np.float64) * 60
    )  # an even load counts half the hours twice
    shape = measured_shape(time, np.ones_like(time), window_s=60)
    assert shape.hour_frac == pytest.approx([1 / 24] * 24)
    assert shape.burst == 1


def test_the_clock_turns_the_shape() -> None:
    time = np.arange(144, dtype=np.float64) * 600
    load = np.where(time < 3600, 5.0, 1.0)
    at_noon = measured_shape(time, load, window_s=600, start_s_of_day=12 * 3600)
    assert int(np.argmax(at_noon.hour_frac)) == 12
    assert at_noon.peak_over_mean == pytest.approx(24 * 5 / 28)


@given(st.lists(st.integers(1, 50), min_size=144, max_size=288))
def test_peak_ten_minutes_are_recovered(load: list[int]) -> None:
    requests = np.array(load, dtype=np.float64)
    shape = measured_shape(
        np.arange(len(load), dtype=np.float64) * 600, requests, window_s=600
    )
    hours = np.array(shape.hour_frac)
    assert math.fsum(hours) == pytest.approx(1)
    if len(load) in (144, 288):
        peak = requests.max() / requests.mean()
        busiest = max(peak, shape.peak_over_mean)
        assert shape.peak_over_mean * shape.burst == pytest.approx(busiest)


def test_less_than_a_day_has_no_shape() -> None:
    with pytest.raises(InvalidInput, match=r"A load of 1\.00 h"):
        measured_shape(np.array([0.0, 3600.0]), np.ones(2))


def test_peak_over_hour() -> None:
    even = np.arange(361, dtype=np.float64) * 10
    assert peak_over_hour(even, np.ones_like(even)) == 1
    assert peak_over_hour(np.array([0.0, 900.0]), np.ones(2)) == 1
    time = np.array([0.0, 700, 1300, 1900, 2500, 2600, 3100, 3600])
    assert peak_over_hour(time, np.ones_like(time)) == pytest.approx(2 / (7 / 6))


def agrees(
    name: str, shape: DayShape, time: npt.NDArray[np.float64], requests: object
) -> None:
    row = ROWS[name]
    hours = 24 * np.array(shape.hour_frac)
    np.testing.assert_allclose(row["hour_over_mean"], hours, atol=6e-4)
    assert row["burst"] == pytest.approx(shape.burst, abs=6e-4)
    since = ((time - time[0]) // 3600).astype(np.int64)
    by_hour = np.bincount(since, weights=np.asarray(requests))
    assert row["peak_hour_over_mean"] == pytest.approx(
        by_hour.max() / by_hour.mean(), abs=6e-4
    )


@pytest.mark.parametrize("name", ["azure-2024-conversation", *WINDOWS])
def test_window_shapes_follow_from_the_data(shared_data: Path, name: str) -> None:
    folder = shared_data / "traces"
    if name in WINDOWS:
        path = folder / "servegen_total_10min.csv.gz"
        t = read_trace(path, model=WINDOWS[name])
    else:
        t = read_trace(folder / "azure2024_conv_week_10min_digitised.csv.gz")
    assert t.arrival_s is not None
    shape = measured_shape(t.arrival_s, t.request_counts, window_s=t.window_s)
    agrees(name, shape, t.arrival_s, t.request_counts)


def test_ragpulse_follows_from_the_data(shared_data: Path) -> None:
    t = read_trace(shared_data / "traces" / "ragpulse_7d.csv.gz")
    assert t.arrival_s is not None
    noon = 12 * 3600
    shape = measured_shape(t.arrival_s, t.request_counts, start_s_of_day=noon)
    agrees("ragpulse", shape, t.arrival_s + noon, t.request_counts)


def test_burstgpt_follows_from_the_data(shared_data: Path) -> None:
    path = shared_data / "traces" / "burstgpt1_hour_of_day_derived.csv"
    with path.open(encoding="utf-8") as file:
        rates = [float(r["mean_requests_per_hour"]) for r in csv.DictReader(file)]
    expected = np.array(rates) / np.mean(rates)
    row = ROWS["burstgpt"]
    np.testing.assert_allclose(row["hour_over_mean"], expected, atol=6e-4)
    assert row["peak_hour_over_mean"] == pytest.approx(1.839, abs=6e-4)
