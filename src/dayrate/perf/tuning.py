"""From kernels to servers: factors by which measured systems are slower or faster.

Kernel timings say what hardware can do. What an engine makes of it is fitted to
published measurements as a few factors on times, each of a *quantity* (arithmetic,
memory traffic, ...) and a *scope* (all systems, a generation, an engine, ...). The
factors of all scopes that a setting belongs to multiply. A scope without a factor
changes nothing, so an unseen system gets what its wider scopes say.
"""

import dataclasses
import functools
import math
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from dayrate.catalog.hardware import Accelerator
from dayrate.catalog.local import is_local, local_host_row
from dayrate.catalog.model import ModelSpec, Moe
from dayrate.catalog.store import rows
from dayrate.perf.efficiency import (
    LEVELS,
    Coefficients,
    Efficiency,
    HostOverhead,
    LinkLaw,
    load_efficiency,
)
from dayrate.perf.operators import OpKind
from dayrate.units import DType, Num

__all__ = [
    "BASES",
    "QUANTITIES",
    "Factors",
    "Setting",
    "calibrated_efficiency",
    "calibrated_request_s",
    "engine_row",
    "factors_of",
    "fitted_factors",
    "fitted_scopes",
    "halved_peak",
    "level_of",
    "request_seconds",
    "setting_for",
    "tuned_efficiency",
]

#: What a factor multiplies: always a time or a power, so above 1 is slower or hotter.
QUANTITIES: Mapping[str, str] = MappingProxyType(
    {
        "compute": "time of arithmetic: matrix products and attention over prompts",
        "memory": "time of reading weights and activations",
        "cache": "time of attention over the cache while decoding",
        "collective": "time until a transfer between accelerators has begun",
        "step": "time of the engine per step",
        "layer": "time of the engine and of kernel launches per layer",
        "sequence": "time of the engine per sequence and step",
        "prefill_layer": "time per layer of steps with prefill, outside graphs",
        "request": "time per request outside the model: tokenizer, network, queue",
        "idle_power": "power with nothing to do",
        "compute_power": "further power while arithmetic is the bound",
        "memory_power": "further power while memory traffic is the bound",
    }
)
#: Quantities without a value in the kernel tables: what a factor of 1 stands for. [s]
BASES: Mapping[str, float] = MappingProxyType(
    {"prefill_layer": 20e-6, "request": 50e-3}
)
#: (quantity, scope) -> factor on the time.
Factors = Mapping[tuple[str, str], float]
#: Of bandwidth, whatever a fit says: DRAM serves nothing while it refreshes rows or
#: turns between reading and writing. The best row of the kernel tables reaches 0.91.
_MOST_BYTE_FRAC = 0.95
_HALVED_RATIO = 3.0  # INT8 over 16 bits: 2 elsewhere, 4 where sums halve the latter
_SIXTEEN_BIT = frozenset({DType.BF16, DType.FP16})
_UNPACKED = frozenset({DType.INT4, DType.Q4_1, DType.Q4_K_M, DType.Q8_0})


@dataclass(frozen=True, slots=True)
class Setting:
    """What decides which factors apply.

    ``engine`` is the id of a row of the engines' data: a family and an era.
    ``halved`` marks devices that sum products in 32 bits at half the rate, which their
    16-bit peak states: engines that sum in 16 bits get more of it.
    """

    accelerator_id: str
    generation: str
    vendor: str
    engine: str
    weights: DType
    experts: bool
    halved: bool = False
    unpacked_cache: bool = False

    @property
    def scopes(self) -> tuple[str, ...]:
        """From the widest to the narrowest."""
        return _scopes(self)


def setting_for(
    accelerator: Accelerator,
    model: ModelSpec,
    weights: DType,
    engine: str,
    kv_cache: DType | None = None,
) -> Setting:
    """Read from the catalogue what decides the factors.

    Parameters
    ----------
    accelerator : Accelerator
        From the catalogue.
    model : ModelSpec
        For whether it has experts.
    weights : DType
        Format they are stored in.
    engine : str
        Id of a row of the engines' data.
    kv_cache : DType, optional
        Format of the cache; by default one that the device computes in.

    Returns
    -------
    Setting
        Names only.

    Examples
    --------
    >>> from dayrate import catalog
    >>> from dayrate.perf.examples import LLAMA_3_1_70B
    >>> card = catalog.accelerator("rtx-4090")
    >>> setting_for(card, LLAMA_3_1_70B, DType.FP8, "vllm").halved
    True

    References
    ----------
    .. [1] ``docs/concepts/calibration.md``.
    """
    return Setting(
        accelerator_id=accelerator.id,
        generation=accelerator.generation,
        vendor=accelerator.vendor,
        engine=engine,
        weights=weights,
        experts=any(isinstance(b.mlp, Moe) for b in model.blocks),
        halved=halved_peak(accelerator),
        unpacked_cache=kv_cache is DType.FP8
        and DType.FP8 not in accelerator.peak_flop_per_s,
    )


