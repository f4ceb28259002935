"""A person's own bookings: what comes, what was, and what it cost."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import groupby
from typing import Any
from uuid import UUID

from django.db.models import Prefetch, QuerySet
from django.utils import timezone

from backend.accounts.models import Role
from backend.accounts.queries import Access
from backend.core.text import whole_number
from booking.models import OCCUPYING, Booking, Status, Usage
from booking.queries import lists
from booking.queries.owed import BOOKING, Owed, owed_by_source
from booking.queries.scope import own_bookings
from booking.queries.wishes import Wish
from instruments.models import Instrument

# Beyond these, arithmetic with dates fails.
YEARS = range(1970, 2200)
UNLOGGED = (Status.CONFIRMED, Status.IN_USE)


@dataclass(frozen=True, slots=True)
class Filters:
    """Of the address; what makes no sense is left out."""

    who: str = ""
    status: str = ""
    instrument: int | None = None
    first: date | None = None
    last: date | None = None

    @classmethod
    def read(cls, query: Any) -> Filters:
        status = query.get("status", "")
        instrument = query.get("instrument", "")
        return cls(
            who=query.get("who", ""),
            status=status if status in Status.values else "",
            instrument=whole_number(instrument),
            first=_date(query.get("from", "")),
            last=_date(query.get("to", "")),
        )

    @property
    def any(self) -> bool:
        return bool(self.status or self.instrument or self.first or self.last)


def _date(text: str) -> date | None:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return None
    return found if found.year in YEARS else None


def sees_whole(access: Access) -> bool:
    """Whether there is more to see than the person's own: administrators see their organisation's."""
    return bool(access.where(Role.ADMIN))


def unlogged(access: Access, filters: Filters, now: datetime) -> QuerySet[Booking]:
    """Whose time is over and whose use nobody has logged: neither coming nor done; the oldest first."""
    rows = own_bookings(access).filter(status__in=UNLOGGED, end__lte=now)
    return _whose(lists.with_names(rows).order_by("start", "id"), access, filters)


def coming(access: Access, filters: Filters, now: datetime) -> QuerySet[Booking]:
    return _whose(lists.upcoming(access).exclude(status__in=UNLOGGED, end__lte=now), access, filters)


def gone(access: Access, filters: Filters) -> QuerySet[Booking]:
    rows = _whose(lists.past(access).exclude(status__in=UNLOGGED), access, filters)
    if filters.status:
        rows = rows.filter(status=filters.status)
    if filters.instrument:
        rows = rows.filter(instrument=filters.instrument)
    if filters.first:
        rows = rows.filter(end__gt=_midnight(filters.first))
    if filters.last:
        rows = rows.filter(start__lt=_midnight(filters.last + timedelta(days=1)))
    latest = Usage.objects.order_by("-id")
    return rows.prefetch_related(Prefetch("usages", latest, to_attr="used"))


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time(0)))


def _whose(rows: QuerySet[Booking], access: Access, filters: Filters) -> QuerySet[Booking]:
    whole = filters.who == "all" and sees_whole(access)
    return rows if whole else rows.filter(user=access.user_id)


Timed = tuple[Booking, str, timedelta]


def by_day(bookings: Iterable[Booking]) -> list[tuple[date, list[Timed]]]:
    """In the order given, by the day on which each begins at its instrument; with clock times and length."""
    days = groupby(bookings, key=lambda row: row.start.astimezone(row.instrument.zone).date())
    return [(day, [(row, _clock(row), row.end - row.start) for row in rows]) for day, rows in days]


def _clock(booking: Booking) -> str:
    """`09:00–12:00`; empty for one that reaches into another day or is read in another zone."""
    start, end = (at.astimezone(booking.instrument.zone) for at in (booking.start, booking.end))
    here = start.astimezone(timezone.get_current_timezone())
    same = start.date() == end.date() and start.utcoffset() == here.utcoffset()
    return f"{start:%H:%M}–{end:%H:%M}" if same else ""


def charges_of(bookings: Sequence[Booking]) -> dict[UUID, Owed]:
    """What each came to, corrections included; two queries."""
    found = owed_by_source([(BOOKING, row.uid) for row in bookings])
    return {uid: owed for (_, uid), owed in found.items()}


def instruments_used(access: Access) -> list[Instrument]:
    """For the filter: instruments of the person's own bookings; one query."""
    used = own_bookings(access).order_by().values("instrument")
    return list(Instrument.objects.filter(pk__in=used).order_by("name")[:200])


def own_booking_at(access: Access, wish: Wish) -> Booking | None:
    """The reader's own booking that stands in the way of the wish."""
    start, end = wish.with_buffers()
    rows = own_bookings(access).filter(instrument=wish.instrument, user=access.user_id, status__in=OCCUPYING)
    return rows.filter(occupancy__start__lt=end, occupancy__end__gt=start).order_by("start").first()
