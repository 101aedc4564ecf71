"""What a simulation is given: every trace format, and the fleet sized for its rate."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dayrate.compose.requests import Demanded, demanded
from dayrate.errors import InvalidInput
from dayrate.scenario.schema import scenario_from
from dayrate.scenario.working import Working
from dayrate.units import DAY_S
from dayrate.workload.draw import Draw
from dayrate.workload.sessions import Dialogue, History

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


def of(draw: Draw | None = None, seed: int = 1, **workload: Any) -> Demanded:
    sections = {
        "model": {"id": "gpt2"},
        "deployment": {"accelerator": "l4"},
        "workload": {k: str(v) for k, v in workload.items()},
    }
    return demanded(scenario_from(sections), draw or Draw(), seed, Working())


def peak_rate(found: Demanded) -> float:
    w = found.resolved.workload
    return w.requests_per_day * w.shape.peak_over_mean / DAY_S


def write(folder: Path, *lines: str) -> Path:
    path = folder / "trace.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize(
    "name", ["requests.csv", "azure.csv", "burstgpt.csv", "mooncake.jsonl"]
)
def test_published_formats_are_served(name: str) -> None:
    found = of(trace=EXAMPLES / name)
    arrival = np.asarray(found.requests.arrival_s)
    assert arrival[0] == 0
    assert (found.block_tokens == 512) is name.startswith("mooncake")


@pytest.mark.parametrize(("column", "unit_s"), [("t_s", 600), ("minute", 10)])
def test_windows_are_served(tmp_path: Path, column: str, unit_s: int) -> None:
    rows = [f"{i * unit_s},{10 + i},{1000 + 100 * i},{300 + 30 * i}" for i in range(6)]
    path = write(tmp_path, f"{column},requests,input_tokens,output_tokens", *rows)
    found = of(trace=path)
    assert len(np.asarray(found.requests.arrival_s)) == 75
    assert np.asarray(found.requests.input_tokens).tolist() == [100] * 75
    assert np.asarray(found.requests.output_tokens).tolist() == [30] * 75


def test_windows_of_several_models_need_one_named(tmp_path: Path) -> None:
    head = "t_s,model,requests,input_tokens,output_tokens"
    rows = ["0,a,10,100,100", "0,b,1,10,10", "60,a,20,200,200", "60,b,1,10,10"]
    path = write(tmp_path, head, *rows)
    with pytest.raises(InvalidInput, match="--trace-model"):
        of(trace=path)
    found = of(trace=path, trace_model="a")
    assert len(np.asarray(found.requests.arrival_s)) == 30


def test_lengths_get_arrivals_at_the_busiest_hour(tmp_path: Path) -> None:
    path = write(tmp_path, "input_tokens,output_tokens", "100,10", "200,20")
    found = of(trace=path, requests_per_day=1_000_000)
    n = len(np.asarray(found.requests.arrival_s))
    assert n == round(peak_rate(found) * 3600)
    pairs = {
        *zip(
            *map(list, (found.requests.input_tokens, found.requests.output_tokens)),
            strict=True,
        )
    }
    assert pairs == {(100, 10), (200, 20)}  # rows stay together


@pytest.mark.parametrize(
    "workload", [{"preset": "translation"}, {"isl": 100, "osl": 10}]
)
def test_a_request_rate_is_the_demand(workload: dict[str, Any]) -> None:
    found = of(Draw(requests_per_s=5.0, requests=1000), **workload)
    assert np.asarray(found.requests.arrival_s)[-1] == pytest.approx(200)
    assert peak_rate(found) == pytest.approx(5.0, rel=0.02)


def test_the_fleet_is_sized_for_what_comes() -> None:
    trace = EXAMPLES / "requests.csv"
    before = of(trace=trace).resolved.workload.requests_per_day
    fast = of(Draw(time_warp=4.0), trace=trace).resolved.workload.requests_per_day
    more = of(Draw(requests=600), trace=trace).resolved.workload.requests_per_day
    rate = of(Draw(requests_per_s=2.0), trace=trace).resolved.workload.requests_per_day
    assert fast == pytest.approx(4 * before)
    assert more == before
    assert rate == pytest.approx(2.0 * DAY_S, rel=0.05)


def test_lengths_follow_the_means_asked_for() -> None:
    found = of(trace=EXAMPLES / "mooncake.jsonl", isl=100, osl=50)
    assert np.mean(found.requests.input_tokens) == pytest.approx(100, rel=0.02)
    assert np.mean(found.requests.output_tokens) == pytest.approx(50, rel=0.02)
    assert found.block_tokens is None
    assert any("hash_ids left out" in note for note in found.notes)


def test_sessions_bring_blocks() -> None:
    draw = Draw(requests_per_s=2.0, requests=200, dialogue=Dialogue(3.0))
    found = of(draw, isl=600, osl=50)
    assert found.block_tokens == 16
    assert found.requests.block_ids is not None
    assert np.mean(found.requests.input_tokens) == pytest.approx(600, rel=0.01)


def test_history_put_in_front_sizes_the_fleet(tmp_path: Path) -> None:
    rows = [f"{i * 10},100,20,{i % 4}" for i in range(40)]
    path = write(tmp_path, "arrival_s,input_tokens,output_tokens,session_id", *rows)
    found = of(Draw(history=History.ADDED), trace=path)
    prompts = np.asarray(found.requests.input_tokens)
    assert prompts.max() == 100 + 9 * 120
    assert found.resolved.traffic.input_tokens == pytest.approx(prompts.mean())


def test_a_seed_repeats() -> None:
    draws = [
        np.asarray(
            of(seed=s, preset="translation", requests_per_day=1e5).requests.arrival_s
        )
        for s in (1, 1, 2)
    ]
    assert (draws[0] == draws[1]).all()
    assert not np.array_equal(draws[0], draws[2])


@pytest.mark.parametrize(
    ("draw", "workload", "said"),
    [
        (Draw(dialogue=Dialogue(2.0)), {"trace": "mooncake.jsonl"}, "of its own"),
        (
            Draw(history=History.ADDED),
            {"isl": 9, "osl": 9, "requests_per_day": 9},
            "--trace",
        ),
        (Draw(history=History.ADDED), {"trace": "azure.csv"}, "no session ids"),
        (Draw(requests_per_s=float("inf")), {"isl": 9, "osl": 9}, "--requests-per-day"),
        (
            Draw(requests_per_s=float("inf")),
            {"isl": 9, "osl": 9, "requests_per_day": 9},
            "how many",
        ),
        (Draw(duration_s=1.0), {"isl": 9, "osl": 9, "requests_per_day": 9}, "none"),
        (Draw(requests=10**9), {"isl": 9, "osl": 9, "requests_per_day": 9}, "fewer"),
        (Draw(), {"isl": 9, "osl": 9}, "number of requests is unknown"),
    ],
)
def test_what_cannot_be_drawn_is_a_sentence(
    draw: Draw, workload: dict[str, Any], said: str
) -> None:
    if "trace" in workload:
        workload = {"trace": EXAMPLES / workload["trace"]}
    with pytest.raises(InvalidInput, match=said):
        of(draw, **workload)


@pytest.mark.parametrize(
    "bad",
    [
        {"duration_s": float("nan")},
        {"requests_per_s": -1.0},
        {"requests_per_s": float("nan")},
        {"requests": 0},
    ],
)
def test_impossible_draws_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        Draw(**bad)
