"""What a policy is told: the request, the rules in force of each layer, and what quotas count."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any

from django.db.models import Q, QuerySet, TextField
from django.db.models.functions import Cast

from backend.core.periods import Period, to_utc
from backend.core.prepared import DAY, ID, WHEN, Given, Prepared, among
from booking.models import LONGEST, Booking, Layer, Policy, Status
from booking.queries.parties import NOTHING_KNOWN, Parties
from booking.queries.wishes import Wish
from booking.rules.facts import BookingRead
from booking.rules.rulebook import Rulebook, rulebook_of_texts
from instruments.models import Instrument
from instruments.queries.calendar import announced, announced_ahead, policy_days
from instruments.rules import Announced

COUNTED = (Status.REQUESTED, Status.CONFIRMED, Status.IN_USE, Status.COMPLETED, Status.NO_SHOW)


@dataclass(frozen=True, slots=True)
class InForce:
    """The rules of an instrument on a day. ``layers[rule.layer]`` is the layer of a rule, 0 for public holidays."""

    book: Rulebook
    layers: tuple[int, ...]


def request_of(wish: Wish, audience: str, *, made: datetime) -> dict[str, Any]:
    """The wish as the policy sees it."""
    return {
        "person": wish.user.pk,
        "group": wish.group.pk if wish.group else None,
        "project": wish.project.pk if wish.project else None,
        "organisation": wish.organisation.pk,
        "instrument": wish.instrument.pk,
        "mode": wish.mode,
        "audience": audience,
        "samples": wish.samples,
        "start": to_utc(wish.start),
        "end": to_utc(wish.end),
        "made": made,
    }


def facts_of(wish: Wish, audience: str, parties: Parties = NOTHING_KNOWN) -> dict[str, dict[str, Any]]:
    """What is known of the parties; of contracts and qualifications only what was read before."""
    return parties.facts(wish, audience)


# What the policy sees of a stored booking, and where it stands.
_VIEW = {
    "id": "pk",
    "person": "user_id",
    "group": "group_id",
    "project": "project_id",
    "organisation": "organisation_id",
    "instrument": "instrument_id",
    "mode": "mode",
    "audience": "audience",
    "samples": "samples",
    "start": "start",
    "end": "end",
    "made": "requested_at",
    "status": "status",
}


def policy_view(booking: Booking) -> dict[str, Any]:
    """A stored booking as the policy sees it, with what was known of its parties when it was made."""
    return {**booking.facts, **{name: getattr(booking, column) for name, column in _VIEW.items()}}


def layers_of(instrument: Instrument, now: datetime) -> list[dict[str, Any]]:
    """The document in force of each layer, from the network's to the instrument's; at most two queries.

    Public holidays come first where there are rules at all: they count working days and name holidays.
    """
    return rules_in_force([instrument], now)[instrument.pk].book.documents


def rules_in_force(instruments: Iterable[Instrument], now: datetime) -> dict[int, InForce]:
    """By instrument; one query for any number, and one for public holidays where there are rules."""
    wanted = {each.pk: each for each in instruments}
    rows = _versions(wanted.values(), now)
    found: dict[int, InForce] = {}
    for pk, instrument in wanted.items():
        today = now.astimezone(instrument.zone).date()
        owners: dict[int, int | None] = dict(
            zip(Layer, (None, instrument.institution_id, instrument.group_id, pk), strict=True)
        )
        newest = {  # the rows come with the oldest first
            layer: text
            for layer, owner, valid_from, text in rows
            if valid_from <= today and owner == owners[layer] and (owner or layer == Layer.NETWORK)
        }
        texts = [newest[layer] for layer in sorted(newest)]
        if texts:
            texts.insert(0, _holidays(today, announced()))
        layers = (0, *sorted(newest)) if newest else ()
        found[pk] = InForce(rulebook_of_texts(tuple(texts), instrument.timezone), layers)
    return found


def rules_ahead(instruments: Iterable[Instrument], now: datetime) -> None:
    """Send what `rules_in_force` will ask."""
    _VERSIONS.ahead(**_owners(instruments, now))
    announced_ahead()


def _owners(instruments: Iterable[Instrument], now: datetime) -> dict[str, Any]:
    instruments = list(instruments)
    return {
        "organisations": sorted({each.institution_id for each in instruments}),
        "groups": sorted({each.group_id for each in instruments if each.group_id}),
        "instruments": [each.pk for each in instruments],
        "tomorrow": (now + timedelta(days=1)).date(),
    }


def _versions(instruments: Iterable[Instrument], now: datetime) -> list[tuple[int, int | None, date, str]]:
    """Layer, owner, first day and the document's text of each, the oldest first."""
    rows = _VERSIONS.rows(**_owners(instruments, now))
    return [
        (layer, organisation or group or instrument, valid_from, text)
        for layer, organisation, group, instrument, valid_from, text in rows
    ]


