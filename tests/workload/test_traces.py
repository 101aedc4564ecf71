import gzip
import json
import math
from pathlib import Path

import numpy as np
import pytest

from dayrate.errors import InvalidInput, UnreadableTrace
from dayrate.workload.traces import Blocks, Trace, hit_rate, read_trace

PLAIN = "arrival_s,input_tokens,output_tokens\n"


def write(folder: Path, text: str, name: str = "t.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_plain_csv(tmp_path: Path) -> None:
    t = read_trace(write(tmp_path, PLAIN + "0,10,1\n2.5,20,2\n10,30,3\n"))
    assert t.format == "csv"
    assert t.arrival_s is not None
    assert t.arrival_s.tolist() == [0, 2.5, 10]
    assert t.input_tokens.tolist() == [10, 20, 30]
    assert t.output_tokens.tolist() == [1, 2, 3]
    assert t.requests_per_day == 3 / 10 * 86400
    assert (t.dropped, t.notes) == ({}, ())


def test_gzip_bom_blank_lines_and_column_order(tmp_path: Path) -> None:
    text = (
        "\ufeffoutput_tokens, Input_Tokens ,other,arrival_s\n\n1,10,x,0\n\n2,20,y,5\n"
    )
    path = tmp_path / "t.csv"  # compressed whatever the name says
    path.write_bytes(gzip.compress(text.encode()))
    t = read_trace(path)
    assert t.input_tokens.tolist() == [10, 20]
    assert t.span_s == 5


def test_lengths_only(tmp_path: Path) -> None:
    t = read_trace(write(tmp_path, "input_tokens,output_tokens\n10,1\n20,2\n"))
    assert not t.has_arrivals
    assert t.requests_per_day is None


def test_sessions_and_hash_ids(tmp_path: Path) -> None:
    t = read_trace(
        write(
            tmp_path,
            "arrival_s,input_tokens,output_tokens,session_id,hash_ids\n"
            "0,600,1,a,7 8\n1,512,1,b,7\n2,3,1,a,\n",
        )
    )
    assert t.sessions is not None
    assert t.sessions.tolist() == ["a", "b", "a"]
    assert t.blocks is not None
    assert t.blocks.offsets.tolist() == [0, 2, 3, 3]
    assert t.blocks.ids.tolist() == [7, 8, 7]
    assert t.blocks.tokens is None


@pytest.mark.parametrize(
    ("head", "unit_s"), [("t_s", 1.0), ("minute", 60.0)], ids=["seconds", "minutes"]
)
def test_windows(tmp_path: Path, head: str, unit_s: float) -> None:
    text = f"{head},requests,input_tokens,output_tokens\n0,2,30,4\n1,0,0,0\n2,1,6,2\n"
    t = read_trace(write(tmp_path, text))
    assert (t.format, t.window_s, t.span_s) == ("windows", unit_s, 3 * unit_s)
    assert t.request_counts.tolist() == [2, 0, 1]
    assert t.requests_per_day == pytest.approx(86400 / unit_s)


def test_azure_2023_and_2024_stamps(tmp_path: Path) -> None:
    head = "TIMESTAMP,ContextTokens,GeneratedTokens\n"
    old = "2023-11-16 18:15:46.6805900,374,44\n2023-11-16 18:15:50.9951690,396,109\n"
    new = "2024-05-12 00:00:00.009930+00:00,2162,5\n2024-05-12T02:00:01Z,2399,6\n"
    east = "2024-05-12 08:00:00+08:00,5,6\n2024-05-11 19:30:01-0430,5,6\n"
    t = read_trace(write(tmp_path, head + old))
    assert t.format == "azure"
    assert t.arrival_s is not None
    assert t.arrival_s.tolist() == pytest.approx([0, 4.314579], abs=1e-6)
    assert t.start_s_of_day == pytest.approx(18 * 3600 + 15 * 60 + 46.68059)
    t = read_trace(write(tmp_path, head + new))
    assert t.span_s == pytest.approx(7200.99007, abs=1e-6)
    t = read_trace(write(tmp_path, head + east))
    assert t.span_s == pytest.approx(1)
    assert t.start_s_of_day == 0


def test_azure_bad_stamps_are_counted(tmp_path: Path) -> None:
    text = "TIMESTAMP,ContextTokens,GeneratedTokens\n" + "".join(
        f"2024-05-12 00:00:0{i},5,6\n" for i in range(4)
    )
    t = read_trace(write(tmp_path, text + "2024-13-12 00:00:00,5,6\nsoon,5,6\n"))
    assert t.dropped == {"no number as arrival time": 2}
    assert t.span_s == 3


def test_mooncake(tmp_path: Path) -> None:
    rows = [
        {"timestamp": 0, "input_length": 600, "output_length": 5, "hash_ids": [1, 2]},
        {
            "timestamp": 3000,
            "input_length": 700,
            "output_length": 6,
            "hash_ids": [1, 3],
        },
    ]
    text = "\n".join(json.dumps(r) for r in rows)
    t = read_trace(write(tmp_path, text, "t.jsonl"))
    assert t.format == "mooncake"
    assert t.span_s == 3
    assert hit_rate(t) == pytest.approx(512 / 1300)


@pytest.mark.parametrize(
    "extra", ["", "Session ID,Elapsed time,"], ids=["first", "newer"]
)
def test_burstgpt(tmp_path: Path, extra: str) -> None:
    cells = "s,1.5," if extra else ""
    text = (
        f"Timestamp,{extra}Model,Request tokens,Response tokens,Total tokens,Log Type\n"
        f"5,{cells}ChatGPT,472,18,490,Conversation log\n"
        f"45,{cells}ChatGPT,1087,0,1087,API log\n"
        f"118,{cells}GPT-4,417,276,693,Conversation log\n"
    )
    path = write(tmp_path, text)
    t = read_trace(path)
    assert t.format == "burstgpt"
    assert t.dropped == {"zero output tokens (a failed request)": 1}
    assert t.span_s == 113
    assert t.notes == (
        "1 of 3 rows dropped: 1 with zero output tokens (a failed request)",
        "requests to ChatGPT, GPT-4 taken together",
    )
    assert read_trace(path, model="GPT-4").input_tokens.tolist() == [417]
    with pytest.raises(InvalidInput, match="it has ChatGPT, GPT-4"):
        read_trace(path, model="gpt-5")


def test_unusable_rows_are_counted_by_reason(tmp_path: Path) -> None:
    good = "".join(f"{i},10,1\n" for i in range(9))
    bad = "9,0,1\n10,5,0\n11,-5,1\n12,nan,1\n13,5,\n14,inf,1\nx,5,1\n15\n"
    t = read_trace(write(tmp_path, PLAIN + good + bad))
    assert len(t.input_tokens) == 9
    assert t.dropped == {
        "zero input tokens": 1,
        "zero output tokens (a failed request)": 1,
        "negative input tokens": 1,
        "no number as input tokens": 3,
        "no number as output tokens": 1,
        "no number as arrival time": 1,
    }
    assert t.notes[0].startswith("8 of 17 rows dropped: ")


def test_out_of_order_rows_are_sorted_with_their_blocks(tmp_path: Path) -> None:
    text = (
        "arrival_s,input_tokens,output_tokens,hash_ids\n"
        "5,50,5,51 52\n1,10,1,11\n9,90,9,91 92 93\n3,30,3,\n"
    )
    t = read_trace(write(tmp_path, text))
    assert t.input_tokens.tolist() == [10, 30, 50, 90]
    assert t.blocks is not None
    assert t.blocks.ids.tolist() == [11, 51, 52, 91, 92, 93]
    assert t.blocks.offsets.tolist() == [0, 1, 1, 3, 6]
    assert t.notes == ("2 rows were out of order of arrival and were sorted",)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "is empty"),
        ("\n \n", "is empty"),
        (PLAIN, "has a header and no rows"),
        (PLAIN + "0,0,1\n", "1 of 1 rows cannot be used"),
        (PLAIN + "0,1,1\n1,0,0\n2,-1,1\n", "2 of 3 rows cannot be used"),
        ("a,b,c\n1,2,3\n", "starts with 'a,b,c', the header of no known trace"),
        ("minute,total_tokens\n0,5\n", "header of no known trace"),
        ("hello\n", "header of no known trace"),
        ('{"timestamp": 1}\n', "request 1, lacks input_length, output_length"),
        ("{'timestamp': 1}\n", "request 1, is not JSON"),
        (PLAIN + "0,1,1\n1e15,1,1\n", "Arrivals are in seconds"),
        (
            "arrival_s,input_tokens,output_tokens,hash_ids\n0,1,1,abc\n",
            "hash_ids that are not all whole numbers",
        ),
        (
            "t_s,requests,input_tokens,output_tokens\n0,1,1,1\n",
            "single window, whose length is unknown",
        ),
        (
            "model,t_s,requests,input_tokens,output_tokens\na,0,1,1,1\nb,0,1,1,1\n",
            "the load of several models: a, b",
        ),
        (PLAIN + '0,1,"' + "x" * 200_000 + '"\n', "is not a CSV file"),
    ],
)
def test_what_is_no_trace_is_a_sentence(
    tmp_path: Path, text: str, sentence: str
) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        read_trace(write(tmp_path, text))


