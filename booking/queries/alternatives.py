"""Other times and other instruments for a wish that is refused, each assessed in full for the same person.

The number of queries does not depend on how many candidates there are.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Case, Exists, IntegerField, OuterRef, Q, QuerySet, Value, When

from backend.core.errors import Refusal
from backend.core.memo import remembering_at_least
from backend.core.periods import Period, to_utc
from backend.core.prepared import ID, TEXT, WHEN, Given, Prepared, among
from booking.queries.assess import judge
from booking.queries.prices import asked_facts
from booking.queries.reads import Reads, Timetable, read_for, read_timetable
from booking.queries.wishes import Assessment, Wish
from instruments.models import Condition, Instrument, Occupancy, PriceList, Sharing
from instruments.rules import bookable_stretches

REACH = timedelta(days=14)
STEP = timedelta(minutes=30)
MINUTE = timedelta(minutes=1)
MOST = 5
# Of the same instrument; the rest are elsewhere.
MOST_HERE = 3
TRIES = 6
# Equivalent instruments that are looked at, and those that are asked in full.
NEIGHBOURS = 16
TRIES_ELSEWHERE = 8


@dataclass(frozen=True, slots=True)
class Other:
    """What would be possible instead."""

    wish: Wish
    answer: Assessment

    def as_json(self) -> dict[str, Any]:
        """The contract's form; instants in the instrument's zone."""
        instrument, zone = self.wish.instrument, self.wish.instrument.zone
        return {
            "instrument": instrument.pk,
            "name": instrument.name,
            "institution": instrument.institution.name,
            "start": self.wish.start.astimezone(zone).isoformat(),
            "end": self.wish.end.astimezone(zone).isoformat(),
            "total": str(self.answer.quote.total),
            "currency": self.answer.quote.currency,
        }


def alternatives(wish: Wish, *, now: datetime, elsewhere: bool = True) -> list[dict[str, Any]]:
    """`others` as the API shows them."""
    return [each.as_json() for each in others(wish, now=now, elsewhere=elsewhere)]


def others(wish: Wish, *, now: datetime, elsewhere: bool = True) -> list[Other]:
    """At most five that every rule allows, those at the wish's own time first, then the nearest.

    At most three are other times of the same instrument; the rest are instruments with a technique in common that
    offer the same mode, the nearest first. Unless ``elsewhere`` only the same instrument is looked at.
    """
    return _Search(wish, now, elsewhere=elsewhere).found()


def explained(answer: Assessment, wish: Wish, *, now: datetime) -> tuple[Assessment, list[Other]]:
    """A refusal without suggestions that would be refused themselves, and what else is possible; read at once.

    Where the length itself is refused, what else is possible has the nearest length that the rules name.
    """
    search = _Search(wish, now, elsewhere=True, refusals=answer.refusals)
    return search.with_working_fixes(answer), search.found()


def fitting_length(length: timedelta, refusals: Iterable[Refusal]) -> timedelta:
    """The nearest length that the rules which refuse this one would take."""
    minutes, most = length / MINUTE, math.inf
    for refusal in refusals:
        least, longest, step = (_number(refusal, name) for name in ("min", "max", "step"))
        if refusal.code == "too_short" and least:
            minutes = max(minutes, least)
        elif refusal.code == "too_long" and longest:
            most = longest
        elif refusal.code == "step" and step:
            minutes = math.ceil(minutes / step) * step
            most = most // step * step if most < math.inf else most
    return max(MINUTE, min(minutes, most) * MINUTE)


def _number(refusal: Refusal, name: str) -> float:
    value = refusal.params.get(name)
    return value if isinstance(value, int | float) and value > 0 else 0


def _grid(refusals: Iterable[Refusal]) -> timedelta:
    """How far apart starts lie."""
    steps = (_number(refusal, "step") for refusal in refusals if refusal.code == "start_grid")
    return max((step * MINUTE for step in steps if step), default=STEP)


def with_working_fixes(answer: Assessment, wish: Wish, *, now: datetime) -> Assessment:
    """The answer without suggestions that would be refused: a rule knows nothing of hours and taken time."""
    starts = fixes_of(answer)
    if not starts:
        return answer
    wishes = {start: wish.at(start, start + (wish.end - wish.start)) for start in starts}
    reads = read_for(wishes.values(), now=now)
    return _keeping(answer, {start for start, there in wishes.items() if _works(there, reads)})


def fixes_of(answer: Assessment) -> set[datetime]:
    return {refusal.fix for refusal in answer.refusals if refusal.fix}


def _works(wish: Wish, reads: Reads) -> bool:
    return judge(wish, reads, always_priced=False).bookable


def _keeping(answer: Assessment, works: set[datetime]) -> Assessment:
    kept = (r if r.fix is None or r.fix in works else replace(r, fix=None) for r in answer.refusals)
    return replace(answer, refusals=tuple(kept))


class _Search:
    """One timetable and one set of reads for all candidates."""

    def __init__(self, wish: Wish, now: datetime, *, elsewhere: bool, refusals: Sequence[Refusal] = ()) -> None:
        self.wish, self.now = wish, now
        asked = wish.end - wish.start
        self.length, self.step = fitting_length(asked, refusals), _grid(refusals)
        # With another length the wanted start may be possible, unless it lies beside the grid itself.
        self.fits_start = self.length != asked and all(refusal.code != "start_grid" for refusal in refusals)
        with remembering_at_least():
            neighbours = equivalent_instruments(wish) if elsewhere else []
            fixes = {refusal.fix for refusal in refusals if refusal.fix}
            self.fixes = {start: wish.at(start, start + asked) for start in fixes}
            span = Period(to_utc(wish.start) - REACH, to_utc(wish.end) + REACH)
            span = Period(
                min(span.start, *map(to_utc, self.fixes), span.end),
                max(span.end, *(to_utc(each.end) for each in self.fixes.values()), span.start),
            )
            self.times = read_timetable([wish.instrument, *neighbours], span)
            self.here = [wish.at(at, at + self.length) for at in self._starts_here()]
            self.there = self._wishes_there(neighbours)
            wanted = [*self.here, *self.there, *self.fixes.values()]
            self.reads = read_for(wanted, now=now, times=self.times) if wanted else None

    def with_working_fixes(self, answer: Assessment) -> Assessment:
        reads = self.reads
        works = {start for start, wish in self.fixes.items() if reads is not None and _works(wish, reads)}
        return _keeping(answer, works)

    def found(self) -> list[Other]:
        here = self._possible(self.here, MOST_HERE)
        there = self._possible([self._fitted(wish) for wish in self.there], MOST - len(here))
        return sorted([*there, *here], key=lambda each: abs(each.wish.start - self.wish.start))

    def _possible(self, wishes: Iterable[Wish], most: int) -> list[Other]:
        out: list[Other] = []
        for wish in wishes:
            if len(out) == most or self.reads is None:
                break
            answer = judge(wish, self.reads, always_priced=False)
            out += [Other(wish, answer)] if answer.bookable else []
        return out

    def _fitted(self, wish: Wish) -> Wish:
        """Another price list may ask for less."""
        price_list = self.reads.price_lists.of(wish) if self.reads is not None else None
        if not wish.parameters or price_list is None:
            return wish
        asked = asked_facts(price_list)
        return replace(wish, parameters={name: value for name, value in wish.parameters.items() if name in asked})

    def _starts_here(self) -> list[datetime]:
        """On the half hour of free stretches, the nearest first, spread over different stretches."""
        refused = None if self.fits_start else to_utc(self.wish.start)
        found = (self._nearest(each, but=refused) for each in self._stretches(self.wish.instrument))
        return sorted({at for at in found if at is not None}, key=self._away)[:TRIES]

    def _wishes_there(self, neighbours: Sequence[Instrument]) -> list[Wish]:
        """Each instrument at its nearest time; of the same time the nearer instrument first."""
        wishes: list[Wish] = []
        for instrument in neighbours:
            nearest = (self._nearest(each) for each in self._stretches(instrument))
            at = min((at for at in nearest if at is not None), key=self._away, default=None)
            if at is not None:
                wishes.append(replace(self.wish.at(at, at + self.length), instrument=instrument))
        return sorted(wishes, key=lambda wish: self._away(wish.start))[:TRIES_ELSEWHERE]

    def _nearest(self, stretch: Period, *, but: datetime | None = None) -> datetime | None:
        """The wish's own start where it fits, else the nearest half hour of the stretch; never ``but``."""
        starts = _starts(stretch, to_utc(self.wish.start), self.length, self.step, self.wish.instrument.zone)
        return min((at for at in starts if at > self.now and at != but), key=self._away, default=None)

    def _away(self, at: datetime) -> timedelta:
        return abs(at - self.wish.start)

    def _stretches(self, instrument: Instrument) -> list[Period]:
        return stretches(self.times, instrument, self.wish, self.now, length=self.length)


