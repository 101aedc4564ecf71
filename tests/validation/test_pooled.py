"""Predictions of prefill and decode apart: laws of the whole system."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest

from dayrate.units import DType
from dayrate.validation.bench import Bench
from dayrate.validation.calibration import Shipped
from dayrate.validation.configuration import METRICS, Configuration, Split, Workers
from dayrate.validation.deployments import stack
from dayrate.validation.examples import TOTAL, row, table
from dayrate.validation.pooled import best_splits, run_apart, stack_apart
from dayrate.validation.predict import predict, prepare, regime


def configured(**cells: str) -> Configuration:
    found = row(**(TOTAL | cells)).configuration
    assert found is not None
    return found


def predicted(c: Configuration) -> dict[str, float]:
    return dict(predict([c], Shipped())[c])


def in_flight(c: Configuration) -> float:
    found = predicted(c)
    return found["requests_per_s"] * found["e2e_latency_s"]


@pytest.mark.parametrize("n", ["256", "538", "4000"])
def test_requests_in_flight_are_the_rate_times_their_stay(n: str) -> None:
    c = dataclasses.replace(configured(concurrency_or_batch=n), requests=np.inf)
    assert in_flight(c) == pytest.approx(float(n), rel=1e-3)


def test_a_full_prefill_pool_delays_the_first_token_only() -> None:
    """As the GB200 rows of SGLang show: TPOT stays, TTFT grows by one over the rate."""
    cells = {"engine": "SGLang", "weights_dtype": "fp8", "gpus": "72", "tp": "72"}
    few, many = (
        predicted(
            dataclasses.replace(
                configured(**cells, concurrency_or_batch=n), requests=np.inf
            )
        )
        for n in ("2048", "4096")
    )
    assert many["tpot_ms"] == pytest.approx(few["tpot_ms"], rel=0.02)
    grown_s = (many["ttft_ms"] - few["ttft_ms"]) / 1e3
    assert grown_s == pytest.approx(2048 / many["requests_per_s"], rel=0.02)


def test_more_prefill_workers_do_not_change_the_steps_of_answers() -> None:
    c = configured(concurrency_or_batch="64")
    assert c.split is not None
    more = dataclasses.replace(
        c, split=dataclasses.replace(c.split, prefill=Workers(9, 4, True, 8448.0))
    )
    assert predicted(more)["tpot_ms"] == pytest.approx(
        predicted(c)["tpot_ms"], rel=0.01
    )


MIXED: Sequence[dict[str, str]] = [
    {},
    {"concurrency_or_batch": "2150"},
    {"gpus": "28", "tp": "28", "concurrency_or_batch": "12"},
    {"gpus": "44", "tp": "44", "isl": "3000"},
    {"engine": "SGLang", "weights_dtype": "fp8", "gpus": "72", "tp": "72"},
]


def test_a_row_among_many_is_predicted_as_alone() -> None:
    members = [configured(**cells) for cells in MIXED]
    assert {regime(c) for c in members} == {"disaggregated"}
    together = predict(members, Shipped())
    for c in members:
        assert [together[c][m] for m in METRICS] == pytest.approx(
            [predicted(c)[m] for m in METRICS], rel=1e-6, nan_ok=True
        )


def test_several_sets_of_factors_are_predicted_as_one_after_another() -> None:
    rows = table(*(TOTAL | c | {"metric": "tpot_ms"} for c in MIXED)).rows
    bench = Bench(rows)
    factors = Shipped().factors
    logs = np.stack([bench.log_factors(factors), bench.log_factors({})])
    both = bench.log_errors(logs)
    for one, alone in zip(both, logs, strict=True):
        assert one == pytest.approx(bench.log_errors(alone[None])[0], rel=1e-9)
    assert not np.allclose(both[0], both[1])


def test_the_best_split_has_the_most_throughput() -> None:
    c = configured(gpus="40", tp="40", isl="3000", osl="500")
    assert c.split is None
    (best,) = best_splits([c])
    most = predicted(dataclasses.replace(c, split=best))["requests_per_s"]
    for prefill in range(4, 40, 4):
        other = dataclasses.replace(
            best,
            prefill=Workers(prefill // 4, 4, attention_data=True),
            decode=Workers(1, 40 - prefill, attention_data=True),
        )
        found = predicted(dataclasses.replace(c, split=other))["requests_per_s"]
        assert found <= most * 1.01


def test_long_prompts_get_more_accelerators() -> None:
    short, long = best_splits(
        [
            configured(gpus="40", tp="40", isl=isl, osl=osl)
            for isl, osl in (("500", "4000"), ("16000", "200"))
        ]
    )
    assert short.prefill.accelerators < long.prefill.accelerators


def test_caches_pass_through_host_memory_where_boards_have_no_peers() -> None:
    """Closed form: of one request in flight, later and at a share of the rate."""
    alone = Workers(1, 1, attention_data=False)
    c = dataclasses.replace(
        configured(concurrency_or_batch="1"),
        model="meta-llama/Llama-3.1-8B-Instruct",
        weights=DType.BF16,
        kv_cache=DType.BF16,
        accelerators=2,
        split=Split(alone, alone),
        requests=np.inf,
    )
    direct = stack_apart([c])
    assert direct.prefill is not None
    replica = direct.prefill.replica
    machine = dataclasses.replace(replica.machine, relay_frac=0.5, relay_s=1e-3)
    board = dataclasses.replace(replica, machine=machine)
    relayed = dataclasses.replace(
        direct, prefill=dataclasses.replace(direct.prefill, replica=board)
    )
    fast, slow = (float(np.sum(run_apart(d).ttft_s)) for d in (direct, relayed))
    cache_bytes = 2 * 32 * 8 * 128 * 2 * c.input_tokens
    more_s = 1e-3 + cache_bytes / float(np.sum(machine.link_bytes_per_s))
    assert slow - fast == pytest.approx(more_s, rel=0.01)


def test_what_was_not_stacked_apart_is_named() -> None:
    c = configured(gpus="8", tp="8")
    with pytest.raises(ValueError, match="stack_apart"):
        run_apart(stack([c]))
    assert prepare([c])[0].regime == "closed_loop"


def test_a_total_says_nothing_of_the_value() -> None:
    a, b = (row(**TOTAL, value=v).configuration for v in ("1", "99999"))
    assert a == b
