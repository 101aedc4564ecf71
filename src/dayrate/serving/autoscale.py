"""How many replicas there should be: fixed, by the hour of the day, or by the load.

Pure decisions; `simulator.fleet` carries them out over the requests of a day.
"""

import enum
import math
from collections.abc import Sequence
from dataclasses import dataclass

from dayrate.errors import InvalidInput
from dayrate.units import HOUR_S

__all__ = ["Autoscale", "Scaling", "wanted_by_load", "wanted_by_schedule"]

#: A load within this share of the target changes nothing, as in Kubernetes.
_TOLERANCE = 0.1
_ROUNDING = 1e-9  # of a time in hours


class Scaling(enum.Enum):
    """What decides how many replicas there are."""

    FIXED = "fixed"
    SCHEDULED = "scheduled"  # a number for each hour of the day
    REACTIVE = "reactive"  # requests that come, are in flight and wait


@dataclass(frozen=True, slots=True)
class Autoscale:
    """A policy; counts are of replicas.

    Parameters
    ----------
    scaling : Scaling
        What decides.
    initial : int
        Replicas that serve from the first moment. [1]
    minimum, maximum : int
        Bounds of a reactive policy; a minimum of 0 scales to zero. [1]
    by_hour : tuple of int
        Replicas that are to serve in each hour of a scheduled policy. [1]
    startup_s : float
        From the start of a replica, paid for, to its first request. [s]
    cooldown_s : float
        A reactive policy keeps what it wanted within this time. [s]
    interval_s : float
        Time between two decisions of a reactive policy. [s]
    per_s : float
        Requests per second that one replica is to take. [1/s]
    window_s : float
        Time over which they are counted. [s]
    in_flight : float
        Requests waiting and running that one replica may have. [1]
    in_queue : float
        Requests waiting that one replica may have. [1]
    kept : int
        Replicas that are never stopped, because they are owned. [1]
    """

    scaling: Scaling = Scaling.FIXED
    initial: int = 1
    minimum: int = 1
    maximum: int = 1
    by_hour: tuple[int, ...] = ()
    startup_s: float = 0.0
    cooldown_s: float = 300.0
    interval_s: float = 15.0
    per_s: float = math.inf
    window_s: float = 60.0
    in_flight: float = math.inf
    in_queue: float = math.inf
    kept: int = 0

    def __post_init__(self) -> None:
        if self.scaling is Scaling.SCHEDULED and len(self.by_hour) != 24:
            raise InvalidInput(
                f"A schedule has {len(self.by_hour)} numbers; give 24 numbers of "
                "replicas, one per hour from 0:00."
            )
        if self.scaling is Scaling.SCHEDULED and not max(self.by_hour) > 0:
            raise InvalidInput("A schedule of no replicas serves nobody; give some.")
        if not 0 <= self.minimum <= self.maximum or self.maximum < 1:
            raise InvalidInput(
                f"At least {self.minimum} and at most {self.maximum} replicas cannot "
                "be. Give a --min-replicas from 0 and a --max-replicas of 1 or more "
                "that is not below it."
            )
        for what, value in (
            ("start-up delay", self.startup_s),
            ("cool-down", self.cooldown_s),
        ):
            if not 0 <= value < math.inf:
                raise InvalidInput(
                    f"The {what} is {value:g} s; give seconds from 0 on."
                )
        for what, value in (
            ("time between decisions", self.interval_s),
            ("time over which requests are counted", self.window_s),
            ("target of requests per second", self.per_s),
            ("target of requests in flight", self.in_flight),
            ("target of the queue", self.in_queue),
        ):
            if not value > 0:
                raise InvalidInput(f"The {what} is {value:g}; give more than 0.")


def wanted_by_schedule(
    by_hour: Sequence[int], time_s: float, startup_s: float = 0.0
) -> int:
    """Replicas to hold so that those of the hour, and of the one that comes, serve.

    Parameters
    ----------
    by_hour : sequence of int
        Replicas that are to serve in each of 24 hours. [1]
    time_s : float
        Time since 0:00 of the first day. [s]
    startup_s : float
        How long before its hour a replica is started. [s]

    Returns
    -------
    int
        The most that any hour from now until a replica started now is ready asks
        for. [1]

    Examples
    --------
    >>> day = [1] * 8 + [4] * 16
    >>> [wanted_by_schedule(day, 7.95 * 3600, s) for s in (60, 300)]
    [1, 4]

    References
    ----------
    .. [1] Kubernetes Event-driven Autoscaling, cron scaler.
    """
    first = math.floor(time_s / HOUR_S)
    last = math.floor((time_s + startup_s) / HOUR_S + _ROUNDING)
    hours = range(first, min(last, first + 23) + 1)
    return max(by_hour[h % 24] for h in hours)


def wanted_by_load(
    policy: Autoscale, *, held: int, per_s: float, in_flight: int, in_queue: int
) -> int:
    """Replicas that bring the load of each to its target.

    Parameters
    ----------
    policy : Autoscale
        Targets and bounds.
    held : int
        Replicas that serve or start. [1]
    per_s : float
        Requests that came lately. [1/s]
    in_flight : int
        Requests that wait or run, on replicas or before them. [1]
    in_queue : int
        Those of them that wait. [1]

    Returns
    -------
    int
        Between the bounds; as many as are held where the load is about right. [1]

    Notes
    -----
    The rule of Kubernetes' HPA [1]_: the largest of the loads over their targets,
    rounded up, and no change within 10 % of the target. The rate is in proportion to
    the work; requests in flight are not, but they also say what is behind.

    Examples
    --------
    >>> policy = Autoscale(Scaling.REACTIVE, maximum=8, per_s=5, in_flight=10)
    >>> wanted_by_load(policy, held=2, per_s=16, in_flight=12, in_queue=0)
    4
    >>> wanted_by_load(policy, held=2, per_s=9, in_flight=21, in_queue=0)
    2

    References
    ----------
    .. [1] Kubernetes, "Horizontal Pod Autoscaling", algorithm details (checked
       2026-11-22).
    """
    load = max(
        per_s / policy.per_s, in_flight / policy.in_flight, in_queue / policy.in_queue
    )
    about_right = held > 0 and abs(load / held - 1.0) <= _TOLERANCE
    wanted = held if about_right else math.ceil(load)
    if in_flight > 0:
        wanted = max(wanted, 1)
    return min(max(wanted, policy.minimum, policy.kept), policy.maximum)
