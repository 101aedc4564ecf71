"""What a given size means, and what is chosen where none is given."""

from typing import Any

import pytest

from dayrate.errors import SloUnreachable
from dayrate.quoting import Quote, quote

LLAMA = {
    "model": "meta-llama/Llama-3.1-8B-Instruct",
    "isl": 1000,
    "osl": 200,
    "requests_per_day": 1e6,
}


def ask(**flags: Any) -> Quote:
    return quote(**{**LLAMA, **flags})


def test_given_accelerators_run_whole_replicas_and_are_all_paid() -> None:
    d = ask(accelerators=7, tensor_parallel_size=2).deployment
    assert (d.replicas, d.accelerators) == (3, 7)


def test_idle_accelerators_draw_power() -> None:
    six, seven = (ask(accelerators=n, tensor_parallel_size=2) for n in (6, 7))
    assert six.energy.kwh_per_day is not None
    assert seven.energy.kwh_per_day is not None
    assert seven.energy.kwh_per_day > six.energy.kwh_per_day


def test_the_largest_capacity_of_a_given_size_is_taken() -> None:
    free = ask(accelerators=8, requests_per_day=5e6)
    held = [
        ask(accelerators=8, tensor_parallel_size=t, pipeline_parallel_size=1)
        for t in (1, 2, 4, 8)
    ]

    def carried(q: Quote) -> float:
        assert q.serving.capacity_requests_per_s is not None
        assert q.deployment.replicas is not None
        return q.serving.capacity_requests_per_s * q.deployment.replicas

    assert carried(free) >= max(map(carried, held)) * (1 - 1e-9)


def test_given_replicas_are_as_small_as_they_can_be() -> None:
    d = ask(replicas=2, requests_per_day=1e4).deployment
    assert (d.replicas, d.accelerators_per_replica) == (2, 1)


def test_replicas_and_accelerators_may_agree() -> None:
    d = ask(replicas=4, accelerators=8, tensor_parallel_size=2).deployment
    assert (d.replicas, d.accelerators) == (4, 8)


def test_an_unreachable_target_is_reported_from_the_fastest_split() -> None:
    best = min(
        ask(tensor_parallel_size=t, requests_per_day=1).serving.tpot_ms or 1e9
        for t in (1, 2, 4, 8)
    )
    with pytest.raises(SloUnreachable) as raised:
        ask(tpot=0.1)
    said = float(str(raised.value).split("TPOT of ")[1].split(" ms")[0])
    assert said <= best * 1.05


def test_a_mixture_of_experts_is_spread_when_that_is_cheaper() -> None:
    d = quote(
        model="deepseek-ai/DeepSeek-R1",
        accelerator="h200",
        preset="reasoning",
        requests_per_day=5e6,
    ).deployment
    assert d.data_parallel_size is not None
    assert d.data_parallel_size > 1
    assert d.expert_parallel_size == d.data_parallel_size


def test_headroom_is_kept() -> None:
    tight = ask(headroom_frac=0, requests_per_day=1e8).deployment.accelerators
    loose = ask(headroom_frac=0.5, requests_per_day=1e8).deployment.accelerators
    assert tight is not None
    assert loose == pytest.approx(2 * tight, rel=0.05)
