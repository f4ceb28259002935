"""Reminding customers of what they have booked."""

from __future__ import annotations

import logging
from datetime import timedelta

from django.conf import settings
from django.db.models import F
from django.utils import timezone

from backend.core.db import atomic_action
from booking.actions.transitions import customers, tell
from booking.models import Booking, Status
from booking.queries.lists import with_names
from booking.queries.no_show import check_in_until

log = logging.getLogger(__name__)


@atomic_action
def remind_customer(*, booking: Booking) -> bool:
    """Tell of a time that begins soon, once: False where it was told already or is no longer so."""
    found = Booking.objects.filter(
        pk=booking.pk, status=Status.CONFIRMED, version=booking.version, reminded_at=None
    ).update(reminded_at=timezone.now())
    if found:
        deadline = check_in_until(booking).astimezone(booking.instrument.zone)
        check_in = f"{deadline:%H:%M}" if booking.instrument.check_in else ""
        tell(booking, "booking_reminder", to=customers(booking), check_in=check_in)
    return bool(found)


def remind() -> int:
    """Every confirmed booking that begins within REMINDER_HOURS, found by range; returns how many were told.

    Who booked, moved or was confirmed within these hours has just had a message and is not reminded.
    """
    now, ahead = timezone.now(), timedelta(hours=settings.REMINDER_HOURS)
    soon = Booking.objects.filter(
        status=Status.CONFIRMED,
        reminded_at=None,
        order=None,
        start__gt=now,
        start__lte=now + ahead,
        changed_at__lt=F("start") - ahead,
    )
    told = 0
    for booking in list(with_names(soon).order_by("start", "pk")[:500]):
        try:
            told += remind_customer(booking=booking)
        except Exception:
            log.exception("the customer of booking %s could not be reminded", booking.pk)
    return told
