"""Wall time, time on a core, and waiting for one."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayrate.measure.machine.effort import Effort, Watch, best, spread_frac

SECONDS = st.floats(0.0, 1e4)


def thread(proc: Path, number: int, *, ran_s: float, waited_s: float) -> None:
    folder = proc / "7" / "task" / str(number)
    folder.mkdir(parents=True, exist_ok=True)
    text = f"{int(ran_s * 1e9)} {int(waited_s * 1e9)} 1\n"
    (folder / "schedstat").write_text(text)


def test_threads_of_a_process_are_added(tmp_path: Path) -> None:
    thread(tmp_path, 1, ran_s=1.0, waited_s=0.5)
    thread(tmp_path, 2, ran_s=2.0, waited_s=0.0)
    with Watch([7], proc=tmp_path) as watch:
        thread(tmp_path, 1, ran_s=4.0, waited_s=1.5)
        thread(tmp_path, 3, ran_s=1.0, waited_s=0.0)
    assert watch.effort.processor_s == pytest.approx(4.0)
    assert watch.effort.waited_s == pytest.approx(1.0)
    assert watch.effort.waited_frac == pytest.approx(0.2)


def test_without_such_figures_wall_time_stands(tmp_path: Path) -> None:
    with Watch([7], proc=tmp_path) as watch:
        pass
    assert watch.effort.processor_s is None
    assert watch.effort.own_s == watch.effort.wall_s


@given(SECONDS, SECONDS, SECONDS)
def test_own_time_is_never_more_than_wall_time(
    wall: float, ran: float, waited: float
) -> None:
    effort = Effort(wall, ran, waited)
    assert 0.0 <= effort.own_s <= wall
    assert Effort(wall, ran, 0.0).own_s == wall


def test_half_the_time_without_a_core_is_taken_off() -> None:
    assert Effort(10.0, 5.0, 5.0).own_s == 5.0


def test_the_best_round_is_the_least_disturbed_not_the_shortest() -> None:
    quick, calm = Effort(2.0, 2.0, 0.0), Effort(4.0, 1.0, 3.0)
    assert best([quick, calm]) is calm
    assert spread_frac([quick, calm, Effort(3.0, 3.0, 0.0)]) == pytest.approx(1.0)
    assert spread_frac([calm]) == 0.0
