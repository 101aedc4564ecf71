"""``dayrate measure machine``, ``calibrate`` and ``check``: what a person sees."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from dayrate.cli.main import main
from dayrate.measure.calibrate import check as checking
from dayrate.measure.calibrate import run as running
from dayrate.measure.calibrate.fit import efficiency_of, predict_s
from dayrate.measure.calibrate.points import Point
from dayrate.measure.calibrate.run import Ask, device_of
from dayrate.measure.calibrate.stream import Served
from dayrate.measure.machine import probe as probing
from dayrate.measure.machine.backend import NumpyBackend
from dayrate.measure.machine.effort import Effort
from dayrate.measure.machine.rates import Budget, Rate

Captured = pytest.CaptureFixture[str]
QUIET = Effort(1.0, 1.0, 0.0, 0.5)
RATES = (
    Rate("gemm", "numpy", "fp32", 512, 1, 1e11, None, 0.01, QUIET),
    Rate("memory", "numpy", "fp64", 2**20, 1, None, 2e10, 0.01, QUIET),
)
VALUES = {
    "gemm_flop_frac": 0.6,
    "prefill_attention_flop_frac": 0.3,
    "decode_attention_flop_frac": 0.08,
    "byte_frac": 0.8,
    "step_s": 800e-6,
    "layer_s": 90e-6,
    "sequence_s": 900e-6,
}


class Engine:
    """Takes as long as the law says; waits for a core as told."""

    pass_tokens = 512
    cuda = False
    pids = (10**9,)  # no such process
    server = None

    def __init__(self, waited_frac: float = 0.0) -> None:
        self.request_s = [1e-3]
        self._device = device_of(Ask(threads=1), RATES, 512)
        self._wall_per_own = 1.0 / (1.0 - waited_frac)

    def __enter__(self) -> "Engine":
        return self

    def __exit__(self, *_error: object) -> None:
        pass

    def time(self, point: Point) -> Effort:
        [own] = predict_s([point], self._device, efficiency_of(VALUES)).tolist()
        wall = own * self._wall_per_own
        return Effort(wall, own, wall - own, 3.0)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DAYRATE_CONFIG_DIR", str(tmp_path))
    monkeypatch.setattr(probing, "find_backends", lambda: (NumpyBackend(),))
    small = Budget(round_s=1e-9, largest_side=128, array_bytes=2**16, rounds=1)
    monkeypatch.setattr(probing, "Budget", lambda **_k: small)
    monkeypatch.setattr(running, "quick_rates", lambda _threads, **_k: RATES)
    return tmp_path


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    def put(waited_frac: float) -> None:
        for module in (running, checking):
            made = Engine(waited_frac)
            monkeypatch.setattr(module, "runner_of", lambda *_a, made=made, **_k: made)

    put(0.0)
    return put


def page_of(command: list[str], capsys: Captured) -> str:
    assert main(["measure", *command]) == 0
    page = capsys.readouterr().out
    assert max(map(len, page.splitlines())) <= 80
    return page


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_machine_on_a_page(lang: str, capsys: Captured) -> None:
    page = page_of(["machine", "--threads", "1", "--lang", lang], capsys)
    assert "GFLOP/s" in page
    assert ("processor time" if lang == "en" else "处理器时间") in page


def test_the_machine_as_json(capsys: Captured) -> None:
    assert main(["measure", "machine", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {"about", "rates", "meters", "effort"} <= found.keys()


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.usefixtures("engine")
def test_calibrate_writes_and_says_where(
    lang: str, folder: Path, capsys: Captured
) -> None:
    page = page_of(["calibrate", "--threads", "1", "--lang", lang], capsys)
    assert (folder / "this-machine.yaml").is_file()
    assert "dayrate quote --accelerator this-machine" in page
    assert ("interval (80 %)" if lang == "en" else "区间（80 %）") in page


@pytest.mark.usefixtures("engine")
def test_calibrate_as_json_is_the_file(folder: Path, capsys: Captured) -> None:
    command = ["measure", "calibrate", "--threads", "1", "--json"]
    assert main([*command, "--full-load-watts", "65"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["file"] == str(folder / "this-machine.yaml")
    assert found["accelerators"][0]["tdp_w"] == 65.0


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.usefixtures("engine")
def test_check_prints_both(lang: str, capsys: Captured) -> None:
    page_of(["calibrate", "--threads", "1"], capsys)
    page = page_of(["check", "--lang", lang], capsys)
    assert ("batch of 12 at" if lang == "en" else "12 个序列") in page
    assert "Others use this machine" not in page


def test_a_busy_machine_is_told(
    engine: Callable[[float], None], capsys: Captured
) -> None:
    engine(0.5)
    assert "Others use this machine" in page_of(["calibrate", "--threads", "1"], capsys)
    assert "Others use this machine" in page_of(["check"], capsys)


@pytest.mark.usefixtures("engine")
def test_the_server_under_load_is_on_the_page(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    page_of(["calibrate", "--threads", "1"], capsys)
    monkeypatch.setattr(checking, "LlamaRunner", Engine)
    served = Served(20.0, 60.0, 180.0, 8.0, 0.2, Effort(25.0, 20.0, 1.0, 2.0))
    monkeypatch.setattr(checking, "serve", lambda _server, _requests: served)
    page = page_of(["check", "--streams", "4", "--requests", "9"], capsys)
    assert "9 requests at once, 4 together" in page
    assert "output tokens a second, simulated" in page


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["check"], "Run `dayrate measure calibrate"),
        (["calibrate", "--engine", "abacus"], "give one of llama.cpp"),
        (["calibrate", "--rounds", "0"], "--rounds is 0"),
        (["machine", "--threads", "0"], "--threads is 0"),
        (["calibrate", "--model", "no-such-model"], "No model called"),
    ],
)
def test_bad_input_is_one_sentence(
    command: list[str], said: str, capsys: Captured
) -> None:
    assert main(["measure", *command]) == 2
    out, error = capsys.readouterr()
    assert out == ""
    assert said in error
