"""Figures and tables of a load test, from records made by hand."""

import csv
import datetime
import io
import json
import math
import random
from typing import Any

import numpy as np
import pytest

from dayrate.errors import InvalidInput, UnknownName
from dayrate.measure.endpoint.api import Api, Dialect, Usage
from dayrate.measure.endpoint.compare import compare
from dayrate.measure.endpoint.learn import Served
from dayrate.measure.endpoint.plan import ClosedLoop, OpenLoop, Sizes, TraceTimes
from dayrate.measure.endpoint.prompts import Prompter
from dayrate.measure.endpoint.record import Fault, Job, Record, State
from dayrate.measure.endpoint.remarks import remarks
from dayrate.measure.endpoint.result import Result, Targets, summary_of
from dayrate.measure.endpoint.run import Ask, Run, Stop
from dayrate.measure.endpoint.tables import (
    COLUMNS,
    Deployed,
    request_rows,
    requests_text,
    result_rows,
    results_text,
)
from dayrate.validation.table import REQUIRED, parse_rows
from dayrate.workload import DemandInput

DAY = datetime.datetime(2026, 11, 22, 9, 30, tzinfo=datetime.UTC)
WHERE = Deployed("meta-llama/Llama-3.1-8B-Instruct", "h100-sxm-80gb")


def answered(index: int, sent_s: float, *token_s: float, **more: Any) -> Record:
    tokens = len(token_s)
    given: dict[str, Any] = {
        "usage": Usage(100, 0, tokens),
        "finish_reason": "length",
        "status": 200,
    }
    job = Job(index, "p", 100, tokens, more.pop("at_s", None))
    return Record(job, State.DONE, sent_s, list(token_s), **(given | more))


def failed(index: int, fault: Fault = Fault.CLOSED) -> Record:
    return Record(
        Job(index, "p", 100, 3),
        State.FAILED,
        1.0,
        [1.5],
        fault=fault,
        message="gone",
    )


THREE = (
    answered(0, 1.0, 1.1, 1.2, 1.3),
    answered(1, 1.0, 1.4, 1.6, 1.8),
    answered(2, 1.3, 1.5, 1.8, 3.0),
)


def run_of(*records: Record, served: dict[str, Any] | None = None, **more: Any) -> Run:
    found: dict[str, Any] = {
        "dialect": Dialect(Api.COMPLETIONS, "served"),
        "engine": "vLLM",
        "engine_version": "0.11.1",
        "longest_tokens": 4096,
        "prompter": Prompter("a tokenizer", 1, 1.0, None, random.Random(1)),
        "has_usage": True,
        "notes": (),
    }
    lengths = np.array([r.job.input_tokens for r in records])
    given: dict[str, Any] = {
        "ask": Ask(DemandInput(), more.pop("pace", ClosedLoop(2))),
        "served": Served(**(found | (served or {}))),
        "sizes": Sizes(lengths, np.full(len(records), 3), None, "fixed"),
        "planned": len(records),
        "sent": len(records) + 3,
        "start_s": 1.0,
        "stop": Stop.FINISHED,
    }
    return Run(records=records, **(given | more))


def result_of(run: Run, targets: Targets | None = None) -> Result:
    limits = targets or Targets()
    return Result(run, limits, summary_of(run, limits), DAY)


def test_figures_of_three_answers() -> None:
    s = summary_of(run_of(*THREE, failed(3)), Targets(ttft_s=0.3, tpot_s=0.3))
    assert s.by_state == {"done": 3, "failed": 1, "cancelled": 0, "too_long": 0}
    assert s.faults == {"closed": 1}
    assert s.duration_s == pytest.approx(2.0)
    assert s.requests_per_s == pytest.approx(1.5)
    assert s.input_tokens_per_s == pytest.approx(150.0)
    assert s.output_tokens_per_s == pytest.approx(4.5)
    assert s.ttft.mean_s == pytest.approx((0.1 + 0.4 + 0.2) / 3)
    assert s.ttft.p50_s == pytest.approx(0.2)
    assert s.tpot.max_s == pytest.approx(0.75)
    assert s.e2e.max_s == pytest.approx(1.7)
    assert s.gap.max_s == pytest.approx(1.2)
    assert s.mean_concurrency == pytest.approx((0.3 + 0.8 + 1.7) / 2.0)
    assert s.good_frac == pytest.approx(1 / 4)  # one misses TTFT, one TPOT, one failed
    assert s.good_requests_per_s == pytest.approx(0.5)
    assert s.cached_frac == 0.0
    assert (s.mean_input_tokens, s.mean_output_tokens) == (100.0, 3.0)


