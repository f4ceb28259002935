"""The usage log of a lab: a day booked against used, with what is odd about it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.db.models import Q
from django.utils import timezone

from backend.accounts.queries import Access
from backend.core.periods import Period, local_day
from booking.models import OCCUPYING, Booking, Status, Usage, UsageState
from booking.queries.owed import Owed, owed_for
from booking.queries.scope import managed_bookings, managed_usage
from booking.rules.daybook import Pair, Problem, overlap, overlapping, problems_of
from instruments.models import Instrument, OpeningHours, SpecialDay
from instruments.queries.calendar import days_around
from instruments.queries.rights import managed_instruments
from instruments.rules import Hours, Special, open_periods

USUAL_HOURS = (8, 20)
UNLOGGED = (Status.CONFIRMED, Status.IN_USE)
MOST_INSTRUMENTS = 500


@dataclass(frozen=True, slots=True)
class Bar:
    """A stretch of the day in minutes from its midnight, for drawing; ``tone`` as everywhere."""

    left: int
    width: int
    tone: str = ""
    title: str = ""
    url: str = ""


@dataclass(slots=True)
class Entry:
    """A booking with its use, or one of them alone."""

    booking: Booking | None
    usage: Usage | None
    problems: list[Problem]
    owed: Owed | None = None

    @property
    def row(self) -> Booking | Usage:
        row = self.booking or self.usage
        assert row is not None
        return row

    @property
    def missing(self) -> bool:
        return any(problem.code in ("missing", "unfinished") for problem in self.problems)

    @property
    def can_be_verified(self) -> bool:
        return self.usage is not None and self.usage.state == UsageState.SUBMITTED


@dataclass(slots=True)
class Lane:
    """The day of one unit; ``unit`` 0 gathers what used an instrument of several units without a booking."""

    instrument: Instrument
    unit: int
    open: list[Bar] = field(default_factory=list)
    booked: list[Bar] = field(default_factory=list)
    used: list[Bar] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)

    @property
    def missing(self) -> int:
        return sum(entry.missing for entry in self.entries)

    @property
    def rank(self) -> tuple[object, ...]:
        """Missing records first, then what is odd."""
        odd = any(entry.problems for entry in self.entries)
        return not self.missing, not odd, self.instrument.name, self.instrument.pk, self.unit


@dataclass(frozen=True, slots=True)
class LogDay:
    day: date
    lanes: list[Lane]
    first_hour: int
    last_hour: int

    @property
    def scale(self) -> str:
        return f"{self.first_hour}-{self.last_hour}"

    @property
    def view_box(self) -> str:
        return scale_of(self.scale)

    @property
    def hours(self) -> list[int]:
        return list(range(self.first_hour, self.last_hour, 2))


def scale_of(text: str) -> str:
    """The SVG view box of a day from one hour to another, ``8-20``; empty for what is none."""
    first, _, last = text.partition("-")
    if not (first.isdecimal() and last.isdecimal() and int(first) < int(last) <= 24):
        return ""
    return f"{int(first) * 60} 0 {(int(last) - int(first)) * 60} 10"


def log_day(access: Access, day: date, instrument: int | None = None) -> LogDay:
    """A constant number of queries. Days are those of the site's time zone."""
    whole = local_day(day, ZoneInfo(timezone.get_current_timezone_name()))
    bookings, usages = _rows(access, whole, instrument)
    now = timezone.now()
    lanes = _lanes(bookings, usages)
    if instrument and not lanes:
        chosen = managed_instruments(access).filter(pk=instrument).first()
        lanes = {(chosen.pk, 1): Lane(chosen, 1)} if chosen else {}
    opened = _opened({lane.instrument.pk: lane.instrument for lane in lanes.values()}, whole)
    owed = owed_for([row for row in usages if row.state == UsageState.VERIFIED])
    for lane in lanes.values():
        lane.open = opened[lane.instrument.pk]
        _judge(lane, now)
        _draw(lane, whole, now)
        for entry in lane.entries:
            entry.owed = owed.get(entry.usage.pk) if entry.usage else None
    first, last = _hours([bar for lane in lanes.values() for bar in (*lane.booked, *lane.used)])
    return LogDay(day, sorted(lanes.values(), key=lambda lane: lane.rank), first, last)


def _rows(access: Access, whole: Period, instrument: int | None) -> tuple[list[Booking], list[Usage]]:
    """The day's bookings, the uses of the day and of these bookings; of a corrected use the newest record."""
    kept = (*OCCUPYING, Status.COMPLETED, Status.NO_SHOW)
    mine, uses = managed_bookings(access), managed_usage(access).filter(corrected_by=None)
    if instrument:
        mine, uses = mine.filter(instrument=instrument), uses.filter(instrument=instrument)
    booked = mine.filter(status__in=kept).overlapping(whole.start, whole.end)
    bookings = list(booked.select_related("instrument", "organisation", "user").order_by("start", "pk"))
    on_the_day = Q(start__lt=whole.end) & (Q(end=None, start__gt=whole.start) | Q(end__gt=whole.start))
    used = uses.filter(on_the_day | Q(booking__in=[row.pk for row in bookings]))
    related = used.select_related("instrument", "organisation", "user", "booking__instrument")
    return bookings, list(related.order_by("start", "pk"))


