"""What a reader should notice before quoting a figure from the bill."""

import math
from collections.abc import Iterator

from dayrate import catalog
from dayrate.catalog.price import Pricing
from dayrate.scenario.schema import EconomicsSection

__all__ = ["remarks"]

MOSTLY_IDLE = 0.15


def remarks(
    economics: EconomicsSection,
    pricing: Pricing,
    accelerator_id: str,
    utilisation: float,
) -> Iterator[str]:
    """Yield a sentence for each figure that is right and easily misread."""
    if utilisation < MOSTLY_IDLE:
        yield (
            f"only {utilisation:.1%} of the capacity works: unit costs are mostly "
            "idle time; see --basis used, or share the machines"
        )
    listed = economics.gpu_hour_price is None and economics.offer is None
    if listed and pricing in {Pricing.RESERVED_1Y, Pricing.RESERVED_3Y}:
        reserved = catalog.price_estimate(accelerator_id, pricing)
        if reserved.mid > _on_demand(accelerator_id):
            yield (
                f"the {pricing.value} list price ({reserved.source}) is above today's "
                "on-demand median: it is older, or from dearer sellers; ask for an "
                "offer and give it with --gpu-hour-price"
            )


def _on_demand(accelerator_id: str) -> float:
    """Median price of an hour; infinite where nobody rents by the hour."""
    if not catalog.offers(accelerator_id, Pricing.ON_DEMAND):
        return math.inf
    return catalog.price_estimate(accelerator_id, Pricing.ON_DEMAND).mid
