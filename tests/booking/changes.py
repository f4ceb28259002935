"""What the tests of changed bookings have in common."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from backend.audit.models import Entry
from backend.outbox.models import Message
from booking.actions.policies import save_policy
from booking.models import Booking
from invoices.models import Charge
from tests.booking.lab import Lab
from tests.factories import DAY

YESTERDAY = DAY - timedelta(days=1)
CHANGES = ("booking.extend", "booking.shorten", "booking.transfer", "booking.reschedule")


def rule(**parts: Any) -> dict[str, Any]:
    return {"rules": [{"id": "rule", **parts}]}


def policy(lab: Lab, **parts: Any) -> None:
    save_policy(instrument=lab.instrument, document=rule(**parts), by=lab.manager, valid_from=date(2026, 1, 1))


def unchanged(booking: Booking) -> bool:
    """Time, unit, person, price, charge, record and messages are what they were."""
    now = Booking.objects.select_related("occupancy").get(pk=booking.pk)
    names = ("version", "status", "start", "end", "unit", "user_id", "quote", "approval_roles", "hold_expires_at")
    charge = Charge.objects.get(source_uid=booking.uid)
    assert now.occupancy is not None
    return (
        all(getattr(now, name) == getattr(booking, name) for name in names)
        and (now.occupancy.start, now.occupancy.end) == (booking.start, booking.end)
        and str(charge.total) == booking.quote["total"]
        and charge.user_id == booking.user_id
        and not Entry.objects.filter(object_id=str(booking.pk), action__in=CHANGES).exists()
        and not Message.objects.filter(
            kind__in=("booking_resized", "booking_transferred"), path=f"/bookings/{booking.pk}/"
        ).exists()
    )
