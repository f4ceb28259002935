"""Durations and moments: ``anchor ± n unit [weekday] [#day] [@clock]``, applied from left to right.

``min`` and ``h`` are elapsed time; ``d w mo y`` move the local date and keep the wall clock; ``wd`` counts
workdays and ``bh`` hours of the window *business*, both with holidays and make-up days. ``@24:00`` is the end
of the day, which the day itself does not include: nothing that happens at that instant is "by" that moment.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from .calendar import (
    DAY,
    MINUTES_A_DAY,
    WEEKDAYS,
    Calendar,
    add_months,
    parse_clock,
    parse_date,
    parse_weekday,
)
from .windows import Window

LARGEST = {"min": 10**7, "h": 10**6, "d": 40_000, "w": 5_000, "mo": 1_200, "y": 100, "wd": 10_000, "bh": 10_000}
_DURATION = re.compile(r"([0-9]{1,8})\s*(min|h|d|wd|w|mo|y|bh)")
_ANCHOR = re.compile(r"(start|end|made|now|at|[a-z_]+\.[a-z_]\w*|[0-9]{4}-[0-9]{2}-[0-9]{2})(?![\w.])\s*", re.ASCII)
_STEP = re.compile(
    r"(?P<sign>[+-])\s*(?P<span>[0-9]{1,8}\s*[a-z]{1,3})(?![\w])|#(?P<day>[0-9]{1,2}|last)"
    r"|@?(?P<clock>[0-9]{1,2}:[0-9]{2})|(?P<weekday>[A-Za-z]{3,9})",
    re.ASCII,
)
_DAYS = {"d": 1, "w": 7}
_MOST_STEPS = 6
_CHUNK, _FARTHEST = timedelta(days=14), timedelta(days=4_000)


@dataclass(frozen=True, slots=True)
class Duration:
    n: int
    unit: str

    def shift(self, instant: datetime, sign: int, calendar: Calendar, business: Window) -> datetime:
        """``instant`` plus (sign 1) or minus (sign -1) this duration, in UTC."""
        if self.unit == "min":
            return instant + sign * timedelta(minutes=self.n)
        if self.unit == "h":
            return instant + sign * timedelta(hours=self.n)
        if self.unit == "bh":
            return _shift_business(instant, sign, timedelta(hours=self.n), business)
        if self.unit in _DAYS:
            later = instant + sign * self.n * _DAYS[self.unit] * DAY
            here, there = instant.astimezone(calendar.zone), later.astimezone(calendar.zone)
            if here.utcoffset() == there.utcoffset() and not there.fold:
                return later  # the usual case, without a change of clocks in between
        wall = calendar.wall(instant)
        day = self._shift_day(wall.date(), sign, calendar)
        return instant if day == wall.date() else calendar.at(day, wall.time())

    def _shift_day(self, day: date, sign: int, calendar: Calendar) -> date:
        if self.unit in _DAYS:
            return day + sign * self.n * _DAYS[self.unit] * DAY
        if self.unit == "wd":
            return _shift_workdays(day, sign, self.n, calendar)
        return add_months(day, sign * self.n * (12 if self.unit == "y" else 1))


def _shift_workdays(day: date, sign: int, count: int, calendar: Calendar) -> date:
    left, tried = count, 0
    while left and tried < 4 * LARGEST["wd"]:
        day += sign * DAY
        tried += 1
        left -= calendar.is_workday(day)
    return day


def _shift_business(instant: datetime, sign: int, left: timedelta, business: Window) -> datetime:
    """Walks over business time; gives up after eleven years, for a window that hardly ever opens."""
    if not left:
        return instant
    here, limit = instant, instant + sign * _FARTHEST
    while (here < limit) if sign > 0 else (here > limit):
        there = here + sign * _CHUNK
        for start, end in business.pieces(min(here, there), max(here, there))[::sign]:
            if left <= end - start:
                return start + left if sign > 0 else end - left
            left -= end - start
        here = there
    return limit


@dataclass(frozen=True, slots=True)
class Offset:
    sign: int
    duration: Duration


@dataclass(frozen=True, slots=True)
class Weekday:
    """That day of the week in which the moment lies; Monday = 0."""

    weekday: int


@dataclass(frozen=True, slots=True)
class MonthDay:
    """That day of the month in which the moment lies, or its last when it is shorter."""

    day: int


@dataclass(frozen=True, slots=True)
class Clock:
    """Minutes since midnight, 1440 for the end of the day."""

    minute: int


Step = Offset | Weekday | MonthDay | Clock


@dataclass(frozen=True, slots=True)
class Moment:
    text: str
    anchor: str | date
    steps: tuple[Step, ...]
    calendar: Calendar
    business: Window

    @property
    def ends_day(self) -> bool:
        """Whether it is the end of a day, so that the instant itself is already past it."""
        return bool(self.steps) and self.steps[-1] == Clock(MINUTES_A_DAY)

    def resolve(self, anchor: Callable[[str], datetime | None]) -> datetime | None:
        """The UTC instant; None when the anchor is unknown (an act without a slot has no start)."""
        at = anchor(self.anchor) if isinstance(self.anchor, str) else self.calendar.at(self.anchor)
        if at is None:
            return None
        for step in self.steps:
            at = self._apply(step, at)
        return at

    def _apply(self, step: Step, at: datetime) -> datetime:
        if isinstance(step, Offset):
            return step.duration.shift(at, step.sign, self.calendar, self.business)
        wall = self.calendar.wall(at)
        day = wall.date()
        if isinstance(step, Clock):
            return self.calendar.at_minute(day, step.minute)
        if isinstance(step, Weekday):
            week = self.calendar.week_of(day)
            moved = week + (step.weekday - week.weekday()) % len(WEEKDAYS) * DAY
        else:
            last = add_months(day.replace(day=1), 1) - DAY
            moved = last if step.day > last.day else day.replace(day=step.day)
        return self.calendar.at(moved, wall.time())

    def is_past(self, at: datetime, moment: datetime) -> bool:
        """Whether ``at`` is strictly later; for the end of a day, whether that day is over."""
        return at >= moment if self.ends_day else at > moment


def parse_duration(text: str) -> Duration:
    """``30min 24h 7d 2w 3mo 1y 2wd 4bh``; raises ValueError."""
    found = _DURATION.fullmatch(text.strip())
    if found is None or int(found[1]) > LARGEST[found[2]]:
        raise ValueError(text)
    return Duration(int(found[1]), found[2])


def parse_moment(text: str, calendar: Calendar, business: Window) -> Moment:
    """Raises ValueError for a text outside the grammar."""
    found = _ANCHOR.match(text.strip())
    if found is None:
        raise ValueError(text)
    anchor = found[1] if not found[1][0].isdigit() else parse_date(found[1])
    steps: list[Step] = []
    rest = text.strip()[found.end() :]
    while rest:
        step = _STEP.match(rest)
        if step is None or len(steps) == _MOST_STEPS:
            raise ValueError(text)
        steps.append(_parse_step(step))
        rest = rest[step.end() :].lstrip()
    return Moment(text.strip(), anchor, tuple(steps), calendar, business)


def _parse_step(found: re.Match[str]) -> Step:
    if found["span"]:
        return Offset(1 if found["sign"] == "+" else -1, parse_duration(found["span"]))
    if found["day"]:
        day = 31 if found["day"] == "last" else int(found["day"])
        if not 1 <= day <= 31:
            raise ValueError(found["day"])
        return MonthDay(day)
    if found["clock"]:
        return Clock(parse_clock(found["clock"]))
    return Weekday(parse_weekday(found["weekday"]))
