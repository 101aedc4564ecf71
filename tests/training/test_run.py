from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dayrate.training.run import (
    ACCELERATOR_HOURS_PER_INTERRUPTION,
    accelerator_hours,
    checkpoint_interval_s,
    interruption_loss_frac,
    rent_usd,
    time_between_interruptions_s,
    wall_days,
)

A100_FLOP_PER_S = 312e12
AZURE_A100_3Y_USD = 2.2659  # per A100-hour, reserved for three years, 2023


@dataclass(frozen=True)
class Golden:
    quantity: str
    published: float
    source: str
    predicted: float
    rtol: float


def usd_of(flop: float, *, utilisation: float) -> float:
    hours = accelerator_hours(
        flop=flop,
        peak_flop_per_s=A100_FLOP_PER_S,
        mfu=utilisation,
        goodput_frac=1.0,
    )
    usd = rent_usd(accelerator_hours=hours, usd_per_accelerator_hour=AZURE_A100_3Y_USD)
    return float(usd)


SUNYAN_HOURS = accelerator_hours(
    flop=3.15e23, peak_flop_per_s=A100_FLOP_PER_S, mfu=0.462, goodput_frac=1.0
)
GOLDEN = [
    Golden(
        "USD per 1k tokens in the cloud",
        0.00177,
        "Sinolink Securities, 2023-03-07; price and utilisation inferred",
        usd_of(2 * 175e9 * 1000, utilisation=0.40),
        0.003,
    ),
    Golden(
        "FLOP that $1.70M buy at that rate",
        6 * 175e9 * 321e9,
        "Sinolink Securities, 2023-03-07: training GPT-3.5 in the cloud",
        1.70e6 / usd_of(1.0, utilisation=0.40),
        0.001,
    ),
    Golden(
        "A100-hours to train GPT-3",
        607e3,
        "Sunyan, The Economics of Large Language Models, 2023-01-21",
        float(SUNYAN_HOURS),
        0.001,
    ),
    Golden(
        "USD to train GPT-3",
        1.4e6,
        "Sunyan, The Economics of Large Language Models, 2023-01-21",
        usd_of(3.15e23, utilisation=0.462),
        0.018,
    ),
    Golden(
        "hours between interruptions of 16,384 H100",
        3.09,
        "Llama 3 Herd of Models, arXiv:2407.21783, 419 in 54 days",
        float(time_between_interruptions_s(accelerators=16_384)) / 3600,
        0.001,
    ),
    Golden(
        "H100-hours per interruption",
        50_700,
        "the same",
        ACCELERATOR_HOURS_PER_INTERRUPTION,
        0.001,
    ),
]


@pytest.mark.parametrize("g", GOLDEN, ids=lambda g: g.quantity)
def test_error_against_published(g: Golden) -> None:
    assert g.predicted == pytest.approx(g.published, rel=g.rtol), g.source


def test_the_cent_figure_digit_by_digit() -> None:
    cents = 100 * usd_of(2 * 175e9 * 1000, utilisation=0.40)
    assert cents == pytest.approx(0.17652, abs=5e-6)


@given(n=st.integers(1, 100_000), hours=st.floats(1, 1e9))
def test_more_accelerators_share_the_same_work(n: int, hours: float) -> None:
    days = wall_days(accelerator_hours=hours, accelerators=n)
    assert days * 24 * n == pytest.approx(hours)


@given(
    write=st.floats(0.1, 600),
    between=st.floats(1e4, 1e7),
    off=st.floats(0.2, 5),
)
def test_youngs_interval_loses_least(write: float, between: float, off: float) -> None:
    best = checkpoint_interval_s(write_s=write, between_interruptions_s=between)
    at_best, elsewhere = (
        interruption_loss_frac(
            interval_s=tau,
            write_s=write,
            restart_s=300.0,
            between_interruptions_s=between,
        )
        for tau in (best, best * off)
    )
    assert at_best <= elsewhere * (1 + 1e-12)
    assert at_best < 1


def test_a_cluster_that_never_runs_loses_all() -> None:
    lost = interruption_loss_frac(
        interval_s=10.0, write_s=20.0, restart_s=0.0, between_interruptions_s=100.0
    )
    assert lost == 1.0


def test_array_equals_scalar() -> None:
    share = np.array([0.3, 0.4, 0.5])
    together = accelerator_hours(
        flop=1e23, peak_flop_per_s=989e12, mfu=share, goodput_frac=0.9
    )
    alone = [
        accelerator_hours(flop=1e23, peak_flop_per_s=989e12, mfu=u, goodput_frac=0.9)
        for u in share
    ]
    np.testing.assert_array_equal(together, alone)
