"""``dayrate measure generate``: the text, the table, JSON, and bad input."""

import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dayrate.cli.main import main
from dayrate.errors import MissingExtra
from dayrate.measure.generate import run

Captured = pytest.CaptureFixture[str]
GENERATE = ["measure", "generate", "--threads", "1"]
PROMPT = "The quick brown"
MONEY = ["--electricity", "0.65 CNY/kWh", "--machine-price", "0.10 USD/h"]


@pytest.fixture
def command(tiny_gguf: Path) -> list[str]:
    pytest.importorskip("xllamacpp")
    return [*GENERATE, "--model", str(tiny_gguf), "--max-new-tokens", "8"]


@pytest.fixture
def beside_gpt2(gpt2: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder in which ``gpt2`` is a local model."""
    monkeypatch.chdir(gpt2.parent)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_text_then_the_table(
    lang: str, command: list[str], capsys: Captured
) -> None:
    assert main([*command, "--prompt", PROMPT, *MONEY, "--lang", lang]) == 0
    out, err = capsys.readouterr()
    text, _blank, table = out.partition("\n\n")
    assert text.startswith(PROMPT)
    assert len(text) > len(PROMPT)
    assert max(map(len, table.splitlines())) <= 80
    first = "time to first token" if lang == "en" else "首 token 延迟"
    assert first in table
    assert "tiny" in err


def test_json_alone_is_on_stdout(command: list[str], capsys: Captured) -> None:
    assert main([*command, "--prompt", PROMPT, *MONEY, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["prompt"] == PROMPT
    assert document["output_tokens"] == 8
    assert document["outputs"][0]["finish"] == "length"
    assert document["energy"]["source"] in {"measured", "estimated", "unknown"}
    assert document["cost"]["terms_usd"]["machine"] > 0
    assert document["asked"]["seed"] == 0


def test_the_same_seed_gives_the_same_text(
    command: list[str], capsys: Captured
) -> None:
    texts = []
    for seed in ("3", "3", "4"):
        drawn = ["--temperature", "1", "--seed", seed, "--json"]
        assert main([*command, "--prompt", PROMPT, *drawn]) == 0
        texts.append(json.loads(capsys.readouterr().out)["outputs"][0]["text"])
    assert texts[0] == texts[1] != texts[2]


def test_a_prompt_from_stdin(
    command: list[str], capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("每天的\n"))
    assert main([*command, "--prompt", "-", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["prompt"] == "每天的"


#: One command for each of the articles' three calls.
CALLS: dict[str, list[str]] = {
    "max_length": ["-p", PROMPT, "--max-length", "20"],
    "no repeats": [
        *("-p", PROMPT, "--max-length", "50", "--no-repeat-ngram-size", "2")
    ],
    "beams": [
        *("-p", "大语言模型", "--max-length", "200"),
        *("--num-beams", "5", "--early-stopping"),
    ],
}


@pytest.mark.usefixtures("beside_gpt2")
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_the_three_calls_on_gpt2(call: list[str], capsys: Captured) -> None:
    assert main([*GENERATE, "--model", "gpt2", *call, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    most = int(call[call.index("--max-length") + 1])
    tokens = document["prompt_tokens"] + document["output_tokens"]
    ended = document["outputs"][0]["finish"] == "stop"
    assert tokens == most or (ended and tokens < most)
    assert document["counted_flop"] > document["decode_flop"]


def test_a_part_of_a_file_is_refused(
    tiny_gguf: Path, tmp_path: Path, capsys: Captured
) -> None:
    part = tmp_path / "part.gguf"
    part.write_bytes(tiny_gguf.read_bytes()[:-100])
    assert main([*GENERATE, "--model", str(part), "-p", "a"]) == 2
    assert "cut short" in capsys.readouterr().err


@pytest.mark.usefixtures("beside_gpt2")
def test_with_beams_the_text_comes_at_the_end(capsys: Captured) -> None:
    beams = ["--num-beams", "2", "--num-return-sequences", "2", "--max-length", "18"]
    assert main([*GENERATE, "--model", "gpt2", "-p", PROMPT, *beams]) == 0
    out, err = capsys.readouterr()
    assert "at the end" in err
    assert out.startswith("[Text 1 of 2]\n" + PROMPT)
    assert "[Text 2 of 2]\n" + PROMPT in out


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ([], "give --prompt"),
        (["-p", ""], "prompt is empty"),
        (["-p", "\udcff"], "not UTF-8"),
        (["-p", "a", "--num-beams", "2"], "--backend transformers"),
        (["-p", "a", "--max-length", "1"], "--max-new-tokens"),
        (["-p", "word " * 300], "Shorten the prompt"),
        (["-p", "a", "--backend", "vllm"], "transformers, llamacpp"),
        (["-p", "a", "--threads", "0"], "--threads is 0"),
        (["-p", "a", "--accelerator", "h10"], "accelerator"),
        (["-p", "a", "--electricity", "0.65 CNY/kg"], "--electricity"),
        (["-p", "a", "--model", "./nothing"], "no model at"),
        (["-p", "a", "--lang", "xx"], "language"),
    ],
)
def test_bad_input_is_a_sentence(
    more: list[str], said: str, tiny_gguf: Path, capsys: Captured
) -> None:
    pytest.importorskip("xllamacpp")
    model = ["--model", str(tiny_gguf)]
    assert main([*GENERATE, *model, *more]) == 2
    assert said in capsys.readouterr().err


def test_a_missing_extra_names_its_command(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch, tiny_gguf: Path
) -> None:
    def missing(*_args: object, **_named: object) -> Any:
        raise MissingExtra(what="The backend llamacpp", extra="measure")

    monkeypatch.setattr(run, "load_llamacpp", missing)
    assert main([*GENERATE, "--model", str(tiny_gguf), "-p", "a"]) == 2
    assert "pip install 'dayrate[measure]'" in capsys.readouterr().err


def test_ctrl_c_prints_what_came(tiny_gguf: Path) -> None:
    """A real signal to a real process, once some text is there."""
    pytest.importorskip("xllamacpp")
    code = "from dayrate.cli.main import run; run()"
    arguments = [*GENERATE, "--model", str(tiny_gguf), "-p", PROMPT]
    endless = ["--max-new-tokens", "240", "--temperature", "1"]
    with subprocess.Popen(
        [sys.executable, "-c", code, *arguments, *endless],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": ":".join(sys.path)},
    ) as process:
        assert process.stdout is not None
        process.stdout.read(len(PROMPT) + 4)
        process.send_signal(signal.SIGINT)
        rest, _err = process.communicate(timeout=60)
    # A small model may be done before the signal comes.
    assert process.returncode in {130, 0}
    assert "Measured" in rest.decode()
