"""Speculative decoding: when it pays, and what it may never do."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayrate.catalog import model
from dayrate.errors import InvalidInput
from dayrate.perf.operators import StepShape
from dayrate.serving.examples import CHAT, LLAMA_ON_H100
from dayrate.serving.replica import Replica, Slo, Traffic
from dayrate.serving.runs import closed_loop, static_batch
from dayrate.serving.speculation import Speculation, top_layer
from dayrate.serving.steady import capacity, operating_point
from dayrate.units import Num

SHARES = st.floats(0.0, 1.0)
DRAFTS = st.integers(1, 8)
LAYER = top_layer(LLAMA_ON_H100.model)


def drafting(speculation: Speculation) -> Replica:
    engine = dataclasses.replace(LLAMA_ON_H100.engine, speculation=speculation)
    return dataclasses.replace(LLAMA_ON_H100, engine=engine)


def chat(speculation: Speculation) -> Traffic:
    return dataclasses.replace(CHAT, tokens_per_step=speculation.tokens_per_step)


def tpot_s(speculation: Speculation, concurrency: Num) -> Num:
    run = closed_loop(
        drafting(speculation), chat(speculation), concurrency, np.inf, concurrency
    )
    return run.tpot_s


@given(DRAFTS, SHARES)
def test_a_step_with_drafts_is_longer_and_yields_more(k: int, share: float) -> None:
    s = Speculation(k, share, LAYER)
    shape = StepShape(
        decode_sequences=16, decode_context_tokens=1000, logit_sequences=16
    )
    assert 1.0 <= s.tokens_per_step <= k + 1
    assert drafting(s).step(shape).total_s > LLAMA_ON_H100.step(shape).total_s


@given(DRAFTS)
def test_nothing_accepted_is_only_slower(k: int) -> None:
    plain = closed_loop(LLAMA_ON_H100, CHAT, 8.0, np.inf, 8.0).tpot_s
    assert tpot_s(Speculation(k, 0.0, LAYER), 8.0) >= plain


@given(DRAFTS, SHARES, SHARES)
def test_more_accepted_is_never_slower(k: int, a: float, b: float) -> None:
    low, high = sorted((a, b))
    fast, slow = (tpot_s(Speculation(k, x, LAYER), 4.0) for x in (high, low))
    assert fast <= slow * (1 + 1e-9)


def test_it_pays_with_few_users_and_not_with_many() -> None:
    """Leviathan et al. 2023: drafts fill arithmetic that idles at small batches."""
    s = Speculation(3, 0.6, LAYER)
    gain = [
        float(closed_loop(LLAMA_ON_H100, CHAT, n, np.inf, n).tpot_s / tpot_s(s, n))
        for n in (1.0, 512.0)
    ]
    assert gain[0] > 1.8
    assert gain[1] < 0.7 * gain[0]


def test_looking_up_costs_only_the_verification() -> None:
    with_layer, looked_up = (Speculation(4, 0.5, draft) for draft in (LAYER, None))
    assert tpot_s(looked_up, 4.0) < tpot_s(with_layer, 4.0)


def test_a_static_batch_divides_its_steps() -> None:
    s = Speculation(3, 1.0)
    plain = static_batch(LLAMA_ON_H100, CHAT, 1.0, 100.0)
    fast = static_batch(drafting(s), chat(s), 1.0, 100.0)
    later = CHAT.output_tokens - 1
    assert fast.e2e_s == pytest.approx(fast.ttft_s + later * fast.tpot_s)
    assert fast.tpot_s == pytest.approx(plain.tpot_s / 4, rel=0.1)


def test_a_request_takes_its_time_by_little_s_law() -> None:
    s = Speculation(3, 0.6, LAYER)
    run = closed_loop(drafting(s), chat(s), 32.0, np.inf, 32.0)
    assert run.requests_per_s * run.e2e_s == pytest.approx(32.0, rel=1e-3)


def test_slots_turn_over_faster() -> None:
    s = Speculation(3, 0.8, LAYER)
    plain = capacity(LLAMA_ON_H100, CHAT, Slo(tpot_s=0.02))
    fast = capacity(drafting(s), chat(s), Slo(tpot_s=0.02))
    assert fast.requests_per_s > plain.requests_per_s
    point = operating_point(drafting(s), chat(s), 2.0)
    assert point.tpot_mean_s < operating_point(LLAMA_ON_H100, CHAT, 2.0).tpot_mean_s


def test_a_draft_takes_memory() -> None:
    plain = LLAMA_ON_H100.memory(1000.0)
    layer = drafting(Speculation(3, 0.5, LAYER)).memory(1000.0)
    layers = LLAMA_ON_H100.model.n_layers
    assert layer.sequence_bytes == pytest.approx(
        plain.sequence_bytes * (1 + 1 / layers)
    )
    assert layer.weight_bytes > plain.weight_bytes
    assert drafting(Speculation(3, 0.5)).memory(1000.0) == plain


def test_a_draft_model_of_another_width_is_held_whole() -> None:
    draft = model("meta-llama/Llama-3.2-1B-Instruct")
    assert draft.hidden_size != LLAMA_ON_H100.model.hidden_size
    both = drafting(Speculation(3, 0.5, draft)).memory(1000.0)
    need = both.need_bytes - LLAMA_ON_H100.memory(1000.0).need_bytes
    alone = dataclasses.replace(LLAMA_ON_H100, model=draft).memory(1000.0)
    assert need == pytest.approx(alone.weight_bytes + alone.sequence_bytes, rel=1e-6)


def test_arrays_are_many_scalars() -> None:
    shares = np.array([0.0, 0.3, 0.9])
    together = tpot_s(Speculation(3, shares, LAYER), 8.0)
    alone = [float(tpot_s(Speculation(3, float(a), LAYER), 8.0)) for a in shares]
    assert np.asarray(together).tolist() == pytest.approx(alone, rel=1e-4)


def test_nothing_drafted_is_no_speculation() -> None:
    with pytest.raises(InvalidInput, match="draft 1 or more"):
        Speculation(0, 0.5)