def test_nothing_answered_has_no_figures() -> None:
    s = summary_of(run_of(failed(0), failed(1, Fault.TIMEOUT)), Targets())
    assert (s.done, s.duration_s, s.requests_per_s) == (0, 0.0, 0.0)
    assert s.faults == {"closed": 1, "timeout": 1}
    assert (s.good_frac, s.cached_frac, s.mean_input_tokens) == (0.0, None, None)
    assert s.ttft.mean_s is None
    assert result_rows(result_of(run_of(failed(0))), WHERE) == []


def test_waits_for_a_retry_are_in_no_latency_but_in_the_duration() -> None:
    waited = answered(0, 3.0, 3.5, retries=1, waited_s=2.0, at_s=0.9)
    s = summary_of(run_of(waited), Targets())
    assert s.ttft.mean_s == pytest.approx(0.5)
    assert s.duration_s == pytest.approx(2.5)
    assert s.late.mean_s == pytest.approx(0.1)
    assert s.retries == 1


def test_one_token_has_no_time_per_token_and_meets_every_target() -> None:
    s = summary_of(run_of(answered(0, 1.0, 1.1)), Targets(tpot_s=1e-9))
    assert s.tpot.mean_s is None
    assert s.good_frac == 1.0


def test_the_document_is_json() -> None:
    document = result_of(run_of(*THREE, pace=OpenLoop(math.inf))).to_dict()
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert document["workload"]["requests_per_s"] == "inf"
    assert document["targets"] == {"ttft_s": "inf", "tpot_s": "inf"}
    assert document["server"]["engine"] == "vLLM"


def test_the_table_is_one_that_the_backtest_reads() -> None:
    text = results_text(result_of(run_of(*THREE)), WHERE)
    table = parse_rows(csv.reader(io.StringIO(text)), name="results.csv")
    assert table.unknown_columns == ()
    assert set(REQUIRED) <= set(COLUMNS)
    assert {m.metric: m.reason for m in table.rows} == dict.fromkeys(
        (
            *("requests_per_s", "output_tokens_per_s", "total_tokens_per_s"),
            *("ttft_ms", "tpot_ms", "e2e_latency_s"),
        ),
        "",
    )
    values = {m.metric: m.value for m in table.rows}
    assert values["ttft_ms"] == pytest.approx(700 / 3)
    assert values["total_tokens_per_s"] == pytest.approx(154.5)
    c = table.rows[0].configuration
    assert c is not None
    assert (c.concurrency, c.request_rate, c.requests) == (2.0, None, 3.0)
    assert (c.input_tokens, c.output_tokens, c.output_cv) == (100.0, 3.0, 0.0)
    assert (c.engine, c.engine_version, c.tensor) == ("vLLM", "0.11.1", None)
    assert len({m.keys["row_id"] for m in table.rows}) == 6
    assert {m.tier for m in table.rows} == {"A"}


@pytest.mark.parametrize(
    ("pace", "rate"),
    [(OpenLoop(2.5), 2.5), (OpenLoop(math.inf), math.inf), (TraceTimes(), 4.0)],
)
def test_an_open_loop_keeps_its_rate(pace: Any, rate: float) -> None:
    records = [answered(i, 1.0 + i / 4, 2.0 + i, at_s=1.0 + i / 4) for i in range(5)]
    rows = result_rows(result_of(run_of(*records, pace=pace)), WHERE)
    table = parse_rows([list(COLUMNS), *_cells(rows)], name="t")
    c = table.rows[0].configuration
    assert c is not None
    assert (c.request_rate, c.concurrency) == (rate, None)


def test_lengths_that_vary_are_said_to() -> None:
    varied = Sizes(np.array([90, 110, 100]), np.full(3, 3), None, "chat")
    rows = result_rows(result_of(run_of(*THREE, sizes=varied)), WHERE)
    table = parse_rows([list(COLUMNS), *_cells(rows)], name="t")
    c = table.rows[0].configuration
    assert c is not None
    assert c.output_cv > 0


def _cells(rows: list[dict[str, str]]) -> list[list[str]]:
    return [[row.get(c, "") for c in COLUMNS] for row in rows]


def test_what_was_not_named_is_kept_for_later() -> None:
    rows = result_rows(result_of(run_of(*THREE)), Deployed())
    assert {(r["model"], r["gpu"], r["tier"]) for r in rows} == {("served", "", "B")}


