"""The step of GPT-3 on A100s, against what others published."""

from dataclasses import replace
from pathlib import Path

import pytest

from dayrate.measure.money import machine_prices
from dayrate.measure.train.extrapolate import gpt3_on_a100
from dayrate.measure.train.record import training_dict

from .made import JOB, trained


def test_the_whole_run_is_what_megatron_took(tmp_path: Path) -> None:
    """34 days on 1,024 A100, arXiv:2104.04473, section 5.1: within the range."""
    far = gpt3_on_a100(trained(tmp_path, replace(JOB, steps=1)).run)
    assert far.run_days.low < 34 < far.run_days.high * 1.05
    assert far.flop_per_token == pytest.approx(6 * 175e9, rel=0.05)
    assert far.run_usd.mid == pytest.approx(
        far.run_accelerator_hours.mid * far.usd_per_accelerator_hour.mid
    )
    assert far.least_accelerators * 80 * 2**30 >= 16 * 174e9


def test_steps_are_shares_of_the_run(tmp_path: Path) -> None:
    far = gpt3_on_a100(trained(tmp_path, replace(JOB, steps=1)).run)
    share = JOB.step_tokens / 300e9
    assert far.step_usd.mid == pytest.approx(far.run_usd.mid * share)
    assert far.own_step_usd.mid / far.step_usd.mid == pytest.approx(
        3.2e6 / JOB.step_tokens
    )


def test_the_record_has_everything(tmp_path: Path) -> None:
    run = trained(tmp_path, replace(JOB, steps=1)).run
    prices = machine_prices("0.65 CNY/kWh", "0.36 USD/h")
    found = training_dict(run, gpt3_on_a100(run), prices)
    assert found["job"]["objective"] == "causal"
    assert found["machine_cost"] == {
        "amount": pytest.approx(run.seconds * 1e-4),
        "currency": "USD",
    }
    assert found["extrapolation"]["mfu"]["grade"] == "cited"
    assert found["energy"]["source"] in {"measured", "estimated", "unknown"}
    assert len(found["losses"]) == found["steps"] == 1
