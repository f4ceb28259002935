"""Which days of an instrument are free, and which times of a day can be chosen.

Three queries, however many bookings, days and rules there are.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from fractions import Fraction
from typing import Any

from backend.core.periods import Period, days_touched, hours, intersect, local_day, merge
from booking.queries.assess import hours_of, special_days_of
from booking.queries.facts import facts_of, request_of
from booking.queries.parties import NOTHING_KNOWN, Parties
from booking.queries.wishes import Wish
from booking.rules.decide import decide
from booking.rules.kinds.length import Length
from booking.rules.kinds.slots import Slots
from booking.rules.model import Policy as Rules
from booking.rules.situation import Situation, read_subject
from instruments.models import Instrument, Occupancy
from instruments.queries.calendar import days_around, days_of
from instruments.rules import Taken, bookable_stretches, open_periods

DAYS = 14
STEP = 30
USUAL = 60
# Offered where the rules allow them, in minutes.
LENGTHS = (30, 60, 90, 120, 180, 240, 360, 480, 600, 720, 1440)
MOST_LENGTHS = 7
# What can be judged of a time without knowing other bookings.
_TIMELY = ("require", "length", "slots", "deadline")
NEAR = timedelta(days=31)
CLOSED, FULL, LITTLE, SOME, FREE = "closed", "full", "little", "some", "free"


@dataclass(frozen=True, slots=True)
class Times:
    """Open and taken time of an instrument in ``[start, end)``."""

    instrument: Instrument
    start: datetime
    end: datetime
    open: list[Period]
    taken: list[Taken]

    def stretches(self, length: timedelta) -> list[Period]:
        """Where a booking of the length can lie on one unit, its set-up and cleaning included."""
        return bookable_stretches(
            self.open,
            self.taken,
            units=self.instrument.units,
            length=length,
            before=timedelta(minutes=self.instrument.setup_minutes),
            after=timedelta(minutes=self.instrument.cleaning_minutes),
        )


def read_times(instrument: Instrument, start: datetime, end: datetime, *, but: int | None = None) -> Times:
    """Three queries; ``but`` is an occupancy that would be given up for the new time."""
    margin = timedelta(minutes=max(instrument.setup_minutes, instrument.cleaning_minutes))
    open_ = open_periods(
        hours_of(instrument),
        special_days_of(instrument, start, end),
        zone=instrument.zone,
        start=start,
        end=end,
        open_on_holidays=instrument.open_on_holidays,
        public=days_around(start, end),
    )
    rows = Occupancy.objects.filter(instrument=instrument).overlapping(start - margin, end + margin)
    rows = rows.exclude(pk=but) if but else rows
    return Times(instrument, start, end, open_, [Taken(*row) for row in rows.values_list("unit", "start", "end")])


def horizon(instrument: Instrument, now: datetime, days: int = DAYS) -> Period:
    """Today and the following days of the instrument's own calendar."""
    first = now.astimezone(instrument.zone).date()
    last = first + timedelta(days=days - 1)
    return Period(local_day(first, instrument.zone).start, local_day(last, instrument.zone).end)


@dataclass(frozen=True, slots=True)
class DayLoad:
    """A day of the strip: ``level`` from closed to free, the free hours that are left.

    ``reason`` is why the rules refuse the day from its first to its last free time.
    """

    day: date
    level: str
    free: Fraction
    reason: str = ""

    @property
    def has_time(self) -> bool:
        return self.level not in (CLOSED, FULL)

    @property
    def can_be_booked(self) -> bool:
        return self.has_time and not self.reason


def strip(times: Times, judge: Judge, length: timedelta) -> list[DayLoad]:
    """How free each day is, by the share of its open time that is left on the freest unit."""
    free = merge(times.stretches(timedelta(0)))
    zone = times.instrument.zone
    out = []
    for day in days_touched(Period(times.start, times.end), zone):
        whole = local_day(day, zone)
        open_hours = hours(intersect(times.open, [whole]))
        ahead = Period(max(whole.start, judge.now), whole.end)
        left = intersect(free, [ahead]) if ahead.start < ahead.end else []
        level = _level(open_hours, hours(left))
        reason = "" if level in (CLOSED, FULL) else _day_reason(left, judge, length)
        out.append(DayLoad(day, level, hours(left), reason))
    return out


def _day_reason(free: list[Period], judge: Judge, length: timedelta) -> str:
    """Deadlines move with the clock: what holds for the first and the last time of a day holds between them."""
    first, last = free[0].start, max(free[0].start, free[-1].end - length)
    reasons = [judge.deadline(start, start + length) for start in (first, last)]
    return reasons[1] if all(reasons) else ""


def _level(open_hours: Fraction, left: Fraction) -> str:
    if not open_hours:
        return CLOSED
    if left < Fraction(1, 4):
        return FULL
    share = left / open_hours
    return LITTLE if share < Fraction(1, 3) else SOME if share < Fraction(3, 4) else FREE


@dataclass(frozen=True, slots=True)
class Slot:
    """A time to choose; ``reason`` is the sentence of the rule that speaks against it, if one does."""

    start: datetime
    end: datetime
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Grid:
    """What the rules say about the shape of this reader's bookings; minutes."""

    step: int = STEP
    starts: tuple[int, ...] = ()
    bands: tuple[Period, ...] = ()
    lengths: tuple[int, ...] = (USUAL,)

    @property
    def usual(self) -> int:
        return USUAL if USUAL in self.lengths else self.lengths[0]


