"""A training run: accelerator-hours, rent, days, and what failures take."""

import numpy as np

from dayrate.units import DAY_S, HOUR_S, Num

__all__ = [
    "ACCELERATOR_HOURS_PER_INTERRUPTION",
    "accelerator_hours",
    "checkpoint_interval_s",
    "interruption_loss_frac",
    "rent_usd",
    "time_between_interruptions_s",
    "wall_days",
]

#: Llama 3 405B: 419 unexpected interruptions in 54 days on 16,384 H100, 2024.
ACCELERATOR_HOURS_PER_INTERRUPTION = 54 * 24 * 16_384 / 419


def accelerator_hours(
    *, flop: Num, peak_flop_per_s: Num, mfu: Num, goodput_frac: Num
) -> Num:
    r"""Hours of one accelerator that a number of operations takes.

    Parameters
    ----------
    flop : Num
        Operations, under the convention of ``mfu``. [FLOP]
    peak_flop_per_s : Num
        Dense peak of the format that is used. [FLOP/s]
    mfu : Num
        Utilisation while a step runs. [1]
    goodput_frac : Num
        Share of the time in which a step runs that counts: not restarting, not
        repeating lost steps, not waiting. 0.67 to 0.91 in production [1]_. [1]

    Returns
    -------
    Num
        Work, whatever number of accelerators shares it. [h]

    Notes
    -----
    .. math:: F / (P \cdot \mathrm{MFU} \cdot g) / 3600

    Examples
    --------
    GPT-3 on A100 at 46.2 % of 312 TFLOP/s:

    >>> round(accelerator_hours(
    ...     flop=3.15e23, peak_flop_per_s=312e12, mfu=0.462, goodput_frac=1.0))
    607032

    References
    ----------
    .. [1] End-to-end over reported utilisation: PaLM 0.67 (arXiv:2204.02311), OPT 0.74
       (arXiv:2205.01068), GPT-NeoX-20B 0.79 (arXiv:2204.06745), TinyLlama 0.91
       (arXiv:2401.02385).
    """
    return flop / (peak_flop_per_s * mfu * goodput_frac) / HOUR_S


def rent_usd(*, accelerator_hours: Num, usd_per_accelerator_hour: Num) -> Num:
    """Rent of the accelerators of a run, without storage, staff and failed attempts.

    Parameters
    ----------
    accelerator_hours : Num
        Work. [h]
    usd_per_accelerator_hour : Num
        Price. [USD/h]

    Returns
    -------
    Num
        Rent. [USD]

    Notes
    -----
    The final run is not the project: development took half as much again for OLMo 2,
    and 82 % of all energy for Olmo 3 went into other runs.

    Examples
    --------
    >>> rent_usd(accelerator_hours=607_000, usd_per_accelerator_hour=2.0)
    1214000.0

    References
    ----------
    .. [1] Sunyan, "The Economics of Large Language Models", 2023-01-21.
    """
    return accelerator_hours * usd_per_accelerator_hour


def wall_days(*, accelerator_hours: Num, accelerators: Num) -> Num:
    """Days that a run takes on a cluster.

    Parameters
    ----------
    accelerator_hours : Num
        Work. [h]
    accelerators : Num
        Accelerators that share it evenly. [1]

    Returns
    -------
    Num
        Time from first to last step. [day]

    Examples
    --------
    >>> wall_days(accelerator_hours=24_000, accelerators=100)
    10.0

    References
    ----------
    .. [1] A. Grattafiori et al., "The Llama 3 Herd of Models", 2024, arXiv:2407.21783.
    """
    return accelerator_hours * HOUR_S / DAY_S / accelerators


def time_between_interruptions_s(
    *,
    accelerators: Num,
    accelerator_hours_per_interruption: Num = ACCELERATOR_HOURS_PER_INTERRUPTION,
) -> Num:
    """Mean time until a cluster stops unexpectedly.

    Parameters
    ----------
    accelerators : Num
        Accelerators of one job: if one fails, all stop. [1]
    accelerator_hours_per_interruption : Num
        Hours of one accelerator between two stops; the default is Llama 3's. [h]

    Returns
    -------
    Num
        Time. [s]

    Examples
    --------
    >>> round(time_between_interruptions_s(accelerators=16_384) / 3600, 2)
    3.09

    References
    ----------
    .. [1] A. Grattafiori et al., "The Llama 3 Herd of Models", 2024, arXiv:2407.21783,
       table 5.
    """
    return accelerator_hours_per_interruption * HOUR_S / accelerators


def checkpoint_interval_s(*, write_s: Num, between_interruptions_s: Num) -> Num:
    r"""Time between checkpoints that loses least, by Young's first-order rule.

    Parameters
    ----------
    write_s : Num
        Time for which a checkpoint stops training. [s]
    between_interruptions_s : Num
        Mean time between unexpected stops. [s]

    Returns
    -------
    Num
        Interval. [s]

    Notes
    -----
    .. math:: \tau^* = \sqrt{2 \delta M}

    Examples
    --------
    >>> float(checkpoint_interval_s(write_s=50.0, between_interruptions_s=10_000.0))
    1000.0

    References
    ----------
    .. [1] J. W. Young, "A first order approximation to the optimum checkpoint
       interval", Communications of the ACM 17(9), 1974.
    """
    return np.sqrt(2 * np.asarray(write_s) * between_interruptions_s)[()]


def interruption_loss_frac(
    *, interval_s: Num, write_s: Num, restart_s: Num, between_interruptions_s: Num
) -> Num:
    r"""Share of the time lost to checkpoints, repeated work and restarts.

    Parameters
    ----------
    interval_s : Num
        Time between checkpoints. [s]
    write_s : Num
        Time for which a checkpoint stops training. [s]
    restart_s : Num
        Time from a stop to the next useful step. [s]
    between_interruptions_s : Num
        Mean time between unexpected stops. [s]

    Returns
    -------
    Num
        Share lost, capped at 1; goodput is at most one minus it. [1]

    Notes
    -----
    .. math:: \delta/\tau + \tau/2M + R/M

    holds while the interval is well below the time between stops.

    Examples
    --------
    >>> float(interruption_loss_frac(interval_s=1000.0, write_s=50.0, restart_s=100.0,
    ...                              between_interruptions_s=10_000.0))
    0.11

    References
    ----------
    .. [1] J. W. Young, Communications of the ACM 17(9), 1974.
    """
    writing = write_s / np.asarray(interval_s)
    repeating = interval_s / (2 * np.asarray(between_interruptions_s))
    restarting = restart_s / np.asarray(between_interruptions_s)
    return np.minimum(writing + repeating + restarting, 1.0)[()]