def stretches(
    times: Timetable, instrument: Instrument, wish: Wish, now: datetime, *, length: timedelta | None = None
) -> list[Period]:
    """Where a booking of this length, unless given the wish's, can lie within two weeks of it, from now on."""
    start, end = max(to_utc(wish.start) - REACH, now), to_utc(wish.end) + REACH
    if end <= start:
        return []
    return bookable_stretches(
        times.opening.open(instrument, start, end),
        [held.taken for held in times.taken.get(instrument.pk, ())],
        units=instrument.units,
        length=length or wish.end - wish.start,
        before=timedelta(minutes=instrument.setup_minutes),
        after=timedelta(minutes=instrument.cleaning_minutes),
    )


def _starts(
    stretch: Period, wanted: datetime, length: timedelta, step: timedelta, zone: ZoneInfo
) -> Iterable[datetime]:
    """Starts in a stretch among which the nearest to the wanted one is: it, and those around it and the edges that lie
    on the grid of the clock in ``zone``.
    """
    last = stretch.end - length

    def on_grid(at: datetime) -> datetime:
        wall = at.astimezone(zone)
        return at - (timedelta(hours=wall.hour, minutes=wall.minute, seconds=wall.second) % step)

    around = on_grid(wanted)
    first = on_grid(stretch.start)
    ends = (first if first == stretch.start else first + step, on_grid(last))
    near = (wanted, around - step, around, around + step)
    return [at for at in dict.fromkeys((*near, *ends)) if stretch.start <= at <= last]


