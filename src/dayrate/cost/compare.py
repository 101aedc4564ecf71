"""Owning against renting."""

from dayrate.units import Num

__all__ = ["break_even_utilisation"]


def break_even_utilisation(
    *, owned_usd_per_accelerator_hour: Num, rented_usd_per_accelerator_hour: Num
) -> Num:
    """Share of the hours one must use a machine for owning to cost what renting does.

    Parameters
    ----------
    owned_usd_per_accelerator_hour : Num
        Cost of owning, paid every hour. [USD/h]
    rented_usd_per_accelerator_hour : Num
        Price of renting, paid only in the hours of use. [USD/h]

    Returns
    -------
    Num
        Above this share owning is cheaper; above 1 renting always is. [1]

    Examples
    --------
    >>> break_even_utilisation(
    ...     owned_usd_per_accelerator_hour=1.5, rented_usd_per_accelerator_hour=2.0)
    0.75

    References
    ----------
    .. [1] J. Weinman, "Mathematical Proof of the Inevitability of Cloud Computing",
       2011: utility premium against peak-to-average ratio.
    """
    return owned_usd_per_accelerator_hour / rented_usd_per_accelerator_hour
