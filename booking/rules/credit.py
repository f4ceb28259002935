"""Credit: worked out from what happened, by rules that are data; nobody ever writes the number itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

ANY = "*"


@dataclass(frozen=True, slots=True)
class Counting:
    """How points are counted. ``points`` by the name of a violation, ``*`` any other, as positive numbers."""

    start: int = 100
    floor: int = 0
    ceiling: int = 120
    points: Mapping[str, int] = field(default_factory=dict)
    completed: int = 1
    recovery: int = 5
    recovery_days: int = 30

    def lost(self, name: str) -> int:
        return self.points.get(name, self.points.get(ANY, 0))


@dataclass(frozen=True, slots=True)
class Happening:
    """``name`` of a violation; empty for a completed booking. ``about`` is handed through."""

    at: datetime
    name: str = ""
    about: Any = None


@dataclass(frozen=True, slots=True)
class Entry:
    """``points`` are what counted, within floor and ceiling; ``total`` the score after it."""

    at: datetime | None
    kind: str
    points: int
    total: int
    name: str = ""
    about: Any = None


@dataclass(frozen=True, slots=True)
class Score:
    total: int
    entries: tuple[Entry, ...]


def score(counting: Counting, happenings: Iterable[Happening], *, now: datetime) -> Score:
    """The score at ``now`` and every entry that makes it, in order of time.

    Points come back after each ``recovery_days`` in a row without a violation, never above the start; completed
    bookings may lead above it, up to the ceiling. A violation and a completed booking of the same instant count in
    this order.
    """
    known = sorted((each for each in happenings if each.at <= now), key=lambda each: (each.at, not each.name))
    entries = [Entry(None, "start", counting.start, counting.start)]
    since: datetime | None = None
    for each in known:
        if since is not None:
            since = _give_back(counting, entries, since, each.at)
        if each.name:
            _add(entries, counting, each, "violation", -counting.lost(each.name))
            since = each.at
        elif counting.completed:
            _add(entries, counting, each, "completed", counting.completed)
    if since is not None:
        _give_back(counting, entries, since, now)
    return Score(entries[-1].total, tuple(entries))


def _give_back(counting: Counting, entries: list[Entry], since: datetime, until: datetime) -> datetime:
    """What comes back with time from ``since`` to ``until``; returns the instant up to which it was given."""
    if not counting.recovery or not counting.recovery_days:
        return until
    for at in _periods(since, until, timedelta(days=counting.recovery_days)):
        since = at
        missing = counting.start - entries[-1].total
        if missing <= 0:
            continue
        points = min(counting.recovery, missing)
        entries.append(Entry(at, "recovery", points, entries[-1].total + points))
    return since


def _periods(since: datetime, until: datetime, step: timedelta) -> Iterator[datetime]:
    at = since + step
    while at <= until:
        yield at
        at += step


def _add(entries: list[Entry], counting: Counting, each: Happening, kind: str, points: int) -> None:
    before = entries[-1].total
    total = max(counting.floor, min(counting.ceiling, before + points))
    entries.append(Entry(each.at, kind, total - before, total, each.name, each.about))
