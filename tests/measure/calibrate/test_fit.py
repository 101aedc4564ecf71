"""Known coefficients come back from the times they give."""

import numpy as np
import pytest

from dayrate.measure.calibrate.fit import Device, efficiency_of, fit, predict_s
from dayrate.measure.calibrate.points import CALIBRATED, CHECKED, Kind, Point

SHOWN = ("gemm_flop_frac", "prefill_attention_flop_frac", "decode_attention_flop_frac")


@pytest.fixture
def true() -> dict[str, float]:
    return {
        "gemm_flop_frac": 0.6,
        "prefill_attention_flop_frac": 0.3,
        "decode_attention_flop_frac": 0.08,
        "byte_frac": 0.8,
        "step_s": 800e-6,
        "layer_s": 90e-6,
        "sequence_s": 900e-6,
    }


def test_exact_times_give_the_rates_back(
    device: Device, true: dict[str, float]
) -> None:
    seconds = predict_s(CALIBRATED, device, efficiency_of(true))
    found = fit(CALIBRATED, seconds.tolist(), device)
    for name in SHOWN:
        assert found.values[name] == pytest.approx(true[name], rel=0.15)
    assert found.median_error_frac < 0.01


@pytest.mark.parametrize("seed", range(5))
def test_noise_leaves_the_truth_near_the_interval(
    device: Device, true: dict[str, float], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    exact = predict_s(CALIBRATED, device, efficiency_of(true))
    noisy = exact * np.exp(0.08 * rng.standard_normal(len(exact)))
    c = fit(CALIBRATED, noisy.tolist(), device).coefficients["gemm_flop_frac"]
    assert c.low < c.value < c.high
    width = np.log(c.high / c.low)
    assert abs(np.log(c.value / true["gemm_flop_frac"])) < 2 * width


def test_other_lengths_are_predicted_from_noisy_times(
    device: Device, true: dict[str, float]
) -> None:
    rng = np.random.default_rng(7)
    exact = predict_s(CALIBRATED, device, efficiency_of(true))
    noisy = exact * np.exp(0.05 * rng.standard_normal(len(exact)))
    found = fit(CALIBRATED, noisy.tolist(), device)
    predicted = predict_s(CHECKED, device, efficiency_of(found.values))
    unseen = predict_s(CHECKED, device, efficiency_of(true))
    assert np.max(np.abs(np.log(predicted / unseen))) < 0.1


def test_what_no_run_shows_stays_near_the_probe(
    device: Device, true: dict[str, float]
) -> None:
    """Arithmetic binds on this machine at any length: bandwidth is not seen."""
    points = [Point(Kind.PREFILL, n) for n in (64, 128, 256)]
    seconds = predict_s(points, device, efficiency_of(true))
    c = fit(points, seconds.tolist(), device).coefficients["byte_frac"]
    assert c.value == pytest.approx(0.7, rel=0.2)
    assert c.high / c.low > 1.5


def test_a_longer_prompt_and_a_wider_batch_take_longer(
    device: Device, true: dict[str, float]
) -> None:
    prompts = [Point(Kind.PREFILL, n) for n in (1, 2, 64, 511, 513, 2000)]
    batches = [Point(Kind.DECODE, 64, n) for n in (1, 2, 8, 32)]
    for points in (prompts, batches):
        seconds = predict_s(points, device, efficiency_of(true))
        assert (np.diff(seconds) > 0).all()
