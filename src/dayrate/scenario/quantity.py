"""Quantities as people type them: a number in the documented unit, or with its unit.

pint checks the dimension. It costs a third of a second to load, so it is only loaded
when a string with a unit comes in.
"""

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dayrate.errors import InvalidInput

if TYPE_CHECKING:
    import pint

__all__ = ["CURRENCIES", "MOST", "Money", "money", "quantity"]

MOST = 1e18  # of anything: beyond every price and every count of a day

CURRENCIES = {
    "USD": "USD",
    "US$": "USD",
    "$": "USD",
    "CNY": "CNY",
    "RMB": "CNY",
    "YUAN": "CNY",
    "元": "CNY",
    "EUR": "EUR",
    "€": "EUR",
    "GBP": "GBP",
    "£": "GBP",
    "JPY": "JPY",
}
_CURRENCY = re.compile(
    "|".join(re.escape(c) for c in sorted(CURRENCIES, key=len, reverse=True)),
    flags=re.IGNORECASE,
)
#: Powers, which would be computed, and two numbers, which would be multiplied.
_NO_AMOUNT = re.compile(r"\*\s*\*|\^|[0-9.]\s+[0-9.]")


@dataclass(frozen=True, slots=True)
class Money:
    """An amount per something, in the currency it was given in."""

    amount: float
    currency: str = "USD"


def quantity(unit: str, *, what: str) -> Callable[[Any], Any]:
    """Build a validator that turns ``"10.2 kW"`` into a number of ``unit``.

    Numbers pass as they are, in ``unit``; anything else that is not text passes
    through for the schema to refuse.

    Examples
    --------
    >>> quantity("ms", what="ttft_ms")("2 s")
    2000.0
    >>> quantity("1", what="headroom_frac")("30 %")
    0.3
    """

    def validate(value: Any) -> Any:
        return _in_unit(value, unit, what) if isinstance(value, str) else value

    return validate


def money(unit: str, *, what: str) -> Callable[[Any], Money]:
    """Build a validator that turns ``"0.65 CNY/kWh"`` into `Money` per ``unit``.

    ``unit`` is the part after the currency ("kWh"), empty for a bare amount. Plain
    numbers are US dollars.

    Examples
    --------
    >>> money("kWh", what="electricity")("0.65 CNY/kWh")
    Money(amount=0.65, currency='CNY')
    >>> money("kWh", what="electricity")("48 USD/MWh")
    Money(amount=0.048, currency='USD')
    """
    target = f"USD/{unit}" if unit else "USD"

    def validate(value: Any) -> Money:
        if isinstance(value, Money):
            return value
        if isinstance(value, int | float) and not isinstance(value, bool):
            return Money(_checked(float(value), what))
        if not isinstance(value, str):
            raise InvalidInput(f"{what} is {value!r}; give a number or a price.")
        code = _CURRENCY.search(value)
        if code is None:
            return Money(_checked(_in_unit(value, target, what), what))
        text = value.replace(code.group(), " USD ", 1)
        amount = _in_unit(_amount_first(text), target, what, given=value)
        return Money(_checked(amount, what), CURRENCIES[code.group().upper()])

    return validate


def _checked(amount: float, what: str) -> float:
    if not 0 <= amount <= MOST:
        raise InvalidInput(
            f"{what} is {amount:g}; give an amount between 0 and {MOST:g}."
        )
    return amount


def _amount_first(text: str) -> str:
    """Turn "$ 2/hour" into "2 USD/hour"."""
    return re.sub(r"^\s*USD\s*([0-9.eE+-]+)", r"\1 USD", text)


def _in_unit(value: str, unit: str, what: str, *, given: str | None = None) -> float:
    shown = given or value
    try:
        return float(value)
    except ValueError:
        pass
    import pint  # noqa: PLC0415 - slow to load

    try:
        if _NO_AMOUNT.search(value):
            raise ValueError(value)
        number: Any = _registry().Quantity(value.replace("%", " percent "))
        return float(number.to("" if unit == "1" else unit).magnitude)
    except pint.DimensionalityError:
        allowed = "a share" if unit == "1" else f"a quantity like {unit}"
        raise InvalidInput(
            f"{what} is {shown!r}; it must be {allowed}. "
            f"Give a plain number (in {unit}) or write the unit out."
        ) from None
    except Exception:
        raise InvalidInput(
            f"{what} is {shown!r}, which is not a quantity. "
            f"Give a plain number (in {unit}) or one with a unit, as in '1 {unit}'."
        ) from None


@functools.cache
def _registry() -> "pint.UnitRegistry[float]":
    import pint  # noqa: PLC0415 - slow to load

    registry: pint.UnitRegistry[float] = pint.UnitRegistry(cache_folder=None)
    for definition in (
        "USD = [money]",
        "token = [token]",
        "request = [request]",
        "person = [person] = people = FTE",
    ):
        registry.define(definition)
    return registry
