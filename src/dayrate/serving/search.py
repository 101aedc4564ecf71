"""Find the load at which something that grows with it meets what is given."""

from collections.abc import Callable

import numpy as np

from dayrate.units import Num

__all__ = ["growing_root"]

_LIGHTEST = 1e-3  # share of the most, where the search begins
_CUTS, _ROUNDS = 5, 5


def growing_root(
    excess: Callable[[Num], Num],
    most: Num,
    *,
    lightest: float = _LIGHTEST,
    cuts: int = _CUTS,
    rounds: int = _ROUNDS,
) -> Num:
    """Find where a function that grows is 0, or the end nearer to it.

    Parameters
    ----------
    excess : callable
        Of a load, broadcasting over a leading axis; log-like, so that it is nearly
        straight in the log of the load.
    most : Num
        The largest load. [1]
    lightest : float
        The smallest, as a share of the largest. [1]
    cuts, rounds : int
        Loads that bracket the answer, and steps of false position (with the Illinois
        rule) that close in on it. [1]

    Returns
    -------
    Num
        Load. [1]

    Examples
    --------
    >>> round(float(growing_root(lambda x: np.log(x / 0.25), 1.0)), 6)
    0.25
    >>> float(growing_root(lambda x: np.log(x / 9.0), 1.0))
    1.0

    References
    ----------
    .. [1] M. Dowell and P. Jarratt, "A modified regula falsi method for computing the
       root of an equation", BIT 11, 1971.
    """
    most = np.asarray(most, dtype=float)

    def at(log_share: Num) -> Num:
        return np.asarray(excess(most * np.exp(log_share)))

    shares = np.linspace(np.log(lightest), 0.0, cuts)
    shares = shares.reshape(-1, *[1] * most.ndim) + 0.0 * most
    over = np.asarray(at(shares))
    below = np.clip(np.sum(over <= 0.0, axis=0) - 1, 0, len(shares) - 2)[None]
    low, high, low_over, high_over = (
        np.take_along_axis(x, i, 0)[0]
        for x in (shares, over)
        for i in (below, below + 1)
    )
    found = _false_position(at, (low, low_over), (high, high_over), rounds)
    return most * np.exp(found)


def _false_position(
    excess: Callable[[Num], Num],
    low: tuple[Num, Num],
    high: tuple[Num, Num],
    rounds: int,
) -> Num:
    """Find where a growing function is 0 between two points, or the nearer of them."""
    (a, fa), (b, fb) = low, high
    found = np.where(fb <= 0.0, b, a)
    inside = (fa < 0.0) & (fb > 0.0)
    wa, wb = fa, fb  # values as weights: an end that stays again counts half
    was_left = was_right = np.zeros(np.shape(inside), dtype=bool)
    for _ in range(rounds):
        share = np.where(inside, wa / np.where(inside, wa - wb, 1.0), 0.0)
        found = np.where(inside, a + share * (b - a), found)
        f = excess(found)
        left = np.asarray(f) <= 0.0
        a, wa, wb = (
            np.where(left, found, a),
            np.where(left, f, np.where(was_right, wa / 2.0, wa)),
            np.where(left, np.where(was_left, wb / 2.0, wb), f),
        )
        b = np.where(left, b, found)
        was_left, was_right = left, ~left
    return found
