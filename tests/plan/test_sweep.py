"""Grids, keys and seeds; the same rows whoever computes them."""

import os
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayrate.errors import InvalidInput, MissingExtra
from dayrate.plan import sweep
from dayrate.plan.sweep import (
    Axis,
    WorkerLost,
    Workers,
    combinations,
    content_key,
    content_seed,
    parse_axis,
    run_points,
)

JOBS = list(range(-3, 4))
FOUND = {i: abs(job) for i, job in enumerate(JOBS)}


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("replicas=2,4,8", ["2", "4", "8"]),
        ("--max-num-seqs=64:512:x2", ["64", "128", "256", "512"]),
        ("seed=1:4", ["1", "2", "3", "4"]),
        ("isl=500:2000:500", ["500", "1000", "1500", "2000"]),
        ("x=0.1:0.5:0.1,9", ["0.1", "0.2", "0.3", "0.4", "0.5", "9"]),
        ("x=3:100:x3", ["3", "9", "27", "81"]),
        ("ttft=2 s,500 ms", ["2 s", "500 ms"]),
        ("model=a/b:c", ["a/b:c"]),
        ("x=5:5", ["5"]),
    ],
)
def test_axes(text: str, values: list[str]) -> None:
    assert list(parse_axis(text).values) == values


@given(st.integers(-50, 50), st.integers(0, 40), st.integers(1, 7))
def test_ranges_end_where_they_say(first: int, count: int, step: int) -> None:
    axis = parse_axis(f"a={first}:{first + count * step}:{step}")
    assert [int(v) for v in axis.values] == list(
        range(first, first + count * step + 1, step)
    )


@pytest.mark.parametrize(
    "text",
    [
        "replicas",
        "=2,3",
        "a=",
        "a=1,,2",
        "a=1,1",
        "a=5:1",
        "a=1:5:0",
        "a=1:5:-1",
        "a=1:5:x1",
        "a=0:5:x2",
        "a=0:1e9:0.001",
    ],
)
def test_what_is_no_axis_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_axis(text)


def test_grids_are_products() -> None:
    grid = combinations([Axis("a", ("1", "2")), Axis("b", ("x", "y", "z"))])
    assert len(grid) == 6
    assert grid[1] == {"a": "1", "b": "y"}


@pytest.mark.parametrize(
    "axes",
    [
        [Axis("a", ("1",)), Axis("a", ("2",))],
        [Axis(c, tuple(map(str, range(100)))) for c in "abc"],
    ],
)
def test_impossible_grids_are_refused(axes: list[Axis]) -> None:
    with pytest.raises(InvalidInput):
        combinations(axes)


@given(st.dictionaries(st.text(max_size=4), st.integers()), st.integers(0, 2**31))
def test_keys_and_seeds_come_from_the_content(content: dict[str, int], n: int) -> None:
    back = dict(reversed(content.items()))
    assert content_key(content) == content_key(back)
    assert content_seed(n, content) == content_seed(n, back)
    assert content_seed(n, content) != content_seed(n + 1, content)
    assert content_key({**content, "more": 1}) != content_key(content)


def test_the_seed_of_a_point_never_changes() -> None:
    """A published number: results must be had again by later versions."""
    assert content_seed(0, {"isl": "100"}) == 795371599


@pytest.mark.parametrize("jobs", [1, 2])
def test_local_processes(jobs: int) -> None:
    found = dict(run_points(abs, JOBS, Workers("local", jobs)))
    assert found == FOUND


def test_nothing_to_do() -> None:
    assert list(run_points(abs, [], Workers())) == []


def test_a_closed_sweep_stops() -> None:
    points = run_points(abs, JOBS, Workers("local", 2))
    next(points)
    points.close()
    assert list(points) == []


def test_a_lost_process_is_a_sentence() -> None:
    with pytest.raises(WorkerLost, match="--resume"):
        list(run_points(os._exit, JOBS, Workers("local", 2)))


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr("importlib.import_module", absent)
    with pytest.raises(MissingExtra, match=r"dayrate\[scale\]"):
        list(run_points(abs, JOBS, Workers("dask", 2)))


@pytest.mark.parametrize(
    "bad",
    [
        {"backend": "spark"},
        {"jobs": 0},
        {"backend": "local", "address": "tcp://127.0.0.1:1"},
    ],
)
def test_impossible_workers_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        Workers(**bad)


def test_every_processor_works_unless_told() -> None:
    assert sweep.Workers().count == os.cpu_count()


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "127.0.0.1:no", "x:1e9"])
def test_a_cluster_that_is_not_there_is_a_sentence(address: str) -> None:
    pytest.importorskip("distributed")
    with pytest.raises(InvalidInput, match="no dask cluster at"):
        next(run_points(abs, JOBS, Workers("dask", 2, address)))