@dataclass(frozen=True, slots=True)
class Judge:
    """The reader's rules for one mode; asked for many times without a query."""

    rules: Rules
    wish: Wish
    audience: str
    now: datetime
    parties: Parties = NOTHING_KNOWN

    def request(self, start: datetime, end: datetime) -> dict[str, Any]:
        return request_of(self.wish.at(start, end), self.audience, made=self.now)

    def reason(self, start: datetime, end: datetime) -> str:
        """Why the rules refuse a time, as far as that does not depend on other bookings."""
        facts = facts_of(self.wish, self.audience, self.parties)
        verdict = decide(self.rules, self.request(start, end), act="create", now=self.now, facts=facts)
        return next((entry.detail for entry in verdict.refuse), "")

    def deadline(self, start: datetime, end: datetime) -> str:
        """The same of the deadlines alone."""
        return dataclasses.replace(
            self, rules=dataclasses.replace(self.rules, rules=tuple(self.rules.of_kind("deadline")))
        ).reason(start, end)

    def grid(self, within: Period) -> Grid:
        start = within.start
        subject = read_subject(self.request(start, start + timedelta(hours=1)), self.rules.calendar)
        facts = facts_of(self.wish, self.audience, self.parties)
        situation = Situation(self.rules.calendar, subject, "create", self.now, facts, ())
        found = [rule.case_for(subject, situation) for rule in self.rules.rules if rule.applies_to("create")]
        parts = [case.parameters for case in found if case is not None]
        slots = [part for part in parts if isinstance(part, Slots)]
        spans = [part for part in parts if isinstance(part, Length) and part.part is None]
        bands = next((part.bands for part in slots if part.bands), None)
        return Grid(
            step=next((int(part.step) for part in slots if part.step and part.step >= 5), STEP),
            starts=next((part.starts for part in slots if part.starts), ()),
            bands=tuple(bands.bands(within.start, within.end)) if bands else (),
            lengths=_lengths(spans, lambda amount: amount.value(subject, situation)),
        )


def judge_of(wish: Wish, rules: Rules, audience: str, now: datetime, parties: Parties = NOTHING_KNOWN) -> Judge:
    """Without queries; ``rules`` are those of all layers, ``parties`` what is known of who asks."""
    timely = dataclasses.replace(rules, rules=tuple(rule for rule in rules.rules if rule.kind in _TIMELY))
    return Judge(timely, wish, audience, now, parties)


def _lengths(spans: Iterable[Length], value: Any) -> tuple[int, ...]:
    spans = list(spans)
    least = max((int(value(span.least)) for span in spans if span.least), default=0)
    most = min((int(value(span.most)) for span in spans if span.most), default=24 * 60)
    steps = [int(span.step) for span in spans if span.step and span.step >= 1]
    fitting = [
        minutes
        for minutes in sorted({*LENGTHS, least, most})
        if minutes > 0 and least <= minutes <= most and not any(minutes % step for step in steps)
    ]
    return tuple(fitting[:MOST_LENGTHS]) or (max(least, USUAL),)


def day_slots(times: Times, day: date, length: timedelta, judge: Judge) -> list[Slot]:
    """The starts of a day from which a booking of the length is free, each with what the rules say about it."""
    whole = local_day(day, times.instrument.zone)
    grid = judge.grid(whole)
    if grid.bands:
        free = times.stretches(timedelta(0))
        wanted = [band for band in grid.bands if any(stretch.contains(band) for stretch in free)]
    else:
        stretches = times.stretches(length)
        wanted = sorted({each for stretch in stretches for each in _starts(stretch, whole, length, grid, times)})
    return [Slot(p.start, p.end, judge.reason(p.start, p.end)) for p in wanted if p.start > judge.now]


def _starts(stretch: Period, day: Period, length: timedelta, grid: Grid, times: Times) -> Iterator[Period]:
    zone = times.instrument.zone
    for minute in grid.starts or range(0, 24 * 60, grid.step):
        wall = datetime.combine(day.start.astimezone(zone).date(), time(minute // 60, minute % 60), zone)
        start = wall.astimezone(stretch.start.tzinfo)
        if start.astimezone(zone).replace(tzinfo=None) != wall.replace(tzinfo=None):
            continue  # the clock skips it
        if stretch.start <= start and start + length <= stretch.end:
            yield Period(start, start + length)


def unknown_years(first: date, last: date) -> list[int]:
    """Years of which the public holidays are not announced yet."""
    return sorted(days_of(first, last).unknown)


def unknown_years_ahead(judge: Judge, today: date, day: date) -> list[int]:
    """Those that a reader can meet: in the week from the shown day, or bookable within a month."""
    shown = unknown_years(day, day + timedelta(days=6)) if today <= day <= today + NEAR else []
    near = unknown_years(today, today + NEAR)
    return sorted({*shown, *(year for year in near if not _opens_later(judge, max(today, date(year, 1, 1))))})


def _opens_later(judge: Judge, day: date) -> bool:
    start = local_day(day, judge.wish.instrument.zone).start
    return start > judge.now and bool(judge.deadline(start, start + timedelta(hours=1)))


def clock_range(times: Times) -> tuple[str, str]:
    """First and last hour that a week's calendar must show."""
    zone = times.instrument.zone
    local = [(p.start.astimezone(zone), p.end.astimezone(zone)) for p in times.open]
    if not local or any(_past_midnight(start, end) for start, end in local):
        return "00:00", "24:00"
    last = max(24 if end.date() > start.date() else end.hour + bool(end.minute) for start, end in local)
    return f"{min(start.hour for start, _end in local):02}:00", f"{last:02}:00"


def _past_midnight(start: datetime, end: datetime) -> bool:
    return end.date() > start.date() and (end.hour, end.minute) != (0, 0)