def test_what_is_no_text_is_a_sentence(tmp_path: Path) -> None:
    cases = {
        "latin1": (
            b"arrival_s,input_tokens,output_tokens\n\xff\xfe,1,1\n",
            "not UTF-8",
        ),
        "cut.gz": (gzip.compress(b"x" * 5000)[:30], "not a whole gzip file"),
        "fake.gz": (b"\x1f\x8bnothing", "not a whole gzip file"),
    }
    for name, (data, sentence) in cases.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(UnreadableTrace, match=sentence):
            read_trace(tmp_path / name)
    for path in (tmp_path, tmp_path / "absent.csv"):
        with pytest.raises(UnreadableTrace, match="Cannot read the trace"):
            read_trace(path)


def test_a_model_needs_a_model_column(tmp_path: Path) -> None:
    path = write(tmp_path, PLAIN + "0,1,1\n")
    with pytest.raises(InvalidInput, match="no model column"):
        read_trace(path, model="a")


def requests(*rows: list[int], tokens: list[list[int]] | None = None) -> Trace:
    offsets = np.concatenate([[0], np.cumsum([len(r) for r in rows])])
    ids = np.array([i for r in rows for i in r], dtype=np.int64)
    sizes = None if tokens is None else np.array([n for r in tokens for n in r])
    total = [sum(r) for r in tokens] if tokens else [512 * len(r) for r in rows]
    return Trace(
        "csv",
        None,
        np.array(total, dtype=np.float64),
        np.ones(len(rows)),
        blocks=Blocks(offsets, ids, sizes),
    )


