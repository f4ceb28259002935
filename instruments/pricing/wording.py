"""Numbers, amounts and quantities as a reader writes them, and the reason of each line."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

from django.utils.translation import gettext as _

from backend.core.money import round_half_up
from instruments.pricing.ladders import Part
from instruments.pricing.units import unit_label

MOST_DECIMALS = 6


def terminating(value: Fraction, at_least: int = 0) -> Decimal | None:
    """As an exact decimal with no more decimals than needed, or None if that takes too many."""
    for places in range(at_least, max(MOST_DECIMALS, at_least) + 1):
        if 10**places % value.denominator == 0:
            return round_half_up(value, places)
    return None


def number(value: Fraction) -> str:
    """2.5, or 23/3 where decimals would not end."""
    decimal = terminating(value)
    return str(value) if decimal is None else str(decimal)


def money(value: Fraction, places: int) -> str:
    """With the decimals of the currency, and more for a unit price that has more."""
    decimal = terminating(value, places)
    return str(round_half_up(value, places) if decimal is None else decimal)


def amount_of(value: Fraction, unit: str) -> str:
    """A quantity with its unit; hours with endless decimals as hours and minutes."""
    if unit == "hour" and terminating(value * 4) is None and (value * 60).denominator == 1:
        hours, minutes = divmod(abs(value) * 60, 60)
        text = _("%(minutes)s min") % {"minutes": int(minutes)}
        if hours:
            text = _("%(hours)s h %(minutes)s min") % {"hours": int(hours), "minutes": int(minutes)}
        return text if value > 0 else f"−{text}"
    if unit == "use":
        return number(value)
    if unit == "percent":
        return _("%(number)s %%") % {"number": number(value)}
    return _("%(number)s %(unit)s") % {"number": number(value), "unit": unit_label(unit, 1 if value == 1 else 2)}


def sum_of_parts(parts: Sequence[Part], unit: str, places: int) -> str:
    """“49 h × 20.00 + 2 h × 15.00”."""
    return " + ".join(_part(part, unit, places) for part in parts) or money(Fraction(0), places)


def _part(part: Part, unit: str, places: int) -> str:
    texts = []
    if part.flat:
        texts.append(money(part.flat, places))
    if part.quantity and (part.rate or not part.flat):
        texts.append(f"{amount_of(part.quantity, unit)} × {money(part.rate, places)}")
    return " + ".join(texts)


def product(parts: Sequence[Part], factors: Sequence[tuple[Fraction, str]], unit: str, places: int) -> str:
    """“3 samples × 8 points × 200.00”, or with several parts “(1 h × 200.00 + 3 h × 50.00) × 2 samples”."""
    further = [amount_of(value, word) for value, word in factors]
    if further and len(parts) == 1 and not parts[0].flat:
        return " × ".join([amount_of(parts[0].quantity, unit), *further, money(parts[0].rate, places)])
    text = sum_of_parts(parts, unit, places)
    return " × ".join([f"({text})", *further]) if further else text
