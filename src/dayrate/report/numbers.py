"""Numbers as people read them: few digits, units beside them, unknown as a word."""

import math
from dataclasses import dataclass

__all__ = ["Coin", "figure", "percent", "significant"]

_SYMBOLS = {"USD": "$", "CNY": "¥", "EUR": "€", "GBP": "£", "JPY": "JP¥"}


@dataclass(frozen=True, slots=True)
class Coin:
    """A currency and how many of it a US dollar buys; the core counts in dollars."""

    code: str = "USD"
    per_usd: float = 1.0

    def text(self, usd: float, *, decimals: int | None = None) -> str:
        """Write an amount; without ``decimals`` a small one gets three digits.

        >>> Coin().text(4608.12), Coin().text(12.5), Coin().text(0.0017652)
        ('$4,608', '$12.50', '$0.00177')
        >>> Coin("CNY", 7.2).text(100), Coin().text(0.004, decimals=2)
        ('¥720.00', '<$0.01')
        """
        amount = float(usd) * self.per_usd
        symbol = _SYMBOLS.get(self.code, f"{self.code} ")
        size = abs(amount)
        if decimals is None:
            text = f"{size:,.0f}" if size >= 1000 else _few(size)
        elif 0 < size < 0.5 * 10**-decimals:
            return f"<{symbol}{10**-decimals:.{decimals}f}"
        else:
            text = f"{size:,.{decimals}f}"
        return f"{'-' if amount < 0 else ''}{symbol}{text}"


def _few(size: float) -> str:
    return f"{size:.2f}" if size >= 1 or not size else significant(size)


def significant(value: float, digits: int = 3) -> str:
    """Write ``digits`` significant digits, never with an exponent.

    >>> significant(0.0000123456), significant(1.5), significant(0)
    ('0.0000123', '1.50', '0')
    """
    if not value:
        return "0"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return f"{value:,.{decimals}f}"


def figure(value: float) -> str:
    """Write a quantity: whole above a thousand, else three significant digits.

    >>> figure(577500000.0), figure(24), figure(31.456), figure(0.5)
    ('577,500,000', '24', '31.5', '0.5')
    """
    value = float(value)
    if abs(value) >= 1000 or value.is_integer():
        return f"{value:,.0f}"
    text = significant(value)
    return text.rstrip("0").rstrip(".") if "." in text else text


def percent(frac: float) -> str:
    """Write a share of one with a decimal.

    >>> percent(0.482), percent(0.0000001)
    ('48.2 %', '<0.1 %')
    """
    if 0 < frac < 0.0005:
        return "<0.1 %"
    return f"{frac * 100:.1f} %"