@functools.cache
def _scopes(s: Setting) -> tuple[str, ...]:
    family = re.split(r"[-@]\d", s.engine)[0]
    weights = f"weights:{_weights_group(s.weights)}"
    traits = [weights, f"{weights} on {s.generation}"]
    if s.experts:
        traits += ["experts", f"experts:{family}"]
    if s.unpacked_cache:
        traits.append("unpacked cache")
    if s.halved:
        traits.append(f"engine:{s.engine} on halved peak")
    return (
        "all",
        f"vendor:{s.vendor}",
        f"generation:{s.generation}",
        f"accelerator:{s.accelerator_id}",
        f"family:{family}",
        f"engine:{s.engine}",
        f"engine:{s.engine} on {s.vendor}",
        f"engine:{s.engine} on {s.generation}",
        *traits,
    )


def _weights_group(weights: DType) -> str:
    if weights in _UNPACKED:
        return "unpacked"
    return "16 bits" if weights in _SIXTEEN_BIT else weights.value


def halved_peak(device: Accelerator) -> bool:
    """Say whether the 16-bit peak is that of sums in 32 bits at half the rate.

    Elsewhere INT8 runs at twice the 16-bit rate, on such devices at four times.

    Parameters
    ----------
    device : Accelerator
        From the catalogue.

    Returns
    -------
    bool
        True for GeForce boards.

    Examples
    --------
    >>> from dayrate import catalog
    >>> halved_peak(catalog.accelerator("h100-sxm-80gb"))
    False

    References
    ----------
    .. [1] NVIDIA, "Ada GPU Architecture", 2023, appendix A.
    """
    peaks = device.peak_flop_per_s
    half, byte = (peaks.get(d, 0.0) for d in (DType.BF16, DType.INT8))
    return half > 0.0 and byte > _HALVED_RATIO * half


def factors_of(setting: Setting, factors: Factors) -> dict[str, float]:
    """Multiply the factors of all scopes of a setting, for each quantity.

    Parameters
    ----------
    setting : Setting
        Accelerator, engine, format.
    factors : Factors
        By quantity and scope. [1]

    Returns
    -------
    dict of str to float
        A factor for each quantity. [1]

    Examples
    --------
    >>> s = Setting("h100-sxm-80gb", "hopper", "nvidia", "vllm", DType.BF16, False)
    >>> factors_of(s, {("cache", "all"): 2.0, ("cache", "engine:vllm"): 1.5})["cache"]
    3.0

    References
    ----------
    .. [1] ``docs/concepts/calibration.md``.
    """
    return {
        q: math.prod(factors.get((q, s), 1.0) for s in setting.scopes)
        for q in QUANTITIES
    }


@functools.cache
def fitted_factors() -> Factors:
    """Read the shipped factors."""
    return {
        (r["quantity"], r["scope"]): r["factor"]
        for r in rows("calibration")
        if "quantity" in r
    }


@functools.cache
def fitted_scopes() -> frozenset[str]:
    """Read which scopes had measurements: others fall back to wider ones."""
    found = (r["scopes"] for r in rows("calibration") if "scopes" in r)
    return frozenset(scope for scopes in found for scope in scopes)


def level_of(setting: Setting, seen: Collection[str]) -> str:
    """Say how close measured systems are: accelerator, generation or default.

    An engine that was never measured costs a level.

    Parameters
    ----------
    setting : Setting
        Accelerator, engine, format.
    seen : collection of str
        Scopes that had measurements.

    Returns
    -------
    str
        One of `LEVELS`.

    Examples
    --------
    >>> s = Setting("h100-sxm-80gb", "hopper", "nvidia", "vllm", DType.BF16, False)
    >>> level_of(s, {"generation:hopper", "engine:vllm"})
    'generation'
    >>> level_of(s, {"generation:hopper"})
    'default'

    References
    ----------
    .. [1] ``docs/concepts/calibration.md``.
    """
    device = (
        f"accelerator:{setting.accelerator_id}",
        f"generation:{setting.generation}",
    )
    missed = next((i for i, scope in enumerate(device) if scope in seen), 2)
    missed += f"engine:{setting.engine}" not in seen
    return LEVELS[min(missed, 2)]


def calibrated_efficiency(setting: Setting) -> Efficiency:
    """Kernel timings of the accelerator under the shipped factors.

    Parameters
    ----------
    setting : Setting
        Accelerator, engine, format.

    Returns
    -------
    Efficiency
        With the ``level`` of `level_of`.

    Examples
    --------
    >>> s = Setting("h100-sxm-80gb", "hopper", "nvidia", "vllm", DType.BF16, False)
    >>> calibrated_efficiency(s).level
    'accelerator'

    References
    ----------
    .. [1] ``docs/concepts/calibration.md``.
    """
    kernels = load_efficiency(
        setting.accelerator_id, setting.generation, halved_peak=setting.halved
    )
    if is_local(setting.accelerator_id):  # calibrated with its engine, as a whole
        return kernels
    factor = factors_of(setting, fitted_factors())
    return tuned_efficiency(kernels, factor, level_of(setting, fitted_scopes()))


