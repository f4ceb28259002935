"""When a series takes place: a recurrence rule (RFC 5545) by the clock at the instrument. Pure.

A weekly 09:00 stays 09:00 when the clocks change. A date whose time the clock skips has no instant: it carries the
``gap``; of a time that the clock shows twice the first is meant.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from typing import Literal
from zoneinfo import ZoneInfo

from dateutil import rrule
from django.utils.dates import WEEKDAYS
from django.utils.translation import gettext as _

from backend.core.errors import Invalid, invalid
from backend.core.periods import NonexistentLocalTime, Period, local_boundary, local_instant

MOST = 100
REACH = timedelta(days=731)
MOST_INTERVAL = 99
DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_FREQUENCIES: dict[str, Literal[1, 2, 3]] = {"DAILY": rrule.DAILY, "WEEKLY": rrule.WEEKLY, "MONTHLY": rrule.MONTHLY}
# What else a rule of each frequency may say.
_MORE = {"DAILY": set[str](), "WEEKLY": {"BYDAY"}, "MONTHLY": {"BYDAY", "BYMONTHDAY", "BYSETPOS"}}
_ENDS = {"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST"}
_DAY = re.compile(r"([+-]?[1-5])?(MO|TU|WE|TH|FR|SA|SU)")


@dataclass(frozen=True, slots=True)
class Recurrence:
    """``until`` as RFC 5545 writes it; ``days`` like ``MO``, of months also ``1MO`` and ``-1FR``."""

    frequency: str
    interval: int = 1
    count: int = 0
    until: str = ""
    days: tuple[str, ...] = ()
    month_days: tuple[int, ...] = ()
    position: int = 0

    def __str__(self) -> str:
        parts = {
            "FREQ": self.frequency,
            "INTERVAL": self.interval if self.interval > 1 else "",
            "BYDAY": ",".join(self.days),
            "BYMONTHDAY": ",".join(map(str, self.month_days)),
            "BYSETPOS": self.position or "",
            "COUNT": self.count or "",
            "UNTIL": self.until,
        }
        return ";".join(f"{name}={value}" for name, value in parts.items() if value)


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One date, as instants. ``gap`` is the local time that the clock skips on it: it cannot be booked."""

    start: datetime
    end: datetime
    gap: str = ""


def read_rule(text: str) -> Recurrence:
    """The rule in writing; `Invalid` says what is wrong. Finer than daily and without an end is refused."""
    parts = _parts(text)
    frequency = parts.get("FREQ", "")
    if frequency not in _FREQUENCIES:
        raise _wrong("frequency", _("A series repeats daily, weekly or monthly: FREQ=DAILY, WEEKLY or MONTHLY."))
    strange = sorted(set(parts) - _ENDS - _MORE[frequency])
    if strange:
        names = ", ".join(strange)
        raise _wrong("rrule", _("%(names)s is not possible in a series of this frequency.") % {"names": names})
    by_week = frequency == "WEEKLY" and "BYDAY" in parts and parts.get("INTERVAL", "1") != "1"
    if by_week and parts.get("WKST", "MO") != "MO":
        # Where it matters when weeks begin, other dates would be meant than those that are shown.
        told = {"names": f"WKST={parts['WKST']}"}
        raise _wrong("rrule", _("%(names)s is not possible in a series of this frequency.") % told)
    rule = Recurrence(
        frequency,
        interval=_number(parts, "INTERVAL", 1, 1, MOST_INTERVAL),
        count=_number(parts, "COUNT", 0, 1, MOST),
        until=parts.get("UNTIL", ""),
        days=_days(parts.get("BYDAY", ""), frequency),
        month_days=_month_days(parts.get("BYMONTHDAY", "")),
        position=_number(parts, "BYSETPOS", 0, -5, 5),
    )
    _check_end(rule)
    return rule


