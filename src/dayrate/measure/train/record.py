"""A training run as JSON types."""

import dataclasses
from pathlib import Path
from typing import Any

from dayrate.evidence import Estimate, Source
from dayrate.measure.money import MachinePrices
from dayrate.measure.train.extrapolate import (
    CLUSTER,
    OWN_STEP_TOKENS,
    RUN_TOKENS,
    Extrapolation,
)
from dayrate.measure.train.job import Run
from dayrate.scenario.quantity import Money

__all__ = ["training_dict"]


def training_dict(
    run: Run, far: Extrapolation, prices: MachinePrices
) -> dict[str, Any]:
    """Everything that was asked, measured and extrapolated."""
    job = {
        f.name: _plain(getattr(run.job, f.name)) for f in dataclasses.fields(run.job)
    }
    return {
        "job": job,
        "model": run.model,
        "params": run.params,
        "trained_params": run.trained_params,
        "training_tokens": run.training_tokens,
        "validation_tokens": run.validation_tokens,
        "steps": run.steps,
        "stopped": run.stopped,
        "losses": list(run.losses),
        "evaluations": [dataclasses.asdict(e) for e in run.evaluations],
        "seconds": run.seconds,
        "cpu_s": run.cpu_s,
        "load_average": run.load_average,
        "tokens_per_s": run.tokens_per_s,
        "flop_per_step_counted": run.flop_per_step_counted,
        "flop_per_step_predicted": run.flop_per_step_predicted,
        "peak_flop_per_s": run.peak_flop_per_s,
        "mfu_frac": run.mfu_frac,
        "peak_memory_bytes": run.peak_memory_bytes,
        "energy": _plain(run.energy),
        "electricity_cost": _plain(prices.electricity(run.energy)),
        "machine_cost": _plain(prices.machine(run.seconds)),
        "extrapolation": {
            **{f.name: _plain(getattr(far, f.name)) for f in dataclasses.fields(far)},
            "own_step_tokens": OWN_STEP_TOKENS,
            "run_tokens": RUN_TOKENS,
            "run_accelerators": CLUSTER,
        },
    }


def _plain(value: Any) -> Any:
    """One value as JSON types; estimates keep range, grade and source."""
    if isinstance(value, Estimate):
        ends = {name: getattr(value, name) for name in ("low", "mid", "high")}
        return {**ends, "grade": value.grade.label, "source": str(value.source)}
    if isinstance(value, Money):
        return {"amount": value.amount, "currency": value.currency}
    if isinstance(value, Path | Source):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)
        }
    return getattr(value, "value", value)
