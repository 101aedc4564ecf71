"""What rented machines cost per day."""

from dataclasses import dataclass

import numpy as np

from dayrate.cost.breakdown import Cost
from dayrate.units import Num

__all__ = ["RENTED_TERMS", "RentedMachines", "billed_accelerators", "rented_cost"]

#: Every term a rented bill may hold; one that is absent was left out, not free.
RENTED_TERMS = (
    "accelerators",
    "storage",
    "network",
    "staff",
    "software",
    "data",
)


@dataclass(frozen=True, slots=True)
class RentedMachines:
    """What is rented, and for how long each day.

    For a fleet that follows the hours, give ``accelerators`` as an array over the
    hours with ``hours_per_day=1`` and sum the terms.

    Parameters
    ----------
    accelerators : Num
        Accelerators that are needed. [1]
    usd_per_accelerator_hour : Num
        Price of one for one hour. [USD/h]
    hours_per_day : Num
        Hours they are held each day. [h/day]
    accelerators_per_instance : Num
        Smallest unit the seller bills: 8 for a whole server. [1]
    """

    accelerators: Num
    usd_per_accelerator_hour: Num
    hours_per_day: Num = 24.0
    accelerators_per_instance: Num = 1.0


def billed_accelerators(*, accelerators: Num, accelerators_per_instance: Num) -> Num:
    """Count the accelerators that are paid for when only whole instances are sold.

    Parameters
    ----------
    accelerators : Num
        Accelerators that are needed. [1]
    accelerators_per_instance : Num
        Accelerators of one instance. [1]

    Returns
    -------
    Num
        The next multiple of the instance. [1]

    Examples
    --------
    >>> float(billed_accelerators(accelerators=12, accelerators_per_instance=8))
    16.0

    References
    ----------
    .. [1] Amazon EC2 P5 instances: H100s are sold by eight (p5.48xlarge).
    """
    instances = np.ceil(np.asarray(accelerators) / accelerators_per_instance)
    return (instances * accelerators_per_instance)[()]


def rented_cost(
    *,
    machines: RentedMachines,
    storage_usd_per_day: Num | None = None,
    network_usd_per_day: Num | None = None,
) -> Cost:
    """Bill of one day of rented machines.

    Parameters
    ----------
    machines : RentedMachines
        What is rented. [1]
    storage_usd_per_day : Num or None
        Disks and object storage; None leaves the term out. [USD/day]
    network_usd_per_day : Num or None
        Traffic out of the data centre; None leaves the term out. [USD/day]

    Returns
    -------
    Cost
        Terms ``accelerators``, ``storage``, ``network``. [USD/day]

    Notes
    -----
    Electricity, cooling, the host and its network are inside the seller's price.

    Examples
    --------
    DeepSeek's own account of one day, 226.75 servers of eight at $2 per hour [1]_:

    >>> day = RentedMachines(accelerators=226.75 * 8, usd_per_accelerator_hour=2.0)
    >>> float(rented_cost(machines=day).total_usd)
    87072.0

    References
    ----------
    .. [1] DeepSeek, open-infra-index, "Day 6: One More Thing", 2025-03-01.
    """
    billed = billed_accelerators(
        accelerators=machines.accelerators,
        accelerators_per_instance=machines.accelerators_per_instance,
    )
    hours = billed * machines.hours_per_day
    terms: dict[str, Num | None] = {
        "accelerators": hours * machines.usd_per_accelerator_hour,
        "storage": storage_usd_per_day,
        "network": network_usd_per_day,
    }
    return Cost({name: usd for name, usd in terms.items() if usd is not None})
