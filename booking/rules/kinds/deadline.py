"""``deadline``: the first and last moment at which something may be asked for. Both moments are included."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from booking.rules.moments import Moment
from booking.rules.reading import Node
from booking.rules.results import Finding, Move
from booking.rules.scope import Scope
from booking.rules.situation import Situation, Subject

_FARTHEST = timedelta(days=3 * 366)
_DAYS_TO_TRY = 7
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Deadline:
    KEYS: ClassVar[frozenset[str]] = frozenset({"earliest", "latest"})

    earliest: Moment | None = None
    latest: Moment | None = None

    @classmethod
    def read(cls, parts: Mapping[str, Node], scope: Scope) -> Deadline:
        earliest, latest = (scope.moment(parts[name]) if name in parts else None for name in ("earliest", "latest"))
        return cls(earliest, latest)

    @property
    def is_empty(self) -> bool:
        return self.earliest is None and self.latest is None

    def check(self, situation: Situation, subject: Subject) -> Iterator[Finding]:
        anchors = situation.anchors(subject)
        opens = self.earliest.resolve(anchors) if self.earliest else None
        closes = self.latest.resolve(anchors) if self.latest else None
        if opens is not None and situation.now < opens:
            yield Finding("too_early", {"from": opens}, until=opens)
        if self.latest and closes is not None and self.latest.is_past(situation.now, closes):
            values = {"to": closes}
            about = {"ends_day": self.latest.ends_day}
            yield Finding("too_late", values, moves=_later_starts(self.latest, situation, subject), about=about)


def _later_starts(latest: Moment, situation: Situation, subject: Subject) -> tuple[Move, ...]:
    """The first start for which it is not too late, then the wanted clock on that day and the days after."""
    start, end = subject.start, subject.end
    if start is None or subject is not situation.request:
        return ()

    def in_time(shift: timedelta) -> bool:
        moved = situation.moved(start + shift, end + shift if end else None)
        closes = latest.resolve(moved.anchors(moved.request))
        return closes is None or not latest.is_past(situation.now, closes)

    shift = _first_minute(in_time)
    if shift is None:
        return ()
    shifts = [shift, *(day for day in _same_clock(start, start + shift, situation) if day > shift)]
    return tuple(Move(start + each, end + each if end else None) for each in shifts)


def _first_minute(in_time: Callable[[timedelta], bool]) -> timedelta | None:
    """The smallest shift in whole minutes that is in time; later starts only help."""
    low, high = 0, 60
    while not in_time(high * _MINUTE):
        low, high = high, high * 4
        if high * _MINUTE > _FARTHEST:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        if in_time(middle * _MINUTE):
            high = middle
        else:
            low = middle
    return high * _MINUTE


def _same_clock(start: datetime, first: datetime, situation: Situation) -> list[timedelta]:
    calendar = situation.calendar
    clock, day = calendar.wall(start).time(), calendar.day_of(first)
    return [calendar.at(day + timedelta(days=ahead), clock) - start for ahead in range(_DAYS_TO_TRY)]
