"""What sellers charge for an hour of an accelerator."""

import enum
from dataclasses import dataclass

from dayrate.evidence import Source

__all__ = ["Offer", "Pricing"]


class Pricing(enum.Enum):
    """How the machines are paid for."""

    ON_DEMAND = "on-demand"
    RESERVED_1Y = "reserved-1y"
    RESERVED_3Y = "reserved-3y"
    SPOT = "spot"
    OWNED = "owned"


@dataclass(frozen=True, slots=True)
class Offer:
    """One price on one day; ``usd_per_accelerator_hour`` is what is compared."""

    id: str
    seller: str
    sku: str
    region: str
    accelerator_id: str
    accelerators_per_instance: int
    pricing: Pricing
    usd_per_accelerator_hour: float
    source: Source
    confidence: str
