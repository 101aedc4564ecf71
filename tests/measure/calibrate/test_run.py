"""A calibration from an engine whose speed is known."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dayrate.errors import InvalidInput
from dayrate.measure.calibrate.points import CALIBRATED
from dayrate.measure.calibrate.run import Ask, calibrate
from dayrate.measure.machine.effort import Effort

Engine = Callable[..., Any]


def test_everything_is_timed_in_rounds(engine: Engine) -> None:
    runner = engine()
    said: list[str] = []
    found = calibrate(Ask(threads=1, rounds=2), said.append)
    assert runner.ran == [*CALIBRATED, *CALIBRATED]
    assert [t.point for t in found.timed] == list(CALIBRATED)
    assert found.fit.median_error_frac < 0.01
    assert found.request_s == 2e-3
    assert not found.busy
    assert "Round 2 of 2: prefill 1 …" in said


def test_an_idle_engine_is_fitted_whatever_the_clock_says(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of the time it waited for a core: that half is taken off, and told."""
    runner = engine()
    alone = calibrate(Ask(threads=1, rounds=1)).fit.values
    calm = runner.time

    def disturbed(point: Any) -> Effort:
        own = calm(point).wall_s
        return Effort(2 * own, own, own, 5.0)

    monkeypatch.setattr(runner, "time", disturbed)
    found = calibrate(Ask(threads=1, rounds=1))
    assert found.busy
    assert found.fit.values == pytest.approx(alone)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"engine": "abacus"}, "one of llama.cpp, transformers"),
        ({"rounds": 0}, "--rounds is 0"),
        ({"threads": 0}, "--threads is 0"),
        ({"threads": 100_000}, "this process may use 1 to"),
        ({"full_load_w": -1.0}, "--full-load-watts is -1"),
    ],
)
def test_bad_input_says_what_is_allowed(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        Ask(**wrong)


def test_weights_of_an_unknown_shape_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="Give --model with its catalogue id"):
        calibrate(Ask(model=tmp_path / "other.gguf"))


def test_each_engine_has_its_own_file() -> None:
    assert Ask().id == "this-machine"
    assert Ask(engine="transformers").id == "this-machine-transformers"
