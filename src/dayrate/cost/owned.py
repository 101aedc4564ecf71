"""What owned machines cost per day: capital, power, space, people.

Quantities are SI; a tariff is per the unit its seller bills, as its name says.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from dayrate.cost.breakdown import Cost
from dayrate.cost.capital import annual_capital
from dayrate.units import KWH_J, YEAR_DAYS, Num

__all__ = [
    "OWNED_TERMS",
    "OwnedMachines",
    "OwnedRates",
    "colocation_usd_per_day",
    "electricity_usd_per_day",
    "owned_cost",
    "usd_per_accelerator_hour",
]

#: Every term an owned bill may hold; one that is absent was left out, not free.
OWNED_TERMS = (
    "capital",
    "network_capital",
    "storage_capital",
    "spares",
    "electricity",
    "colocation",
    "maintenance",
    "staff",
    "software",
    "data",
)


@dataclass(frozen=True, slots=True)
class OwnedMachines:
    """What is bought and plugged in; None leaves a term out of the bill.

    Parameters
    ----------
    servers : Num
        Servers in service. [1]
    usd_per_server : Num
        Price of one with its accelerators. [USD]
    provisioned_w_per_server : Num
        Power and cooling reserved for one: its rating, not its draw. [W]
    network_frac : Num or None
        Outlay for switches, optics and cables over that for servers. [1]
    storage_usd : Num or None
        Outlay for disks. [USD]
    spares_frac : Num or None
        Machines kept in reserve over those in service. [1]
    """

    servers: Num
    usd_per_server: Num
    provisioned_w_per_server: Num
    network_frac: Num | None = None
    storage_usd: Num | None = None
    spares_frac: Num | None = None

    @property
    def servers_usd(self) -> Num:
        """Outlay for the servers in service. [USD]"""
        return self.servers * self.usd_per_server

    @property
    def network_usd(self) -> Num | None:
        """Outlay for the network. [USD]"""
        if self.network_frac is None:
            return None
        return self.servers_usd * self.network_frac

    @property
    def provisioned_w(self) -> Num:
        """Power reserved for the servers in service. [W]"""
        return self.servers * self.provisioned_w_per_server


@dataclass(frozen=True, slots=True)
class OwnedRates:
    """What money, power, space and upkeep cost; None leaves a term out of the bill.

    Parameters
    ----------
    discount_rate : Num
        Real cost of capital as a fraction. [1/year]
    lifetime_years : Num
        Service life of the machines. [year]
    usd_per_kwh : Num
        Electricity tariff. [USD/kWh]
    residual_frac : Num
        Resale value at the end of the life over the outlay. [1]
    usd_per_kw_month : Num or None
        Rent of a place in a data centre per provisioned kW, power not included.
        [USD/(kW month)]
    maintenance_frac : Num or None
        Upkeep per year over the outlay for servers and network. [1/year]
    staff_usd_per_day, software_usd_per_day, data_usd_per_day : Num or None
        See `dayrate.cost.people` and `dayrate.cost.data`. [USD/day]
    """

    discount_rate: Num
    lifetime_years: Num
    usd_per_kwh: Num
    residual_frac: Num = 0.0
    usd_per_kw_month: Num | None = None
    maintenance_frac: Num | None = None
    staff_usd_per_day: Num | None = None
    software_usd_per_day: Num | None = None
    data_usd_per_day: Num | None = None


def electricity_usd_per_day(*, energy_j_per_day: Num, usd_per_kwh: Num) -> Num:
    """Electricity bill of a day.

    Parameters
    ----------
    energy_j_per_day : Num
        Energy at the meter of the site: machines times PUE. [J/day]
    usd_per_kwh : Num
        Tariff. [USD/kWh]

    Returns
    -------
    Num
        Bill. [USD/day]

    Examples
    --------
    A machine of 10 kW runs for a day:

    >>> electricity_usd_per_day(energy_j_per_day=10e3 * 86400, usd_per_kwh=0.08)
    19.2

    References
    ----------
    .. [1] ISO/IEC 30134-2:2016, power usage effectiveness: the boundary of the meter.
    """
    return energy_j_per_day / KWH_J * usd_per_kwh


def colocation_usd_per_day(*, provisioned_w: Num, usd_per_kw_month: Num) -> Num:
    """Rent of space, cooling and reserved power in somebody else's data centre.

    Parameters
    ----------
    provisioned_w : Num
        Power reserved, whether drawn or not. [W]
    usd_per_kw_month : Num
        Asking rate. [USD/(kW month)]

    Returns
    -------
    Num
        Rent. [USD/day]

    Examples
    --------
    >>> usd = colocation_usd_per_day(provisioned_w=10.2e3, usd_per_kw_month=184.06)
    >>> round(usd, 2)
    61.68

    References
    ----------
    .. [1] CBRE, "North America Data Center Trends H2 2024": 184.06 USD per kW-month
       for 250-500 kW, without electricity.
    """
    return provisioned_w / 1e3 * usd_per_kw_month * 12 / YEAR_DAYS


def owned_cost(
    *, machines: OwnedMachines, rates: OwnedRates, energy_j_per_day: Num
) -> Cost:
    """Bill of one day of owned machines.

    Parameters
    ----------
    machines : OwnedMachines
        What was bought. [1]
    rates : OwnedRates
        What money, power, space and upkeep cost. [1]
    energy_j_per_day : Num
        Energy at the meter of the site: machines times PUE. [J/day]

    Returns
    -------
    Cost
        Terms of `OWNED_TERMS`, without those left out. [USD/day]

    Notes
    -----
    Spares are bought, networked and racked like the others but draw no power.

    Examples
    --------
    >>> machines = OwnedMachines(
    ...     servers=1, usd_per_server=255_237, provisioned_w_per_server=10.2e3)
    >>> rates = OwnedRates(discount_rate=0.08, lifetime_years=4, usd_per_kwh=0.08)
    >>> day = owned_cost(machines=machines, rates=rates, energy_j_per_day=10e3 * 86400)
    >>> {name: round(float(usd), 2) for name, usd in day.terms_usd.items()}
    {'capital': 210.98, 'electricity': 19.2}

    References
    ----------
    .. [1] L. A. Barroso, U. Hölzle, P. Ranganathan, "The Datacenter as a Computer",
       3rd ed., 2018, chapter 6: cost of a data centre.
    """
    placed = {
        "capital": _capital_usd_per_day(machines.servers_usd, rates),
        "network_capital": _capital_usd_per_day(machines.network_usd, rates),
        "colocation": _colocation(machines, rates),
    }
    terms = {
        **placed,
        "storage_capital": _capital_usd_per_day(machines.storage_usd, rates),
        "spares": _spares(machines, placed),
        "electricity": electricity_usd_per_day(
            energy_j_per_day=energy_j_per_day, usd_per_kwh=rates.usd_per_kwh
        ),
        "maintenance": _maintenance(machines, rates),
        "staff": rates.staff_usd_per_day,
        "software": rates.software_usd_per_day,
        "data": rates.data_usd_per_day,
    }
    given = {name: usd for name, usd in terms.items() if usd is not None}
    return Cost({name: given[name] for name in OWNED_TERMS if name in given})


def usd_per_accelerator_hour(
    *, usd_per_day: Num, accelerators: Num, availability_frac: Num = 1.0
) -> Num:
    """Cost of one accelerator for one hour in which it can work.

    Parameters
    ----------
    usd_per_day : Num
        Daily bill of the machines. [USD/day]
    accelerators : Num
        Accelerators in them. [1]
    availability_frac : Num
        Share of the hours in which a machine is up. [1]

    Returns
    -------
    Num
        Cost, comparable with a seller's price. [USD/h]

    Examples
    --------
    >>> usd_per_accelerator_hour(usd_per_day=384, accelerators=8)
    2.0

    References
    ----------
    .. [1] L. A. Barroso, U. Hölzle, P. Ranganathan, "The Datacenter as a Computer",
       3rd ed., 2018, chapter 6.
    """
    return usd_per_day / (24.0 * accelerators * availability_frac)


def _capital_usd_per_day(outlay_usd: Num | None, rates: OwnedRates) -> Num | None:
    if outlay_usd is None:
        return None
    annual_usd = annual_capital(
        outlay_usd=outlay_usd,
        discount_rate=rates.discount_rate,
        lifetime_years=rates.lifetime_years,
        residual_frac=rates.residual_frac,
    )
    return annual_usd / YEAR_DAYS


def _colocation(machines: OwnedMachines, rates: OwnedRates) -> Num | None:
    if rates.usd_per_kw_month is None:
        return None
    return colocation_usd_per_day(
        provisioned_w=machines.provisioned_w, usd_per_kw_month=rates.usd_per_kw_month
    )


def _spares(machines: OwnedMachines, placed: Mapping[str, Num | None]) -> Num | None:
    if machines.spares_frac is None:
        return None
    bill = Cost({name: usd for name, usd in placed.items() if usd is not None})
    return bill.total_usd * machines.spares_frac


def _maintenance(machines: OwnedMachines, rates: OwnedRates) -> Num | None:
    if rates.maintenance_frac is None:
        return None
    network_usd = 0.0 if machines.network_usd is None else machines.network_usd
    outlay_usd = machines.servers_usd + network_usd
    return outlay_usd * rates.maintenance_frac / YEAR_DAYS
