"""A quote whose day is simulated: labelled, complete, and close to the closed form."""

import json
from typing import Any

import pytest

import dayrate
from dayrate.errors import InvalidInput

SMALL: dict[str, Any] = {
    "model": "meta-llama/Llama-3.1-70B-Instruct",
    "accelerator": "a100-sxm-80gb",
    "isl": 500,
    "osl": 600,
    "requests_per_day": 3000,
}


def test_both_replica_counts_and_the_day_are_in_the_answer() -> None:
    day = dayrate.quote(**SMALL, simulate=True, autoscale="reactive", max_replicas=3)
    d = day.deployment
    assert d.closed_form_replicas == dayrate.quote(**SMALL).deployment.replicas
    assert d.replicas is not None
    assert len(d.replicas_by_hour) == 24
    document = json.loads(json.dumps(day.to_dict(), allow_nan=False))
    assert document["simulated"]["policy"]["scaling"] == "reactive"
    assert len(document["simulated"]["hours"]) == 24
    assert document["deployment"]["closed_form_replicas"] == d.closed_form_replicas
    assert not day.intervals


def test_without_the_flag_nothing_is_simulated() -> None:
    day = dayrate.quote(**SMALL, autoscale="reactive")
    assert day.simulated is None
    assert day.deployment.closed_form_replicas is None
    assert "autoscaling is not in the closed form; --simulate follows it" in day.notes


def test_a_fixed_day_agrees_with_the_closed_form() -> None:
    closed, simulated = (dayrate.quote(**SMALL, simulate=s) for s in (False, True))
    assert simulated.bill.total_usd_per_day == closed.bill.total_usd_per_day
    assert simulated.energy.kwh_per_day == pytest.approx(
        closed.energy.kwh_per_day, rel=0.03
    )
    # of the whole day, and not of its busiest ten minutes
    assert simulated.serving.tpot_ms is not None
    assert closed.serving.tpot_ms is not None
    assert simulated.serving.tpot_ms < 1.05 * closed.serving.tpot_ms


def test_a_seed_repeats_and_another_does_not() -> None:
    a, b, c = (
        dayrate.quote(**SMALL, simulate=True, seed=seed).to_dict() for seed in (1, 1, 2)
    )
    assert a == b != c


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({**SMALL, "owned_replicas": 1}, "one kind of price"),
        ({"cpus": 8}, "serves no requests"),
    ],
)
def test_what_cannot_be_simulated_is_refused(flags: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        dayrate.quote(**flags, simulate=True)
