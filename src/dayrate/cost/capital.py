"""The value of money over time: what an outlay costs per year."""

import numpy as np

from dayrate.units import Num

__all__ = ["annual_capital", "capital_recovery_factor", "sinking_fund_factor"]


def capital_recovery_factor(*, discount_rate: Num, lifetime_years: Num) -> Num:
    r"""Share of an outlay to recover each year so that it is repaid with interest.

    Parameters
    ----------
    discount_rate : Num
        Real rate as a fraction, 0.08 for 8 %. [1/year]
    lifetime_years : Num
        Service life. [year]

    Returns
    -------
    Num
        Annual share of the outlay. [1/year]

    Notes
    -----
    .. math:: r / (1 - (1+r)^{-n}), \qquad \lim_{r \to 0} = 1/n

    Straight-line depreciation is the limit; at 8 % over 4 years it is 17 % too low.

    Examples
    --------
    >>> round(float(capital_recovery_factor(discount_rate=0.08, lifetime_years=4)), 4)
    0.3019
    >>> float(capital_recovery_factor(discount_rate=0.0, lifetime_years=4))
    0.25

    References
    ----------
    .. [1] W. Short, D. J. Packey, T. Holt, "A Manual for the Economic Evaluation of
       Energy Efficiency and Renewable Energy Technologies", NREL/TP-462-5173, 1995.
    """
    free = np.asarray(discount_rate) == 0
    rate = np.where(free, 1.0, discount_rate)  # any value: not used where it is free
    paid = rate / -np.expm1(-np.asarray(lifetime_years) * np.log1p(rate))
    return np.where(free, 1 / np.asarray(lifetime_years), paid)[()]


def sinking_fund_factor(*, discount_rate: Num, lifetime_years: Num) -> Num:
    r"""Yearly saving that grows to one dollar at the end of the life.

    Parameters
    ----------
    discount_rate : Num
        Real rate as a fraction. [1/year]
    lifetime_years : Num
        Service life. [year]

    Returns
    -------
    Num
        Annual share of the final sum. [1/year]

    Notes
    -----
    .. math:: r / ((1+r)^n - 1) = \mathrm{CRF} - r, \qquad \lim_{r \to 0} = 1/n

    Examples
    --------
    >>> round(float(sinking_fund_factor(discount_rate=0.08, lifetime_years=4)), 4)
    0.2219

    References
    ----------
    .. [1] W. Short, D. J. Packey, T. Holt, NREL/TP-462-5173, 1995.
    """
    return (
        capital_recovery_factor(
            discount_rate=discount_rate, lifetime_years=lifetime_years
        )
        - discount_rate
    )


def annual_capital(
    *,
    outlay_usd: Num,
    discount_rate: Num,
    lifetime_years: Num,
    residual_frac: Num = 0.0,
) -> Num:
    r"""Even yearly payment that repays an outlay, less what a resale will bring.

    Parameters
    ----------
    outlay_usd : Num
        Paid on the first day. [USD]
    discount_rate : Num
        Real rate as a fraction. [1/year]
    lifetime_years : Num
        Service life. [year]
    residual_frac : Num
        Resale value at the end over the outlay. [1]

    Returns
    -------
    Num
        Payment per year. [USD/year]

    Notes
    -----
    .. math:: C \, \frac{r}{1-(1+r)^{-n}} - R \, \frac{r}{(1+r)^{n}-1}

    Examples
    --------
    >>> round(float(annual_capital(
    ...     outlay_usd=255_237, discount_rate=0.08, lifetime_years=4)))
    77061
    >>> float(annual_capital(
    ...     outlay_usd=100, discount_rate=0, lifetime_years=4, residual_frac=0.2))
    20.0

    References
    ----------
    .. [1] W. Short, D. J. Packey, T. Holt, NREL/TP-462-5173, 1995.
    """
    recovery = capital_recovery_factor(
        discount_rate=discount_rate, lifetime_years=lifetime_years
    )
    sinking = sinking_fund_factor(
        discount_rate=discount_rate, lifetime_years=lifetime_years
    )
    return outlay_usd * (recovery - residual_frac * sinking)
