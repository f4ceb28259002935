"""The usage log of a lab: what is missing, what is to be verified, and a day booked against used."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import Q
from django.utils import timezone

from backend.accounts.queries import Access
from backend.core.periods import Period, local_day
from booking.models import OCCUPYING, Booking, Status, Usage
from booking.queries.scope import managed_bookings, managed_usage
from instruments.models import Instrument
from invoices.models import Charge

DAY_MINUTES = 1440
USUAL_HOURS = (8, 20)


@dataclass(frozen=True, slots=True)
class Bar:
    """A stretch of the day in minutes from its midnight, for drawing; ``tone`` as everywhere."""

    left: int
    width: int
    tone: str
    title: str
    url: str


@dataclass(frozen=True, slots=True)
class DayRow:
    """One instrument's day: what was booked above, what was used below."""

    instrument: Instrument
    booked: list[Bar]
    used: list[Bar]
    open_records: int


@dataclass(frozen=True, slots=True)
class LogDay:
    day: date
    rows: list[DayRow]
    first_hour: int
    last_hour: int

    @property
    def view_box(self) -> str:
        return f"{self.first_hour * 60} 0 {(self.last_hour - self.first_hour) * 60} 10"

    @property
    def hours(self) -> list[int]:
        return list(range(self.first_hour, self.last_hour, 2))


def log_day(access: Access, day: date) -> LogDay:
    """Two queries, however many instruments. Days are those of the site's time zone."""
    zone = _zone()
    whole = local_day(day, zone)
    kept = (*OCCUPYING, Status.COMPLETED, Status.NO_SHOW)
    booked = managed_bookings(access).filter(status__in=kept).filter(start__lt=whole.end, end__gt=whole.start)
    bookings = list(booked.select_related("instrument", "organisation", "user").order_by("start"))
    now = timezone.now()
    running = Q(end=None, start__gt=whole.start) | Q(end__gt=whole.start)
    used = managed_usage(access).filter(running, start__lt=whole.end, corrected_by=None)
    usages = list(used.select_related("instrument", "organisation", "user").order_by("start"))
    instruments = {row.instrument_id: row.instrument for row in bookings}
    instruments |= {row.instrument_id: row.instrument for row in usages}
    rows = [
        _row(
            instrument,
            [row for row in bookings if row.instrument_id == pk],
            [row for row in usages if row.instrument_id == pk],
            whole,
            now,
        )
        for pk, instrument in sorted(instruments.items(), key=lambda item: (item[1].name, item[0]))
    ]
    first, last = _hours([bar for row in rows for bar in (*row.booked, *row.used)])
    return LogDay(day, rows, first, last)


def _zone() -> ZoneInfo:
    return ZoneInfo(timezone.get_current_timezone_name())


def _row(
    instrument: Instrument, bookings: Sequence[Booking], usages: Sequence[Usage], whole: Period, now: datetime
) -> DayRow:
    logged = {usage.booking_id for usage in usages}
    missing = [row for row in bookings if row.end <= now and row.pk not in logged and row.status in OCCUPYING]
    return DayRow(
        instrument=instrument,
        booked=[_bar(row.start, row.end, whole, _booked_tone(row), row, f"/bookings/{row.pk}/") for row in bookings],
        used=[
            _bar(row.start, row.end or now, whole, "good" if row.state == "verified" else "busy", row, _usage_url(row))
            for row in usages
        ],
        open_records=len(missing),
    )


def _usage_url(usage: Usage) -> str:
    return f"/bookings/{usage.booking_id}/" if usage.booking_id else ""


def _booked_tone(booking: Booking) -> str:
    return {Status.REQUESTED: "wait", Status.NO_SHOW: "bad"}.get(Status(booking.status), "off")


def _bar(start: datetime, end: datetime, whole: Period, tone: str, row: Booking | Usage, url: str) -> Bar:
    left = max(0, int((start - whole.start).total_seconds() // 60))
    right = min(int((whole.end - whole.start).total_seconds() // 60), int((end - whole.start).total_seconds() // 60))
    zone = row.instrument.zone
    clock = f"{start.astimezone(zone):%H:%M}–{end.astimezone(zone):%H:%M}"
    return Bar(left, max(1, right - left), tone, f"{clock} · {row.organisation} · {row.user}", url)


def _hours(bars: Iterable[Bar]) -> tuple[int, int]:
    """Whole hours that hold every bar, even in number so that the scale ends on a tick."""
    bars = list(bars)
    first = min([USUAL_HOURS[0], *(bar.left // 60 for bar in bars)])
    last = max([USUAL_HOURS[1], *(-(-(bar.left + bar.width) // 60) for bar in bars)])
    return first - first % 2, min(24, last + last % 2)


def charges_of(usages: Sequence[Usage]) -> dict[int, Charge]:
    """The charge of each record, by its id; one query."""
    uids: dict[UUID, int] = {}
    for usage in usages:
        uids[usage.booking.uid if usage.booking else usage.uid] = usage.pk
    charges = Charge.objects.filter(source__in=("booking", "usage"), source_uid__in=list(uids))
    return {uids[charge.source_uid]: charge for charge in charges}


def verified_lately(access: Access, day: date) -> list[Usage]:
    """What was verified of the day's use; one query."""
    whole = local_day(day, _zone())
    rows = managed_usage(access).filter(state="verified", start__lt=whole.end, end__gt=whole.start)
    return list(rows.select_related("instrument", "organisation", "user", "booking").order_by("start")[:200])
