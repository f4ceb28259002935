"""Adding up bookings: sums (count, hours, pieces) and numbers of different things (people, days, instruments).

Hours are microseconds until they are shown. Hours and days are split at the edge of a span; everything else
belongs to the instant at which a booking starts.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any, NamedTuple

from backend.core.periods import Period, merge

from .situation import Situation, Subject
from .values import MICROSECONDS_AN_HOUR, as_number
from .windows import Window

MEASURES = ("count", "hours", "pieces", "people", "days", "instruments")
DISTINCT = {"people": "person", "instruments": "instrument", "days": ""}
SPLITS = ("hours", "days")
Shift = Callable[[datetime], datetime]
_MICROSECOND = timedelta(microseconds=1)


class Tally(NamedTuple):
    """``own`` is what the request adds to ``total``; ``span`` is None when no period bounds it."""

    total: Fraction
    own: Fraction
    span: Period | None = None


class Item(NamedTuple):
    when: datetime
    key: Any
    amount: Fraction | int


@dataclass(frozen=True, slots=True)
class Counted:
    """The bookings that a quota adds up: the others, and the request itself unless it is exempt."""

    measure: str
    part: Window | None
    others: list[Subject]
    own: list[Subject]
    situation: Situation

    @property
    def _slot(self) -> Period:
        """The request's time; without a slot an empty period."""
        start = self.situation.when(self.situation.request)
        return Period(start, self.situation.request.end or start)

    def over_spans(self, spans: Iterable[Period | None]) -> Iterator[Tally]:
        for span in spans:
            if self.measure == "hours":
                own, rest = self._micros(self.own, span), self._micros(self.others, span)
                yield Tally(_as_hours(own + rest), _as_hours(own), span)
            else:
                yield self._tally(self._items(self.own, span), self._items(self.others, span), span)

    def at_once(self) -> Iterator[Tally]:
        """The members at each instant of the request at which one of them begins."""
        request = self.situation.request
        if request.start is None or request.end is None or self.measure == "hours":
            yield from self.over_spans([self._slot])
            return
        for at in sorted({max(request.start, each.start) for each in (*self.others, request) if each.start}):
            running = [each for each in self.others if each.overlaps(at, at + _MICROSECOND)]
            yield self._tally(self._items(self.own, None), self._items(running, None), self._slot)

    def at_every_moment(self) -> Iterator[Tally]:
        """The members from each instant within the request at which one of them comes or goes."""
        request = self.situation.request
        if request.start is None or request.end is None:
            yield from self.over_spans([self._slot])
            return
        edges = {edge for each in self.others for edge in (each.start, each.end) if edge}
        for at in sorted({request.start, *(edge for edge in edges if request.start < edge < request.end)}):
            running = [each for each in self.others if each.overlaps(at, at + _MICROSECOND)]
            yield self._tally(self._items(self.own, None), self._items(running, None), self._slot)

    def unbroken(self) -> Iterator[Tally]:
        """For hours the longest stretch without a gap that the request is part of, else all of the chain."""
        if self.measure != "hours" or not self.own:
            yield from self.over_spans([None])
            return
        own = [piece for each in self.own for piece in self.situation.pieces(self.part, each)]
        rest = [piece for each in self.others for piece in self.situation.pieces(self.part, each)]
        for stretch in merge([*own, *rest]):
            added = sum((_overlap(piece, stretch) for piece in own), 0)
            if added:
                yield Tally(_as_hours((stretch.end - stretch.start) // _MICROSECOND), _as_hours(added), stretch)

    def rolling(self, later: Shift, earlier: Shift) -> Iterator[Tally]:
        """Every span of the length of ``later`` that could hold most, among those the request is part of."""
        if self.measure == "hours":
            yield from self._rolling_hours(later, earlier)
        else:
            yield from self._rolling_items(later)

    def _rolling_hours(self, later: Shift, earlier: Shift) -> Iterator[Tally]:
        own = [piece for each in self.own for piece in self.situation.pieces(self.part, each)]
        pieces = own + [piece for each in self.others for piece in self.situation.pieces(self.part, each)]
        marks = own or [self._slot]
        used = _Used(pieces)
        first, last = min(mark.start for mark in marks), max(mark.end for mark in marks)
        # The hours of a sliding span are largest where it begins with a piece or ends with one.
        starts = {piece.start for piece in pieces if piece.start < last}
        starts |= {earlier(piece.end) for piece in pieces if first < piece.end}
        for start in sorted(starts):
            span = Period(start, later(start))
            if any(span.start < mark.end and mark.start < span.end for mark in marks):
                added = sum((_overlap(piece, span) for piece in own), 0)
                yield Tally(_as_hours(used.until(span.end) - used.until(span.start)), _as_hours(added), span)

    def _rolling_items(self, later: Shift) -> Iterator[Tally]:
        own, rest = self._items(self.own, None), self._items(self.others, None)
        marks = [item.when for item in own] or [self.situation.when(self.situation.request)]
        items = sorted(own + rest, key=lambda item: item.when)
        inside: Counter[Any] = Counter()
        total: Fraction | int = 0
        first = last = 0
        for start in sorted({item.when for item in items}):
            span = Period(start, later(start))
            while last < len(items) and items[last].when < span.end:
                inside[items[last].key] += 1
                total += items[last].amount
                last += 1
            while items[first].when < start:
                inside[items[first].key] -= 1
                total -= items[first].amount
                first += 1
            if any(start <= mark < span.end for mark in marks):
                added = [item for item in own if start <= item.when < span.end]
                yield self._sum_up(total, inside, added, span)

    def _sum_up(self, total: Fraction | int, inside: Counter[Any], own: list[Item], span: Period) -> Tally:
        if self.measure not in DISTINCT:
            return Tally(Fraction(total), Fraction(sum(item.amount for item in own)), span)
        alone = Counter(item.key for item in own)
        number = sum(1 for times in inside.values() if times)
        return Tally(Fraction(number), Fraction(sum(1 for key in alone if alone[key] == inside[key])), span)

    def _tally(self, own: list[Item], rest: list[Item], span: Period | None) -> Tally:
        if self.measure in DISTINCT:
            known = {item.key for item in rest}
            new = {item.key for item in own} - known
            return Tally(Fraction(len(known) + len(new)), Fraction(len(new)), span)
        added = Fraction(sum(item.amount for item in own))
        return Tally(added + sum(item.amount for item in rest), added, span)

    def _micros(self, subjects: list[Subject], span: Period | None) -> int:
        used = timedelta()
        for subject in subjects:
            for start, end in self.situation.pieces(self.part, subject):
                if span is None or (span.start <= start and end <= span.end):
                    used += end - start
                elif start < span.end and span.start < end:
                    used += min(end, span.end) - max(start, span.start)
        return used // _MICROSECOND

    def _items(self, subjects: list[Subject], span: Period | None) -> list[Item]:
        items = (item for subject in subjects for item in self._items_of(subject))
        return [item for item in items if span is None or span.start <= item.when < span.end]

    def _items_of(self, subject: Subject) -> list[Item]:
        when = self.situation.when(subject)
        if self.measure == "days":
            return [Item(midnight, day, 1) for midnight, day in self.situation.days(self.part, subject)]
        if self.part is not None and not self.situation.pieces(self.part, subject):
            return []
        if self.measure == "pieces":
            number = as_number(subject.fields.get("pieces", subject.fields.get("samples")))
            return [Item(when, id(subject), number or 0)]
        return [Item(when, subject.fields.get(DISTINCT.get(self.measure, "")) or id(subject), 1)]


class _Used:
    """The time used before an instant, by pieces that may overlap: a piecewise linear function."""

    def __init__(self, pieces: list[Period]) -> None:
        self._origin = min((piece.start for piece in pieces), default=datetime.max)
        self._starts, self._start_sums = self._summed(piece.start for piece in pieces)
        self._ends, self._end_sums = self._summed(piece.end for piece in pieces)

    def _summed(self, instants: Iterable[datetime]) -> tuple[list[int], list[int]]:
        offsets = sorted((at - self._origin) // _MICROSECOND for at in instants)
        sums = [0]
        for offset in offsets:
            sums.append(sums[-1] + offset)
        return offsets, sums

    def until(self, instant: datetime) -> int:
        at = (instant - self._origin) // _MICROSECOND
        begun, ended = bisect_right(self._starts, at), bisect_right(self._ends, at)
        return (at * begun - self._start_sums[begun]) - (at * ended - self._end_sums[ended])


def _overlap(piece: Period, span: Period) -> int:
    """Microseconds in common."""
    start, end = max(piece.start, span.start), min(piece.end, span.end)
    return (end - start) // _MICROSECOND if start < end else 0


def _as_hours(micros: int) -> Fraction:
    return Fraction(micros, MICROSECONDS_AN_HOUR)