def _lanes(bookings: Sequence[Booking], usages: Sequence[Usage]) -> dict[tuple[int, int], Lane]:
    lanes: dict[tuple[int, int], Lane] = {}
    uses = {row.booking_id: row for row in usages if row.booking_id}

    def put(instrument: Instrument, unit: int, entry: Entry) -> None:
        lanes.setdefault((instrument.pk, unit), Lane(instrument, unit)).entries.append(entry)

    for booking in bookings:
        put(booking.instrument, booking.unit, Entry(booking, uses.pop(booking.pk, None), []))
    for usage in usages:
        if usage.booking is None:
            put(usage.instrument, 0 if usage.instrument.units > 1 else 1, Entry(None, usage, []))
        elif usage.booking_id in uses:  # its booking is of another day
            put(usage.instrument, usage.booking.unit, Entry(usage.booking, usage, []))
    return lanes


def _judge(lane: Lane, now: datetime) -> None:
    pairs = [_pair(entry, now) for entry in lane.entries]
    used = [(index, pair.used) for index, pair in enumerate(pairs) if pair.used]
    together = overlapping([times for _, times in used], units=1 if lane.unit else lane.instrument.units)
    clashing = {used[position][0] for position in together}
    for index, (entry, pair) in enumerate(zip(lane.entries, pairs, strict=True)):
        entry.problems = [*problems_of(pair), *([overlap()] if index in clashing else [])]
    lane.entries.sort(key=lambda entry: (not entry.missing, not entry.problems, entry.row.start))


def _pair(entry: Entry, now: datetime) -> Pair:
    booking, usage = entry.booking, entry.usage
    used = None
    if usage is not None:
        # A use that has just begun has no length yet.
        used = (usage.start, usage.end or max(now, usage.start + timedelta(minutes=1)))
    over = booking is not None and booking.status in UNLOGGED and booking.end <= now
    return Pair((booking.start, booking.end) if booking else None, used, over)


def _draw(lane: Lane, whole: Period, now: datetime) -> None:
    for entry in sorted(lane.entries, key=lambda entry: entry.row.start):
        booking, usage = entry.booking, entry.usage
        if booking and booking.start < whole.end and booking.end > whole.start:
            url = f"/bookings/{booking.pk}/"
            lane.booked.append(_bar(booking.start, booking.end, whole, _booked_tone(booking), booking, url))
        if usage and usage.start < whole.end and (usage.end or now) > whole.start:
            tone = "good" if usage.state == UsageState.VERIFIED else "busy"
            lane.used.append(_bar(usage.start, usage.end or now, whole, tone, usage, f"/usage/{usage.pk}/"))


def _booked_tone(booking: Booking) -> str:
    return {Status.REQUESTED: "wait", Status.NO_SHOW: "bad"}.get(Status(booking.status), "off")


def _bar(start: datetime, end: datetime, whole: Period, tone: str, row: Booking | Usage, url: str) -> Bar:
    zone = row.instrument.zone
    clock = f"{start.astimezone(zone):%H:%M}–{end.astimezone(zone):%H:%M}"
    return Bar(*_stretch(start, end, whole), tone, f"{clock} · {row.organisation} · {row.user}", url)


def _stretch(start: datetime, end: datetime, whole: Period) -> tuple[int, int]:
    left = max(0, int((start - whole.start).total_seconds() // 60))
    right = min(int((whole.end - whole.start).total_seconds() // 60), int((end - whole.start).total_seconds() // 60))
    return left, max(1, right - left)


def _opened(instruments: dict[int, Instrument], whole: Period) -> dict[int, list[Bar]]:
    """The opening hours of each; two queries."""
    margin = timedelta(days=2)  # hours may reach past midnight, and zones differ
    first, last = (whole.start - margin).date(), (whole.end + margin).date()
    pks = list(instruments)
    hours: dict[int, list[Hours]] = defaultdict(list)
    special: dict[int, list[Special]] = defaultdict(list)
    for row in OpeningHours.objects.valid_between(first, last).filter(instrument__in=pks):
        hours[row.instrument_id].append(Hours(row.weekday, row.opens, row.closes, row.valid_from, row.valid_to))
    for day in SpecialDay.objects.filter(day__gte=first, day__lte=last, instrument__in=pks):
        special[day.instrument_id].append(Special(day.day, day.opens, day.closes))
    public = days_around(whole.start, whole.end)
    return {
        pk: [
            Bar(*_stretch(period.start, period.end, whole))
            for period in open_periods(
                hours[pk],
                special[pk],
                zone=each.zone,
                start=whole.start,
                end=whole.end,
                open_on_holidays=each.open_on_holidays,
                public=public,
            )
        ]
        for pk, each in instruments.items()
    }


def _hours(bars: Iterable[Bar]) -> tuple[int, int]:
    """Whole hours that hold every bar, even in number so that the scale ends on a tick."""
    bars = list(bars)
    first = min([USUAL_HOURS[0], *(bar.left // 60 for bar in bars)])
    last = max([USUAL_HOURS[1], *(-(-(bar.left + bar.width) // 60) for bar in bars)])
    return first - first % 2, min(24, last + last % 2)


def instruments_of(access: Access) -> list[Instrument]:
    """For the filter; one query."""
    return list(managed_instruments(access).order_by("name", "pk")[:MOST_INSTRUMENTS])
