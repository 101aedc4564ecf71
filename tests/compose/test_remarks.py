from dayrate.catalog.price import Pricing
from dayrate.compose.remarks import remarks
from dayrate.scenario.quantity import Money
from dayrate.scenario.schema import EconomicsSection

OPEN = EconomicsSection()


def test_mostly_idle_machines_are_pointed_out() -> None:
    said = list(remarks(OPEN, Pricing.ON_DEMAND, "h100-sxm-80gb", 0.02))
    assert [s.startswith("only 2.0% of the capacity works") for s in said] == [True]
    assert not list(remarks(OPEN, Pricing.ON_DEMAND, "h100-sxm-80gb", 0.5))


def test_a_commitment_dearer_than_none_is_pointed_out() -> None:
    said = list(remarks(OPEN, Pricing.RESERVED_1Y, "h100-sxm-80gb", 0.5))
    assert [s.startswith("the reserved-1y list price") for s in said] == [True]
    assert not list(remarks(OPEN, Pricing.RESERVED_3Y, "h100-sxm-80gb", 0.5))


def test_a_price_of_ones_own_needs_no_remark() -> None:
    own = EconomicsSection(gpu_hour_price=Money(9.0))
    assert not list(remarks(own, Pricing.RESERVED_1Y, "h100-sxm-80gb", 0.5))


def test_nothing_is_said_where_nobody_rents_by_the_hour() -> None:
    assert not list(remarks(OPEN, Pricing.RESERVED_3Y, "mi300x", 0.5))
