"""Half-open periods ``[start, end)`` of aware instants, and local wall time.

All functions are pure. Lists of periods that come out are sorted, disjoint and free of empty periods.
Arithmetic is done on instants (UTC): Python compares and subtracts two datetimes of the *same* zone by
wall clock, which is wrong across a change of clocks, so everything is brought to UTC first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from typing import NamedTuple
from zoneinfo import ZoneInfo


class Period(NamedTuple):
    """``[start, end)``; both aware."""

    start: datetime
    end: datetime

    @property
    def duration(self) -> timedelta:
        return to_utc(self.end) - to_utc(self.start)

    def overlaps(self, other: Period) -> bool:
        return to_utc(self.start) < to_utc(other.end) and to_utc(other.start) < to_utc(self.end)

    def contains(self, other: Period) -> bool:
        return to_utc(self.start) <= to_utc(other.start) and to_utc(other.end) <= to_utc(self.end)


class NonexistentLocalTime(ValueError):
    """The clock skips this local time (it lies in a DST gap)."""


class AmbiguousLocalTime(ValueError):
    """The clock shows this local time twice (it lies in a DST fold)."""


def to_utc(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("naive datetime")
    return value.astimezone(UTC)


def merge(periods: Iterable[Period]) -> list[Period]:
    """The union: sorted, touching and overlapping periods joined."""
    out: list[Period] = []
    for start, end in sorted((to_utc(p[0]), to_utc(p[1])) for p in periods):
        if end <= start:
            continue
        if out and start <= out[-1].end:
            if end > out[-1].end:
                out[-1] = Period(out[-1].start, end)
        else:
            out.append(Period(start, end))
    return out


def intersect(left: Iterable[Period], right: Iterable[Period]) -> list[Period]:
    a, b = merge(left), merge(right)
    out: list[Period] = []
    i = j = 0
    while i < len(a) and j < len(b):
        start, end = max(a[i].start, b[j].start), min(a[i].end, b[j].end)
        if start < end:
            out.append(Period(start, end))
        if a[i].end < b[j].end:
            i += 1
        else:
            j += 1
    return out


def subtract(left: Iterable[Period], right: Iterable[Period]) -> list[Period]:
    """What of ``left`` lies outside ``right``."""
    cuts = merge(right)
    out: list[Period] = []
    first = 0
    for start, end in merge(left):
        while first < len(cuts) and cuts[first].end <= start:
            first += 1
        for cut in cuts[first:]:
            if cut.start >= end:
                break
            if cut.start > start:
                out.append(Period(start, cut.start))
            start = max(start, cut.end)
            if start >= end:
                break
        if start < end:
            out.append(Period(start, end))
    return out


def total(periods: Iterable[Period]) -> timedelta:
    """Time covered at least once."""
    return sum((p.duration for p in merge(periods)), timedelta())


def hours(periods: Iterable[Period]) -> Fraction:
    """Hours covered at least once, exact."""
    return as_hours(total(periods))


def as_hours(duration: timedelta) -> Fraction:
    micros = (duration.days * 86_400 + duration.seconds) * 1_000_000 + duration.microseconds
    return Fraction(micros, 3_600_000_000)


def depth(periods: Iterable[Period]) -> list[tuple[Period, int]]:
    """Stretches during which the same number (≥ 1) of the given periods run, in order."""
    steps: dict[datetime, int] = {}
    for start, end in periods:
        start, end = to_utc(start), to_utc(end)
        if start < end:
            steps[start] = steps.get(start, 0) + 1
            steps[end] = steps.get(end, 0) - 1
    out: list[tuple[Period, int]] = []
    running, since = 0, None
    for at in sorted(steps):
        if steps[at] == 0:
            continue
        if running and since is not None:
            out.append((Period(since, at), running))
        running, since = running + steps[at], at
    return out


def local_instant(day: date, clock: time, zone: ZoneInfo, *, fold: int | None = None) -> datetime:
    """The UTC instant of a local wall time.

    Raises `NonexistentLocalTime` in a gap and, unless ``fold`` says which, `AmbiguousLocalTime`.
    """
    wall = datetime.combine(day, clock)
    first, second = (wall.replace(tzinfo=zone, fold=f) for f in (0, 1))
    if first.utcoffset() != second.utcoffset():
        if first.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != wall:
            raise NonexistentLocalTime(f"{wall} does not exist in {zone.key}")
        if fold is None:
            raise AmbiguousLocalTime(f"{wall} occurs twice in {zone.key}")
    return (second if fold else first).astimezone(UTC)


def local_boundary(day: date, clock: time, zone: ZoneInfo) -> datetime:
    """Like `local_instant`, but never fails: for opening hours and day boundaries, which must exist.

    In a gap the clock's first instant after it is meant, in a fold the earlier of the two.
    """
    wall = datetime.combine(day, clock, tzinfo=zone)
    instant = wall.astimezone(UTC)
    exists = instant.astimezone(zone).replace(tzinfo=None) == wall.replace(tzinfo=None)
    return instant if exists else _end_of_gap(wall)


def _end_of_gap(wall: datetime) -> datetime:
    """The instant at which the clock jumps over ``wall``, to the second."""
    later_offset = wall.replace(fold=1).utcoffset()
    before, after = wall.replace(fold=1).astimezone(UTC), wall.replace(fold=0).astimezone(UTC)
    while after - before > timedelta(seconds=1):
        middle = (before + (after - before) / 2).replace(microsecond=0)
        if middle.astimezone(wall.tzinfo).utcoffset() == later_offset:
            after = middle
        else:
            before = middle
    return after


def clock_words(start: datetime, end: datetime, zone: ZoneInfo) -> str:
    """``2026-03-05 09:00–12:00`` by the clock of the zone; with both dates where it reaches into another day."""
    start, end = start.astimezone(zone), end.astimezone(zone)
    until = f"–{end:%H:%M}" if start.date() == end.date() else f" – {end:%Y-%m-%d %H:%M}"
    return f"{start:%Y-%m-%d %H:%M}{until}"


def local_day(day: date, zone: ZoneInfo) -> Period:
    """Midnight to midnight of a local date."""
    midnight = time(0)
    return Period(local_boundary(day, midnight, zone), local_boundary(day + timedelta(days=1), midnight, zone))


def days_touched(period: Period, zone: ZoneInfo) -> Iterator[date]:
    """The local dates that a period touches."""
    day = period.start.astimezone(zone).date()
    while local_day(day, zone).start < period.end:
        yield day
        day += timedelta(days=1)
