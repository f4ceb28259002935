"""Charging periods of local dates: which one a day lies in, the one before, the one after."""

from __future__ import annotations

from calendar import monthrange
from datetime import date, timedelta

from instruments.pricing.model import Due, Span

MONTHS = {"month": 1, "quarter": 3, "half": 6, "year": 12}


def first_day(span: Span, day: date) -> date:
    """The first day of the period that holds ``day``; a day that a month lacks becomes its last one."""
    if span.unit == "week":
        return day - timedelta(days=(day.isoweekday() - span.day) % 7)
    if span.unit not in MONTHS:
        return day
    start = _start(span, _number(span, day))
    return start if start <= day else _start(span, _number(span, day) - 1)


def shifted(span: Span, first: date, by: int) -> date:
    """The first day of the period ``by`` periods after the one that begins on ``first``."""
    if span.unit == "week":
        return first + timedelta(weeks=by)
    if span.unit not in MONTHS:
        return first + timedelta(days=by * max(span.days, 1))
    return _start(span, _number(span, first) + by)


def due_day(due: Due, day: date) -> date:
    return shifted(due.span, first_day(due.span, day), due.after)


def _number(span: Span, day: date) -> int:
    """Of the period whose first month is that of ``day`` or the nearest before it."""
    return (day.year * 12 + day.month - span.month) // MONTHS[span.unit]


def _start(span: Span, number: int) -> date:
    months = number * MONTHS[span.unit] + span.month - 1
    year, month = divmod(months, 12)
    return date(year, month + 1, min(span.day, monthrange(year, month + 1)[1]))
