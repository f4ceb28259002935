"""What a policy is told: the request, the rules in force of each layer, and what quotas count."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import Q

from backend.core.periods import Period, to_utc
from booking.models import Booking, Layer, Policy, Status
from booking.queries.parties import NOTHING_KNOWN, Parties
from booking.queries.wishes import Wish
from booking.rules.facts import BookingRead
from booking.rules.rulebook import Rulebook, rulebook_of
from instruments.models import Instrument
from instruments.queries.calendar import policy_days

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
            layer: document
            for layer, owner, valid_from, document in rows
            if valid_from <= today and owner == owners[layer] and (owner or layer == Layer.NETWORK)
        }
        documents = [newest[layer] for layer in sorted(newest)]
        if documents:
            documents.insert(0, _holidays(today))
        layers = (0, *sorted(newest)) if newest else ()
        found[pk] = InForce(rulebook_of(documents, tz=instrument.timezone), layers)
    return found


def _versions(instruments: Iterable[Instrument], now: datetime) -> list[tuple[int, int | None, date, dict[str, Any]]]:
    instruments = list(instruments)
    mine = Q(layer=Layer.NETWORK) | Q(organisation__in={each.institution_id for each in instruments})
    mine |= Q(instrument__in=[each.pk for each in instruments])
    groups = {each.group_id for each in instruments if each.group_id}
    if groups:
        mine |= Q(group__in=groups)
    rows = Policy.objects.filter(mine, valid_from__lte=(now + timedelta(days=1)).date()).order_by(
        "valid_from", "version"
    )
    columns = ("layer", "organisation_id", "group_id", "instrument_id", "valid_from", "document")
    return [
        (layer, organisation or group or instrument, valid_from, document)
        for layer, organisation, group, instrument, valid_from, document in rows.values_list(*columns)
    ]


def _holidays(today: date) -> dict[str, Any]:
    return dict(policy_days(today - timedelta(days=366), today + timedelta(days=732)))


# --- what quotas count -----------------------------------------------------------------------------------------------

PARTIES = {
    "person": "user_id",
    "group": "group_id",
    "project": "project_id",
    "organisation": "organisation_id",
    "instrument": "instrument_id",
}


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
        wanted = Q()
        for same, reach in self._branches.items():
            time = Q(start__lte=reach.end, end__gte=reach.start) if reach else Q()
            wanted |= Q(**dict(same)) & time
        if not wanted:
            return []
        # Time that the lab takes for samples counts for nobody.
        rows = Booking.objects.filter(wanted, status__in=COUNTED, order=None).order_by()
        return [
            {**facts, **dict(zip(_VIEW, values, strict=True))}
            for *values, facts in rows.values_list(*_VIEW.values(), "facts")
        ]


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
