"""Outages of an instrument, and the bookings that a time out of service would hit."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from backend.core.db import one
from booking.models import Booking, BookingQuerySet
from instruments.models import Instrument, Outage


def hit_bookings(instrument: Instrument, start: datetime, end: datetime) -> BookingQuerySet:
    """What occupies the instrument, set-up and cleaning included, within ``[start, end)``."""
    rows = Booking.objects.filter(instrument=instrument, occupancy__start__lt=end, occupancy__end__gt=start)
    return rows.select_related("instrument__institution", "organisation", "user", "occupancy").order_by("start", "pk")


def outages_of(instrument: Instrument) -> QuerySet[Outage]:
    """The latest first."""
    return Outage.objects.filter(instrument=instrument).select_related("created_by").order_by("-start", "-pk")


def get_outage(instrument: Instrument, pk: int) -> Outage:
    return one(outages_of(instrument).select_related("instrument__institution"), pk)


def split_outages(instrument: Instrument) -> Mapping[str, Any]:
    """For the page: running and coming ones, the next first, and the past of two years; two queries."""
    now = timezone.now()
    rows = outages_of(instrument)
    ahead = list(rows.filter(end__gt=now).order_by("start"))
    past = list(rows.filter(end__lte=now, end__gt=now - timedelta(days=731))[:100])
    return {"ahead": [(row, row.start <= now) for row in ahead], "past": past}
