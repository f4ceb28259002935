"""All that deciding about wishes needs, read at once: the number of queries depends neither on rules nor on wishes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from django.db.models import DateField, PositiveSmallIntegerField, QuerySet, Value

from backend.core import prepared
from backend.core.memo import remembering_at_least
from backend.core.periods import Period, to_utc
from backend.core.prepared import WHEN, Given, Prepared, among
from booking.models import Booking
from booking.queries.earlier import EarlierOf, read_earlier_of
from booking.queries.facts import CountedReads, InForce, request_of, rules_in_force
from booking.queries.parties import Parties, parties_ahead, read_parties
from booking.queries.paying import means_for, party_of
from booking.queries.prices import PriceLists, price_list_ahead, read_price_lists
from booking.queries.recorded import Recorded, stored_events
from booking.queries.wishes import Assessment, Wish
from instruments.models import Instrument, Occupancy, OpeningHours, SpecialDay
from instruments.queries.calendar import days_around
from instruments.rules import Hours, PublicDays, Special, Taken, open_periods
from invoices.queries.means import NO_MEANS, Means

DAY = timedelta(days=1)
# How far ahead of a closed time the next open one is looked for.
AHEAD = timedelta(days=14)


class Held(NamedTuple):
    """Time that something has on a unit; ``pk`` of the occupancy."""

    pk: int
    taken: Taken


@dataclass(slots=True)
class Opening:
    """Weekly hours, special days and public holidays of some instruments; equal weeks are worked out once."""

    hours: Mapping[int, tuple[Hours, ...]]
    special: Mapping[int, tuple[Special, ...]]
    public: PublicDays
    _known: dict[tuple[Any, ...], list[Period]] = field(default_factory=dict)

    def open(self, instrument: Instrument, start: datetime, end: datetime) -> list[Period]:
        hours, special = self.hours.get(instrument.pk, ()), self.special.get(instrument.pk, ())
        key = (hours, special, instrument.timezone, instrument.open_on_holidays, start, end)
        if key not in self._known:
            self._known[key] = open_periods(
                hours,
                special,
                zone=instrument.zone,
                start=start,
                end=end,
                open_on_holidays=instrument.open_on_holidays,
                public=self.public,
            )
        return self._known[key]


@dataclass(frozen=True, slots=True)
class Timetable:
    """When some instruments are open, and what is taken on them."""

    opening: Opening
    taken: Mapping[int, Sequence[Held]]


@dataclass(frozen=True, slots=True)
class Reads:
    """What was read for some wishes, and at which instant."""

    now: datetime
    rules: Mapping[int, InForce]
    parties: Parties
    counted: Sequence[Mapping[str, Any]]
    recorded: Recorded
    price_lists: PriceLists
    earlier: EarlierOf
    times: Timetable
    means: Means = NO_MEANS

    def after(self, wish: Wish, answer: Assessment) -> Reads:
        """The same with the money that is left once this wish has been booked."""
        if self.means is NO_MEANS:
            return self
        return replace(self, means=self.means.after(party_of(wish), answer.hold, answer.quote.total))


def read_for(
    wishes: Iterable[Wish],
    *,
    now: datetime,
    act: str = "create",
    before: Booking | None = None,
    rules: Mapping[int, InForce] | None = None,
    times: Timetable | None = None,
) -> Reads:
    """``rules`` are those read already when the locks were taken, ``times`` a timetable that covers the wishes."""
    wishes = list(wishes)
    instruments = {wish.instrument.pk: wish.instrument for wish in wishes}
    begun = before is not None and now >= before.start
    with remembering_at_least():
        unread = [row for pk, row in instruments.items() if pk not in (rules or {})]
        in_force = {**(rules or {}), **(rules_in_force(unread, now) if unread else {})}
        parties = read_parties(wishes, {pk: in_force[pk].book.facts for pk in instruments}, now)
        counted, asked = CountedReads(), []
        for wish in wishes:
            book = in_force[wish.instrument.pk]
            request = request_of(wish, parties.audience(wish), made=before.requested_at if before else now)
            counted.add(book.book, request, act, now, begun=begun)
            asked.append((book, request))
        price_lists = read_price_lists(
            wishes, keep=before.price_list if before else None, agreements=parties.agreements
        )
        return Reads(
            now=now,
            rules=in_force,
            parties=parties,
            counted=counted.rows(),
            recorded=stored_events(asked, act),
            price_lists=price_lists,
            earlier=read_earlier_of(wishes, price_lists, but=before),
            times=times or read_timetable(instruments.values(), _span(wishes)),
            means=means_for(wishes, before),
        )


def read_timetable(instruments: Iterable[Instrument], span: Period) -> Timetable:
    """Two queries, and one for public holidays."""
    rows = list(instruments)
    opening = read_opening([row.pk for row in rows], Period(span.start - DAY, span.end + AHEAD))
    return Timetable(opening, _taken(rows, span))


def reads_ahead(wish: Wish) -> None:
    """Send what `read_for` will ask for a new booking, but for what depends on its rules. Lock the instrument first.

    If the instrument changed since ``wish`` was made, some of it is asked again.
    """
    instrument, span = wish.instrument, _span([wish])
    parties_ahead(wish)
    price_list_ahead(wish)
    _OPENING.ahead(**_days([instrument.pk], Period(span.start - DAY, span.end + AHEAD)))
    _OCCUPIED.ahead(**_around([instrument], span))


def _span(wishes: Iterable[Wish]) -> Period:
    spans = [Period(to_utc(wish.start), to_utc(wish.end)) for wish in wishes]
    return Period(min(each.start for each in spans), max(each.end for each in spans))


def read_opening(pks: Collection[int], span: Period) -> Opening:
    """Hours and special days in one query; public holidays are known for the request."""
    rows = _OPENING.rows(**_days(pks, span))
    weekly: dict[int, list[Hours]] = defaultdict(list)
    dated: dict[int, list[Special]] = defaultdict(list)
    for pk, weekday, day, opens, closes, first, last in rows:
        if weekday:
            weekly[pk].append(Hours(weekday, opens, closes, first, last))
        else:
            dated[pk].append(Special(day, opens, closes))
    return Opening(
        {pk: tuple(sorted(rows, key=_by_day)) for pk, rows in weekly.items()},
        {pk: tuple(sorted(rows, key=lambda row: row.day)) for pk, rows in dated.items()},
        days_around(span.start, span.end),
    )


def _days(pks: Collection[int], span: Period) -> dict[str, Any]:
    return {"instruments": pks, "first": (span.start - DAY).date(), "last": (span.end + DAY).date()}


def _opening() -> QuerySet[Any, Any]:
    nothing = Value(None, DateField())
    columns = ("instrument_id", "weekday", "day", "opens", "closes", "valid_from", "valid_to")
    hours = OpeningHours.objects.filter(among("instrument", "instruments")).annotate(day=nothing).order_by()
    special = SpecialDay.objects.filter(
        among("instrument", "instruments"),
        day__gte=Given("first", prepared.DAY),
        day__lte=Given("last", prepared.DAY),
    ).order_by()
    special = special.annotate(weekday=Value(0, PositiveSmallIntegerField()), valid_from=nothing, valid_to=nothing)
    return hours.values_list(*columns).union(special.values_list(*columns), all=True)


_OPENING = Prepared(_opening)


def _by_day(row: Hours) -> tuple[Any, ...]:
    return (row.weekday, row.opens, row.closes, row.valid_from or date.min, row.valid_to or date.max)


def _taken(rows: Collection[Instrument], span: Period) -> Mapping[int, Sequence[Held]]:
    """What is taken in the span, and so near to it that buffers matter; one query."""
    found: dict[int, list[Held]] = defaultdict(list)
    for instrument, pk, unit, start, end in _OCCUPIED.rows(**_around(rows, span)):
        found[instrument].append(Held(pk, Taken(unit, start, end)))
    return found


def _around(rows: Collection[Instrument], span: Period) -> dict[str, Any]:
    margin = timedelta(minutes=max(max(row.setup_minutes, row.cleaning_minutes) for row in rows))
    return {"instruments": [row.pk for row in rows], "start": span.start - margin, "end": span.end + margin}


_OCCUPIED = Prepared(
    lambda: (
        Occupancy.objects.filter(among("instrument", "instruments"))
        .overlapping(Given("start", WHEN), Given("end", WHEN))
        .values_list("instrument_id", "pk", "unit", "start", "end")
    )
)
