"""Local days: holidays, make-up workdays, weeks and other calendar periods of one time zone."""

from __future__ import annotations

import calendar as gregorian
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from backend.core.periods import Period, local_boundary

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY = timedelta(days=1)
MINUTES_A_DAY = 24 * 60
_FULL_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
PERIODS = ("day", "week", "month", "quarter", "halfyear", "year")
MONTHS_OF = {"month": 1, "quarter": 3, "halfyear": 6, "year": 12}
SHORTEST_DATE, LONGEST_DATE = date(1970, 1, 1), date(2200, 1, 1)
_YEARLY = re.compile(r"(\d{2})-(\d{2})")
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})")


@dataclass(frozen=True, slots=True)
class DateRange:
    """Dates from first to last, both included: ``(year, month, day)``, or ``(month, day)`` of every year."""

    first: tuple[int, ...]
    last: tuple[int, ...]

    def __contains__(self, day: date) -> bool:
        first, last = self.first, self.last
        shown = (day.year, day.month, day.day)[-len(first) :]
        return first <= shown <= last if first <= last else shown >= first or shown <= last


@dataclass(frozen=True, slots=True)
class Calendar:
    """The local calendar of a policy. ``week_start`` counts from Monday = 0."""

    zone: ZoneInfo
    week_start: int = 0
    holidays: tuple[DateRange, ...] = ()
    workdays: tuple[DateRange, ...] = ()

    def is_holiday(self, day: date) -> bool:
        return any(day in dates for dates in self.holidays)

    def is_workday(self, day: date) -> bool:
        """Monday to Friday without holidays, and the make-up days."""
        if any(day in dates for dates in self.workdays):
            return True
        return day.weekday() < 5 and not self.is_holiday(day)

    def wall(self, instant: datetime) -> datetime:
        """The local wall time, naive."""
        return instant.astimezone(self.zone).replace(tzinfo=None)

    def day_of(self, instant: datetime) -> date:
        return instant.astimezone(self.zone).date()

    def at(self, day: date, clock: time = time(0)) -> datetime:
        """The UTC instant of a local wall time; see `local_boundary` for gaps and folds."""
        return local_boundary(day, clock, self.zone)

    def at_minute(self, day: date, minute: int) -> datetime:
        """Like `at`, with minutes since local midnight; 1440 and more lie on the following days."""
        days, rest = divmod(minute, MINUTES_A_DAY)
        return self.at(day + days * DAY, time(rest // 60, rest % 60))

    def week_of(self, day: date) -> date:
        """The first day of the week that holds ``day``."""
        return day - ((day.weekday() - self.week_start) % 7) * DAY

    def period_of(self, unit: str, day: date) -> Period:
        """The calendar period (one of `PERIODS`) that holds a local date."""
        if unit == "day":
            first, last = day, day + DAY
        elif unit == "week":
            first = self.week_of(day)
            last = first + 7 * DAY
        else:
            months = MONTHS_OF[unit]
            first = day.replace(month=(day.month - 1) // months * months + 1, day=1)
            last = add_months(first, months)
        return Period(self.at(first), self.at(last))

    def periods_of(self, unit: str, start: datetime, end: datetime) -> Iterator[Period]:
        """Every calendar period that ``[start, end)`` touches; an instant touches one."""
        period = self.period_of(unit, self.day_of(start))
        yield period
        while period.end < end:
            period = self.period_of(unit, self.day_of(period.end))
            yield period


def add_months(day: date, months: int) -> date:
    """The same day of a later or earlier month, or that month's last day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, gregorian.monthrange(year, month + 1)[1]))


def parse_date(text: str) -> date:
    """``2026-05-01``; raises ValueError, also for years that no booking has."""
    day = date.fromisoformat(text.strip())
    if not SHORTEST_DATE <= day <= LONGEST_DATE:
        raise ValueError(text)
    return day


def parse_dates(text: str) -> DateRange:
    """``2026-05-01``, ``2026-05-01..2026-05-05``, ``05-01`` or ``11-01..02-28``; raises ValueError."""
    first, separator, last = text.partition("..")
    if not separator:
        last = first
    ends = _parse_end(first.strip()), _parse_end(last.strip())
    if len(ends[0]) != len(ends[1]) or (len(ends[0]) == 3 and ends[1] < ends[0]):
        raise ValueError(text)
    return DateRange(*ends)


def _parse_end(text: str) -> tuple[int, ...]:
    yearly = _YEARLY.fullmatch(text)
    if yearly is None:
        day = parse_date(text)
        return day.year, day.month, day.day
    month, of_month = int(yearly[1]), int(yearly[2])
    date(2000, month, of_month)  # a leap year, so that 02-29 is allowed
    return month, of_month


def parse_clock(text: str) -> int:
    """Minutes since midnight of ``HH:MM``, up to ``24:00``; raises ValueError."""
    found = _CLOCK.fullmatch(text.strip())
    if found is None:
        raise ValueError(text)
    hour, minute = int(found[1]), int(found[2])
    if minute > 59 or hour * 60 + minute > MINUTES_A_DAY:
        raise ValueError(text)
    return hour * 60 + minute


def parse_weekday(text: str) -> int:
    """Monday = 0, from ``Mon`` or ``Monday`` in any case; raises ValueError."""
    short = text.strip().lower()
    names = _FULL_NAMES if short in _FULL_NAMES else WEEKDAYS
    return names.index(short)
