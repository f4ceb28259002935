"""Weekly bookings for the tests of series."""

from __future__ import annotations

from datetime import date
from typing import Any

from backend.outbox.models import Message
from booking.actions.series import book_series
from booking.models import Booking, Series
from booking.queries.wishes import Wish
from tests.booking.lab import Lab
from tests.factories import at

WEEKLY = "FREQ=WEEKLY;COUNT=4"
DAYS = [date(2026, 12, day) for day in (1, 8, 15, 22)]


def wish(lab: Lab, start: int = 9, end: int = 12, day: date = DAYS[0]) -> Wish:
    return Wish(lab.instrument, at(start, day=day), at(end, day=day), "self", lab.enterprise, lab.engineer)


def make_series(lab: Lab, rrule: str = WEEKLY, on_conflict: str = "fail", **more: Any) -> Series:
    return book_series(
        wish=wish(lab, **more), rrule=rrule, on_conflict=on_conflict, by=lab.engineer, purpose="Fatigue test"
    )


def rows(series: Series) -> list[Booking]:
    return list(series.bookings.select_related("instrument", "price_list", "occupancy").order_by("start"))


def days(series: Series) -> list[str]:
    return [f"{row.start.astimezone(row.instrument.zone):%m-%d %H:%M}" for row in rows(series)]


def told(kind: str) -> list[Message]:
    return list(Message.objects.filter(kind=kind, channel="mail"))
