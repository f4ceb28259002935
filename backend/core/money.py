"""Money as `Decimal`, rounded once and half up; quantities as exact fractions."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

ZERO = Decimal("0.00")
CURRENCY_SIGNS = {"CNY": "¥", "USD": "$", "EUR": "€", "GBP": "£", "JPY": "JP¥", "HKD": "HK$"}


def round_half_up(value: Fraction | Decimal | int, places: int = 2) -> Decimal:
    """The nearest amount with ``places`` decimals; a half goes away from zero. Exact for any size."""
    exact = value if isinstance(value, Fraction) else Fraction(value)
    doubled = abs(exact.numerator) * 2 * 10**places
    units = (doubled + exact.denominator) // (2 * exact.denominator)
    return Decimal(f"{'-' if exact < 0 and units else ''}{units}E-{places}")


def add_up(amounts: Iterable[Decimal]) -> Decimal:
    return sum(amounts, ZERO)


def format_amount(amount: Decimal) -> str:
    """Two decimals, no grouping: the form of the API and of exports, e.g. ``1200.00``."""
    return str(amount.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP))


def shown_amount(amount: Decimal, currency: str, *, short: bool = False) -> str:
    """As people read it: ``¥1,200.00``; ``short`` drops ``.00``."""
    value = round_half_up(amount)
    digits = f"{abs(value):,.0f}" if short and value == value.to_integral_value() else f"{abs(value):,.2f}"
    sign = CURRENCY_SIGNS.get(currency, f"{currency}\N{NO-BREAK SPACE}")
    return f"{'−' if value < 0 else ''}{sign}{digits}"


def in_capitals(amount: Decimal) -> str:
    """An amount of yuan in Chinese capitals with the leading 人民币, as on a statement.

    Source: 《正确填写票据和结算凭证的基本规定》; e.g. 16409.02 → 人民币壹万陆仟肆佰零玖元零贰分.
    """
    import cn2an  # costs 60 ms at start-up and is only needed for documents

    words: str = cn2an.an2cn(format_amount(abs(amount)), "rmb")
    return "人民币" + ("负" if amount < 0 else "") + words
