"""``dayrate backtest``: text and JSON of one table, and what it says of bad input."""

import csv
import json
from pathlib import Path

import pytest

from dayrate.cli.main import main
from dayrate.validation.examples import row
from dayrate.validation.table import REQUIRED

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def measured(tmp_path: Path) -> str:
    path = tmp_path / "measured.csv"
    rows = [row(), row(gpu="L40S", row_id="r2"), row(gpu="Abacus", row_id="r3")]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*REQUIRED, "mood"])
        writer.writerows([[*(r.keys[c] for c in REQUIRED), "good"] for r in rows])
    return str(path)


def test_text_fits_a_terminal(measured: str, capsys: Captured) -> None:
    command = ["backtest", measured, "--by", "gpu,engine", "--worst", "1"]
    assert main([*command, "--lang", "en"]) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    for part in ("L40S · vLLM", "Worst groups", "unknown gpu", "1: mood", "66.7 %"):
        assert part in out


def test_json(measured: str, capsys: Captured) -> None:
    assert main(["backtest", measured, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["rows"], document["scored"]) == (3, 2)
    assert document["unsupported"] == {"unknown gpu": 1}


def test_chinese(measured: str, capsys: Captured) -> None:
    assert main(["backtest", measured, "--lang", "zh"]) == 0
    assert "回测" in capsys.readouterr().out


@pytest.mark.parametrize("more", [["--tier", "C"], ["--by", "value"], ["--worst", "x"]])
def test_wrong_options(measured: str, more: list[str], capsys: Captured) -> None:
    assert main(["backtest", measured, *more]) == 2
    assert "Error:" in capsys.readouterr().err


def test_a_missing_file(capsys: Captured) -> None:
    assert main(["backtest", "nowhere.csv"]) == 2
    assert "nowhere.csv cannot be read" in capsys.readouterr().err
