"""What an outage displaced, what is proposed instead, and who has taken it."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Prefetch, QuerySet

from backend.accounts.queries import Access
from backend.core.db import one
from backend.core.errors import NotFound
from booking.models import (
    Booking,
    Displacement,
    DisplacementState,
    Replacement,
    ReplacementState,
    Status,
)
from booking.queries.scope import get_booking
from instruments.models import Outage


def _with_names(rows: QuerySet[Displacement]) -> QuerySet[Displacement]:
    proposed = Replacement.objects.select_related("instrument__institution")
    return rows.select_related(
        "booking__instrument__institution",
        "booking__organisation",
        "booking__user",
        "replaced_by__instrument__institution",
        "answered_by",
    ).prefetch_related(Prefetch("replacements", proposed))


def displacement_of(booking: Booking) -> Displacement | None:
    """Two queries for a booking that was displaced, none for others."""
    if booking.status != Status.DISPLACED:
        return None
    return _with_names(Displacement.objects.filter(booking=booking)).first()


def get_displacement(access: Access, pk: int) -> Displacement:
    """Of a booking in which the person takes part; `NotFound` for one that no outage displaced."""
    found = displacement_of(get_booking(access, pk))
    if found is None:
        raise NotFound
    return found


def get_replacement(displacement: Displacement, pk: int) -> Replacement:
    rows = Replacement.objects.select_related("instrument__institution", "displacement")
    return one(rows.filter(displacement=displacement), pk)


def proposals(displacement: Displacement, now: datetime) -> list[Replacement]:
    """Those that can still be taken, without a query."""
    if displacement.state != DisplacementState.OPEN:
        return []
    rows = displacement.replacements.all()
    return [row for row in rows if row.state == ReplacementState.PROPOSED and row.start > now]


def unanswered(access: Access, now: datetime) -> list[tuple[Displacement, list[Replacement]]]:
    """The person's displaced bookings for which something is proposed; two queries."""
    rows = Displacement.objects.filter(
        state=DisplacementState.OPEN,
        booking__status=Status.DISPLACED,
        booking__user=access.user_id,
        booking__organisation__in=access.where(),
    )
    listed = [(row, proposals(row, now)) for row in _with_names(rows.order_by("booking__start"))[:20]]
    return [(row, found) for row, found in listed if found]


def displaced_by(outage: Outage) -> QuerySet[Displacement]:
    """For the lab, by time: who was hit, and what they have taken."""
    return _with_names(Displacement.objects.filter(outage=outage)).order_by("booking__start", "pk")
