"""What rules look at: a subject (request, stored booking or event) and the situation around it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple, cast

from django.utils.translation import gettext as _

from backend.core.errors import invalid
from backend.core.periods import Period

from .calendar import DAY, Calendar
from .moments import Moment
from .values import as_instant
from .windows import Window

Source = Mapping[str, Any] | object
"""A request, booking or event as the caller has it: a mapping of values or a frozen dataclass."""
Facts = Mapping[str, Mapping[str, Any]]
"""``{"person": {"level": "A", …}, "group": {…}, …}``: what is known of the request's parties."""


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """Instants are UTC. ``made`` is when it was asked for first, and stays when a booking is changed."""

    fields: Mapping[str, Any]
    start: datetime | None = None
    end: datetime | None = None
    made: datetime | None = None
    at: datetime | None = None

    @property
    def id(self) -> object:
        return self.fields.get("id")

    @property
    def when(self) -> datetime | None:
        """The instant to which counts belong: the start, or for an order without a slot when it was made."""
        return self.start or self.made or self.at

    @property
    def until(self) -> datetime | None:
        return self.end or self.when

    def overlaps(self, start: datetime, end: datetime) -> bool:
        return self.start is not None and self.end is not None and self.start < end and start < self.end


def read_subject(source: Source, calendar: Calendar) -> Subject:
    """Raises `Invalid` when a time cannot be read or the end is not after the start."""
    fields = _fields_of(source)
    times = {name: _instant_of(fields, name, calendar) for name in ("start", "end", "made", "at")}
    start, end = times["start"], times["end"]
    if start and end and end <= start:
        raise invalid("end", _("The end must be after the start."))
    return Subject(fields, start, end, times["made"], times["at"])


def _fields_of(source: Source) -> Mapping[str, Any]:
    if isinstance(source, (dict, Mapping)):  # the first is found much faster
        return source
    if dataclasses.is_dataclass(source):
        return {entry.name: getattr(source, entry.name) for entry in dataclasses.fields(source)}
    raise invalid("", _("A request must be an object with named entries."))


def _instant_of(fields: Mapping[str, Any], name: str, calendar: Calendar) -> datetime | None:
    value = fields.get(name)
    if value is None:
        return None
    instant = as_instant(value, calendar)
    if instant is None:
        raise invalid(name, _("This is no time. Write it like 2026-03-10 09:00."))
    return instant


class Span(NamedTuple):
    """A stored booking with the instants by which it is looked up; without an end both are the same."""

    start: datetime
    end: datetime
    subject: Subject


@dataclass(slots=True, eq=False)
class Situation:
    """One question to the policy: who asks for what, when, knowing what.

    ``bookings`` are the others that count, without the booking in question itself.
    """

    calendar: Calendar
    request: Subject
    act: str
    now: datetime
    facts: Facts = field(default_factory=dict)
    bookings: tuple[Subject, ...] = ()
    lapsed: dict[str, datetime] = field(default_factory=dict)
    # What many rules ask about the same bookings is worked out once.
    _sharing: dict[tuple[str, ...], list[Span]] = field(default_factory=dict)
    _pieces: dict[tuple[Window | None, Subject], list[Period]] = field(default_factory=dict)
    _days: dict[tuple[Window | None, Subject], list[tuple[datetime, date]]] = field(default_factory=dict)
    _moments: dict[tuple[str, Subject], datetime | None] = field(default_factory=dict)
    shifted: dict[tuple[object, datetime, int], datetime] = field(default_factory=dict)

    def moved(self, start: datetime, end: datetime | None) -> Situation:
        """The same question for another time."""
        return dataclasses.replace(self, request=dataclasses.replace(self.request, start=start, end=end))

    def asking(self, request: Subject) -> Situation:
        """The same circumstances for another request."""
        return dataclasses.replace(self, request=request, _sharing={}, _moments={})

    def value(self, subject: Subject, name: str) -> Any:
        """A field of the subject, or ``person.level`` and the like from the facts; None when absent.

        A booking's own snapshot (a field of that dotted name) comes first; the facts speak of the request's
        parties only, so they say nothing about a stranger's booking.
        """
        value = subject.fields.get(name)
        if value is not None:
            return value
        scope, dot, key = name.partition(".")
        if dot:
            if subject is not self.request and subject.fields.get(scope) != self.request.fields.get(scope):
                return None
            return (self.facts.get(scope) or {}).get(key)
        return self._derived(subject, name)

    def _derived(self, subject: Subject, name: str) -> Any:
        if name == "act":
            return self.act
        if name in ("minutes", "hours") and subject.start and subject.end:
            return (subject.end - subject.start) / timedelta(**{cast(Any, name): 1})
        return None

    def anchors(self, subject: Subject) -> Callable[[str], datetime | None]:
        """What the anchors of a moment mean for a subject."""

        def anchor(name: str) -> datetime | None:
            if "." in name:
                return as_instant(self.value(subject, name), self.calendar)
            if name == "now":
                return self.now
            if name == "at":
                return subject.at or self.now
            instant: datetime | None = getattr(subject, name)
            return instant or (self.now if name == "made" and subject is self.request else None)

        return anchor

    def when(self, subject: Subject) -> datetime:
        """The instant to which a subject's counts belong."""
        return subject.when or self.now

    def resolve(self, moment: Moment, subject: Subject) -> datetime | None:
        """The moment for a subject; rules often name the same one."""
        key = (moment.text, subject)
        if key not in self._moments:
            self._moments[key] = moment.resolve(self.anchors(subject))
        return self._moments[key]

    def sharing(self, per: tuple[str, ...]) -> list[Span]:
        """The other bookings of the same parties. An absent party is nobody's: it never pools strangers."""
        found = self._sharing.get(per)
        if found is None:
            found = self._sharing[per] = self._sharing_one_more(per) if per else self._spans()
        return found

    def _sharing_one_more(self, per: tuple[str, ...]) -> list[Span]:
        """Of those that share all but the last party; many rules have the first ones in common."""
        wanted = self.value(self.request, per[-1])
        if wanted is None:
            return []
        return [span for span in self.sharing(per[:-1]) if span.subject.fields.get(per[-1]) == wanted]

    def _spans(self) -> list[Span]:
        return [Span(self.when(each), each.end or self.when(each), each) for each in self.bookings]

    def pieces(self, window: Window | None, subject: Subject) -> list[Period]:
        """The subject's time, or what of it lies in the window."""
        found = self._pieces.get((window, subject))
        if found is None:
            found = self._pieces[window, subject] = _pieces(window, subject)
        return found

    def days(self, window: Window | None, subject: Subject) -> list[tuple[datetime, date]]:
        """The local dates that the subject touches with their midnights; without an end that of its instant."""
        found = self._days.get((window, subject))
        if found is None:
            pieces = self.pieces(window, subject)
            days = {day for piece in pieces for day in self._days_touched(piece)}
            if subject.end is None and window is None:
                days.add(self.calendar.day_of(self.when(subject)))
            found = self._days[window, subject] = [(self.calendar.at(day), day) for day in sorted(days)]
        return found

    def _days_touched(self, piece: Period) -> Iterator[date]:
        day, last = self.calendar.day_of(piece.start), self.calendar.day_of(piece.end - timedelta(microseconds=1))
        while day <= last:
            yield day
            day += DAY


def _pieces(window: Window | None, subject: Subject) -> list[Period]:
    start, end = subject.start, subject.end
    if start is None or end is None:
        return []
    return window.pieces(start, end) if window else [Period(start, end)]
