"""Offers on a day, and a range that is never silently of another kind."""

import datetime as dt
import statistics

import pytest

from dayrate.catalog import accelerator_ids, offers, price_estimate, prices_as_of
from dayrate.catalog.price import Pricing
from dayrate.errors import InvalidInput
from dayrate.evidence import Grade

RENTED = [p for p in Pricing if p is not Pricing.OWNED]


def of(seller: str, on: dt.date, pricing: Pricing = Pricing.ON_DEMAND) -> list[float]:
    return [
        o.usd_per_accelerator_hour
        for o in offers("h100-sxm-80gb", pricing, on)
        if o.seller == seller and o.region == "us-east-1" and o.sku == "p5.48xlarge"
    ]


def test_the_newest_price_on_a_day_counts() -> None:
    """AWS cut p5 in June 2025: 98.32 USD an hour before, 55.04 after, for eight."""
    assert of("aws", dt.date(2025, 5, 1)) == [12.29]
    assert of("aws", dt.date(2026, 9, 6)) == [6.88]
    assert of("aws", dt.date(2022, 1, 1)) == []


def test_old_offers_are_history() -> None:
    assert of("aws", dt.date(2030, 1, 1)) == []


def test_what_is_no_longer_sold_is_no_offer() -> None:
    def list_price(on: dt.date) -> list[float]:
        found = offers("h200", Pricing.ON_DEMAND, on)
        return [o.usd_per_accelerator_hour for o in found if o.sku == "p5e.48xlarge"]

    assert list_price(dt.date(2025, 4, 1)) == [10.6]
    assert list_price(dt.date(2025, 8, 1)) == []


def test_as_of_is_the_newest_day_of_the_data() -> None:
    assert prices_as_of() >= dt.date(2026, 9, 6)
    assert offers("h100") == offers("h100", None, prices_as_of())


def test_the_middle_counts_each_seller_once() -> None:
    found = offers("h100", Pricing.ON_DEMAND)
    sellers = {o.seller for o in found}
    assert len(sellers) < len(found)
    medians = [
        statistics.median(o.usd_per_accelerator_hour for o in found if o.seller == s)
        for s in sellers
    ]
    estimate = price_estimate("H100", Pricing.ON_DEMAND)
    assert estimate.mid == statistics.median(medians)
    assert estimate.low == min(o.usd_per_accelerator_hour for o in found)
    assert estimate.high == max(o.usd_per_accelerator_hour for o in found)
    assert estimate.grade is Grade.CITED
    assert estimate.source.date


@pytest.mark.parametrize("device", accelerator_ids())
def test_ranges_exist_exactly_where_offers_do(device: str) -> None:
    for pricing in RENTED:
        if offers(device, pricing):
            estimate = price_estimate(device, pricing)
            assert 0 < estimate.low <= estimate.mid <= estimate.high
        else:
            with pytest.raises(InvalidInput, match=pricing.value):
                price_estimate(device, pricing)


def test_no_price_names_the_others_and_never_falls_back() -> None:
    with pytest.raises(InvalidInput) as error:
        price_estimate("b200", Pricing.RESERVED_1Y)
    assert "there is on-demand, reserved-3y, spot" in str(error.value)
    with pytest.raises(InvalidInput, match="nor any other"):
        price_estimate("a30", Pricing.ON_DEMAND)


def test_owned_has_no_price_per_hour() -> None:
    with pytest.raises(InvalidInput, match="follows from capital"):
        price_estimate("h100", Pricing.OWNED)