def calibrated_request_s(setting: Setting) -> float:
    """Time of a request outside the model under the shipped factors.

    Parameters
    ----------
    setting : Setting
        Accelerator, engine, format.

    Returns
    -------
    float
        Before the first token. [s]

    Examples
    --------
    >>> s = Setting("h100-sxm-80gb", "hopper", "nvidia", "vllm", DType.BF16, False)
    >>> 0 < calibrated_request_s(s) < 0.2
    True

    References
    ----------
    .. [1] ``docs/concepts/calibration.md``.
    """
    if is_local(setting.accelerator_id):
        return float(local_host_row(setting.accelerator_id)["request_ms"]) / 1e3
    return float(request_seconds(factors_of(setting, fitted_factors())))


def request_seconds(factor: Mapping[str, Num]) -> Num:
    """Time of a request outside the model.

    Parameters
    ----------
    factor : mapping of str to float
        From `factors_of`. [1]

    Returns
    -------
    float
        Before the first token. [s]

    Examples
    --------
    >>> request_seconds({"request": 2.0})
    0.1

    References
    ----------
    .. [1] ``docs/concepts/calibration.md``.
    """
    return BASES["request"] * factor["request"]


def tuned_efficiency(
    kernels: Efficiency, factor: Mapping[str, Num], level: str
) -> Efficiency:
    """Apply factors on times to what kernels reach.

    No share of a peak exceeds 1, none of bandwidth 0.95.

    Parameters
    ----------
    kernels : Efficiency
        From kernel timings.
    factor : mapping of str to float
        From `factors_of`. [1]
    level : str
        From `level_of`.

    Returns
    -------
    Efficiency
        Of whole servers.

    Examples
    --------
    >>> kernels = load_efficiency("h100-sxm-80gb", "hopper")
    >>> double = dict.fromkeys(QUANTITIES, 2.0)
    >>> slow = tuned_efficiency(kernels, double, "default")
    >>> bool(slow.host.step_s == 2 * kernels.host.step_s)
    True

    References
    ----------
    .. [1] ``docs/concepts/calibration.md``.
    .. [2] I. Bhati et al., "DRAM Refresh Mechanisms, Penalties, and Trade-Offs", IEEE
       Transactions on Computers 65(1), 2016: why not all of bandwidth.
    """
    host = kernels.host
    layer = factor["layer"]
    return Efficiency(
        kernels={
            key: _kernel(c, *_kind_factors(key[0], factor), layer)
            for key, c in kernels.kernels.items()
        },
        link=_Slower(kernels.link, factor["collective"]),
        host=HostOverhead(
            step_s=host.step_s * factor["step"],
            layer_s=host.layer_s * layer,
            sequence_s=host.sequence_s * factor["sequence"],
            prefill_layer_s=BASES["prefill_layer"] * factor["prefill_layer"],
        ),
        reserve_bytes=kernels.reserve_bytes,
        level=level,
    )


def _kind_factors(kind: OpKind, factor: Mapping[str, Num]) -> tuple[Num, Num]:
    """Factors on the arithmetic and on the traffic of one kind of kernel."""
    if kind is OpKind.ATTENTION_DECODE:
        return factor["cache"], factor["cache"]
    return factor["compute"], factor["memory"]


def _kernel(c: Coefficients, compute: Num, memory: Num, fixed: Num) -> Coefficients:
    return dataclasses.replace(
        c,
        flop_frac=np.minimum(c.flop_frac / compute, 1.0),
        byte_frac=np.minimum(c.byte_frac / memory, _MOST_BYTE_FRAC),
        fixed_s=c.fixed_s * fixed,
    )


@dataclass(frozen=True, slots=True)
class _Slower:
    """A link whose transfers begin so many times later; its bytes take as long."""

    link: LinkLaw
    factor: Num

    def at(self, ranks: Num) -> tuple[Num, Num]:
        byte_frac, fixed = self.link.at(ranks)
        return byte_frac, fixed * self.factor


@functools.cache
def engine_row(engine: str, version: str) -> Mapping[str, Any]:
    """Find the row of an engine's family and era."""
    return next(r for r in _engines() if _fits(r, engine, version))


def _engines() -> Iterable[Mapping[str, Any]]:
    return rows("engines")


def _fits(row: Mapping[str, Any], engine: str, version: str) -> bool:
    if not engine.lower().startswith(row["match"]):
        return False
    if not version.startswith(row.get("version", "")):
        return False
    return "before" not in row or _number(version) < tuple(row["before"])


def _number(version: str) -> tuple[int, int]:
    """First two numbers of a version; a year stands for the releases of 2023 and 24."""
    found = re.match(r"(\d+)\.(\d+)", version)
    if found:
        return int(found.group(1)), int(found.group(2))
    old = re.match(r"202[0-4]", version)
    return (0, 0) if old else (10**6, 0)
