"""``dayrate simulate --day`` and its timeline: whole files, sums, and bad names."""

import csv
import importlib
import json
from pathlib import Path

import pytest

from dayrate.cli import output
from dayrate.cli.main import main

Captured = pytest.CaptureFixture[str]
DAY = [
    "simulate",
    *("--model", "gpt2", "--accelerator", "l4", "--isl", "200", "--osl", "50"),
    *("--requests-per-day", "3000", "--day", "--autoscale", "reactive"),
    *("--min-replicas", "0", "--startup-delay", "2 min"),
]


def test_the_rows_of_a_timeline_add_up_to_the_bill(
    tmp_path: Path, capsys: Captured
) -> None:
    path = tmp_path / "lines.csv"
    assert main([*DAY, "--json", "--timeline", str(path)]) == 0
    day = json.loads(capsys.readouterr().out)
    rows = list(csv.DictReader(path.read_text().splitlines()))
    for name, total in (
        ("usd", day["cost"]["total_usd"]),
        ("kwh", day["energy"]["kwh"]),
        ("requests", day["summary"]["requests"]),
    ):
        assert sum(float(r[name]) for r in rows) == pytest.approx(total, rel=1e-9)
        assert sum(h[name] for h in day["hours"]) == pytest.approx(total, rel=1e-9)
    assert day["period_s"] == 86_400
    assert day["fixed"]["policy"]["scaling"] == "fixed"


def test_parquet_holds_the_same(tmp_path: Path, capsys: Captured) -> None:
    pytest.importorskip("pyarrow")
    parquet = importlib.import_module("pyarrow.parquet")
    paths = [tmp_path / "a.csv", tmp_path / "a.parquet"]
    for path in paths:
        assert main([*DAY, "--no-compare", "--timeline", str(path)]) == 0
    table = parquet.read_table(paths[1]).to_pydict()
    rows = list(csv.DictReader(paths[0].read_text().splitlines()))
    assert list(table) == list(rows[0])
    for name, column in table.items():
        assert [float(r[name]) for r in rows] == column


def test_without_pyarrow_the_error_says_how_to_get_it(
    tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    assert main([*DAY, "--timeline", str(tmp_path / "a.parquet")]) == 2
    assert "pip install 'dayrate[parquet]'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--timeline", "lines.txt"], "ends in .csv or .parquet"),
        (["--timeline", "/no/such/a.csv"], "is no folder"),
        (["--max-replicas", "0"], "max_replicas is 0"),
        (["--startup-delay", "-1"], "startup_delay_s is -1"),
        (["--replicas-by-hour", "1,2,3"], "the policy is reactive"),
        (["--routing", "least-loaded", "--simulator", "numba"], "round-robin"),
    ],
)
def test_bad_input_is_a_sentence(flags: list[str], said: str, capsys: Captured) -> None:
    assert main([*DAY, *flags]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_an_interrupted_write_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    path = tmp_path / "lines.csv"
    path.write_text("before")
    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        output.write_file(str(path), "after")
    assert [p.name for p in tmp_path.iterdir()] == ["lines.csv"]
    assert path.read_text() == "before"


def test_a_quote_says_that_it_simulated(capsys: Captured) -> None:
    quote = ["quote", *DAY[1:9], "--requests-per-day", "2000", "--lang", "en"]
    assert main([*quote, "--simulate"]) == 0
    out = capsys.readouterr().out
    assert "requests of a day, one by one" in out
    assert "in closed form" in out
    assert main(quote) == 0
    assert "one by one" not in capsys.readouterr().out
