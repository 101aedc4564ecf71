import dataclasses

import pytest

from dayrate.perf.deployment import Parallelism
from dayrate.serving.cycle import mean_cycle
from dayrate.serving.examples import CHAT, LLAMA_ON_H100
from dayrate.serving.replica import Traffic


def test_tokens_are_conserved() -> None:
    cycle = mean_cycle(LLAMA_ON_H100, CHAT, 0.7)
    assert cycle.chunk_frac * cycle.chunk_tokens == pytest.approx(0.7 * 1155)
    assert cycle.batch == pytest.approx(0.7 * 210)


def test_the_mean_lies_between_the_two_kinds_of_step() -> None:
    cycle = mean_cycle(LLAMA_ON_H100, CHAT, 0.4)
    assert cycle.plain_s < cycle.mean_s < cycle.chunk_s


def test_beyond_one_prompt_a_step_every_step_has_prefill() -> None:
    cycle = mean_cycle(LLAMA_ON_H100, Traffic(400, 50), 3.0)
    assert cycle.chunk_frac == 1
    assert cycle.chunk_tokens == 1200


def test_separate_prefill_adds_its_own_step() -> None:
    apart = dataclasses.replace(
        LLAMA_ON_H100,
        engine=dataclasses.replace(LLAMA_ON_H100.engine, chunked_prefill=False),
    )
    mixed, separate = (mean_cycle(r, CHAT, 0.3) for r in (LLAMA_ON_H100, apart))
    assert separate.plain_s == mixed.plain_s
    assert mixed.chunk_s < separate.chunk_s


def test_ranks_wait_for_whichever_of_them_prefills() -> None:
    def chunk_frac(**spread: int) -> float:
        replica = dataclasses.replace(LLAMA_ON_H100, parallelism=Parallelism(**spread))
        return float(mean_cycle(replica, CHAT, 0.4 * replica.schedulers).chunk_frac)

    alone = chunk_frac(tensor=8)
    assert alone == pytest.approx(0.4)
    assert chunk_frac(tensor=4, attention_data=2) == pytest.approx(1 - 0.6**2)
    assert chunk_frac(tensor=4, pipeline=2) == pytest.approx(1 - 0.6**2)
    # wider than a server: prefill runs apart or in step
    assert chunk_frac(attention_data=16) == pytest.approx(alone)


def test_a_fully_cached_prompt_still_computes_its_last_token() -> None:
    assert Traffic(1000, 10, cached_input_frac=1.0).uncached_tokens == 1