def _parts(text: str) -> dict[str, str]:
    pairs = [part.partition("=") for part in text.strip().upper().removeprefix("RRULE:").rstrip(";").split(";")]
    parts = {name.strip(): value.strip() for name, _equals, value in pairs}
    if len(parts) != len(pairs) or not all(name and value for name, value in parts.items()):
        raise _wrong("rrule", _("Write the rule like FREQ=WEEKLY;BYDAY=MO;COUNT=10."))
    return parts


def _number(parts: dict[str, str], name: str, usual: int, least: int, most: int) -> int:
    if name not in parts:
        return usual
    if (
        not re.fullmatch(r"[+-]?[0-9]{1,4}", parts[name])
        or not least <= int(parts[name]) <= most
        or not int(parts[name])
    ):
        words = {"name": name, "least": least, "most": most}
        raise _wrong("rrule", _("%(name)s is a whole number from %(least)s to %(most)s.") % words)
    return int(parts[name])


def _days(text: str, frequency: str) -> tuple[str, ...]:
    days = [day.strip() for day in text.split(",")] if text else []
    for day in days:
        found = _DAY.fullmatch(day)
        if not found or (found[1] and frequency != "MONTHLY"):
            raise _wrong("rrule", _("BYDAY names weekdays like MO,WE, in a monthly series also 1MO or -1FR."))
    return tuple(dict.fromkeys(days))


def _month_days(text: str) -> tuple[int, ...]:
    days = [day.strip() for day in text.split(",")] if text else []
    if not all(re.fullmatch(r"[+-]?[0-9]{1,2}", day) and 1 <= abs(int(day)) <= 31 for day in days):
        raise _wrong("rrule", _("BYMONTHDAY names days of the month from 1 to 31, or from -1 to -31 from its end."))
    return tuple(dict.fromkeys(map(int, days)))


def _check_end(rule: Recurrence) -> None:
    if bool(rule.count) == bool(rule.until):
        raise _wrong("endless", _("Say when the series ends: by COUNT or by UNTIL, one of the two."))
    if rule.until:
        _until(rule, ZoneInfo("UTC"))


def _until(rule: Recurrence, zone: ZoneInfo) -> datetime:
    """The last wall time that counts; a date counts to its end."""
    try:
        found = datetime.fromisoformat(rule.until if "T" in rule.until else f"{rule.until}T235959")
        return found.astimezone(zone).replace(tzinfo=None) if found.tzinfo else found
    except (ValueError, OverflowError) as error:
        raise _wrong("rrule", _("UNTIL is a date like 20270301 or an instant like 20270301T000000Z.")) from error


def occurrences(rule: Recurrence, *, start: datetime, end: datetime, zone: ZoneInfo) -> list[Occurrence]:
    """The dates of a series from the first day on or after ``start`` that the rule names, in order.

    The length is that of ``[start, end)`` by the clock. `Invalid` for more than a hundred, more than two years,
    or none.
    """
    first, last = (at.astimezone(zone).replace(tzinfo=None) for at in (start, end))
    walls = _walls(rule, first, zone)
    found = [_occurrence(wall, last - first, Period(start, end).duration, zone) for wall in walls]
    if walls[0] == first:
        # What was given may be the second of two equal times.
        found[0] = Occurrence(start.astimezone(UTC), end.astimezone(UTC))
    return found


def _walls(rule: Recurrence, first: datetime, zone: ZoneInfo) -> list[datetime]:
    furthest = first + REACH
    until = _until(rule, zone) if rule.until else furthest + timedelta(days=1)
    dates = rrule.rrule(
        _FREQUENCIES[rule.frequency],
        dtstart=first,
        interval=rule.interval,
        until=min(until, furthest + timedelta(days=1)),
        count=None,
        byweekday=[_weekday(day) for day in rule.days] or None,
        bymonthday=rule.month_days or None,
        bysetpos=rule.position or None,
    )
    walls = list(islice(dates, rule.count or MOST + 1))
    if len(walls) > MOST:
        raise _wrong("too_many", _("A series has at most %(most)s dates.") % {"most": MOST})
    if until.date() > furthest.date() and (rule.until or len(walls) < rule.count or walls[-1] > furthest):
        raise _wrong("too_far", _("A series ends within two years."))
    if not walls:
        raise _wrong("no_dates", _("No date fits this rule before its end."))
    return walls


