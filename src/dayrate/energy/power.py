"""Watts that machines draw: by load, and part by part."""

from dataclasses import dataclass

import numpy as np

from dayrate.catalog.hardware import PartPowers
from dayrate.errors import InvalidInput
from dayrate.units import Num

__all__ = [
    "ActivityPower",
    "ServerParts",
    "active_power_w",
    "component_power_w",
    "component_powers_w",
    "node_power_w",
    "server_parts",
]


@dataclass(frozen=True, slots=True)
class ServerParts:
    """How much of each part a server has, and the power of one unit of it."""

    cpus: Num
    cpu_w: Num
    memory_bytes: Num
    w_per_memory_byte: Num
    storage_bytes: Num
    w_per_storage_byte: Num
    network_bit_per_s: Num
    w_per_network_bit_per_s: Num
    accelerators: Num = 0.0
    accelerator_w: Num = 0.0


@dataclass(frozen=True, slots=True)
class ActivityPower:
    """Shares of rated power: always, and while arithmetic or memory is the bound.

    Assumed, between the published means of serving: 0.45 of rated power with one user
    (memory-bound half of the time) to 0.96 when saturated.
    """

    idle_frac: Num = 0.2
    compute_frac: Num = 0.8
    memory_frac: Num = 0.5


def active_power_w(
    *, tdp_w: Num, compute_frac: Num, memory_frac: Num, shares: ActivityPower
) -> Num:
    """Power of an accelerator by what it does with its time [1]_.

    Parameters
    ----------
    tdp_w : Num
        Rated power. [W]
    compute_frac : Num
        Share of the time in which arithmetic is the bound. [1]
    memory_frac : Num
        Share of the time in which memory traffic is. [1]
    shares : ActivityPower
        What each adds, over rated power.

    Returns
    -------
    Num
        Mean power, never above the rated one. [W]

    Examples
    --------
    >>> shares = ActivityPower()
    >>> float(
    ...     active_power_w(tdp_w=700.0, compute_frac=0, memory_frac=0.5, shares=shares)
    ... )
    315.0

    References
    ----------
    .. [1] J.-W. Chung et al., "The ML.ENERGY Benchmark", arXiv:2505.06371.
    """
    busy = shares.compute_frac * compute_frac + shares.memory_frac * memory_frac
    return tdp_w * np.minimum(shares.idle_frac + busy, 1.0)


def node_power_w(
    *, idle_w: Num, busy_w: Num, utilisation_frac: Num, gamma: Num = 1.0
) -> Num:
    r"""Power of a machine at some load [1]_.

    Parameters
    ----------
    idle_w : Num
        Power with the model loaded and no requests. [W]
    busy_w : Num
        Mean power at full load; not the nameplate. [W]
    utilisation_frac : Num
        Share of the full load, 0 to 1. [1]
    gamma : Num
        Curvature: below 1, power rises early, as it does for decoding. [1]

    Returns
    -------
    Num
        Mean power. [W]

    Raises
    ------
    InvalidInput
        A utilisation outside 0 to 1.

    Notes
    -----
    :math:`P = P_{idle} + (P_{busy} - P_{idle}) u^{\gamma}`. Good enough for a whole
    node: models calibrated on FLOPs reach a mean error of 11 %, those on TDP 27 to
    37 %.

    Examples
    --------
    >>> node_power_w(idle_w=2400.0, busy_w=5890.0, utilisation_frac=0.5)
    4145.0

    References
    ----------
    .. [1] X. Fan, W.-D. Weber, L. A. Barroso, "Power provisioning for a
       warehouse-sized computer", ISCA 2007; errors: arXiv:2506.14551.
    """
    u = np.asarray(utilisation_frac)
    if not np.all((u >= 0) & (u <= 1)):
        raise InvalidInput(
            f"A utilisation of {utilisation_frac} was given; it lies between 0 and 1."
        )
    return idle_w + (busy_w - idle_w) * utilisation_frac**gamma


def component_powers_w(parts: ServerParts) -> dict[str, Num]:
    """Power of each kind of part of a server [1]_.

    Parameters
    ----------
    parts : ServerParts
        Amounts and powers per unit.

    Returns
    -------
    dict
        Power of the CPUs, memory, storage, network and accelerators. [W]

    Examples
    --------
    >>> component_powers_w(ServerParts(2, 280.0, 0, 0, 0, 0, 0, 0))["cpus"]
    560.0

    References
    ----------
    .. [1] L. A. Barroso, U. Hölzle, P. Ranganathan, "The Datacenter as a Computer",
       3rd ed., 2018, ch. 5.
    """
    return {
        "cpus": parts.cpus * parts.cpu_w,
        "memory": parts.memory_bytes * parts.w_per_memory_byte,
        "storage": parts.storage_bytes * parts.w_per_storage_byte,
        "network": parts.network_bit_per_s * parts.w_per_network_bit_per_s,
        "accelerators": parts.accelerators * parts.accelerator_w,
    }


def component_power_w(parts: ServerParts) -> Num:
    """Power of a server, summed over its parts [1]_.

    Parameters
    ----------
    parts : ServerParts
        Amounts and powers per unit.

    Returns
    -------
    Num
        Power of the whole server, without cooling: that is the PUE. [W]

    Examples
    --------
    The calculator of the article: 32 CPUs, 128 GB, 1 TB, 1000 Mbit/s.

    >>> component_power_w(
    ...     ServerParts(32, 150.0, 128e9, 10 / 1e9, 1e12, 30 / 1e12, 1e9, 10 / 1e6)
    ... )
    16110.0

    References
    ----------
    .. [1] L. A. Barroso, U. Hölzle, P. Ranganathan, "The Datacenter as a Computer",
       3rd ed., 2018, ch. 5.
    """
    return sum(component_powers_w(parts).values(), start=0.0)


def server_parts(
    powers: PartPowers,
    *,
    cpus: Num,
    memory_bytes: Num,
    storage_bytes: Num,
    network_bit_per_s: Num,
    accelerators: Num = 0.0,
    accelerator_w: Num = 0.0,
) -> ServerParts:
    """Amounts of parts with the middle of catalogued powers per unit [1]_.

    Parameters
    ----------
    powers : PartPowers
        Power per unit, from the catalogue.
    cpus : Num
        Processors. [1]
    memory_bytes : Num
        DRAM. [B]
    storage_bytes : Num
        Disks. [B]
    network_bit_per_s : Num
        Line rate of all ports together. [bit/s]
    accelerators : Num
        Accelerators. [1]
    accelerator_w : Num
        Mean power of one accelerator. [W]

    Returns
    -------
    ServerParts
        What `component_power_w` takes.

    Examples
    --------
    >>> from dayrate.catalog import parts
    >>> component_power_w(
    ...     server_parts(
    ...         parts("article"),
    ...         cpus=32,
    ...         memory_bytes=128e9,
    ...         storage_bytes=1e12,
    ...         network_bit_per_s=1e9,
    ...     )
    ... )
    16110.0

    References
    ----------
    .. [1] Cloud Carbon Footprint, AwsFootprintEstimationConstants.ts @b7a049c, 2024.
    """
    return ServerParts(
        cpus=cpus,
        cpu_w=powers.cpu_w.mid,
        memory_bytes=memory_bytes,
        w_per_memory_byte=powers.w_per_memory_byte.mid,
        storage_bytes=storage_bytes,
        w_per_storage_byte=powers.w_per_storage_byte.mid,
        network_bit_per_s=network_bit_per_s,
        w_per_network_bit_per_s=powers.w_per_network_bit_per_s.mid,
        accelerators=accelerators,
        accelerator_w=accelerator_w,
    )
