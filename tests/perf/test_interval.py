"""Intervals: ordered, around the truth of the data, and wider outside it."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayrate import catalog
from dayrate.perf.interval import (
    LEVELS,
    METRIC_CLASS,
    Errors,
    Intervals,
    combined,
    load_intervals,
)
from dayrate.perf.novelty import KINDS, Situation, architecture_kind, load_seen

INSIDE = Situation(
    accelerator_id="h100-sxm-80gb",
    generation="hopper",
    architecture="dense, grouped-query",
    engine="vllm",
    input_tokens=1000,
    output_tokens=200,
    batch=32,
)


def intervals() -> Intervals:
    errors = Errors(
        "tpot", 99, 0.1, {50: (-0.1, 0.3), 80: (-0.4, 0.6), 95: (-1.0, 1.2)}
    )
    widening = dict.fromkeys(KINDS, 1.0) | {"engine": 2.0}
    return Intervals({"tpot": errors, "all": errors}, widening, "made up")


def test_the_truth_is_the_prediction_over_its_error() -> None:
    spread = intervals().spread("tpot_ms", "queued")
    low, high = spread.bounds(100.0)[80]
    assert low == pytest.approx(100 * 2.718281828**-0.6)
    assert high == pytest.approx(100 * 2.718281828**0.4)


def test_widening_stretches_about_the_median() -> None:
    inside, outside = (
        intervals().spread("tpot_ms", "queued", kinds) for kinds in ((), ("engine",))
    )
    assert outside.widened_by == 2.0
    low, high = outside.factors[80]
    assert low == pytest.approx(2.718281828 ** -(0.1 + 2 * 0.5))
    assert high == pytest.approx(2.718281828 ** -(0.1 - 2 * 0.5))
    assert inside.widened_by == 1.0


@given(st.lists(st.floats(1, 5), max_size=6))
def test_reasons_add_and_their_order_does_not_count(factors: list[float]) -> None:
    assert combined(factors) == pytest.approx(combined(sorted(factors)))
    assert combined(factors) >= max(factors, default=1.0) - 1e-9
    assert combined([*factors, 1.0]) == pytest.approx(combined(factors))


@pytest.mark.parametrize("metric", METRIC_CLASS)
@pytest.mark.parametrize("kind", ["static_batch", "queued", "closed_loop", "open_loop"])
def test_shipped_intervals_are_nested(metric: str, kind: str) -> None:
    factors = load_intervals().spread(metric, kind).factors
    assert set(factors) == set(LEVELS)
    (l50, h50), (l80, h80), (l95, h95) = (factors[k] for k in LEVELS)
    assert 0 < l95 <= l80 <= l50 <= h50 <= h80 <= h95


def test_shipped_widenings_only_widen() -> None:
    assert set(load_intervals().widening) == set(KINDS)
    assert min(load_intervals().widening.values()) >= 1.0


def test_what_was_measured_is_inside() -> None:
    assert load_seen().outside(INSIDE) == ()
    assert (
        load_seen().outside(dataclasses.replace(INSIDE, engine=None, batch=None)) == ()
    )


@pytest.mark.parametrize(
    ("change", "kinds"),
    [
        ({"accelerator_id": "h800-sxm"}, ("accelerator",)),
        ({"accelerator_id": "abacus", "generation": "bronze"}, ("generation",)),
        ({"generation": "bronze"}, ()),  # a measured device is not new by another name
        ({"architecture": "dense, other"}, ("architecture",)),
        ({"engine": "my own", "input_tokens": 1e7}, ("engine", "length")),
        ({"output_tokens": 1e7, "batch": 1e9}, ("length", "batch")),
    ],
)
def test_what_was_not_is_named(
    change: dict[str, object], kinds: tuple[str, ...]
) -> None:
    moved = dataclasses.replace(INSIDE, **change)  # type: ignore[arg-type]
    assert load_seen().outside(moved) == kinds


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        ("gpt2", "dense, multi-head"),
        ("mistralai/Mistral-7B-v0.1", "dense, windowed"),
        ("openai/gpt-oss-120b", "moe, windowed"),
        ("tiiuae/falcon-7b", "dense, multi-query"),
    ],
)
def test_kinds_of_architecture(model: str, kind: str) -> None:
    assert architecture_kind(catalog.model(model)) == kind