def _weekday(text: str) -> rrule.weekday:
    day: rrule.weekday = getattr(rrule, text[-2:])
    return day(int(text[:-2])) if len(text) > 2 else day


def _occurrence(wall: datetime, length: timedelta, elapsed: timedelta, zone: ZoneInfo) -> Occurrence:
    """``length`` is by the clock; where that leaves nothing, because a clock is set back, ``elapsed`` holds."""
    times = []
    gap = ""
    for each in (wall, wall + length):
        try:
            times.append(local_instant(each.date(), each.time(), zone, fold=0))
        except NonexistentLocalTime:
            times.append(local_boundary(each.date(), each.time(), zone))
            gap = gap or f"{each:%H:%M}"
    start, end = times
    return Occurrence(start, end if end > start else start + elapsed, gap)


def shifted(dates: Iterable[Period], *, start: datetime, end: datetime, zone: ZoneInfo) -> list[Occurrence]:
    """The dates moved as the first of them moves to ``[start, end)``: by the same days and hours of the clock."""
    dates = list(dates)
    old = dates[0].start.astimezone(zone).replace(tzinfo=None)
    first, last = (at.astimezone(zone).replace(tzinfo=None) for at in (start, end))
    walls = [date.start.astimezone(zone).replace(tzinfo=None) + (first - old) for date in dates]
    moved = [_occurrence(wall, last - first, Period(start, end).duration, zone) for wall in walls]
    return [Occurrence(start.astimezone(UTC), end.astimezone(UTC)), *moved[1:]]


def overlapping(
    dates: Iterable[Occurrence], *, before: timedelta = timedelta(0), after: timedelta = timedelta(0)
) -> tuple[Occurrence, Occurrence] | None:
    """The first two dates that overlap, set-up ``before`` and cleaning ``after`` included."""
    there = sorted((date for date in dates if not date.gap), key=lambda date: date.start)
    return next((pair for pair in pairwise(there) if pair[0].end + after > pair[1].start - before), None)


def in_words(rule: Recurrence, zone: ZoneInfo) -> str:
    """For a person: “Every 2 weeks on Monday, Wednesday, 10 times”."""
    return _("%(every)s, %(ends)s") % {"every": _every(rule), "ends": _ends(rule, zone)}


def _every(rule: Recurrence) -> str:
    one = {"DAILY": _("Every day"), "WEEKLY": _("Every week"), "MONTHLY": _("Every month")}
    many = {
        "DAILY": _("Every %(number)s days"),
        "WEEKLY": _("Every %(number)s weeks"),
        "MONTHLY": _("Every %(number)s months"),
    }
    every = (many if rule.interval > 1 else one)[rule.frequency] % {"number": rule.interval}
    names = [_day_words(day) for day in rule.days] + [_month_day_words(day) for day in rule.month_days]
    return _("%(every)s on %(days)s") % {"every": every, "days": _(", ").join(names)} if names else every


def _day_words(day: str) -> str:
    name = str(WEEKDAYS[DAYS.index(day[-2:])])
    if len(day) == 2:
        return name
    place = int(day[:-2])
    if place < 0:
        return _("the last %(day)s") % {"day": name} if place == -1 else f"{day}"
    return _("%(day)s no. %(place)s of the month") % {"day": name, "place": place}


def _month_day_words(day: int) -> str:
    return _("the %(day)s. of the month") % {"day": day} if day > 0 else _("the last day") if day == -1 else f"{day}"


def _ends(rule: Recurrence, zone: ZoneInfo) -> str:
    if rule.count:
        return _("%(count)s times") % {"count": rule.count}
    return _("until %(day)s") % {"day": f"{_until(rule, zone):%Y-%m-%d}"}


def _wrong(code: str, detail: str) -> Invalid:
    return invalid("rrule", detail, code)
