"""The rules of other calculators, by hand."""

import pytest

from dayrate import catalog
from dayrate.catalog.params import total_params
from dayrate.validation.configuration import METRICS, Configuration
from dayrate.validation.examples import row
from dayrate.validation.naive import (
    RULES,
    constant_shares,
    flops_only,
    naive_predictions,
)

LLAMA = "meta-llama/Llama-3.1-8B-Instruct"
PARAMS = total_params(catalog.model(LLAMA))
PEAK, BYTES_PER_S = 989.4e12, 3.35e12


def configuration(**cells: str) -> Configuration:
    usual = {
        "scenario": "static_batch",
        "concurrency_or_batch": "4",
        "request_rate": "",
    }
    found = row(**{**usual, **cells}).configuration
    assert found is not None
    return found


def test_arithmetic_alone() -> None:
    c = configuration(isl="1000", osl="100")
    token_s = 2 * PARAMS / (0.4 * PEAK)
    found = flops_only(c)
    assert found["ttft_ms"] == pytest.approx(4 * 1000 * token_s * 1e3, rel=1e-3)
    assert found["tpot_ms"] == pytest.approx(4 * token_s * 1e3, rel=1e-3)
    assert found["total_tokens_per_s"] == pytest.approx(1 / token_s, rel=1e-3)


def test_a_decode_step_reads_weights_and_cache() -> None:
    c = configuration(isl="1000", osl="100")
    cache = 4 * 1050 * 2 * 32 * 8 * 128 * 2
    expected = (PARAMS * 2 + cache) / (0.6 * BYTES_PER_S)
    assert constant_shares(c)["tpot_ms"] == pytest.approx(expected * 1e3, rel=1e-3)


def test_prefill_computes_at_half_of_peak() -> None:
    c = configuration(isl="1000", osl="100", concurrency_or_batch="1")
    expected = 2 * PARAMS * 1000 / (0.5 * PEAK)
    assert constant_shares(c)["ttft_ms"] == pytest.approx(expected * 1e3, rel=1e-3)


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_more_ranks_are_proportionally_faster(rule: object) -> None:
    one = constant_shares(configuration(gpus="1", tp="1"))
    four = constant_shares(configuration(gpus="4", tp="4"))
    assert four["tpot_ms"] == pytest.approx(one["tpot_ms"] / 4)
    assert callable(rule)


@pytest.mark.parametrize("rule", RULES)
def test_below_saturation_throughput_is_what_is_asked(rule: str) -> None:
    c = configuration(
        scenario="online", request_rate="0.01", concurrency_or_batch="", osl="10"
    )
    assert RULES[rule](c)["requests_per_s"] == pytest.approx(0.01)


@pytest.mark.parametrize("rule", RULES)
def test_every_metric_of_readable_rows(rule: str) -> None:
    rows = [row(metric=m) for m in METRICS] + [row(gpu="Abacus")]
    found = naive_predictions(rows, RULES[rule])
    assert len(found.rows) == len(METRICS)
    assert (found.predicted > 0).all()
