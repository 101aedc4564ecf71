"""What data cost: getting it, keeping it, sending it.

Quantities are SI; a tariff is per the unit its seller bills, as its name says.
"""

from dayrate.cost.capital import capital_recovery_factor
from dayrate.units import GB, YEAR_DAYS, Num

__all__ = ["acquisition_usd_per_day", "egress_usd_per_day", "storage_usd_per_day"]


def acquisition_usd_per_day(
    *, outlay_usd: Num, useful_years: Num, discount_rate: Num = 0.0
) -> Num:
    """Acquiring, licensing and preparing a data set, spread over its useful life.

    Parameters
    ----------
    outlay_usd : Num
        What it took: purchase, licences, labelling, cleaning. [USD]
    useful_years : Num
        Years until it is replaced. [year]
    discount_rate : Num
        Real cost of capital as a fraction. [1/year]

    Returns
    -------
    Num
        Term ``data``. [USD/day]

    Examples
    --------
    >>> round(float(acquisition_usd_per_day(outlay_usd=365_250, useful_years=2)), 6)
    500.0

    References
    ----------
    .. [1] IAS 38 "Intangible Assets": amortisation over the useful life.
    """
    annual_frac = capital_recovery_factor(
        discount_rate=discount_rate, lifetime_years=useful_years
    )
    return outlay_usd * annual_frac / YEAR_DAYS


def storage_usd_per_day(*, stored_bytes: Num, usd_per_tb_month: Num) -> Num:
    """Rent of disk or object storage.

    Parameters
    ----------
    stored_bytes : Num
        What is kept: weights, logs, data sets, backups. [B]
    usd_per_tb_month : Num
        Tariff per 10¹² bytes. [USD/(TB month)]

    Returns
    -------
    Num
        Term ``storage``. [USD/day]

    Examples
    --------
    >>> round(storage_usd_per_day(stored_bytes=10e12, usd_per_tb_month=23), 3)
    7.556

    References
    ----------
    .. [1] Amazon S3 pricing: storage is billed per GB-month.
    """
    return stored_bytes / (1000 * GB) * usd_per_tb_month * 12 / YEAR_DAYS


def egress_usd_per_day(*, sent_bytes_per_day: Num, usd_per_gb: Num) -> Num:
    """Charge for traffic out of the data centre.

    Parameters
    ----------
    sent_bytes_per_day : Num
        Sent to the outside in a day. [B/day]
    usd_per_gb : Num
        Tariff per 10⁹ bytes. [USD/GB]

    Returns
    -------
    Num
        Term ``network``. [USD/day]

    Examples
    --------
    500,000 answers of 1 kB each:

    >>> egress_usd_per_day(sent_bytes_per_day=500_000 * 1e3, usd_per_gb=0.09)
    0.045

    References
    ----------
    .. [1] Amazon EC2 pricing, "Data Transfer": out to the internet, per GB.
    """
    return sent_bytes_per_day / GB * usd_per_gb
