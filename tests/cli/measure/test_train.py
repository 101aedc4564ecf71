"""``dayrate measure train``: what a person sees."""

import json
from pathlib import Path

import pytest

from dayrate.cli.main import main
from dayrate.measure.train.text import training_text

Captured = pytest.CaptureFixture[str]
SMALL = ["measure", "train", "--layers", "1", "--hidden", "16", "--heads", "2"]
SMALL += ["--vocabulary", "300", "--batch", "2", "--context", "16"]
SMALL += ["--evaluate-every", "2", "--steps", "2"]


@pytest.fixture
def text(tmp_path: Path) -> str:
    file = tmp_path / "text.txt"
    file.write_text(training_text(None)[:20_000], encoding="utf-8")
    return str(file)


def test_the_page(text: str, capsys: Captured) -> None:
    prices = ["--machine-price", "0.36 USD/h", "--electricity", "0.65 CNY/kWh"]
    assert main([*SMALL, "--text", text, *prices]) == 0
    page, talk = capsys.readouterr()
    assert max(map(len, page.splitlines())) <= 80
    for part in ("validation perplexity", "MFU", "openai/gpt-3-175b", "Assumptions"):
        assert part in page
    assert "step     2 of 2" in talk


def test_json_is_all_of_stdout(text: str, capsys: Captured) -> None:
    assert main([*SMALL, "--text", text, "--json", "--objective", "masked"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["steps"] == 2
    assert found["evaluations"][-1]["next_passage_accuracy_frac"] is not None


def test_it_saves_and_says_so(text: str, tmp_path: Path, capsys: Captured) -> None:
    folder = tmp_path / "model"
    assert main([*SMALL, "--text", text, "--save", str(folder)]) == 0
    assert (folder / "model.safetensors").is_file()
    assert main([*SMALL, "--text", text, "--save", str(folder)]) == 2
    assert "which exists" in capsys.readouterr().err


def test_what_cannot_be_saved_is_still_reported(text: str, capsys: Captured) -> None:
    assert main([*SMALL, "--text", text, "--save", "/proc/none/model"]) == 2
    page, talk = capsys.readouterr()
    assert "validation perplexity" in page
    assert "Cannot save" in talk


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ("--objective next", "--objective is 'next'; give one of causal, masked"),
        ("--steps 0", "--steps is 0"),
        ("--text /none", "Cannot read /none"),
        ("--from /none", "config.json is missing"),
        ("--electricity 3kg", "--electricity"),
    ],
)
def test_bad_input_is_a_sentence(flags: str, said: str, capsys: Captured) -> None:
    assert main(["measure", "train", *flags.split()]) == 2
    assert said in capsys.readouterr().err
