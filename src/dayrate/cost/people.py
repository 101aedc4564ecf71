"""What the people cost who keep a service running."""

from dayrate.units import YEAR_DAYS, Num

__all__ = ["staff_usd_per_day"]


def staff_usd_per_day(*, full_time_equivalents: Num, usd_per_year: Num) -> Num:
    """Pay of the people who run the service, spread over every day of the year.

    Parameters
    ----------
    full_time_equivalents : Num
        People, part-time ones as fractions. [1]
    usd_per_year : Num
        Full cost of one to the employer, not the salary alone. [USD/year]

    Returns
    -------
    Num
        Term ``staff``. [USD/day]

    Examples
    --------
    Half a person at $200,000 a year:

    >>> round(staff_usd_per_day(full_time_equivalents=0.5, usd_per_year=200_000), 2)
    273.79

    References
    ----------
    .. [1] L. A. Barroso, U. Hölzle, P. Ranganathan, "The Datacenter as a Computer",
       3rd ed., 2018, chapter 6: staff as an operating expense.
    """
    return full_time_equivalents * usd_per_year / YEAR_DAYS
