"""Exit codes and sentences: what a person at the terminal meets."""

import io
import json
import sys
import types
from collections.abc import Callable
from typing import Any

import pytest

from dayrate import __version__
from dayrate.cli.main import main
from dayrate.errors import DoesNotFit, InvalidInput, MissingExtra
from dayrate.scenario.flags import nested
from dayrate.scenario.schema import scenario_from

SHIPPED = "llama-3.1-70b-chat"

Captured = pytest.CaptureFixture[str]
Asked = list[tuple[Any, dict[str, Any]]]


@pytest.fixture(autouse=True)
def _english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DAYRATE_LANG", raising=False)
    monkeypatch.delenv("DAYRATE_DEBUG", raising=False)


def answering(monkeypatch: pytest.MonkeyPatch, answer: Callable[..., Any]) -> None:
    module = types.ModuleType("dayrate.quoting")
    vars(module)["quote"] = answer
    monkeypatch.setitem(sys.modules, "dayrate.quoting", module)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, quote: Any) -> Asked:
    """Answer every question with one quote, and remember what was asked."""
    questions: Asked = []

    def answer(scenario: Any = None, /, **flags: Any) -> Any:
        scenario_from(nested(flags))
        questions.append((scenario, flags))
        return quote

    answering(monkeypatch, answer)
    return questions


def fails(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def answer(*_args: Any, **_flags: Any) -> Any:
        raise error

    answering(monkeypatch, answer)


def test_version(capsys: Captured) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"dayrate {__version__}\n"


def test_no_command_shows_the_help(capsys: Captured) -> None:
    assert main([]) == 0
    assert "catalog" in capsys.readouterr().out


def test_help_has_an_example(capsys: Captured) -> None:
    assert main(["quote", "--help"]) == 0
    out = capsys.readouterr().out
    assert "Example: dayrate quote --model" in out
    assert "--tensor-parallel-size" in out


def test_a_quote_goes_to_stdout_alone(capsys: Captured, asked: Asked) -> None:
    assert main(["quote", "--model", "gpt2", "--isl", "10"]) == 0
    captured = capsys.readouterr()
    assert "$1,155 per day" in captured.out
    assert captured.err == ""
    assert asked == [(None, {"model": "gpt2", "isl": "10"})]


def test_the_same_question_gets_the_same_bytes(capsys: Captured, asked: Asked) -> None:
    texts = []
    for _ in range(2):
        main(["quote", SHIPPED, "--explain"])
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1]
    assert "[assumed]" in texts[0]
    assert [(file.id, flags) for file, flags in asked] == [(SHIPPED, {})] * 2


