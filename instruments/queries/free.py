"""When instruments are free: three queries for any number of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from itertools import chain, pairwise
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from django.db.models import Aggregate, QuerySet, TextField, Value
from django.db.models.functions import Cast, Concat
from django.utils import timezone

from backend.core.db import among
from backend.core.periods import Period, depth, subtract
from instruments.models import (
    Condition,
    Instrument,
    InstrumentQuerySet,
    Occupancy,
    OccupancyKind,
    OpeningHours,
    SpecialDay,
)
from instruments.queries.calendar import days_around
from instruments.rules import Free, Hours, PublicDays, Special, Taken, bookable_stretches, free_periods, open_periods

HORIZON = timedelta(days=14)
USUAL_LENGTH = timedelta(hours=1)
STEP = timedelta(minutes=30)
OUT_OF_ORDER = (Condition.REPAIR, Condition.SCRAP)
# Of more instruments than this, the first day is looked at before the others.
CROWD = 200
NEAR = timedelta(days=1)
# What a stretch without a free unit is called: the most lasting reason.
_KINDS = (OccupancyKind.OUTAGE, OccupancyKind.BOOKING, OccupancyKind.OFFER, OccupancyKind.HOLD)


# function(ids of instruments, now) → {id: (earliest start allowed, grid in minutes from local midnight or 0)}
FirstStart = Callable[[Sequence[int], datetime], Mapping[int, tuple[datetime, int]]]
_first_start: list[FirstStart] = []


def tell_first_start(function: FirstStart) -> None:
    """Rules of booking say when one may start, but this room does not know them: the one that does registers itself.

    It is asked once for all instruments and leaves out those that may start now; its queries must not grow with them.
    """
    _first_start[:] = [function]


class Bookable(NamedTuple):
    """What of an instrument decides when it is free."""

    pk: int
    timezone: str
    units: int
    setup_minutes: int
    cleaning_minutes: int
    open_on_holidays: bool
    mode_self: bool
    mode_operator: bool
    condition: str

    @property
    def by_the_hour(self) -> bool:
        """Samples need no slot, and what is broken has none."""
        return (self.mode_self or self.mode_operator) and self.condition not in OUT_OF_ORDER


class Busy(NamedTuple):
    """No unit is free throughout; never says who."""

    start: datetime
    end: datetime
    kind: str


@dataclass(frozen=True, slots=True)
class Availability:
    instrument: int
    timezone: str
    start: datetime
    end: datetime
    free: list[Free]
    busy: list[Busy]

    def as_json(self) -> dict[str, Any]:
        """The contract's form; instants in the instrument's zone."""
        zone = ZoneInfo(self.timezone)

        def local(at: datetime) -> str:
            return at.astimezone(zone).isoformat()

        return {
            "instrument": self.instrument,
            "timezone": self.timezone,
            "from": local(self.start),
            "to": local(self.end),
            "free": [{"start": local(f.start), "end": local(f.end), "units": f.units} for f in self.free],
            "busy": [{"start": local(b.start), "end": local(b.end), "kind": b.kind} for b in self.busy],
        }


def bookables(rows: InstrumentQuerySet) -> list[Bookable]:
    """In the order of the rows; one query."""
    return [Bookable(*row) for row in rows.values_list(*Bookable._fields)]


def availability(instruments: Iterable[Instrument | Bookable], start: datetime, end: datetime) -> list[Availability]:
    """Free and busy time of each instrument in ``[start, end)``; four queries.

    ``free`` is what can be booked: open, and so far from what is taken that set-up and cleaning fit between; nothing
    of what is out of order.
    """
    wanted = [_bookable(each) for each in instruments]
    facts = _Facts.read([each.pk for each in wanted], start, end, margin=_margin(wanted))
    out = []
    for each in wanted:
        taken = facts.taken[each.pk]
        widened = [Taken(unit, *_widen(each, since, until)) for unit, since, until, _ in taken]
        open_ = [] if each.condition in OUT_OF_ORDER else facts.open(each)
        free = free_periods(open_, widened, units=each.units)
        out.append(Availability(each.pk, each.timezone, start, end, free, _busy(taken, each.units, Period(start, end))))
    return out


def first_free(
    instruments: Iterable[Bookable],
    *,
    start: datetime | None = None,
    end: datetime | None = None,
    length: timedelta = USUAL_LENGTH,
) -> dict[int, datetime]:
    """The first start of a booking of the length within ``[start, end)`` (default: the coming two weeks).

    Instruments without one are left out. Three queries. Of a crowd, most have time when the first of it opens: that
    day is read first, and the others (one more query) only for those that have none there.
    """
    now = timezone.now()
    since = max(start or now, now)
    until = end or _next_step(since) + HORIZON
    left = [each for each in instruments if each.by_the_hour]
    facts = _Facts(since, until)
    facts.read_hours([each.pk for each in left])
    left = [each for each in left if facts.open(each)]
    asked = [each.pk for each in left]
    told = {pk: found for tell in _first_start for pk, found in tell(asked, now).items()} if asked else {}
    out: dict[int, datetime] = {}
    if len(left) > CROWD:
        near = min(facts.open(each)[0].start for each in left) + NEAR
        out = _first_starts(left, facts, min(near, until), length, told)
        left = [each for each in left if each.pk not in out]
    return out | _first_starts(left, facts, until, length, told)


def _first_starts(
    asked: Sequence[Bookable],
    facts: _Facts,
    until: datetime,
    length: timedelta,
    told: Mapping[int, tuple[datetime, int]],
) -> dict[int, datetime]:
    """First starts of bookings that end by ``until``; one query."""
    facts.read_taken([each.pk for each in asked], until, margin=_margin(asked))
    out: dict[int, datetime] = {}
    for each in asked:
        cut = [Period(start, min(end, until)) for start, end in facts.open(each) if start < until]
        open_ = [period for period in cut if period.end - period.start >= length]
        taken = [Taken(*row[:3]) for row in facts.taken.get(each.pk, ())]
        if open_ and taken:
            before, after = timedelta(minutes=each.setup_minutes), timedelta(minutes=each.cleaning_minutes)
            open_ = bookable_stretches(open_, taken, units=each.units, length=length, before=before, after=after)
        first = _first_start_in(open_, length, ZoneInfo(each.timezone), facts.start, *told.get(each.pk, (None, 0)))
        if first is not None:
            out[each.pk] = first
    return out


def _first_start_in(
    open_: Iterable[Period], length: timedelta, zone: ZoneInfo, since: datetime, earliest: datetime | None, grid: int
) -> datetime | None:
    """In stretches in order of their starts; without a grid of the rules, what has begun is entered at half hours."""
    earliest = max(since, earliest or since)
    earliest = earliest if grid else _next_step(earliest)
    starts = ((max(period.start, earliest), period.end) for period in open_)
    fitting = ((_on_grid(start, grid, zone), end) for start, end in starts)
    return next((start for start, end in fitting if start + length <= end), None)


def bookings_outside_hours(instrument: Instrument) -> list[Period]:
    """When bookings of the coming year lie outside the opening hours as they are now; never whose."""
    since = timezone.now()
    until = since + timedelta(days=366)
    each = _bookable(instrument)
    facts = _Facts.read([each.pk], since, until, margin=timedelta())
    open_ = facts.open(each)
    before, after = timedelta(minutes=each.setup_minutes), timedelta(minutes=each.cleaning_minutes)
    held = [
        Period(max(start + before, since), end - after)
        for _unit, start, end, kind in facts.taken[each.pk]
        if kind in (OccupancyKind.BOOKING, OccupancyKind.HOLD)
    ]
    return [period for period in held if period.start < period.end and subtract([period], open_)]


class _Facts:
    """Hours, special days and occupied time of some instruments; equal hours are worked out once."""

    def __init__(self, start: datetime, end: datetime) -> None:
        self.start, self.end = start, end
        self.hours: dict[int, Sequence[Hours]] = {}
        self.special: dict[int, list[Special]] = defaultdict(list)
        self.taken: dict[int, list[tuple[int, datetime, datetime, str]]] = defaultdict(list)
        self._known: dict[tuple[Any, ...], list[Period]] = {}
        self._open: dict[int, list[Period]] = {}
        self._public: PublicDays | None = None

    @classmethod
    def read(cls, pks: Sequence[int], start: datetime, end: datetime, *, margin: timedelta) -> _Facts:
        """Three queries."""
        facts = cls(start, end)
        facts.read_hours(pks)
        facts.read_taken(pks, end, margin=margin)
        return facts

    def read_hours(self, pks: Sequence[int]) -> None:
        first, last = (self.start - timedelta(days=2)).date(), (self.end + timedelta(days=1)).date()
        rows = _of(OpeningHours.objects.valid_between(first, last), pks).order_by().values_list("instrument_id")
        for pk, text in rows.annotate(text=_Joined(_AS_TEXT)):
            self.hours[pk] = _read_hours(text)
        special = _of(SpecialDay.objects.filter(day__gte=first, day__lte=last), pks).order_by("instrument", "day")
        for pk, day, opens, closes in special.values_list("instrument_id", "day", "opens", "closes"):
            self.special[pk].append(Special(day, opens, closes))

    def read_taken(self, pks: Sequence[int], until: datetime, *, margin: timedelta) -> None:
        """What is taken from the start to ``until``, and so near to it that buffers matter."""
        self.taken.clear()
        rows = _of(Occupancy.objects.overlapping(self.start - margin, until + margin), pks).order_by("start", "unit")
        for pk, unit, start, end, kind in rows.values_list("instrument_id", "unit", "start", "end", "kind"):
            self.taken[pk].append((unit, start, end, kind))

    def open(self, each: Bookable) -> list[Period]:
        if each.pk not in self._open:
            self._open[each.pk] = self._worked_out(each)
        return self._open[each.pk]

    def _public_days(self) -> PublicDays:
        """One query, only where something opens at all."""
        if self._public is None:
            self._public = days_around(self.start, self.end)
        return self._public

    def _worked_out(self, each: Bookable) -> list[Period]:
        hours, special = tuple(self.hours.get(each.pk, ())), tuple(self.special.get(each.pk, ()))
        if not hours and not special:
            return []
        key = (hours, special, each.timezone, each.open_on_holidays)
        if key not in self._known:
            self._known[key] = open_periods(
                hours,
                special,
                zone=ZoneInfo(each.timezone),
                start=self.start,
                end=self.end,
                open_on_holidays=each.open_on_holidays,
                public=self._public_days(),
            )
        return self._known[key]


class _Joined(Aggregate):
    """The texts of a group in one: thousands of instruments have few different weeks, and each is read once."""

    function = "GROUP_CONCAT"
    template = "%(function)s(%(expressions)s, ';')"
    output_field = TextField()

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, function="STRING_AGG", **context)


_AS_TEXT = Concat(
    *chain.from_iterable((Cast(name, TextField()), Value(" ")) for name in Hours._fields),
    output_field=TextField(),
)


@lru_cache(maxsize=1024)
def _read_hours(text: str) -> Sequence[Hours]:
    """Of ``weekday opens closes from to ;…`` in any order."""
    rows = (_read_row(*row.split(" ")[: len(Hours._fields)]) for row in text.split(";"))
    return tuple(sorted(rows, key=lambda row: (row.weekday, row.opens)))


def _read_row(weekday: str, opens: str, closes: str, first: str, last: str) -> Hours:
    span = (date.fromisoformat(text) if text else None for text in (first, last))
    return Hours(int(weekday), time.fromisoformat(opens), time.fromisoformat(closes), *span)


def _of(rows: QuerySet[Any, Any], pks: Sequence[int]) -> QuerySet[Any, Any]:
    return rows.filter(instrument__in=among(pks))


def _bookable(each: Instrument | Bookable) -> Bookable:
    return each if isinstance(each, Bookable) else Bookable(*(getattr(each, name) for name in Bookable._fields))


def _margin(wanted: Iterable[Bookable]) -> timedelta:
    return timedelta(minutes=max((max(each.setup_minutes, each.cleaning_minutes) for each in wanted), default=0))


def _widen(each: Bookable, start: datetime, end: datetime) -> tuple[datetime, datetime]:
    """The times in which no booking can lie: its cleaning must end before ``start``, its set-up begin after ``end``."""
    return start - timedelta(minutes=each.cleaning_minutes), end + timedelta(minutes=each.setup_minutes)


def _busy(taken: Sequence[tuple[int, datetime, datetime, str]], units: int, within: Period) -> list[Busy]:
    """Stretches in which every unit is taken, cut to ``within``."""
    out: list[Busy] = []
    for (start, end), count in depth(Period(since, until) for _, since, until, _ in taken):
        start, end = max(start, within.start), min(end, within.end)
        if count < units or start >= end:
            continue
        out += _by_kind(taken, start, end)
    return out


def _by_kind(taken: Sequence[tuple[int, datetime, datetime, str]], start: datetime, end: datetime) -> list[Busy]:
    inside = [row for row in taken if row[1] < end and row[2] > start]
    cuts = sorted({start, end, *(at for row in inside for at in row[1:3] if start < at < end)})
    out: list[Busy] = []
    for since, until in pairwise(cuts):
        kinds = {row[3] for row in inside if row[1] <= since and row[2] >= until}
        kind = next(kind.value for kind in _KINDS if kind in kinds)
        if out and out[-1].kind == kind:
            since = out.pop().start
        out.append(Busy(since, until, kind))
    return out


def _on_grid(at: datetime, grid: int, zone: ZoneInfo) -> datetime:
    """The next multiple of the minutes from local midnight."""
    if not grid:
        return at
    local = at.astimezone(zone)
    passed = timedelta(hours=local.hour, minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
    return at + -passed % timedelta(minutes=grid)


def _next_step(at: datetime) -> datetime:
    """The next half hour, so that nobody is offered 10:07."""
    return at + (datetime.min - at.replace(tzinfo=None)) % STEP