def test_every_request_is_written() -> None:
    unsent = Record(Job(4, "", 9000, 3), State.TOO_LONG)
    result = result_of(run_of(*THREE, failed(3), unsent))
    lines = requests_text(result, lines=True).splitlines()
    found = [json.loads(line) for line in lines]
    assert [r["state"] for r in found] == ["done"] * 3 + ["failed", "too_long"]
    assert found[1]["sent_s"] == 0.0
    assert found[1]["ttft_ms"] == pytest.approx(400.0)
    assert found[1]["gaps_ms"] == pytest.approx([200.0, 200.0])
    assert (found[3]["fault"], found[3]["message"]) == ("closed", "gone")
    assert found[3]["tpot_ms"] is None  # of whole answers only
    assert found[4]["sent_s"] is None
    table = list(csv.DictReader(io.StringIO(requests_text(result, lines=False))))
    assert list(table[0]) == [k for k in found[0] if k != "gaps_ms"]
    assert [row["state"] for row in table] == [r["state"] for r in found]
    assert "p" not in {str(v) for row in request_rows(result) for v in row.values()}


def test_chunks_are_counted_where_the_server_does_not() -> None:
    record = answered(0, 1.0, 1.1, 1.2, usage=Usage())
    (row,) = request_rows(result_of(run_of(record)))
    assert (row["output_tokens"], row["tokens_counted_by"]) == (2, "chunks")
    assert (row["input_tokens"], row["cached_tokens"]) == (100, None)


def test_the_prediction_never_sees_the_result() -> None:
    slower = [
        answered(r.job.index, r.sent_s or 0, *(t * 3 for t in r.token_s)) for r in THREE
    ]
    one = compare(result_of(run_of(*THREE)), WHERE)
    other = compare(result_of(run_of(*slower)), WHERE)
    assert len(one.rows) == 6
    assert [r.predicted for r in one.rows] == [r.predicted for r in other.rows]
    assert [r.measured for r in one.rows] != [r.measured for r in other.rows]
    assert all(r.ratio == r.predicted / r.measured > 0 for r in one.rows)
    assert one.to_dict()["metrics"][0]["metric"] == "requests_per_s"


@pytest.mark.parametrize(
    ("deployed", "says"),
    [
        (Deployed(), "--model and --accelerator"),
        (Deployed("gpt2", "epyc-9654"), "no rate of the device"),
        (Deployed("gpt2", "l4", weights_dtype="q9"), "unknown weights_dtype"),
    ],
)
def test_why_there_is_no_prediction(deployed: Deployed, says: str) -> None:
    found = compare(result_of(run_of(*THREE)), deployed)
    assert found.rows == ()
    assert says in found.why_not


def test_names_are_checked_before_the_load() -> None:
    with pytest.raises(UnknownName):
        Deployed("no-such-model", "l4")
    with pytest.raises(UnknownName):
        Deployed("gpt2", "no-such-gpu")
    with pytest.raises(InvalidInput, match="whole replicas"):
        Deployed(accelerators=3, tensor=2)
    with pytest.raises(InvalidInput, match="1 or more"):
        Deployed(accelerators=0)


@pytest.mark.parametrize(
    ("run", "says"),
    [
        (run_of(*THREE), "of 3 answers only"),
        (run_of(*THREE, served={"has_usage": False}), "does not count tokens"),
        (run_of(*THREE, served={"notes": ("odd",)}), "odd"),
        (run_of(answered(0, 1.0, 1.1, usage=Usage(100, 50, 1))), "prefix cache"),
        (run_of(answered(0, 1.0, 1.1, usage=Usage(120, 0, 1))), "counts 120 tokens"),
        (run_of(answered(0, 1.0, 1.1, 1.2, usage=Usage(100, 0, 9))), "into a chunk"),
        (run_of(answered(0, 1.0, 1.1, 1.2, usage=Usage(100, 0, 1))), "model ended"),
        (run_of(answered(0, 1.0, 1.1, retries=1)), "not at the first"),
        (run_of(answered(0, 1.0, 1.1, at_s=0.5)), "500 ms late"),
    ],
)
def test_what_a_reader_must_know(run: Run, says: str) -> None:
    said = [str(note) for note in remarks(run, summary_of(run, Targets()))]
    assert [s for s in said if says in s]


def test_nothing_unusual_is_not_mentioned() -> None:
    run = run_of(*(answered(i, 1.0, 1.1, 1.2) for i in range(30)))
    assert list(remarks(run, summary_of(run, Targets()))) == []
    assert (
        list(remarks(run_of(failed(0)), summary_of(run_of(failed(0)), Targets()))) == []
    )
