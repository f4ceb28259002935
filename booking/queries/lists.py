"""Lists of bookings and usage records, shaped for pages and the API; the number of queries is constant."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from backend.accounts.queries import Access
from backend.audit.models import Entry
from booking.models import OCCUPYING, Booking, Status, Usage, UsageState
from booking.queries.scope import (
    managed_bookings,
    managed_usage,
    own_bookings,
    to_decide,
    visible_bookings,
    visible_usage,
)


def filtered_bookings(
    access: Access,
    *,
    status: str = "",
    start: datetime | None = None,
    end: datetime | None = None,
    instrument: int | None = None,
    organisation: int | None = None,
) -> QuerySet[Booking]:
    """What the person may see, newest start first; ``start`` and ``end`` select what overlaps them."""
    rows = visible_bookings(access)
    if status:
        rows = rows.filter(status__in=status.split(","))
    if start:
        rows = rows.filter(end__gt=start)
    if end:
        rows = rows.filter(start__lt=end)
    if instrument:
        rows = rows.filter(instrument=instrument)
    if organisation:
        rows = rows.filter(organisation=organisation)
    told = with_names(rows).select_related("made_by").prefetch_related("approvals__by")
    return told.order_by("-start", "-id")


def with_names(rows: QuerySet[Booking]) -> QuerySet[Booking]:
    return rows.select_related("instrument__institution", "organisation", "user", "project")


def upcoming(access: Access) -> QuerySet[Booking]:
    """The person's and, for an administrator, the organisation's bookings that are still to come or running."""
    rows = own_bookings(access).filter(status__in=OCCUPYING, end__gt=timezone.now() - timedelta(hours=12))
    return with_names(rows).order_by("start", "id")


def past(access: Access) -> QuerySet[Booking]:
    rows = own_bookings(access).exclude(status__in=OCCUPYING, end__gt=timezone.now() - timedelta(hours=12))
    return with_names(rows).order_by("-start", "-id")


def requests_to_decide(access: Access) -> QuerySet[Booking]:
    """What waits for one of the person's roles, the hold that runs out first on top."""
    rows = to_decide(access).filter(status=Status.REQUESTED)
    return with_names(rows).order_by("hold_expires_at", "requested_at")


def neighbours(booking: Booking) -> QuerySet[Booking]:
    """What else occupies the instrument within half a day of the booking."""
    margin = timedelta(hours=12)
    rows = Booking.objects.overlapping(booking.start - margin, booking.end + margin)
    near = rows.filter(instrument=booking.instrument_id, status__in=OCCUPYING).exclude(pk=booking.pk)
    return near.select_related("organisation", "user").order_by("start")


KEPT = {"completed": Status.COMPLETED, "cancelled": Status.CANCELLED, "no_show": Status.NO_SHOW}


def track_record(booking: Booking) -> Mapping[str, int]:
    """How the customer has kept bookings at this institution so far: the organisation, and ``own_…`` the person."""
    own = Q(user=booking.user_id)
    return Booking.objects.filter(
        organisation=booking.organisation_id, instrument__institution=booking.instrument.institution_id
    ).aggregate(
        **{name: Count("pk", filter=Q(status=status)) for name, status in KEPT.items()},
        **{f"own_{name}": Count("pk", filter=own & Q(status=status)) for name, status in KEPT.items()},
    )


def filtered_usage(
    access: Access,
    *,
    status: str = "",
    start: datetime | None = None,
    end: datetime | None = None,
    instrument: int | None = None,
    organisation: int | None = None,
    managed: bool = False,
    corrected: bool = False,
) -> QuerySet[Usage]:
    """The newest record of each use; ``corrected`` adds those that a correction has replaced."""
    rows = managed_usage(access) if managed else visible_usage(access)
    if not corrected:
        rows = rows.filter(corrected_by=None)
    if status:
        rows = rows.filter(state__in=status.split(","))
    if start:
        rows = rows.filter(Q(end=None) | Q(end__gt=start))
    if end:
        rows = rows.filter(start__lt=end)
    if instrument:
        rows = rows.filter(instrument=instrument)
    if organisation:
        rows = rows.filter(organisation=organisation)
    related = ("instrument__institution", "organisation", "user", "booking", "corrected_by")
    return rows.select_related(*related).order_by("-start", "-id")


def usage_to_verify(access: Access) -> QuerySet[Usage]:
    return filtered_usage(access, status=UsageState.SUBMITTED, managed=True).order_by("start", "id")


def bookings_without_usage(access: Access) -> QuerySet[Booking]:
    """Confirmed bookings of managed instruments whose time is over and whose use nobody logged."""
    rows = managed_bookings(access).filter(status__in=[Status.CONFIRMED, Status.IN_USE], end__lte=timezone.now())
    return with_names(rows).order_by("start", "id")


def history(booking: Booking) -> list[dict[str, Any]]:
    """Every recorded act on the booking and on its usage records, oldest first; two queries."""
    records = [str(pk) for pk in booking.usages.values_list("pk", flat=True)]
    about = Q(object_type="booking", object_id=str(booking.pk)) | Q(object_type="usage", object_id__in=records)
    rows = Entry.objects.filter(about).select_related("actor")
    return [
        {
            "at": row.at,
            "action": row.action,
            "by": row.actor.name if row.actor else None,
            "before": row.before,
            "after": row.after,
            "reason": row.reason,
        }
        for row in rows.order_by("sequence")
    ]
