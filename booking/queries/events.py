"""Bookings as events of the calendars on pages: a constant number of queries per calendar."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import QuerySet
from django.http import QueryDict
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from backend.accounts.models import Role
from backend.accounts.queries import Access
from booking.models import OCCUPYING, Booking, Status
from booking.queries import scope
from booking.queries.changes import movable
from booking.queries.times import read_times
from instruments.models import Instrument, Occupancy, OccupancyKind
from instruments.queries.free import availability
from instruments.queries.rights import managed_instruments, manages

LONGEST = timedelta(days=93)
# What a calendar shows of the past and the future; what never happened is left out.
SHOWN = (*OCCUPYING, Status.COMPLETED, Status.NO_SHOW)
TONES: dict[str, str] = {
    Status.REQUESTED: "wait",
    Status.CONFIRMED: "good",
    Status.IN_USE: "busy",
    Status.COMPLETED: "off",
    Status.NO_SHOW: "bad",
}
# Beyond these, arithmetic with dates fails.
YEARS = range(2000, 2200)
KINDS: dict[str, str] = {OccupancyKind.OUTAGE: "bad", OccupancyKind.HOLD: "wait", OccupancyKind.OFFER: "wait"}


def asked_range(query: QueryDict) -> tuple[datetime, datetime]:
    """``start`` and ``end`` of a calendar's question; this week where they make no sense, at most a quarter."""
    start, end = _instant(query.get("start")), _instant(query.get("end"))
    if start is None or end is None or end <= start:
        start = timezone.now().replace(minute=0, second=0, microsecond=0) - timedelta(days=1)
        end = start + timedelta(days=8)
    return start, min(end, start + LONGEST)


def _instant(text: str | None) -> datetime | None:
    try:
        found = datetime.fromisoformat((text or "").replace(" ", "+"))
        return found.astimezone(UTC) if found.tzinfo is not None and found.year in YEARS else None
    except (ValueError, OverflowError):
        return None


def instrument_events(
    access: Access, instrument: Instrument, start: datetime, end: datetime, *, language: str
) -> list[dict[str, Any]]:
    """Open hours behind, taken time before them; who has it only for its customer and the lab."""
    times = read_times(instrument, start, end)
    out = [_background(number, period.start, period.end) for number, period in enumerate(times.open)]
    is_lab = manages(access, instrument)
    named: list[Booking] = []
    if access.user_id is not None:
        rows = _with_names(Booking.objects.filter(instrument=instrument, status__in=SHOWN).overlapping(start, end))
        named = [row for row in rows if is_lab or scope.is_customer(access, row)]
    own = {row.occupancy_id for row in named if row.occupancy_id is not None}
    out += [booking_event(row, language=language, who=True, instrument=False) for row in named]
    if instrument.units == 1:
        rest = Occupancy.objects.filter(instrument=instrument).overlapping(start, end).exclude(pk__in=own)
        taken = [(row.start, row.end, row.kind) for row in rest.order_by("start")]
    else:
        # One unit of several does not close the day: only where all are taken is it worth a block.
        taken = [tuple(each) for each in availability([instrument], start, end)[0].busy]  # type: ignore[misc]
    out += [_block(number, *each) for number, each in enumerate(taken)]
    return out


def my_events(access: Access, which: str, start: datetime, end: datetime, *, language: str) -> list[dict[str, Any]]:
    """``mine``, for an administrator ``organisation``, for a manager ``instruments``; one query."""
    if which == "instruments":
        rows = scope.managed_bookings(access)
    elif which == "organisation":
        rows = scope.own_bookings(access)
    else:
        rows = Booking.objects.filter(user=access.user_id, organisation__in=access.where())
    shown = _with_names(rows.filter(status__in=SHOWN).overlapping(start, end))
    return [booking_event(row, language=language, who=which != "mine", instrument=True) for row in shown]


def desk_events(access: Access, start: datetime, end: datetime, *, language: str) -> list[dict[str, Any]]:
    """The lab's instruments as a timeline: bookings by name, and outages; two queries."""
    rows = _with_names(scope.managed_bookings(access).filter(status__in=SHOWN).overlapping(start, end))
    out = [
        {**booking_event(row, language=language, who=True, instrument=False), "resource": row.instrument_id}
        for row in rows
    ]
    managed = managed_instruments(access).values("pk")
    outages = Occupancy.objects.filter(instrument__in=managed, kind=OccupancyKind.OUTAGE).overlapping(start, end)
    for row in outages.select_related("outage"):
        reason = row.outage.reason if row.outage else ""
        event = _block(row.pk, row.start, row.end, row.kind)
        out.append({**event, "detail": reason, "resource": row.instrument_id})
    return out


def calendar_choices(access: Access) -> list[tuple[str, str]]:
    """Which calendars the person may look at."""
    out = [("mine", _("My bookings"))]
    if access.where(Role.ADMIN):
        out.append(("organisation", _("My organisation")))
    if access.where(Role.MANAGER, Role.ADMIN) and managed_instruments(access).exists():
        out.append(("instruments", _("My instruments")))
    return out


def _with_names(rows: QuerySet[Booking]) -> Iterable[Booking]:
    return rows.select_related("instrument", "organisation", "user").order_by("start", "id")


def booking_event(booking: Booking, *, language: str, who: bool, instrument: bool) -> dict[str, Any]:
    """An event that leads to the booking's page."""
    people = f"{booking.organisation.label(language)} · {booking.user}"
    name = booking.instrument.label(language)
    title = " · ".join([*([name] if instrument else []), *([people] if who else [])]) or name
    return {
        "id": f"b{booking.pk}",
        "title": title,
        "detail": f"{booking.get_status_display()} · {booking.purpose}",
        "start": booking.start.isoformat(),
        "end": booking.end.isoformat(),
        "tone": TONES.get(booking.status, "off"),
        "url": reverse("booking:booking", args=[booking.pk]),
        # Who is shown an event by name may change it; the server answers what that would mean.
        "movable": movable(booking, timezone.now()),
        "change": reverse("booking:drag", args=[booking.pk]),
    }


def _background(number: int, start: datetime, end: datetime) -> dict[str, Any]:
    return {
        "id": f"o{number}",
        "title": "",
        "start": start.isoformat(),
        "end": end.isoformat(),
        "background": True,
        "tone": "good",
    }


def _block(number: int, start: datetime, end: datetime, kind: str) -> dict[str, Any]:
    words = {
        OccupancyKind.OUTAGE.value: _("Out of service"),
        OccupancyKind.HOLD.value: _("Held for a request"),
        OccupancyKind.OFFER.value: _("Held for the waitlist"),
    }
    return {
        "id": f"t{number}",
        "title": words.get(kind, _("Taken")),
        "start": start.isoformat(),
        "end": end.isoformat(),
        "tone": KINDS.get(kind, "off"),
    }
