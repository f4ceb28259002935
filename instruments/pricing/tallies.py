"""Running sums by party and period. Whatever is added can be taken back, for what-if runs."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Hashable
from datetime import date, timedelta
from fractions import Fraction

from instruments.pricing.facts import Facts, Place
from instruments.pricing.model import Span
from instruments.pricing.records import Value

NOTHING = Fraction(0)


class Tally:
    """Sums of one thing. In a rolling period the sum is that of the last ``days`` days up to the place's day."""

    def __init__(self, per: tuple[str, ...], span: Span) -> None:
        self.per = per
        self.span = span
        self._sums: dict[tuple[tuple[Value, ...], Hashable], Fraction] = {}
        self._days: dict[tuple[Value, ...], list[date]] = {}

    def place(self, facts: Facts, *, previous: bool = False) -> Place:
        return facts.place(self.per, self.span, previous=previous)

    def add(self, place: Place, value: Fraction) -> None:
        if self.span.unit != "rolling":
            key = place.party, place.period
            self._sums[key] = self._sums.get(key, NOTHING) + value
            return
        by_day = place.party, place.day
        if by_day not in self._sums:
            insort(self._days.setdefault(place.party, []), place.day)
        self._sums[by_day] = self._sums.get(by_day, NOTHING) + value

    def total(self, place: Place) -> Fraction:
        if self.span.unit != "rolling":
            return self._sums.get((place.party, place.period), NOTHING)
        days = self._days.get(place.party, [])
        first = bisect_right(days, place.day - timedelta(days=self.span.days))
        last = bisect_left(days, place.day + timedelta(days=1))
        return sum((self._sums[place.party, day] for day in days[first:last]), NOTHING)


class Journal:
    """Writes to tallies and remembers what it wrote."""

    def __init__(self) -> None:
        self._written: list[tuple[Tally, Place, Fraction]] = []

    def add(self, tally: Tally, place: Place, value: Fraction) -> None:
        tally.add(place, value)
        self._written.append((tally, place, value))

    def mark(self) -> int:
        return len(self._written)

    def take_back(self, mark: int) -> None:
        """Undoes everything written since the mark."""
        while len(self._written) > mark:
            tally, place, value = self._written.pop()
            tally.add(place, -value)

    def settle(self) -> None:
        """What is written stays."""
        self._written.clear()
