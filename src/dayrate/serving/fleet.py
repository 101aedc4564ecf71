"""Replicas over a day: how many run in each hour, and how idle they are."""

import enum
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dayrate.units import Num

__all__ = ["Fleet", "FleetPolicy", "replicas_by_hour"]


class FleetPolicy(enum.Enum):
    """When machines may be given back."""

    PEAK = "peak"  # what the busiest hour needs runs all day
    HOURLY = "hourly"  # each hour runs what it needs


@dataclass(frozen=True, slots=True)
class Fleet:
    """A day of replicas; arrays have one entry per hour, on the first axis.

    ``utilisation_frac`` is the hour's mean rate over what its replicas can do.
    """

    replicas: npt.NDArray[np.float64]
    utilisation_frac: npt.NDArray[np.float64]

    @property
    def replica_hours(self) -> Num:
        """Replica-hours paid for. [h]"""
        hours: Num = self.replicas.sum(axis=0)
        return hours

    @property
    def idle_frac(self) -> Num:
        """Share of the paid capacity that serves nobody. [1]"""
        used: Num = (self.replicas * self.utilisation_frac).sum(axis=0)
        return 1.0 - used / self.replica_hours


def replicas_by_hour(
    rate_by_hour_per_s: Sequence[float] | npt.NDArray[np.float64],
    capacity_requests_per_s: Num,
    *,
    burst: Num = 1.0,
    headroom_frac: Num = 0.0,
    policy: FleetPolicy = FleetPolicy.PEAK,
    minimum: int = 1,
) -> Fleet:
    """Replicas that carry every hour's burst with head-room.

    Parameters
    ----------
    rate_by_hour_per_s : array_like
        Mean rate of each hour, hours on the first axis. [1/s]
    capacity_requests_per_s : Num
        What one replica serves within its targets. [1/s]
    burst : Num
        Highest short-term rate over the hour's mean. [1]
    headroom_frac : Num
        Share of capacity kept free, for failures and roll-outs. [1]
    policy : FleetPolicy
        Whether machines may be given back by the hour.
    minimum : int
        Replicas that always run. [1]

    Returns
    -------
    Fleet
        Counts and utilisation by hour.

    Examples
    --------
    >>> fleet = replicas_by_hour([1.0, 5.0], 2.0, policy=FleetPolicy.HOURLY)
    >>> fleet.replicas.tolist()
    [1.0, 3.0]
    >>> round(float(fleet.idle_frac), 3)
    0.25

    References
    ----------
    .. [1] L. A. Barroso, U. Hölzle, P. Ranganathan, "The Datacenter as a Computer",
       3rd ed., 2018, ch. 2 (load varies over the day, capacity does not).
    """
    rate = np.asarray(rate_by_hour_per_s, dtype=float)
    usable = capacity_requests_per_s * (1.0 - np.asarray(headroom_frac))
    # a hair below a whole number is that number, not one more
    needed = np.ceil(rate * burst / usable - 1e-9)
    replicas = np.maximum(needed, minimum)
    if policy is FleetPolicy.PEAK:
        replicas = np.broadcast_to(replicas.max(axis=0), replicas.shape)
    return Fleet(replicas, rate / (replicas * capacity_requests_per_s))
