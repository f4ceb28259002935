"""When a booking counts as a no-show, what that costs, and until when the lab can correct it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db.models import Max, Q

from backend.audit.models import Entry
from booking.models import Booking, BookingQuerySet, Status
from booking.queries.earlier import aside_of, priced_after
from booking.queries.records import price_record
from booking.queries.wishes import wish_of
from instruments.models import Instrument
from instruments.pricing.lines import ChargeLine

CORRECTION = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class NoShowFee:
    """``total`` in the currency of the booking's quote; ``aside`` are lines on other accounts than the invoice's."""

    lines: tuple[ChargeLine, ...]
    total: Decimal
    aside: tuple[ChargeLine, ...] = ()


def no_show_fee(booking: Booking) -> NoShowFee:
    """What the booking's own price list asks of who does not come; nothing where it has no such rule."""
    if booking.price_list is None:
        return NoShowFee((), Decimal("0.00"))
    wish = wish_of(booking)
    record = price_record(wish, booking.audience, event="no_show", at=check_in_until(booking), uid=str(booking.uid))
    priced = priced_after(wish, booking.price_list, record, uid=booking.uid)
    lines = tuple(line for line in priced.lines if line.account == "invoice" and line.amount)
    return NoShowFee(lines, priced.total(), aside_of(priced))


def check_in_until(booking: Booking) -> datetime:
    """The deadline that the customer is told."""
    return booking.start + timedelta(minutes=booking.instrument.no_show_grace)


def no_show_from(booking: Booking) -> datetime | None:
    """From when it is a no-show: the grace runs from the start, or from when the unit was given up later.

    None while somebody else still uses the unit: nobody can check in then. Two queries, seldom three.
    """
    others = Booking.objects.filter(instrument=booking.instrument_id, unit=booking.unit).exclude(pk=booking.pk)
    if others.filter(status=Status.IN_USE).exists():
        return None
    ended = others.filter(status=Status.COMPLETED, start__lt=booking.start, changed_at__gt=booking.start)
    late = dict(ended.values_list("pk", "changed_at"))
    if not late:
        return check_in_until(booking)
    # A use that was only logged late kept nobody waiting; one that was checked in did until it ended.
    began = Entry.objects.filter(object_type="booking", object_id__in=map(str, late), action="booking.start")
    waited = [late[int(pk)] for pk in began.values_list("object_id", flat=True)]
    return max([booking.start, *waited]) + timedelta(minutes=booking.instrument.no_show_grace)


def due_no_shows(now: datetime) -> BookingQuerySet:
    """Confirmed bookings past their grace where check-in is on, found by range; at most three queries more.

    A time that was over before its instrument's check-in was turned on is none: nobody was asked to check in.
    """
    graces = Instrument.objects.filter(check_in=True).order_by("no_show_grace")
    due = Q(pk__in=())
    for grace in graces.values_list("no_show_grace", flat=True).distinct():
        due |= Q(instrument__no_show_grace=grace, start__lte=now - timedelta(minutes=grace))
    # Time of samples is the lab's own: nobody is awaited.
    waiting = Booking.objects.filter(due, status=Status.CONFIRMED, instrument__check_in=True, order=None)
    found = list(waiting.select_related("instrument"))
    since = _check_in_since({row.instrument_id for row in found})
    asked = [row.pk for row in found if check_in_until(row) >= since.get(row.instrument_id, row.start)]
    return Booking.objects.filter(pk__in=asked[:500]).order_by("start", "pk")


def _check_in_since(instruments: Collection[int]) -> dict[int, datetime]:
    """When check-in was last turned on, as far as the audit record knows."""
    if not instruments:
        return {}
    turned_on = Entry.objects.filter(
        object_type="instrument", object_id__in=[str(pk) for pk in instruments], after__check_in=True
    )
    rows = turned_on.order_by().values("object_id").annotate(latest=Max("at"))
    return {int(row["object_id"]): row["latest"] for row in rows}


def can_be_corrected(booking: Booking, now: datetime) -> bool:
    """A no-show becomes a use within a day of being marked."""
    return booking.status == Status.NO_SHOW and now <= booking.changed_at + CORRECTION
