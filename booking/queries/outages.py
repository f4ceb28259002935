"""Outages of an instrument, and the bookings that a time out of service would hit."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Prefetch, Q, QuerySet
from django.utils import timezone

from backend.core.db import one
from backend.core.periods import local_day
from booking.models import Booking, BookingQuerySet, Displacement
from instruments.models import Instrument, Outage


def hit_bookings(instrument: Instrument, start: datetime, end: datetime) -> BookingQuerySet:
    """What occupies the instrument, set-up and cleaning included, within ``[start, end)``."""
    rows = Booking.objects.filter(instrument=instrument, occupancy__start__lt=end, occupancy__end__gt=start)
    return rows.select_related("instrument__institution", "organisation", "user", "occupancy").order_by("start", "pk")


def newly_hit(outage: Outage, until: datetime, now: datetime) -> list[Booking]:
    """What lies in the way of an open outage up to ``until``, without what is over."""
    rows = hit_bookings(outage.instrument, outage.end, until).filter(end__gt=now)
    return list(rows) if outage.open_ended and until > outage.end else []


def shown_end(instrument: Instrument, now: datetime, *, at_least: datetime | None = None) -> datetime:
    """How far an outage without a known end is shown: to the end of tomorrow, at the instrument.

    ``at_least``: a day beyond that instant where it lies later.
    """
    tomorrow = now.astimezone(instrument.zone).date() + timedelta(days=1)
    end = local_day(tomorrow, instrument.zone).end
    return end if at_least is None or at_least < end else at_least + timedelta(days=1)


def outages_of(instrument: Instrument) -> QuerySet[Outage]:
    """The latest first."""
    return Outage.objects.filter(instrument=instrument).select_related("created_by").order_by("-start", "-pk")


def with_displaced(rows: QuerySet[Outage]) -> QuerySet[Outage]:
    """Whom each displaced and what they have taken, in one query more."""
    hit = Displacement.objects.select_related(
        "booking__instrument", "booking__organisation", "booking__user", "replaced_by__instrument__institution"
    )
    return rows.prefetch_related(Prefetch("displacements", hit.order_by("booking__start", "pk")))


def get_outage(instrument: Instrument, pk: int) -> Outage:
    return one(outages_of(instrument).select_related("instrument__institution"), pk)


def split_outages(instrument: Instrument) -> Mapping[str, Any]:
    """For the page: running and coming ones, the next first, and the past of two years; two queries."""
    now = timezone.now()
    rows = with_displaced(outages_of(instrument))
    ahead = list(rows.filter(Q(end__gt=now) | Q(open_ended=True)).order_by("start"))
    past = list(rows.filter(end__lte=now, end__gt=now - timedelta(days=731), open_ended=False)[:100])
    for row in ahead:
        row.instrument = instrument
        # What the lab is asked about: the outage cannot move on before it is decided.
        row.in_the_way = newly_hit(row, shown_end(instrument, now), now)  # type: ignore[attr-defined]
    return {"ahead": [(row, row.start <= now) for row in ahead], "past": past}
