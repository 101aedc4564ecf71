import dataclasses

import numpy as np
import pytest

from dayrate.serving.cycle import mean_cycle
from dayrate.serving.examples import CHAT, LLAMA_ON_H100
from dayrate.serving.replica import Traffic
from dayrate.serving.waiting import Wait, first_token_wait


def test_an_empty_replica_makes_nobody_queue() -> None:
    idle, full = (mean_cycle(LLAMA_ON_H100, CHAT, r) for r in (1e-6, 1.2))
    wait = first_token_wait(LLAMA_ON_H100, CHAT, idle, full)
    assert wait.slot_s == pytest.approx(0, abs=1e-6)
    assert wait.mean_s == pytest.approx(float(wait.prefill_s), rel=1e-3)
    assert wait.prefill_s == pytest.approx(float(idle.chunk_s))


def test_waits_grow_with_load() -> None:
    for traffic in (CHAT, Traffic(8000, 300), Traffic(200, 100, input_cv=1.0)):
        full = mean_cycle(LLAMA_ON_H100, traffic, 0.9)
        starts = np.linspace(0.01, 0.89, 30)
        cycle = mean_cycle(LLAMA_ON_H100, traffic, starts)
        wait = first_token_wait(LLAMA_ON_H100, traffic, cycle, full)
        assert (np.diff(np.asarray(wait.mean_s)) > 0).all()
        assert (np.diff(np.asarray(wait.quantile_s(0.95))) > 0).all()


def test_arrays_are_their_scalars() -> None:
    full = mean_cycle(LLAMA_ON_H100, CHAT, 1.2)
    starts = np.linspace(0.01, 1.1, 5)
    many = first_token_wait(
        LLAMA_ON_H100, CHAT, mean_cycle(LLAMA_ON_H100, CHAT, starts), full
    )
    for x, mean in zip(starts, np.asarray(many.mean_s), strict=True):
        one = mean_cycle(LLAMA_ON_H100, CHAT, x)
        wait = first_token_wait(LLAMA_ON_H100, CHAT, one, full)
        assert wait.mean_s == pytest.approx(float(mean))


def test_exponential_tail() -> None:
    # everyone queues, exponentially with mean 1: the quantile is that of M/M/1
    wait = Wait(
        rest_s=0.0,
        prefill_s=0.0,
        beside_s=0.0,
        slot_s=1.0,
        slot_frac=1.0,
        spread_s=0.0,
        least_s=0.0,
    )
    assert wait.quantile_s(0.95) == pytest.approx(np.log(20))
    assert wait.quantile_s(0.99) == pytest.approx(np.log(100))


@pytest.mark.parametrize("cv", [0.3, 0.7, 1.0])
def test_gamma_tail(cv: float) -> None:
    from scipy.stats import gamma  # noqa: PLC0415 - slow

    wait = Wait(
        rest_s=1.0,
        prefill_s=0.0,
        beside_s=0.0,
        slot_s=0.0,
        slot_frac=0.0,
        spread_s=cv,
        least_s=0.0,
    )
    for quantile in (0.9, 0.95, 0.99):
        exact = gamma.ppf(quantile, cv**-2, scale=cv**2)
        assert wait.quantile_s(quantile) == pytest.approx(exact, rel=0.02)


def test_long_prompts_are_split_into_chunks() -> None:
    small = dataclasses.replace(
        LLAMA_ON_H100,
        engine=dataclasses.replace(LLAMA_ON_H100.engine, max_num_batched_tokens=512),
    )
    cycle = mean_cycle(small, CHAT, 0.01)
    wait = first_token_wait(small, CHAT, cycle, mean_cycle(small, CHAT, 0.3))
    assert float(wait.prefill_s / cycle.chunk_s) == pytest.approx(1155 / 510, rel=0.01)
