"""From watts of machines to joules of a site, and carbon."""

import numpy as np

from dayrate.errors import InvalidInput
from dayrate.units import DAY_S, Num

__all__ = ["carbon_kg", "facility_energy_j"]


def facility_energy_j(*, it_power_w: Num, pue: Num, duration_s: Num = DAY_S) -> Num:
    """Energy a site takes for its machines, cooling and losses included [1]_.

    Parameters
    ----------
    it_power_w : Num
        Mean power of the machines. [W]
    pue : Num
        Power usage effectiveness, 1 or more. [1]
    duration_s : Num
        How long; a day if not given. [s]

    Returns
    -------
    Num
        Energy at the meter of the site. [J]

    Raises
    ------
    InvalidInput
        A PUE below 1.

    Examples
    --------
    >>> facility_energy_j(it_power_w=16110.0, pue=1.0) / 3.6e6
    386.64

    References
    ----------
    .. [1] ISO/IEC 30134-2:2016, power usage effectiveness.
    """
    if not np.all(np.greater_equal(pue, 1)):
        raise InvalidInput(
            f"A PUE of {pue} was given; a site takes at least what its machines do, so "
            "it is 1 or more. Divide facility power by the power of the machines."
        )
    return it_power_w * duration_s * pue


def carbon_kg(*, energy_j: Num, kg_per_j: Num) -> Num:
    """Carbon dioxide of generating the energy, at the mean of a grid [1]_.

    Parameters
    ----------
    energy_j : Num
        Energy at the meter of the site. [J]
    kg_per_j : Num
        Carbon intensity of the grid; 400 g/kWh is 1.11e-7. [kg/J]

    Returns
    -------
    Num
        Emissions, without those of making the machines. [kg]

    Examples
    --------
    >>> round(carbon_kg(energy_j=3.6e9, kg_per_j=0.4 / 3.6e6), 6)
    400.0

    References
    ----------
    .. [1] Greenhouse Gas Protocol, Scope 2 Guidance (location-based), 2015.
    """
    return energy_j * kg_per_j
