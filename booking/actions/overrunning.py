"""Who stays beyond the booked time is known at once, not only when the use is logged."""

from __future__ import annotations

import logging
from datetime import timedelta

from django.db.models import Exists, OuterRef
from django.utils import timezone

from backend.core.db import atomic_action
from booking.actions.locks import lock_to_record
from booking.actions.transitions import lock_booking, note, now_in_minutes
from booking.actions.violating import record_violations, told
from booking.models import Booking, Status, Violation
from booking.queries.lists import with_names
from instruments.models import Mode

log = logging.getLogger(__name__)
LONGEST = timedelta(days=2)
CHECKOUT = "checkout"


@atomic_action
def note_overrun(*, booking: Booking) -> list[str]:
    """The violations that its rules make of not having checked out by now; once each."""
    lock_to_record(booking, CHECKOUT)
    booking = lock_booking(booking)
    if booking.status != Status.IN_USE or now_in_minutes() <= booking.end:
        return []
    seen = record_violations(booking, [(CHECKOUT, now_in_minutes())], by=None)
    if seen:
        note(booking, "booking.overrun", by=None, **told(seen))
    return seen


def note_overruns() -> int:
    """Every minute, of those who work alone; what the lab operates is no overtime of the customer."""
    now = timezone.now()
    known = Violation.objects.filter(booking=OuterRef("pk"), cause=CHECKOUT, struck_out_at=None)
    running = Booking.objects.filter(status=Status.IN_USE, mode=Mode.SELF, end__lt=now, end__gt=now - LONGEST)
    noted = 0
    for booking in list(with_names(running.exclude(Exists(known))).order_by("end")[:500]):
        try:
            noted += bool(note_overrun(booking=booking))
        except Exception:
            log.exception("the overtime of booking %s could not be noted", booking.pk)
    return noted
