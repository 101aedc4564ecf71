"""What sellers charge: offers on a day, and the range over them."""

import datetime as dt
import functools
import statistics
from collections import defaultdict
from collections.abc import Iterable

from dayrate.catalog.devices import accelerator
from dayrate.catalog.load import parse_offer
from dayrate.catalog.price import Offer, Pricing
from dayrate.catalog.store import rows
from dayrate.errors import InvalidInput
from dayrate.evidence import Estimate, Grade, Source

__all__ = ["offers", "price_estimate", "prices_as_of"]

#: An offer last seen longer ago than this is history, not a price.
STALE_DAYS = 730


def prices_as_of() -> dt.date:
    """Return the newest date of any price: "now", as far as the catalogue knows."""
    newest: dt.date = max(d for row in rows("prices") for d in row["values"])
    return newest


@functools.cache
def offers(
    accelerator_id: str, pricing: Pricing | None = None, on: dt.date | None = None
) -> tuple[Offer, ...]:
    """All current offers of an accelerator, each at its newest price on that day.

    Parameters
    ----------
    accelerator_id
        An accelerator by id or alias.
    pricing
        One way of paying, or all of them.
    on
        The day; the newest of the catalogue if absent. Offers that were last seen
        two years before it are left out.

    Examples
    --------
    >>> [o.id for o in offers("h100-sxm-80gb", Pricing.SPOT) if o.seller == "nebius"]
    ['nebius/eu-north1/gpu-h100-sxm-8gpu/spot']
    """
    wanted = accelerator(accelerator_id).id
    day = on or prices_as_of()
    oldest = (day - dt.timedelta(days=STALE_DAYS)).isoformat()
    mine = (r for r in rows("prices") if wanted in r["accelerators"])
    mine = (r for r in mine if day < r.get("ended", dt.date.max))
    found = (o for row in mine if (o := parse_offer(row, day)))
    return tuple(
        o for o in found if o.source.date >= oldest and pricing in {None, o.pricing}
    )


@functools.cache
def price_estimate(
    accelerator_id: str, pricing: Pricing, on: dt.date | None = None
) -> Estimate:
    """Range of prices in USD per accelerator-hour.

    Low and high are the extremes of the current offers. Mid is the median over sellers
    of each seller's median, so that a seller with many regions counts once.

    Raises
    ------
    InvalidInput
        Nobody offers it that way; the message says which ways there are.

    Examples
    --------
    >>> price_estimate("tpu-v4", Pricing.RESERVED_1Y).mid
    2.03
    """
    if pricing is Pricing.OWNED:
        raise InvalidInput(
            "Owned machines have no price per hour: their cost follows from capital, "
            "power and upkeep. Ask for on-demand, reserved-1y, reserved-3y or spot."
        )
    found = offers(accelerator_id, pricing, on)
    if not found:
        raise InvalidInput(_no_price(accelerator_id, pricing, on))
    prices = [o.usd_per_accelerator_hour for o in found]
    return Estimate(
        min(prices), _median_of_sellers(found), max(prices), Grade.CITED, _source(found)
    )


def _median_of_sellers(found: Iterable[Offer]) -> float:
    by_seller: dict[str, list[float]] = defaultdict(list)
    for offer in found:
        by_seller[offer.seller].append(offer.usd_per_accelerator_hour)
    return statistics.median(statistics.median(p) for p in by_seller.values())


def _source(found: tuple[Offer, ...]) -> Source:
    if len(found) == 1:
        return found[0].source
    sellers = sorted({o.seller for o in found})
    return Source(
        title=f"{len(found)} offers of {', '.join(sellers)}: median of their medians",
        date=max(o.source.date for o in found),
        checked=max(o.source.checked for o in found),
    )


def _no_price(accelerator_id: str, pricing: Pricing, on: dt.date | None) -> str:
    others = {o.pricing.value for o in offers(accelerator_id, None, on)}
    what = f"No {pricing.value} price of {accelerator(accelerator_id).id} is known"
    if others:
        return (
            f"{what}; there is {', '.join(sorted(others))}. "
            "Choose one with --pricing, or give --gpu-hour-price."
        )
    return f"{what}, nor any other. Give --gpu-hour-price, or --pricing owned."
