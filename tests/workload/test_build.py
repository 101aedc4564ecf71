import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayrate.errors import InvalidInput
from dayrate.evidence import Grade
from dayrate.workload import (
    DemandInput,
    Trace,
    Workload,
    build_workload,
    preset,
    preset_names,
    read_trace,
    workload_from_preset,
    workload_from_trace,
)

positive = st.floats(1, 1e9)


def build(**said: Any) -> Workload:
    return build_workload(DemandInput(**said))


def holds(w: Workload) -> None:
    """The working adds up and agrees with the workload."""
    names: dict[str, Any] = {n.removeprefix("workload."): n for n in w.evidence.lines}
    for line in w.evidence:
        if line.formula:
            formula = line.formula.replace("workload.", "")
            values = {k: w.evidence[n].value for k, n in names.items()}
            assert eval(formula, {}, values) == pytest.approx(line.value)
    for name, value in (
        ("requests_per_day", w.requests_per_day),
        ("input_tokens_per_request", w.input_length.mean_tokens),
        ("output_tokens_per_request", w.output_length.mean_tokens),
        ("input_tokens_per_day", w.input_tokens_per_day),
        ("output_tokens_per_day", w.output_tokens_per_day),
        ("cached_input_frac", w.cached_input_frac),
        ("peak_hour_over_mean", w.shape.peak_over_mean),
        ("burst", w.shape.burst),
    ):
        assert w.evidence[f"workload.{name}"].value == pytest.approx(value)


def test_numbers_alone() -> None:
    w = build(isl=1155, osl=211, requests_per_day=500_000)
    assert (w.requests_per_day, w.name, w.assumed) == (500_000, "given", False)
    assert w.input_length.tokens.tolist() == [1155]
    assert w.cached_input_frac == 0
    assert w.shape.grade is Grade.ASSUMED
    assert w.evidence["workload.cached_input_frac"].grade is Grade.ASSUMED
    assert "the day shape azure-2024-conversation is assumed" in w.notes
    holds(w)


@given(positive, st.floats(0.01, 1000))
def test_users_times_requests(users: float, each: float) -> None:
    w = build(preset="rag", users=users, requests_per_user_per_day=each)
    assert w.requests_per_day == pytest.approx(users * each)
    holds(w)


def test_the_chat_preset_knows_its_users() -> None:
    w = build(preset="chat", users=700e6)
    assert w.requests_per_day == pytest.approx(2.57e9, rel=0.001)
    assert w.evidence["workload.requests_per_day"].grade is Grade.CITED
    own = build(preset="chat", users=700e6, requests_per_user_per_day=1)
    assert own.requests_per_day == 700e6


def test_deepseek_disclosed_only_tokens() -> None:
    w = build(
        input_tokens_per_day=608e9,
        cached_input_tokens_per_day=342e9,
        output_tokens_per_day=168e9,
        osl=800,
    )
    assert w.requests_per_day == pytest.approx(210e6)
    assert w.input_length.mean_tokens == pytest.approx(608e9 / 210e6)
    assert w.cached_input_tokens_per_day == pytest.approx(342e9)
    holds(w)
    by_input = build(input_tokens_per_day=608e9, output_tokens_per_day=168e9, isl=2895)
    assert by_input.output_tokens_per_day == pytest.approx(168e9)
    holds(by_input)


def test_tokens_with_a_preset_or_with_requests() -> None:
    one = build(preset="chat", output_tokens_per_day=211.13e6)
    assert one.requests_per_day == pytest.approx(1e6)
    assert one.input_length.mean_tokens == pytest.approx(1154.7)
    two = build(preset="chat", input_tokens_per_day=2e9, output_tokens_per_day=211.13e6)
    assert two.requests_per_day == pytest.approx(1e6)
    assert two.input_length.mean_tokens == pytest.approx(2000)
    three = build(preset="chat", input_tokens_per_day=2e9, requests_per_day=1e6)
    assert three.input_length.mean_tokens == pytest.approx(2000)
    for w in (one, two, three):
        holds(w)


