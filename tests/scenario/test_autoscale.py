"""The section of a scenario that says how a simulated fleet scales."""

from typing import Any

import pytest

from dayrate.errors import InvalidInput
from dayrate.scenario.flags import nested
from dayrate.scenario.schema import scenario_from


def test_quantities_have_units_and_flags_are_flat() -> None:
    flags = {"autoscale": "reactive", "startup_delay": "2 min", "cooldown": "90"}
    section = scenario_from(nested(flags)).autoscale
    assert (section.policy, section.startup_delay_s) == ("reactive", 120.0)
    assert section.cooldown_s == 90.0


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"policy": "magic"}, "'fixed', 'scheduled' or 'reactive'"),
        ({"polcy": "fixed"}, "Did you mean policy"),
        ({"min_replicas": 2}, "the policy is fixed.*--autoscale reactive"),
        ({"policy": "scheduled", "cooldown_s": 9}, "--autoscale reactive"),
        ({"policy": "scheduled", "replicas_by_hour": [1] * 23}, "has 23 numbers"),
        ({"policy": "scheduled", "replicas_by_hour": [0] * 24}, "only zeros"),
        ({"policy": "scheduled", "replicas_by_hour": [-1] * 24}, "greater"),
        (
            {"policy": "reactive", "min_replicas": 4, "max_replicas": 2},
            "max_replicas is 2 and min_replicas is 4",
        ),
        ({"policy": "reactive", "max_replicas": 0}, "max_replicas is 0"),
        ({"policy": "reactive", "startup_delay_s": -1}, "startup_delay_s is -1"),
        ({"policy": "reactive", "cooldown_s": "3 kg"}, "quantity like s"),
        ({"policy": "reactive", "target_utilisation": 1.5}, "target_utilisation"),
        ({"owned_replicas": 0}, "owned_replicas is 0"),
    ],
)
def test_bad_input_is_a_sentence(section: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        scenario_from({"autoscale": section})
