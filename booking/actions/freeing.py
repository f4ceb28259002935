"""Time has become free: whoever waits for it is looked at right after the commit, and by the next minute at latest."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils import timezone

from backend.core.db import after_commit
from booking.models import Wait, WaitStatus
from instruments.models import Instrument


def mark_freed(instrument: Instrument, start: datetime, end: datetime) -> int:
    """Within the transaction that gives ``[start, end)`` back; how many waits it may serve. One query."""
    before, after = (timedelta(minutes=m) for m in (instrument.setup_minutes, instrument.cleaning_minutes))
    waiting = Wait.objects.filter(instrument=instrument, status=WaitStatus.WAITING)
    near = waiting.filter(start__lt=end + before + after, end__gt=start - before - after)
    served = near.update(due_at=timezone.now())
    if served:
        after_commit(_offer)
    return served


def _offer() -> None:
    from booking.actions.offering import offer_due  # what offers also gives time back

    offer_due()