def test_a_given_length_scales_the_preset() -> None:
    w = build(preset="chat", requests_per_day=10, isl=500)
    assert w.input_length.mean_tokens == pytest.approx(500)
    assert w.input_length.cv == pytest.approx(preset("chat").input_length.cv)
    assert w.output_length is preset("chat").output_length
    assert w.notes == (
        "input lengths of chat scaled from a mean of 1155 to 500 tokens",
    )
    assert w.evidence["workload.input_tokens_per_request"].grade is Grade.GIVEN


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_makes_a_workload(name: str) -> None:
    w = workload_from_preset(name, 1000)
    assert w.requests_per_day == 1000
    assert w.assumed == (preset(name).grade is Grade.ASSUMED)
    holds(w)


def test_what_is_given_outranks_the_preset() -> None:
    even = build(
        preset="rag", requests_per_day=1, cached_input_frac=0.5, day_shape="flat"
    )
    assert even.cached_input_frac == 0.5
    assert even.shape.peak_over_mean == pytest.approx(1)
    hours = [0.0] * 12 + [1.0] * 12
    assert build(
        preset="rag", requests_per_day=1, day_shape=hours
    ).shape.peak_over_mean == pytest.approx(2)


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({"preset": "chat", "trace_path": "x.csv"}, "Both a preset"),
        ({"preset": "chat"}, "Give --requests-per-day, --users with"),
        ({"preset": "rag", "users": 5}, "Add --requests-per-user"),
        ({"preset": "chat", "requests_per_user_per_day": 5}, "Add --users"),
        (
            {"preset": "chat", "users": 5, "requests_per_day": 5},
            "Requests per day and Users answer the same question",
        ),
        ({"isl": 0}, "--isl is 0; give a positive, finite number"),
        ({"osl": math.nan}, "--osl is nan"),
        ({"requests_per_day": -1}, "Requests per day is -1"),
        ({"users": math.inf}, "Users is inf"),
        ({"users": "many"}, "Users is 'many'; give a number"),
        ({"requests_per_day": 5}, "input length is unknown. Give --isl"),
        ({"requests_per_day": 5, "isl": 5}, "output length is unknown. Give --osl"),
        ({"cached_input_frac": 1.5}, "Cached input share is 1.5; give a share between"),
        ({"cached_input_frac": math.nan}, "Cached input share is nan"),
        ({"cached_input_tokens_per_day": -1}, "Cached input tokens per day is -1"),
        (
            {"cached_input_frac": 0.1, "cached_input_tokens_per_day": 3},
            "answer the same question",
        ),
        ({"input_tokens_per_day": 5}, "not the length of a request"),
        (
            {
                "preset": "chat",
                "requests_per_day": 5,
                "cached_input_tokens_per_day": 1e9,
            },
            "more than the 5773.5 input tokens",
        ),
        (
            {
                "preset": "chat",
                "requests_per_day": 1,
                "isl": 9,
                "input_tokens_per_day": 5,
            },
            "5 input tokens a day contradict 1 requests of 9 tokens",
        ),
        (
            {
                "isl": 10,
                "osl": 10,
                "input_tokens_per_day": 100,
                "output_tokens_per_day": 200,
            },
            "100 input tokens a day contradict 20 requests",
        ),
    ],
)
def test_bad_demands_are_sentences(said: Mapping[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        build(**said)


def trace(time_s: np.ndarray[Any, np.dtype[np.float64]] | None, n: int) -> Trace:
    return Trace("csv", time_s, np.full(n, 100.0), np.full(n, 10.0), name="t.csv")


def test_a_short_trace_is_scaled_to_a_day() -> None:
    w = workload_from_trace(trace(np.arange(361, dtype=np.float64) * 10, 361))
    assert w.requests_per_day == pytest.approx(361 * 24)
    assert w.evidence["workload.requests_per_day"].grade is Grade.ASSUMED
    assert w.evidence["workload.input_tokens_per_request"].grade is Grade.MEASURED
    assert w.shape.grade is Grade.ASSUMED
    assert any("361 requests in 1.00 h are scaled to a day" in n for n in w.notes)
    assert any("azure-2024-conversation assumed" in n for n in w.notes)
    holds(w)


def test_a_burst_in_a_short_trace_is_kept() -> None:
    time = np.sort(
        np.concatenate([np.arange(361, dtype=np.float64) * 10, 1200 + np.arange(599.0)])
    )
    w = workload_from_trace(trace(time, 960))
    assert w.shape.burst == pytest.approx(659 / (959 / 6))
    assert any("own burst of 4.12" in n for n in w.notes)


def test_a_long_trace_shows_its_own_day() -> None:
    w = workload_from_trace(trace(np.arange(1441, dtype=np.float64) * 60, 1441))
    assert w.shape.grade is Grade.MEASURED
    assert w.shape.name == "t.csv"
    assert w.shape.peak_over_mean == pytest.approx(1, rel=0.02)
    assert w.evidence["workload.requests_per_day"].grade is Grade.MEASURED
    assert w.notes == ()


def test_lengths_alone_need_a_number_of_requests() -> None:
    lengths = trace(None, 5)
    with pytest.raises(InvalidInput, match="number of requests is unknown"):
        workload_from_trace(lengths)
    assert workload_from_trace(lengths, requests_per_day=7).requests_per_day == 7


def test_windows_have_only_means(tmp_path: Path) -> None:
    path = tmp_path / "w.csv"
    rows = "".join(f"{h},6,600,60\n" for h in range(0, 24 * 60, 10))
    path.write_text("minute,requests,input_tokens,output_tokens\n" + rows)
    w = build(trace_path=path)
    assert w.requests_per_day == pytest.approx(6 * 144)
    assert w.input_length.tokens.tolist() == [100]
    assert "windows give totals, so every request has the mean length" in w.notes
    assert w.shape.grade is Grade.MEASURED


def test_azure_conversation(shared_data: Path) -> None:
    w = build(trace_path=shared_data / "traces" / "azure2023_conv.csv.gz")
    assert w.requests_per_day == pytest.approx(5.53042 * 86_400, rel=1e-5)
    assert w.input_length.mean_tokens == pytest.approx(1154.7, rel=1e-5)
    assert w.input_length.quantile(0.95) == pytest.approx(4083, rel=0.005)
    assert w.output_length.quantile(0.5) == pytest.approx(129, rel=0.01)
    assert w.cached_input_frac == 0
    holds(w)


def test_reuse_follows_the_cache(shared_data: Path) -> None:
    t = read_trace(shared_data / "traces" / "mooncake_conversation.csv.gz")
    w = workload_from_trace(t)
    assert w.cached_input_frac == pytest.approx(0.374, abs=0.001)
    assert "upper bound" in w.evidence["workload.cached_input_frac"].source
    small = workload_from_trace(t, cache_blocks=1000)
    assert small.cached_input_frac == pytest.approx(0.045, abs=0.001)
    assert workload_from_trace(t, cached_input_frac=0.1).cached_input_frac == 0.1


def test_a_trace_of_several_models(shared_data: Path) -> None:
    path = shared_data / "traces" / "servegen_total_10min.csv.gz"
    with pytest.raises(InvalidInput, match="m-large"):
        build(trace_path=path)
    w = build(trace_path=path, trace_model="m-large")
    assert w.requests_per_day == pytest.approx(195.84 * 86_400, rel=1e-4)
    assert w.input_length.mean_tokens == pytest.approx(914.3, rel=0.02)
    peak = w.shape.peak_over_mean * w.shape.burst
    assert peak == pytest.approx(2.977, abs=0.001)
