"""The accelerators that walk a request: their speed, power and price."""

from dayrate import catalog
from dayrate.anatomy.work import Hardware
from dayrate.catalog.hardware import Accelerator
from dayrate.catalog.model import ModelSpec
from dayrate.catalog.price import Pricing
from dayrate.compose.bill import hourly_price
from dayrate.compose.money import Exchange
from dayrate.compose.resolve import engine_of, why_calibrated
from dayrate.energy.power import ActivityPower
from dayrate.errors import DoesNotFit, InvalidInput
from dayrate.evidence import Grade
from dayrate.perf.deployment import Parallelism, Precision, machine_of
from dayrate.perf.memory import weight_bytes_per_accelerator
from dayrate.perf.tuning import (
    calibrated_efficiency,
    factors_of,
    fitted_factors,
    setting_for,
)
from dayrate.scenario.schema import Scenario

__all__ = ["check_fits", "hardware_of"]


def hardware_of(
    scenario: Scenario,
    model: ModelSpec,
    device: Accelerator,
    precision: Precision,
    money: Exchange,
) -> Hardware:
    """Take calibration, power and price of an accelerator, as a quote does."""
    w = money.w
    served = engine_of(scenario, device, w)
    setting = setting_for(
        device, model, precision.weights, served.era, precision.kv_cache
    )
    factor, usual = factors_of(setting, fitted_factors()), ActivityPower()
    efficiency = calibrated_efficiency(setting)
    w.choice(
        "perf.calibration",
        efficiency.level,
        given=None,
        why=why_calibrated(device, served),
        grade=Grade.ASSUMED if efficiency.level == "default" else Grade.FITTED,
    )
    if device.tdp_w is None:
        w.unknown("accelerator.tdp_w", "W", "its rated power is not published")
    else:
        w.cited("accelerator.tdp_w", device.tdp_w, "W", device.source)
    try:
        server = catalog.server_for(device.id)
        network, per_server = server.inter_node, server.accelerators
    except InvalidInput:  # in no catalogued server: its own link is all that is known
        network, per_server = device.link, 1
    return Hardware(
        machine=machine_of(
            device, network=network, precision=precision, per_server=per_server
        ),
        efficiency=efficiency,
        tdp_w=device.tdp_w,
        shares=ActivityPower(
            idle_frac=usual.idle_frac * factor["idle_power"],
            compute_frac=usual.compute_frac * factor["compute_power"],
            memory_frac=usual.memory_frac * factor["memory_power"],
        ),
        usd_per_hour=_price(scenario, device, money),
    )


def _price(scenario: Scenario, device: Accelerator, money: Exchange) -> float | None:
    """Price of an hour; without one on any list, unknown unless one was asked for."""
    e = scenario.economics
    try:
        usd, _ = hourly_price(device.id, e.pricing or Pricing.ON_DEMAND, money)
    except InvalidInput:
        if e.pricing is not None or e.offer is not None:
            raise
        money.w.unknown(
            "economics.usd_per_accelerator_hour", "USD/h", "set --gpu-hour-price"
        )
        return None
    return usd


def check_fits(
    model: ModelSpec,
    split: Parallelism,
    precision: Precision,
    hardware: Hardware,
    cache_bytes: float,
) -> None:
    """Refuse to time what does not fit.

    Raises
    ------
    DoesNotFit
        Weights and cache exceed memory.
    """
    weights = weight_bytes_per_accelerator(model, split, precision)
    need = float(weights) + cache_bytes
    have = float(hardware.machine.hbm_bytes)
    if need > have:
        raise DoesNotFit(
            need_bytes=need * float(split.accelerators),
            have_bytes=have * float(split.accelerators),
            what=f"{model.id} with its cache",
        )
