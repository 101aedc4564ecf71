import dataclasses

import numpy as np
import pytest

from dayrate.serving.cycle import mean_cycle
from dayrate.serving.examples import CHAT, LLAMA_ON_H100
from dayrate.serving.waiting import Wait, first_token_wait


def test_an_empty_replica_makes_nobody_queue() -> None:
    idle, full = (mean_cycle(LLAMA_ON_H100, CHAT, r) for r in (1e-6, 1.2))
    wait = first_token_wait(LLAMA_ON_H100, CHAT, idle, full)
    assert wait.queue_s == pytest.approx(0, abs=1e-6)
    assert wait.mean_s == pytest.approx(float(wait.step_s / 2 + wait.prefill_s))


def test_waits_grow_with_load() -> None:
    full = mean_cycle(LLAMA_ON_H100, CHAT, 1.2)
    starts = np.linspace(0.01, 1.19, 30)
    wait = first_token_wait(
        LLAMA_ON_H100, CHAT, mean_cycle(LLAMA_ON_H100, CHAT, starts), full
    )
    assert (np.diff(np.asarray(wait.mean_s)) > 0).all()
    assert (np.diff(np.asarray(wait.quantile_s(0.95))) > 0).all()


def test_exponential_tail() -> None:
    # everyone queues, exponentially with mean 1: the quantile is that of M/M/1
    wait = Wait(
        step_s=0.0, prefill_s=0.0, queue_s=1.0, queue_frac=1.0, long_over_mean=1
    )
    assert wait.quantile_s(0.95) == pytest.approx(np.log(20))
    assert wait.quantile_s(0.99) == pytest.approx(np.log(100))


def test_long_prompts_are_split_into_chunks() -> None:
    small = dataclasses.replace(
        LLAMA_ON_H100,
        engine=dataclasses.replace(LLAMA_ON_H100.engine, max_num_batched_tokens=512),
    )
    cycle = mean_cycle(small, CHAT, 0.01)
    wait = first_token_wait(small, CHAT, cycle, mean_cycle(small, CHAT, 0.3))
    assert float(wait.prefill_s / cycle.chunk_s) == pytest.approx(1155 / 510, rel=0.01)