def test_only_leading_blocks_hit() -> None:
    assert hit_rate(requests([1, 2], [9, 2])) == 0
    assert hit_rate(requests([1, 2], [1, 9, 2])) == 1 / 5


def test_the_least_recently_used_block_leaves() -> None:
    rows = ([1], [2], [1], [3], [1], [2])
    assert hit_rate(requests(*rows), 2) == 2 / 6
    assert hit_rate(requests(*rows), 3) == 3 / 6
    assert hit_rate(requests(*rows), 1) == 0


def test_a_component_hits_only_behind_the_same_prefix() -> None:
    tokens = [[100, 10], [200, 10], [100, 10]]
    assert hit_rate(requests([1, 5], [2, 5], [1, 5], tokens=tokens)) == 110 / 430


def test_a_larger_cache_never_hits_less() -> None:
    rng = np.random.default_rng(3)
    rows = [rng.integers(0, 40, 6).tolist() for _ in range(200)]
    rates = [hit_rate(requests(*rows), c) for c in (1, 5, 10, 20, 40, math.inf)]
    assert rates == sorted(rates)
    assert rates[-1] == rates[-2]


def test_reuse_needs_block_ids_and_a_cache() -> None:
    with pytest.raises(InvalidInput, match="has no hash_ids"):
        hit_rate(Trace("csv", None, np.ones(1), np.ones(1)))
    with pytest.raises(InvalidInput, match="A cache of 0 blocks"):
        hit_rate(requests([1]), 0)


@pytest.mark.parametrize(
    ("name", "published"),
    [
        (
            "mooncake_conversation",
            {
                1000: 0.045,
                10_000: 0.216,
                30_000: 0.332,
                100_000: 0.371,
                math.inf: 0.374,
            },
        ),
        (
            "mooncake_synthetic",
            {1000: 0.086, 10_000: 0.432, 30_000: 0.636, math.inf: 0.651},
        ),
        ("ragpulse_7d", {math.inf: 0.315}),
    ],
)
def test_published_hit_rates(
    shared_data: Path, name: str, published: dict[float, float]
) -> None:
    t = read_trace(shared_data / "traces" / f"{name}.csv.gz")
    for capacity, rate in published.items():
        assert hit_rate(t, capacity) == pytest.approx(rate, abs=0.0025)


@pytest.mark.parametrize(
    ("name", "rows", "span_s", "means"),
    [
        ("azure2023_conv", 19_366, 3501.722, (1154.7, 211.13)),
        ("mooncake_conversation", 12_031, 3536.999, (12035.06, 342.62)),
        ("ragpulse_7d", 7_106, 604_603, (2943.58, 283.24)),
        ("sharegpt_lengths", 30_731, 0, (2340.03, 438.71)),
        (
            "servegen_deepseek-r1_peak_hour_regenerated",
            127_411,
            3599.988,
            (686.69, 848.52),
        ),
    ],
)
def test_published_totals(
    shared_data: Path, name: str, rows: int, span_s: float, means: tuple[float, float]
) -> None:
    t = read_trace(shared_data / "traces" / f"{name}.csv.gz")
    assert len(t.input_tokens) == rows
    assert not t.dropped
    assert t.span_s == pytest.approx(span_s, abs=0.01)
    assert t.input_tokens.mean() == pytest.approx(means[0], abs=0.01)
    assert t.output_tokens.mean() == pytest.approx(means[1], abs=0.01)
