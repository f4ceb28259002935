"""What the rules can ask about one record: clocks, attributes, dates, party and period."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from functools import cached_property
from typing import Protocol
from zoneinfo import ZoneInfo

from backend.core.periods import Period, hours, merge, subtract
from instruments.pricing.bands import covers, cut, occurrences
from instruments.pricing.model import BandRef, History, PriceList, Span
from instruments.pricing.records import Record, Value
from instruments.pricing.spans import first_day, shifted


@dataclass(frozen=True, slots=True)
class Place:
    """A party in a period: where sums are kept. ``day`` is the local start date of the record."""

    party: tuple[Value, ...]
    period: Hashable
    day: date


class Ledger(Protocol):
    """What has been charged so far, on this record and on earlier ones."""

    def sum_of_lines(self, name: str) -> Fraction: ...

    def history(self, history: History, facts: Facts) -> Fraction: ...


class Facts:
    """One record under one price list; ``zone`` is that of the instrument."""

    def __init__(self, record: Record, price_list: PriceList, zone: ZoneInfo, ledger: Ledger) -> None:
        self.record = record
        self.price_list = price_list
        self.zone = zone
        self.ledger = ledger
        self._clocks: dict[str, tuple[Period, ...]] = {}
        self._occurrences: dict[tuple[BandRef, tuple[Period, ...]], list[Period]] = {}
        self._places: dict[tuple[tuple[str, ...], Span, bool], Place] = {}

    @cached_property
    def day(self) -> date:
        return self.record.start.astimezone(self.zone).date()

    @cached_property
    def notice_days(self) -> Fraction:
        """Calendar days from the event to the start; negative if the event came after it."""
        return Fraction((self.day - self.record.at.astimezone(self.zone).date()).days)

    def attribute(self, name: str) -> Value:
        return self.record.attributes.get(name)

    def clock(self, name: str) -> tuple[Period, ...]:
        if name not in self._clocks:
            self._clocks[name] = tuple(self._run_clock(name))
        return self._clocks[name]

    def _run_clock(self, name: str) -> list[Period]:
        record = self.record
        booked = list((record.used if record.booked is None else record.booked) or ())
        used = list((record.booked if record.used is None else record.used) or ())
        match name:
            case "booked":
                return booked
            case "used":
                return used
            case "union":
                return merge([*booked, *used])
            case "longer":
                return used if hours(used) > hours(booked) else booked
            case "overrun":
                return subtract(used, booked)
            case "unused":
                return subtract(booked, used)
            case "notice":
                return merge([Period(record.at, record.start)])
            case _:
                return merge([Period(booked[0].start, used[0].start)]) if booked and used else []

    def occurrences(self, band: BandRef, around: tuple[Period, ...]) -> list[Period]:
        key = band, around
        if key not in self._occurrences:
            rules = self.price_list
            self._occurrences[key] = occurrences(band, around, rules.bands, rules.holidays, self.zone)
        return self._occurrences[key]

    def within(self, band: BandRef, periods: tuple[Period, ...]) -> tuple[Period, ...]:
        return tuple(cut(periods, self.occurrences(band, periods)))

    def starts_in(self, band: BandRef) -> bool:
        rules = self.price_list
        return covers(band, self.record.start, rules.bands, rules.holidays, self.zone)

    def missing(self, per: tuple[str, ...]) -> list[str]:
        return [name for name in per if self.attribute(name) is None]

    def place(self, per: tuple[str, ...], span: Span, *, previous: bool = False) -> Place:
        """Without one of the attributes the record is a party of its own: strangers are never pooled."""
        key = per, span, previous
        if key not in self._places:
            party = tuple(self.attribute(name) for name in per)
            if self.missing(per):
                party = ("", self.record.id)
            self._places[key] = Place(party, self._period(span, previous), self._last_day(span, previous))
        return self._places[key]

    def _period(self, span: Span, previous: bool) -> Hashable:
        if span.unit == "use":
            return self.record.id
        if span.unit in ("ever", "rolling"):
            return span.unit
        first = first_day(span, self.day)
        return shifted(span, first, -1) if previous else first

    def _last_day(self, span: Span, previous: bool) -> date:
        return shifted(span, self.day, -1) if previous and span.unit == "rolling" else self.day
