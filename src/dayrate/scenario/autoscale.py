"""How many replicas a simulated day holds, as a section of a scenario."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from dayrate.errors import InvalidInput
from dayrate.scenario.fields import Count, In, Positive, PositiveShare, Section
from dayrate.scenario.quantity import MOST

__all__ = ["AutoscaleSection"]

Replicas = Annotated[int, Field(ge=0, le=100_000)]
Seconds = Annotated[float, Field(ge=0, le=MOST), In("s")]

#: Keys of `AutoscaleSection` that only some policies use.
_OF_POLICY = {
    "replicas_by_hour": ("scheduled",),
    "startup_delay_s": ("scheduled", "reactive"),
    **dict.fromkeys(
        (
            "min_replicas",
            "max_replicas",
            "target_utilisation",
            "target_queue",
            "cooldown_s",
            "interval_s",
        ),
        ("reactive",),
    ),
}


class AutoscaleSection(Section):
    """How many replicas a simulated day holds, and when."""

    policy: Literal["fixed", "scheduled", "reactive"] = Field(
        "fixed", description="replicas for the peak, by the hour, or by their load"
    )
    replicas_by_hour: tuple[Replicas, ...] | None = Field(
        None, description="24 numbers, scheduled; as a quote sizes them when absent"
    )
    min_replicas: Replicas | None = Field(
        None, description="fewest, reactive; 0 scales to zero, 1 when absent"
    )
    max_replicas: Replicas | None = Field(
        None, description="most, reactive; twice the fixed fleet when absent"
    )
    startup_delay_s: Seconds | None = Field(
        None, description="from start to first request, estimated when absent"
    )
    cooldown_s: Seconds | None = Field(
        None, description="a lower load must last so long; 300 when absent"
    )
    interval_s: Annotated[float, Field(gt=0, le=MOST), In("s")] | None = Field(
        None, description="time between decisions; 15 when absent"
    )
    target_utilisation: PositiveShare | None = Field(
        None, description="rate of requests over the capacity; 0.7 when absent"
    )
    target_queue: Positive | None = Field(
        None, description="requests that may wait per replica"
    )
    owned_replicas: Count | None = Field(
        None, description="owned and never stopped; those above are rented"
    )

    @model_validator(mode="after")
    def _keys_belong_to_the_policy(self) -> "AutoscaleSection":
        for key, policies in _OF_POLICY.items():
            if getattr(self, key) is not None and self.policy not in policies:
                raise InvalidInput(
                    f"autoscale.{key} is given and the policy is {self.policy}. Leave "
                    f"it out, or take --autoscale {' or '.join(policies)}."
                )
        return self

    @model_validator(mode="after")
    def _numbers_agree(self) -> "AutoscaleSection":
        hours, most = self.replicas_by_hour, self.max_replicas
        if hours is not None and len(hours) != 24:
            raise InvalidInput(
                f"autoscale.replicas_by_hour has {len(hours)} numbers; give 24, one "
                "per hour from 0:00."
            )
        if hours is not None and not any(hours):
            raise InvalidInput(
                "autoscale.replicas_by_hour holds only zeros; give some replicas."
            )
        for what in ("min_replicas", "owned_replicas"):
            fewest = getattr(self, what)
            if most is not None and fewest is not None and most < fewest:
                raise InvalidInput(
                    f"autoscale.max_replicas is {most} and {what} is {fewest}. "
                    f"Give a larger --max-replicas or a smaller "
                    f"--{what.replace('_', '-')}."
                )
        if most == 0:
            raise InvalidInput("autoscale.max_replicas is 0; give 1 or more.")
        return self
