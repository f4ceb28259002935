"""Named windows of local time: ``"[05-01..09-30] workday 20:00-24:00; Sat 09:00-17:00"``.

Parts are separated by ``;`` and each stands by itself: ``[dates]`` (optional, several with commas), days
(``Mon-Fri``, ``Sat,Sun``, ``daily``, ``workday``, ``offday``, ``holiday``; default daily) and times (several
with commas; default the whole day). A time that does not end after it begins runs past midnight and belongs to
the day on which it begins: ``09:00-09:00`` are 24 hours. A window is parsed once and
remembers the days it has laid out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date, datetime

from backend.core.periods import Period, merge

from .calendar import DAY, MINUTES_A_DAY, WEEKDAYS, Calendar, DateRange, parse_clock, parse_dates, parse_weekday

BUILT_IN = {"business": "workday 09:00-17:00", "always": "daily 00:00-24:00"}
DAY_WORDS = ("daily", "workday", "offday", "holiday")
_PART = re.compile(r"(?:\[([^\]]*)\])?\s*([a-z][a-z,-]*)?\s*([0-9][0-9:,-]*)?", re.IGNORECASE)
_REMEMBERED_DAYS = 4_000


@dataclass(frozen=True, slots=True)
class Part:
    """``times`` are minutes since midnight; an end beyond 1440 lies on the next day."""

    dates: tuple[DateRange, ...]
    weekdays: frozenset[int]
    words: frozenset[str]
    times: tuple[tuple[int, int], ...]

    def covers(self, day: date, calendar: Calendar) -> bool:
        if self.dates and not any(day in dates for dates in self.dates):
            return False
        if day.weekday() in self.weekdays or "daily" in self.words:
            return True
        if "holiday" in self.words and calendar.is_holiday(day):
            return True
        return ("workday" if calendar.is_workday(day) else "offday") in self.words


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    name: str
    parts: tuple[Part, ...]
    calendar: Calendar
    _days: dict[date, tuple[Period, ...]] = field(default_factory=dict, repr=False)

    def of_day(self, day: date) -> tuple[Period, ...]:
        """The bands that begin on a local day, in order; they are not joined."""
        bands = self._days.get(day)
        if bands is None:
            if len(self._days) >= _REMEMBERED_DAYS:
                self._days.clear()
            bands = self._days[day] = tuple(sorted(self._lay_out(day)))
        return bands

    def _lay_out(self, day: date) -> set[Period]:
        laid = {
            Period(self.calendar.at_minute(day, first), self.calendar.at_minute(day, last))
            for part in self.parts
            if part.covers(day, self.calendar)
            for first, last in part.times
        }
        return {band for band in laid if band.start < band.end}  # a gap of the clock may swallow one

    def bands(self, start: datetime, end: datetime) -> list[Period]:
        """The bands that overlap ``[start, end)``, each whole."""
        day, last = self.calendar.day_of(start) - DAY, self.calendar.day_of(end)
        found: list[Period] = []
        while day <= last:
            found += [band for band in self.of_day(day) if band.start < end and start < band.end]
            day += DAY
        return found

    def pieces(self, start: datetime, end: datetime) -> list[Period]:
        """What of ``[start, end)`` lies in the window: sorted, disjoint, joined where bands touch."""
        return merge(
            Period(max(band.start, start), min(band.end, end)) for band in self.bands(start, end) if start < end
        )

    def contains(self, start: datetime, end: datetime) -> bool:
        """Whether all of ``[start, end)`` lies in the window; an instant lies in the band that begins there."""
        if start >= end:
            return self.holds(start)
        return self.pieces(start, end) == [Period(start, end)]

    def touches(self, start: datetime, end: datetime) -> bool:
        return self.holds(start) if start >= end else bool(self.bands(start, end))

    def holds(self, instant: datetime) -> bool:
        day = self.calendar.day_of(instant)
        return any(band.start <= instant < band.end for begun in (day - DAY, day) for band in self.of_day(begun))

    def ends_with(self, instant: datetime) -> bool:
        """Whether a period that ends at ``instant`` ends in the window (its closing instant included)."""
        day = self.calendar.day_of(instant)
        return any(band.start < instant <= band.end for begun in (day - DAY, day) for band in self.of_day(begun))

    def openings(self, start: datetime, days: int) -> list[Period]:
        """The joined stretches of the window within ``days`` days after ``start``, the current one cut at it."""
        return self.pieces(start, self.calendar.at(self.calendar.day_of(start) + days * DAY))


def parse_window(name: str, text: str, calendar: Calendar) -> Window:
    """Raises ValueError for a text outside the grammar."""
    parts = tuple(_parse_part(part) for part in text.split(";") if part.strip())
    if not parts:
        raise ValueError(text)
    return Window(name, parts, calendar)


def join_windows(windows: list[Window]) -> Window:
    """The union, under all their names."""
    if len(windows) == 1:
        return windows[0]
    parts = tuple(part for window in windows for part in window.parts)
    return Window(" + ".join(window.name for window in windows), parts, windows[0].calendar)


def _parse_part(text: str) -> Part:
    tidy = re.sub(r"\s*([,-])\s*", r"\1", text.strip().replace("\N{EN DASH}", "-"))
    found = _PART.fullmatch(tidy)
    if found is None:
        raise ValueError(text)
    dates = tuple(parse_dates(item) for item in found[1].split(",")) if found[1] is not None else ()
    weekdays, words = _parse_days(found[2] or "daily")
    times = tuple(_parse_times(item) for item in (found[3] or "00:00-24:00").split(","))
    return Part(dates, weekdays, words, times)


def _parse_days(text: str) -> tuple[frozenset[int], frozenset[str]]:
    weekdays: set[int] = set()
    words: set[str] = set()
    for item in text.lower().split(","):
        if item in DAY_WORDS:
            words.add(item)
            continue
        first, _, last = item.partition("-")
        start = parse_weekday(first)
        length = (parse_weekday(last or first) - start) % len(WEEKDAYS)
        weekdays |= {(start + step) % len(WEEKDAYS) for step in range(length + 1)}
    return frozenset(weekdays), frozenset(words)


def _parse_times(text: str) -> tuple[int, int]:
    first, _, last = text.partition("-")
    start, end = parse_clock(first), parse_clock(last)
    if start == MINUTES_A_DAY:
        raise ValueError(text)
    return start, end if start < end else end + MINUTES_A_DAY
