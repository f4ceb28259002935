"""``slots``: where a booking may start, and bands that are booked whole.

The grid counts minutes of local wall time from midnight. A booking that touches a band must consist of whole
bands, one after the other; one that touches none is left to the other rules (opening hours).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from fractions import Fraction
from typing import ClassVar

from django.utils.translation import gettext as _

from backend.core.periods import Period
from booking.rules.calendar import DAY, Calendar, parse_clock
from booking.rules.reading import Node
from booking.rules.results import Finding, Move
from booking.rules.scope import Scope, read_with
from booking.rules.situation import Situation, Subject
from booking.rules.values import plain
from booking.rules.windows import Window

from .length import read_step


@dataclass(frozen=True, slots=True)
class Slots:
    KEYS: ClassVar[frozenset[str]] = frozenset({"step", "starts", "bands", "join"})

    step: Fraction | None = None
    starts: tuple[int, ...] = ()
    bands: Window | None = None
    join: int | None = None

    @classmethod
    def read(cls, parts: Mapping[str, Node], scope: Scope) -> Slots:
        starts = _read_starts(parts["starts"]) if "starts" in parts else ()
        bands = scope.window(parts["bands"]) if "bands" in parts else None
        return cls(read_step(parts.get("step")), starts, bands, _read_join(parts.get("join"), bands))

    @property
    def is_empty(self) -> bool:
        return self.step is None and not self.starts and self.bands is None

    def check(self, situation: Situation, subject: Subject) -> Iterator[Finding]:
        start, end = subject.start, subject.end or subject.start
        if start is None or end is None:
            return
        calendar = situation.calendar
        if self.step and _minute_of(start, calendar) % self.step:
            moves = _grid_moves(start, end, self.step, calendar)
            yield Finding("start_grid", {"step": plain(self.step)}, moves=moves, about={"start": start})
        if self.starts and _minute_of(start, calendar) not in self.starts:
            clocks = [f"{minute // 60:02}:{minute % 60:02}" for minute in self.starts]
            moves = _start_moves(start, end, self.starts, calendar)
            yield Finding("start_grid", {"starts": clocks}, moves=moves, about={"start": start})
        if self.bands and start < end:
            yield from self._check_bands(self.bands, start, end)

    def _check_bands(self, window: Window, start: datetime, end: datetime) -> Iterator[Finding]:
        bands = window.bands(start, end)
        if not bands:
            return
        if not _is_whole(bands, start, end):
            band = bands[0]
            values = {"from": band.start, "to": band.end}
            moves = tuple(Move(each.start, each.end) for each in bands)
            yield Finding("band", values, moves=moves, about={"window": window})
        elif self.join is not None and len(bands) > self.join:
            values_joined = {"is": len(bands), "max": self.join}
            move = Move(bands[0].start, bands[self.join - 1].end)
            yield Finding("bands_joined", values_joined, moves=(move,), about={"window": window})


def _is_whole(bands: list[Period], start: datetime, end: datetime) -> bool:
    """Whether the bands tile ``[start, end)`` without a gap."""
    edges = [start, *(band.end for band in bands)]
    return edges[-1] == end and all(band.start == edge for band, edge in zip(bands, edges, strict=False))


def _minute_of(instant: datetime, calendar: Calendar) -> Fraction:
    wall = calendar.wall(instant)
    return wall.hour * 60 + wall.minute + Fraction(wall.second * 1_000_000 + wall.microsecond, 60_000_000)


def _grid_moves(start: datetime, end: datetime, step: Fraction, calendar: Calendar) -> tuple[Move, ...]:
    """The next start on the grid, to the second."""
    minute = _minute_of(start, calendar)
    ahead = (minute // step + 1) * step - minute
    later = start + timedelta(microseconds=int(ahead * 60_000_000))
    return (Move(later, later + (end - start)),)


def _start_moves(start: datetime, end: datetime, starts: tuple[int, ...], calendar: Calendar) -> tuple[Move, ...]:
    """The starts that remain of this day, then those of the next."""
    today = calendar.day_of(start)
    found = [calendar.at(day, time(minute // 60, minute % 60)) for day in (today, today + DAY) for minute in starts]
    return tuple(Move(at, at + (end - start)) for at in sorted(found) if at > start)[:4]


def _read_starts(node: Node) -> tuple[int, ...]:
    items = [node] if isinstance(node.value, str) else node.items()
    found = [read_with(item, parse_clock, _("This is no time of day. Write it like 09:00.")) for item in items]
    return tuple(sorted({minute % 1440 for minute in found if minute is not None}))


def _read_join(node: Node | None, bands: Window | None) -> int | None:
    number = node.number(least=1) if node else None
    if node and (bands is None or (number is not None and number.denominator != 1)):
        node.problem(_("This is the number of bands in a row; it needs bands and must be whole."))
    return None if number is None else max(1, int(number))
