"""When an instrument is open and when it is free: pure functions of hours, dates and taken time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from backend.core.periods import Period, depth, intersect, local_boundary, merge, subtract, to_utc

# A make-up working weekend keeps the hours of this weekday.
MAKE_UP_HOURS_OF = 1


class Hours(NamedTuple):
    """Open on an ISO weekday from ``opens`` to ``closes``, local time; ``closes`` ≤ ``opens`` is the next day."""

    weekday: int
    opens: time
    closes: time
    valid_from: date | None = None
    valid_to: date | None = None


class Special(NamedTuple):
    """A date on which other hours hold: closed without ``opens``."""

    day: date
    opens: time | None = None
    closes: time | None = None


class Taken(NamedTuple):
    """Time occupied on one unit, buffers included."""

    unit: int
    start: datetime
    end: datetime


class Free(NamedTuple):
    """``units`` units are free throughout ``[start, end)``."""

    start: datetime
    end: datetime
    units: int


class PublicDays(NamedTuple):
    """Public holidays and make-up working weekends; ``unknown`` years are taken as plain weeks."""

    holidays: frozenset[date] = frozenset()
    make_up: frozenset[date] = frozenset()
    unknown: frozenset[int] = frozenset()


class Announced(NamedTuple):
    """A day of the announcement for ``year`` (which may reach into its neighbours): off, or a weekend worked."""

    year: int
    day: date
    holiday: bool


@lru_cache(maxsize=64)
def public_days(first_year: int, last_year: int, announced: frozenset[Announced] = frozenset()) -> PublicDays:
    """Mainland China's holidays of the years. A year that was announced replaces the one that is built in."""
    replaced = {row.year for row in announced}
    holidays: set[date] = set()
    make_up: set[date] = set()
    unknown: set[int] = set()
    for year in range(first_year, last_year + 1):
        if year in replaced:
            continue
        built_in = built_in_days(year)
        if built_in is None:
            unknown.add(year)
            continue
        holidays.update(day for day, _name, off in built_in if off)
        make_up.update(day for day, _name, off in built_in if not off)
    for row in announced:
        if first_year <= row.day.year <= last_year:
            (holidays if row.holiday else make_up).add(row.day)
            (make_up if row.holiday else holidays).discard(row.day)
    return PublicDays(frozenset(holidays), frozenset(make_up), frozenset(unknown))


@lru_cache(maxsize=64)
def built_in_days(year: int) -> list[tuple[date, str, bool]] | None:
    """``(day, name, is off)`` as the State Council's notices in ``chinesecalendar`` say; None where it has none."""
    import chinese_calendar  # reads twenty years of dates: only where hours are worked out

    out: list[tuple[date, str, bool]] = []
    day = date(year, 1, 1)
    while day.year == year:
        try:
            off, name = chinese_calendar.get_holiday_detail(day)
        except NotImplementedError:
            return None
        # Named days are those of a holiday or worked for one; a plain weekend has no name.
        if name and (off or day.isoweekday() > 5):
            out.append((day, _HOLIDAY_NAMES.get(name, name), off))
        day += timedelta(days=1)
    return out


# As the announcements write them.
_HOLIDAY_NAMES = {
    "New Year's Day": "元旦",
    "Spring Festival": "春节",
    "Tomb-sweeping Day": "清明节",
    "Labour Day": "劳动节",
    "Dragon Boat Festival": "端午节",
    "Mid-autumn Festival": "中秋节",
    "National Day": "国庆节",
    "Anti-Fascist 70th Day": "抗战胜利纪念日",
}


def open_periods(
    hours: Iterable[Hours],
    special_days: Iterable[Special] = (),
    *,
    zone: ZoneInfo,
    start: datetime,
    end: datetime,
    public: PublicDays,
    open_on_holidays: bool = False,
) -> list[Period]:
    """When the instrument is open within ``[start, end)``.

    A special day goes before everything; then a public holiday closes, unless ``open_on_holidays``; a
    make-up working weekend keeps Monday's hours where the day itself has none; else the weekly hours hold.
    """
    first = start.astimezone(zone).date() - timedelta(days=1)  # hours past midnight reach into the next day
    last = end.astimezone(zone).date()
    weekly: dict[int, list[Hours]] = defaultdict(list)
    for row in hours:
        weekly[row.weekday].append(row)
    special = {row.day: row for row in special_days}
    out: list[Period] = []
    day = first
    while day <= last:
        for opens, closes in _windows(day, weekly, special.get(day), public, open_on_holidays):
            until = day + timedelta(days=closes <= opens)
            out.append(Period(local_boundary(day, opens, zone), local_boundary(until, closes, zone)))
        day += timedelta(days=1)
    return intersect(out, [Period(start, end)])


def _windows(
    day: date, weekly: Mapping[int, Sequence[Hours]], special: Special | None, public: PublicDays, on_holidays: bool
) -> list[tuple[time, time]]:
    if special is not None:
        return [(special.opens, special.closes)] if special.opens is not None and special.closes is not None else []
    if day in public.holidays and not on_holidays:
        return []
    mine = _valid(weekly[day.isoweekday()], day)
    if not mine and day in public.make_up:
        mine = _valid(weekly[MAKE_UP_HOURS_OF], day)
    return mine


def _valid(rows: Iterable[Hours], day: date) -> list[tuple[time, time]]:
    return [
        (row.opens, row.closes)
        for row in rows
        if (row.valid_from is None or row.valid_from <= day) and (row.valid_to is None or day <= row.valid_to)
    ]


def free_periods(open_: Iterable[Period], taken: Iterable[Taken], *, units: int) -> list[Free]:
    """Where at least one unit is free, with how many; stretches with equal numbers are joined."""
    open_ = merge(open_)
    if units == 1:
        return [Free(p.start, p.end, 1) for p in subtract(open_, [Period(t.start, t.end) for t in taken])]
    busy_per_unit: dict[int, list[Period]] = defaultdict(list)
    for row in taken:
        busy_per_unit[row.unit].append(Period(row.start, row.end))
    free = [p for unit in range(1, units + 1) for p in subtract(open_, busy_per_unit[unit])]
    return [Free(period.start, period.end, count) for period, count in depth(free)]


def bookable_stretches(
    open_: Iterable[Period],
    taken: Iterable[Taken],
    *,
    units: int,
    length: timedelta,
    before: timedelta,
    after: timedelta,
) -> list[Period]:
    """Stretches in each of which one unit can take a booking of the length, with its buffers, anywhere.

    Only the booking itself must lie within the opening hours: set-up (``before``) and cleaning
    (``after``) may reach outside. Stretches of different units may overlap.
    """
    open_ = merge(open_)
    per_unit: dict[int, list[Period]] = defaultdict(list)
    for row in taken:
        per_unit[row.unit].append(Period(to_utc(row.start) - after, to_utc(row.end) + before))
    free = {p for unit in range(1, units + 1) for p in subtract(open_, per_unit[unit]) if p.duration >= length}
    return sorted(free)


def first_free_unit(taken: Iterable[Taken], *, units: int, start: datetime, end: datetime) -> int | None:
    """The lowest unit with nothing in ``[start, end)``; None where all are taken."""
    blocked: Collection[int] = {t.unit for t in taken if t.start < end and start < t.end}
    return next((unit for unit in range(1, units + 1) if unit not in blocked), None)
