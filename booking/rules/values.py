"""Values as they come in requests and facts, read with care: instants, numbers, equality, sentences' numbers."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time
from decimal import Decimal
from fractions import Fraction

from .calendar import DAY, Calendar

MICROSECONDS_A_MINUTE = 60_000_000
MICROSECONDS_AN_HOUR = 60 * MICROSECONDS_A_MINUTE


def as_instant(value: object, calendar: Calendar) -> datetime | None:
    """The UTC instant of an aware datetime, a local date (its midnight) or ISO text; else None.

    What has no offset is local time of the calendar's zone; ``2026-03-10 24:00`` is the following midnight.
    """
    if type(value) is datetime and value.tzinfo is UTC:
        return value  # as nearly all are that come from the database
    if isinstance(value, str):
        value = _parse_instant(value)
    if isinstance(value, datetime):
        if value.tzinfo is None:
            return calendar.at(value.date(), value.time())
        return value.astimezone(UTC)
    if isinstance(value, date):
        return calendar.at(value)
    return None


def is_date(value: object) -> bool:
    """A day without a clock."""
    if isinstance(value, str):
        return len(value.strip()) == len("2026-03-10")
    return isinstance(value, date) and not isinstance(value, datetime)


def _parse_instant(text: str) -> datetime | None:
    try:
        if text.endswith(("24:00", "24:00:00")):
            return datetime.combine(date.fromisoformat(text[:10]) + DAY, time(0))
        return datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        return None


def as_number(value: object) -> Fraction | None:
    """The exact value of a number (a float by its decimal form); None for anything else and for booleans."""
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal, Fraction)):
        return None
    try:
        return Fraction(str(value)) if isinstance(value, float) else Fraction(value)
    except (ValueError, OverflowError):
        return None


def plain(value: Fraction) -> int | float:
    """A number as JSON shows it."""
    return value.numerator if value.denominator == 1 else float(value)


def same(left: object, right: object) -> bool:
    """Equality as in JSON: a boolean is no number."""
    return isinstance(left, bool) == isinstance(right, bool) and left == right


def many(value: object) -> Iterable[object]:
    """A field may hold several values (roles, trained instruments): any of them may match."""
    return value if isinstance(value, (list, tuple, set, frozenset)) else (value,)
