"""Predictions are those of the file, and are held against what was timed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dayrate.errors import InvalidInput
from dayrate.measure.calibrate.check import check
from dayrate.measure.calibrate.points import CHECKED
from dayrate.measure.calibrate.run import Ask, calibrate
from dayrate.measure.calibrate.save import save
from dayrate.report.json_ import to_json

Engine = Callable[..., Any]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAYRATE_CONFIG_DIR", str(tmp_path))


def test_the_same_machine_is_predicted(engine: Engine) -> None:
    engine()
    save(calibrate(Ask(threads=1, rounds=1)))
    found = check(Ask(rounds=1))
    assert [c.point for c in found.points] == list(CHECKED)
    assert found.median_error_frac < 0.02
    assert max(abs(c.error_frac) for c in found.points) < 0.05
    assert found.ask.threads == 1  # as calibrated
    assert found.streams is None  # this engine has no server
    assert json.loads(to_json(found.to_dict()))["points"][0]["what"] == "prefill 32"


def test_a_machine_that_slowed_down_is_found_out(engine: Engine) -> None:
    engine()
    save(calibrate(Ask(threads=1, rounds=1)))
    engine(slowness=1.5)
    found = check(Ask(rounds=1))
    assert found.median_error_frac == pytest.approx(0.5, abs=0.05)


def test_tokens_a_second_count_prompt_or_sequences(engine: Engine) -> None:
    engine()
    save(calibrate(Ask(threads=1, rounds=1)))
    by_name = {str(c.point): c for c in check(Ask(rounds=1)).points}
    prompt, batch = by_name["prefill 384"], by_name["decode 12 x 64"]
    assert prompt.predicted_per_s == 384 / prompt.predicted_s
    assert batch.predicted_per_s == 12 / batch.predicted_s


def test_without_a_calibration_it_says_what_to_run() -> None:
    with pytest.raises(InvalidInput, match="dayrate measure calibrate --engine llama"):
        check(Ask())


def test_other_weights_than_the_embedded_ones_are_asked_for(engine: Engine) -> None:
    engine()
    save(calibrate(Ask(threads=1, rounds=1, catalogued="gpt2")))
    with pytest.raises(InvalidInput, match="The calibration is of openai-community"):
        check(Ask())


def test_another_number_of_threads_is_another_machine(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine()
    save(calibrate(Ask(threads=1, rounds=1)))
    monkeypatch.setattr("dayrate.measure.calibrate.run.cores_to_run_on", lambda: 8)
    with pytest.raises(InvalidInput, match="--threads is 2 and the calibration used 1"):
        check(Ask(threads=2))
