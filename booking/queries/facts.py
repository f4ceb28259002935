"""What a policy is told: the request, the parties, the documents of the layers, and what quotas count."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q

from backend.core.periods import to_utc
from booking.models import Booking, Policy, Status
from booking.queries.wishes import Wish
from booking.rules.facts import needs
from booking.rules.model import Policy as Rules
from instruments.models import Instrument
from instruments.queries.calendar import policy_days


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


def policy_view(booking: Booking) -> dict[str, Any]:
    """A stored booking as the policy sees it."""
    return {
        "id": booking.pk,
        "person": booking.user_id,
        "group": booking.group_id,
        "project": booking.project_id,
        "organisation": booking.organisation_id,
        "instrument": booking.instrument_id,
        "mode": booking.mode,
        "audience": booking.audience,
        "samples": booking.samples,
        "start": booking.start,
        "end": booking.end,
        "made": booking.requested_at,
        "status": booking.status,
    }


def facts_of(wish: Wish, audience: str) -> dict[str, dict[str, Any]]:
    """What is known of the parties besides their names."""
    inside = wish.organisation.pk == wish.instrument.institution_id
    return {
        "person": {"inside": inside, "audience": audience, "organisation_kind": wish.organisation.kind},
        "organisation": {"kind": wish.organisation.kind, "region": wish.organisation.region},
        "instrument": {
            "category": wish.instrument.category_id,
            "institution": wish.instrument.institution_id,
            "units": wish.instrument.units,
        },
    }


def layers_of(instrument: Instrument, now: datetime) -> list[dict[str, Any]]:
    """The document in force of each layer, from the network's to the instrument's; one query.

    Public holidays come first where there are rules at all: they count working days and name holidays.
    """
    newest: dict[int, dict[str, Any]] = {}
    today = now.astimezone(instrument.zone).date()
    for layer, document in Policy.objects.for_instrument(instrument, today).values_list("layer", "document"):
        newest.setdefault(layer, document)
    found = [newest[layer] for layer in sorted(newest)]
    return [policy_days(today - timedelta(days=366), today + timedelta(days=732)), *found] if found else []


def other_bookings(rules: Rules, request: Mapping[str, Any], act: str, now: datetime) -> list[dict[str, Any]]:
    """What quotas count: bookings of the same parties within the periods that they look at; one query at most."""
    wanted = Q()
    for read in needs(rules, act).booking_reads:
        same = Q(**{_COLUMNS[name]: request[name] for name in read.per if request.get(name) and name in _COLUMNS})
        reach = read.reach(rules, request, now=now)
        wanted |= same if reach is None else same & Q(start__lte=reach.end, end__gte=reach.start)
    if not wanted:
        return []
    counted = [Status.REQUESTED, Status.CONFIRMED, Status.IN_USE, Status.COMPLETED, Status.NO_SHOW]
    return [policy_view(row) for row in Booking.objects.filter(wanted, status__in=counted)]


_COLUMNS = {
    "person": "user_id",
    "group": "group_id",
    "project": "project_id",
    "organisation": "organisation_id",
    "instrument": "instrument_id",
}
