"""What is paid beside the machines: people, software, data, storage, traffic."""

from dayrate import catalog
from dayrate.compose.money import Exchange
from dayrate.cost.breakdown import Cost
from dayrate.cost.data import egress_usd_per_day, storage_usd_per_day
from dayrate.cost.people import staff_usd_per_day
from dayrate.errors import InvalidInput
from dayrate.units import GB, TERA, YEAR_DAYS

__all__ = ["SIDE_TERMS", "side_terms"]

YEAR_S = YEAR_DAYS * 86_400
#: Terms beside the machines, and the flags that bring each into the bill.
SIDE_TERMS = {
    "staff": "people: set --staff-fte and --staff-per-year",
    "software": "software licences and support: set --software-per-year",
    "data": "data (licences, labelling, evaluation): set --data-per-year",
    "storage": "storage: set --stored-tb and --storage-per-tb-month",
    "network": "traffic to users: set --egress-gb-per-day and --egress-per-gb",
}


def side_terms(
    money: Exchange, *, provisioned_w: float | None = None
) -> tuple[Cost, tuple[str, ...]]:
    """Price what was given; owners of machines need people even where none are given.

    ``provisioned_w`` is the power of owned servers, from which staff is then derived.
    """
    terms = {
        "staff": _staff(money, provisioned_w),
        "software": _per_year(money, "software"),
        "data": _per_year(money, "data"),
        "storage": _storage(money),
        "network": _egress(money),
    }
    known = {name: usd for name, usd in terms.items() if usd is not None}
    left_out = tuple(why for name, why in SIDE_TERMS.items() if name not in known)
    return Cost(known), left_out


def _staff(money: Exchange, provisioned_w: float | None) -> float | None:
    e, w = money.economics, money.w
    if e.staff_fte is None and provisioned_w is None and e.staff_per_year is None:
        return None
    fte_name, pay_name = "economics.staff_fte", "economics.usd_per_staff_year"
    defaults = catalog.owned_defaults()
    if e.staff_fte is not None:
        fte = w.given(fte_name, e.staff_fte, "person")
    elif provisioned_w is not None:
        per_mw = w.estimate(
            "economics.staff_per_mw", defaults.staff_per_w, "person/MW", per=1e-6
        )
        fte = w.derive(
            fte_name,
            per_mw * provisioned_w / 1e6,
            "person",
            "economics.staff_per_mw * deployment.provisioned_kw / 1000",
        )
    else:
        raise InvalidInput(
            "The cost of a person is given but not how many there are. Add --staff-fte."
        )
    pay = money.usd(pay_name, e.staff_per_year, "USD/person/year")
    if pay is None:
        pay = w.estimate(
            pay_name,
            defaults.staff_usd_per_person_s,
            "USD/person/year",
            per=1 / YEAR_S,
        )
    usd = staff_usd_per_day(full_time_equivalents=fte, usd_per_year=pay)
    return w.derive(
        "cost.staff_usd_per_day",
        float(usd),
        "USD/day",
        f"{fte_name} * {pay_name} / {YEAR_DAYS}",
    )


def _per_year(money: Exchange, term: str) -> float | None:
    name = f"economics.{term}_usd_per_year"
    given = getattr(money.economics, f"{term}_per_year")
    usd = money.usd(name, given, "USD/year")
    if usd is None:
        return None
    return money.w.derive(
        f"cost.{term}_usd_per_day", usd / YEAR_DAYS, "USD/day", f"{name} / {YEAR_DAYS}"
    )


def _storage(money: Exchange) -> float | None:
    e, w = money.economics, money.w
    if e.stored_tb is None and e.storage_per_tb_month is None:
        return None
    if e.stored_tb is None or e.storage_per_tb_month is None:
        raise InvalidInput(
            "Storage needs both an amount and a price. "
            "Give --stored-tb and --storage-per-tb-month."
        )
    w.given("economics.stored_tb", e.stored_tb, "TB")
    price_name = "economics.storage_usd_per_tb_month"
    price = money.usd(price_name, e.storage_per_tb_month, "USD/TB/month")
    assert price is not None
    usd = storage_usd_per_day(stored_bytes=e.stored_tb * TERA, usd_per_tb_month=price)
    return w.derive(
        "cost.storage_usd_per_day",
        float(usd),
        "USD/day",
        f"economics.stored_tb * {price_name} * 12 / {YEAR_DAYS}",
    )


def _egress(money: Exchange) -> float | None:
    e, w = money.economics, money.w
    if e.egress_gb_per_day is None and e.egress_per_gb is None:
        return None
    if e.egress_gb_per_day is None or e.egress_per_gb is None:
        raise InvalidInput(
            "Traffic needs both an amount and a price. "
            "Give --egress-gb-per-day and --egress-per-gb."
        )
    w.given("economics.egress_gb_per_day", e.egress_gb_per_day, "GB/day")
    price = money.usd("economics.egress_usd_per_gb", e.egress_per_gb, "USD/GB")
    assert price is not None
    usd = egress_usd_per_day(
        sent_bytes_per_day=e.egress_gb_per_day * GB, usd_per_gb=price
    )
    return w.derive(
        "cost.network_usd_per_day",
        float(usd),
        "USD/day",
        "economics.egress_gb_per_day * economics.egress_usd_per_gb",
    )
