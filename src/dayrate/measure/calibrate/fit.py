"""Coefficients of the step law that explain what was timed.

The law is that of a quote (`dayrate.perf.step`): operators under calibrated roofs, and
time of the engine per step, layer and sequence. Each coefficient has a wide prior, so
that one which the runs do not show (bandwidth, where arithmetic binds) stays near what
the machine's own probe says. Errors are logarithms of ratios.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dayrate.catalog.model import ModelSpec
from dayrate.measure.calibrate.points import Point, steps_of
from dayrate.perf.deployment import Machine, Parallelism, Precision
from dayrate.perf.efficiency import (
    Coefficients,
    Efficiency,
    HostOverhead,
    LinkCoefficients,
)
from dayrate.perf.operators import OpKind, StepShape
from dayrate.perf.step import step_time
from dayrate.units import DType

__all__ = ["Coefficient", "Device", "Fit", "efficiency_of", "fit", "predict_s"]

Floats = npt.NDArray[np.float64]

#: Start, and the width of the prior as a factor: 68 % lie within it, either way.
_PRIORS: Mapping[str, tuple[float, float]] = {
    "gemm_flop_frac": (0.5, 5.0),
    "prefill_attention_flop_frac": (0.2, 5.0),
    "decode_attention_flop_frac": (0.1, 5.0),
    "byte_frac": (0.7, 1.5),
    "step_s": (500e-6, 3.0),
    "layer_s": (50e-6, 5.0),
    "sequence_s": (500e-6, 5.0),
}
_NOISE = 0.10  # of a time, as a logarithm: what the law and the timing leave
_Q80 = 1.2816


@dataclass(frozen=True, slots=True)
class Device:
    """What is calibrated: a model in some formats on the device that was probed."""

    model: ModelSpec
    machine: Machine
    precision: Precision
    pass_tokens: int


@dataclass(frozen=True, slots=True)
class Coefficient:
    """A fitted value with its 80 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Fit:
    """The coefficients by name, and how well they explain what was timed."""

    coefficients: Mapping[str, Coefficient]
    log_errors: tuple[float, ...]  # ln(predicted / measured), point by point

    @property
    def values(self) -> dict[str, float]:
        """The values alone."""
        return {name: c.value for name, c in self.coefficients.items()}

    @property
    def median_error_frac(self) -> float:
        """Median of the absolute errors. [1]"""
        return float(np.median(np.abs(self.log_errors)))


def efficiency_of(values: Mapping[str, float]) -> Efficiency:
    """Put coefficients where the step looks for them."""
    bytes_ = values["byte_frac"]
    shares = {
        OpKind.GEMM: values["gemm_flop_frac"],
        OpKind.ATTENTION_PREFILL: values["prefill_attention_flop_frac"],
        OpKind.ATTENTION_DECODE: values["decode_attention_flop_frac"],
        OpKind.ELEMENTWISE: 1.0,
    }
    return Efficiency(
        kernels={
            (kind, DType.BF16): Coefficients(share, bytes_, 0.0, "accelerator")
            for kind, share in shares.items()
        },
        link=LinkCoefficients((1.0, 2.0), (1.0, 1.0), (0.0, 0.0)),
        host=HostOverhead(values["step_s"], values["layer_s"], values["sequence_s"]),
        reserve_bytes=0.0,
        level="accelerator",
    )


def predict_s(
    points: Sequence[Point], device: Device, efficiency: Efficiency
) -> Floats:
    """Predict the time of points; a long prompt is the sum of its passes. [s]"""
    steps = [
        (i, s) for i, p in enumerate(points) for s in steps_of(p, device.pass_tokens)
    ]
    owner = np.array([i for i, _ in steps])
    shape = StepShape(
        **{
            f.name: np.array([float(getattr(s, f.name)) for _, s in steps])
            for f in dataclasses.fields(StepShape)
        }
    )
    total = step_time(
        device.model,
        device.machine,
        Parallelism(),
        device.precision,
        shape,
        efficiency=efficiency,
    ).total_s
    summed = np.zeros(len(points))
    np.add.at(summed, owner, np.asarray(total))
    return summed


def fit(points: Sequence[Point], measured_s: Sequence[float], device: Device) -> Fit:
    """Fit the coefficients to times.

    Notes
    -----
    The interval is that of a linearised posterior: noise as the residuals show it, but
    no less than half of what is assumed, and the priors.
    """
    from scipy.optimize import least_squares

    names = list(_PRIORS)
    start = np.log([_PRIORS[n][0] for n in names])
    width = np.log([_PRIORS[n][1] for n in names])
    target = np.log(np.asarray(measured_s, dtype=float))

    def values_at(x: Floats) -> dict[str, float]:
        return dict(zip(names, np.exp(x).tolist(), strict=True))

    def errors(x: Floats) -> Floats:
        predicted = predict_s(points, device, efficiency_of(values_at(x)))
        return np.asarray(np.log(predicted) - target)

    def residuals(x: Floats) -> Floats:
        return np.concatenate([errors(x) / _NOISE, (x - start) / width])

    found = least_squares(residuals, start, loss="soft_l1", x_scale=width)
    left = errors(found.x)
    scale = max(float(np.sqrt(np.mean(left**2))) / _NOISE, 0.5)
    jacobian: Floats = np.asarray(found.jac)
    covariance = np.linalg.inv(jacobian.T @ jacobian)
    spread = _Q80 * scale * np.sqrt(np.diag(covariance))
    best = np.exp(found.x)
    return Fit(
        {
            n: Coefficient(float(v), float(v / np.exp(s)), float(v * np.exp(s)))
            for n, v, s in zip(names, best, spread, strict=True)
        },
        tuple(left.tolist()),
    )