def equivalent_instruments(wish: Wish) -> list[Instrument]:
    """Those with a technique in common (without techniques: of the same category) that offer the mode to this customer.

    Those free at the wish's time come first; then the same institution, the customer's region, the instrument's region.
    Two queries.
    """
    own = wish.instrument
    start, end = wish.with_buffers()
    same = [technique for (technique,) in _TECHNIQUES.rows(instrument=own.pk)]
    return _alike(wish.mode, by_technique=bool(same)).objects(
        own=own.pk,
        techniques=same,
        category=own.category_id,
        institution=own.institution_id,
        region=own.region,
        customer=wish.organisation.pk,
        customers_region=wish.organisation.region,
        start=start,
        end=end,
    )


_TECHNIQUES = Prepared(
    lambda: Instrument.techniques.through.objects.filter(instrument=Given("instrument", ID)).values_list("technique")
)


@lru_cache
def _alike(mode: str, *, by_technique: bool) -> Prepared[Instrument]:
    def build() -> QuerySet[Instrument]:
        alike: Any = Q(category=Given("category", TEXT))
        if by_technique:
            same = Instrument.techniques.through.objects.filter(among("technique", "techniques"))
            alike = Q(pk__in=same.values("instrument"))
        shared = Q(sharing=Sharing.EXTERNAL) | Q(sharing=Sharing.INTERNAL, institution=Given("customer", ID))
        rows = Instrument.objects.filter(alike, shared, Exists(PriceList.objects.filter(instrument=OuterRef("pk"))))
        rows = rows.filter(**{f"mode_{mode}": True}).exclude(condition__in=(Condition.REPAIR, Condition.SCRAP))
        rows = rows.exclude(pk=Given("own", ID)).order_by(_full(), _near(), "pk")
        # The best are chosen by what orders them; only those are read as a whole.
        best = Instrument.objects.filter(pk__in=rows.values("pk")[:NEIGHBOURS])
        return best.select_related("institution").order_by(_full(), _near(), "pk")

    return Prepared(build)


def _full() -> Case:
    busy = Occupancy.objects.filter(instrument=OuterRef("pk")).overlapping(Given("start", WHEN), Given("end", WHEN))
    return Case(When(Exists(busy), units=1, then=1), default=Value(0), output_field=IntegerField())


def _near() -> Case:
    return Case(
        When(institution=Given("institution", ID), then=0),
        When(~Q(region=""), region=Given("customers_region", TEXT), then=1),
        When(~Q(region=""), region=Given("region", TEXT), then=2),
        default=3,
        output_field=IntegerField(),
    )
