"""``dayrate anatomy`` from the command line."""

import json
from pathlib import Path

import pytest

from dayrate.cli.main import main

INPUT, NO_PLAN = 2, 3


def test_the_page_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["anatomy", "gpt2", "--isl", "100", "--osl", "20"]) == 0
    out, err = capsys.readouterr()
    assert "Prefill: 100 tokens in one pass" in out
    assert "The whole request: prefill and 19 steps" in out
    assert not err


def test_json_and_a_figure(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    pytest.importorskip("plotly")
    file = tmp_path / "gpt2.html"
    asked = ["anatomy", "gpt2", "--accelerator", "l4", "--batch", "4"]
    assert main([*asked, "--json", "--figure", str(file)]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["request"] == {"isl": 512, "osl": 128, "batch": 4}
    assert str(file) in err
    assert "Plotly.newPlot" in file.read_text(encoding="utf-8")


def test_a_picture_needs_no_browser(tmp_path: Path) -> None:
    file = tmp_path / "gpt2.svg"
    assert main(["anatomy", "gpt2", "--figure", str(file)]) == 0
    assert file.read_text(encoding="utf-8").startswith("<svg")


def test_a_config_of_ones_own(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "config.json"
    config = {"model_type": "gpt2", "n_embd": 64, "n_layer": 2, "n_head": 4}
    file.write_text(json.dumps(config))
    assert main(["anatomy", str(file), "--layer-detail"]) == 0
    assert "in 2 layers" in capsys.readouterr().out


def test_it_speaks_chinese(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["anatomy", "gpt2", "--lang", "zh"]) == 0
    assert "前馈" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("given", "status", "said"),
    [
        (["gpt-22"], INPUT, "Did you mean"),
        (["gpt2", "--isl", "0"], INPUT, "greater than or equal to 1"),
        (["gpt2", "--batch", "0"], INPUT, "--batch is 0"),
        (["gpt2", "--isl", "1000", "--osl", "100"], INPUT, "holds 1024"),
        (["gpt2", "--figure", "x.png"], INPUT, "ends in .html or .svg"),
        (["gpt2", "--users", "3"], INPUT, "no option --users"),
        (["gpt2", "--model", "gpt2"], INPUT, "no option --model"),
        (["bert-base", "--osl", "3"], INPUT, "writes none"),
        (["llama-3.1-70b", "--accelerator", "l4"], NO_PLAN, "the deployment has"),
        ([], INPUT, "`dayrate anatomy --help`"),
    ],
)
def test_bad_input_is_one_sentence(
    capsys: pytest.CaptureFixture[str], given: list[str], status: int, said: str
) -> None:
    assert main(["anatomy", *given]) == status
    out, err = capsys.readouterr()
    assert not out
    assert said in err
    assert err.count("\n") == 1


def test_an_unknown_architecture_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "config.json"
    sizes = {"hidden_size": 64, "num_hidden_layers": 2, "vocab_size": 10}
    file.write_text(json.dumps({"model_type": "new", "num_experts": 4, **sizes}))
    assert main(["anatomy", str(file)]) == INPUT
    assert "the layout of model_type 'new' is unknown" in capsys.readouterr().err


def test_a_quote_sends_encoders_here(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["--isl", "10", "--osl", "10", "--requests-per-day", "10"]
    assert main(["quote", "--model", "bert-base", *asked]) == INPUT
    assert "`dayrate anatomy google-bert/bert-base-uncased`" in capsys.readouterr().err