def test_json(capsys: Captured, asked: Asked) -> None:
    assert main(["quote", SHIPPED, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["cost"]["total_usd_per_day"] > 0
    assert asked


def test_quantities_may_have_units(asked: Asked) -> None:
    line = [
        "quote",
        "--ttft",
        "2 s",
        "--electricity",
        "0.65 CNY/kWh",
        "-tp",
        "4",
        "-ep",
    ]
    assert main([*line, "--headroom-frac", "30%", "--fx", "7.2"]) == 0
    scenario = scenario_from(nested(asked[0][1]))
    assert scenario.slo.ttft_ms == 2000
    assert scenario.deployment.tensor_parallel_size == 4
    assert scenario.deployment.enable_expert_parallel
    assert scenario.deployment.headroom_frac == pytest.approx(0.3)
    assert scenario.economics.electricity is not None
    assert scenario.economics.electricity.currency == "CNY"


def test_hours_of_a_day_may_be_listed(asked: Asked) -> None:
    assert main(["quote", "--day-shape", ",".join(["0.5"] * 24)]) == 0
    assert asked[0][1]["day_shape"] == ["0.5"] * 24


def test_a_scenario_from_stdin(monkeypatch: pytest.MonkeyPatch, asked: Asked) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("workload: {isl: 1155}"))
    assert main(["quote", "-"]) == 0
    assert asked[0][0].sections == {"workload": {"isl": 1155}}


def test_chinese(capsys: Captured, asked: Asked) -> None:
    assert main(["quote", SHIPPED, "--lang", "zh"]) == 0
    assert "每日 $1,155" in capsys.readouterr().out
    assert asked


@pytest.mark.usefixtures("asked")
@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("quote --modle x", "There is no option --modle. Did you mean --model"),
        ("quote --model", "Option '--model' requires an argument."),
        ("quote", "There is nothing to price. Give a scenario"),
        ("quote --isl many", "workload.isl is 'many': input should be a valid number"),
        (
            "quote --isl -5",
            "workload.isl is '-5': input should be greater than or equal to 1.",
        ),
        ("quote --isl nan", "workload.isl is 'nan': input should be a finite number."),
        ("quote --electricity 0.65CNY/kg", "electricity is '0.65CNY/kg'; it must be"),
        ("quote --pricing free", "economics.pricing is 'free'"),
        ("quote --basis half", "'half' is not one of"),
        ("quote --isl 3 --lang fr", "The language is 'fr'; give one of en, zh"),
        ("qoute", "No such command 'qoute'. Did you mean 'quote'?"),
        ("quote nowhere.yaml", "'nowhere.yaml' cannot be read: No such file"),
        ("quote lama-3.1-70b-chat", "Did you mean llama-3.1-70b-chat"),
        ("catalog", "Missing argument 'kind'."),
        ("catalog modles", "No catalogue of 'modles'"),
        ("catalog accelerators h100-smx-80gb", "Did you mean h100-sxm-80gb"),
    ],
)
def test_bad_input_is_a_sentence_and_2(
    capsys: Captured, line: str, sentence: str
) -> None:
    assert main(line.split()) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("Error: ")
    assert sentence in captured.err
    assert captured.err.count("\n") == 1


def test_stdin_that_is_not_a_scenario(
    monkeypatch: pytest.MonkeyPatch, capsys: Captured, asked: Asked
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("- 1"))
    assert main(["quote", "-"]) == 2
    assert "'stdin' does not hold a mapping" in capsys.readouterr().err
    assert not asked


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InvalidInput("No."), 2),
        (MissingExtra(what="to_frame()", extra="frame"), 2),
        (DoesNotFit(need_bytes=2e9, have_bytes=1e9, what="gpt2"), 3),
    ],
)
def test_what_an_error_exits_with(
    monkeypatch: pytest.MonkeyPatch, capsys: Captured, error: Exception, code: int
) -> None:
    fails(monkeypatch, error)
    assert main(["quote", SHIPPED]) == code
    assert capsys.readouterr().err == f"Error: {error}\n"


def test_a_bug_shows_its_traceback_only_when_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    fails(monkeypatch, ZeroDivisionError("division by zero"))
    assert main(["quote", SHIPPED]) == 1
    quiet = capsys.readouterr().err
    assert quiet.startswith("This is a bug in dayrate, not in your input: ZeroDiv")
    assert "Traceback" not in quiet
    assert main(["quote", SHIPPED, "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_errors_are_introduced_in_the_language(
    monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    fails(monkeypatch, InvalidInput("No."))
    assert main(["quote", SHIPPED, "--lang=zh"]) == 2
    assert capsys.readouterr().err == "错误：No.\n"
    monkeypatch.setenv("DAYRATE_LANG", "zh")
    assert main(["quote", SHIPPED]) == 2
    assert capsys.readouterr().err == "错误：No.\n"


def test_interrupted_is_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(*_args: Any, **_flags: Any) -> Any:
        raise KeyboardInterrupt

    answering(monkeypatch, answer)
    assert main(["quote", SHIPPED]) == 130


def test_catalogue_rows_are_listed_and_json(capsys: Captured) -> None:
    assert main(["catalog", "accelerators"]) == 0
    assert "h100-sxm-80gb" in capsys.readouterr().out
    assert main(["catalog", "accelerators", "H100", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["hbm_bandwidth_gb_per_s"] == 3350