_VERSIONS = Prepared(
    lambda: (
        Policy.objects.filter(
            Q(layer=Layer.NETWORK)
            | Q(among("organisation", "organisations"))
            | Q(among("group", "groups"))
            | Q(among("instrument", "instruments")),
            valid_from__lte=Given("tomorrow", DAY),
        )
        .order_by("valid_from", "version")
        .values_list("layer", "organisation", "group", "instrument", "valid_from", Cast("document", TextField()))
    )
)


@lru_cache(maxsize=8)
def _holidays(today: date, imported: frozenset[Announced]) -> str:
    days = policy_days(today - timedelta(days=366), today + timedelta(days=732), imported)
    return json.dumps(days, ensure_ascii=False)


# --- what quotas count -----------------------------------------------------------------------------------------------

PARTIES = {
    "person": "user_id",
    "group": "group_id",
    "project": "project_id",
    "organisation": "organisation_id",
    "instrument": "instrument_id",
}


Branch = tuple[tuple[tuple[str, Any], ...], Period | None]


class CountedReads:
    """The bookings that quotas of several requests look at: a branch for each party, with the union of the periods."""

    def __init__(self) -> None:
        self._branches: dict[tuple[tuple[str, Any], ...], Period | None] = {}

    def add(self, book: Rulebook, request: Mapping[str, Any], act: str, now: datetime, *, begun: bool = False) -> None:
        for read in book.needs(act, begun=begun).booking_reads:
            same = _same(read, request)
            if same is not None:
                reach = read.reach(book.rules, request, now=now)
                self._branches[same] = _union(self._branches[same], reach) if same in self._branches else reach

    def rows(self) -> list[dict[str, Any]]:
        """As the policy sees them; one query, none where nothing is counted."""
        shape: list[tuple[tuple[str, ...], bool]] = []
        values: dict[str, Any] = {}
        for place, (same, reach) in enumerate(sorted(self._widest(), key=_shape_of)):
            shape.append(_shape_of((same, reach)))
            values |= {f"{column} {place}": value for column, value in same}
            if reach:
                earliest = reach.start - LONGEST - timedelta(days=1)
                values |= {f"start {place}": reach.start, f"end {place}": reach.end, f"earliest {place}": earliest}
        if not shape:
            return []
        rows = _counted(tuple(shape)).rows(**values)
        return [{**_facts(text), **dict(zip(_VIEW, found, strict=True))} for *found, text in rows]

    def _widest(self) -> list[Branch]:
        """Without those that lie within another: fewer parties over at least as long a time."""
        return [
            (same, reach)
            for same, reach in self._branches.items()
            if not any(
                set(other) < set(same) and (span is None or (reach is not None and span.contains(reach)))
                for other, span in self._branches.items()
            )
        ]


@lru_cache(maxsize=4096)
def _facts(text: str) -> dict[str, Any]:
    """The snapshots of many bookings are the same."""
    found: dict[str, Any] = json.loads(text)
    return found


def _shape_of(branch: Branch) -> tuple[tuple[str, ...], bool]:
    """What of a branch belongs to the query's text: the columns, and whether the time is bounded."""
    same, reach = branch
    return tuple(column for column, _value in same), reach is not None


@lru_cache(maxsize=256)
def _counted(shape: tuple[tuple[tuple[str, ...], bool], ...]) -> Prepared[Booking]:
    def build() -> QuerySet[Booking, Any]:
        wanted = Q()
        for place, (columns, bounded) in enumerate(shape):
            branch = Q(**{column: Given(f"{column} {place}", ID) for column in columns})
            if bounded:
                branch &= Q(start__lte=Given(f"end {place}", WHEN), end__gte=Given(f"start {place}", WHEN))
                # Implied, because no booking is longer; with it an index finds them without reading all that is past.
                branch &= Q(start__gt=Given(f"earliest {place}", WHEN))
            wanted |= branch
        # Time that the lab takes for samples counts for nobody.
        rows = Booking.objects.filter(wanted, status__in=COUNTED, order=None).order_by()
        return rows.values_list(*_VIEW.values(), Cast("facts", TextField()))

    return Prepared(build)


def _same(read: BookingRead, request: Mapping[str, Any]) -> tuple[tuple[str, Any], ...] | None:
    """What the counted bookings share with the request; None where a party is absent, which shares with nobody.

    A quota that names no party (everybody, or an audience) speaks of its instrument, which is what it locks.
    """
    parties = [name for name in read.per if name in PARTIES] or ["instrument"]
    if any(request.get(name) is None for name in parties):
        return None
    return tuple((PARTIES[name], request[name]) for name in parties)


def _union(left: Period | None, right: Period | None) -> Period | None:
    return None if left is None or right is None else Period(min(left.start, right.start), max(left.end, right.end))
