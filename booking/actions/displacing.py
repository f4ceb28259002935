"""What an outage does to bookings, and telling their customers when the time is free after all."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.translation import gettext as _

from backend.accounts.models import User
from backend.core.db import atomic_action
from backend.core.errors import refuse
from booking.actions.freeing import mark_freed
from booking.actions.replacing import look_again, note_displaced
from booking.actions.requesting import SOURCE
from booking.actions.transitions import customers, lock_booking, move, note, now_in_minutes, require_status, tell
from booking.models import OCCUPYING, Booking, Status, Usage, UsageState
from booking.queries.cancellation import cancellation
from booking.queries.lists import with_names
from booking.queries.scope import speaks_for_customer
from instruments.models import Instrument
from invoices.actions.charges import release_charges


@atomic_action
def displace_booking(*, booking: Booking, by: User, reason: str, version: int | None = None) -> Booking:
    """The booked time cannot take place, through no fault of the customer, who is told and pays nothing."""
    booking = lock_booking(booking, version=version)
    require_status(booking, OCCUPYING)
    return displace_locked(booking, by=by, reason=reason)


def displace_locked(booking: Booking, *, by: User | None, reason: str, overtaken: bool = False) -> Booking:
    """The same within an action that holds the instrument. An outage is no way out of a fee or use of one's own.

    ``overtaken``: by a booking that comes first, not by an outage.

    The customer is then proposed other times (`booking.actions.replacing`).
    """
    before, now = booking.status, timezone.now()
    if by is not None and speaks_for_customer(by, booking):
        _refuse_own(booking)
    _close_running_use(booking)
    move(booking, Status.DISPLACED, at=now, hold_expires_at=None, reason=reason)
    release_charges(source=SOURCE, source_uid=booking.uid, by_id=by.pk if by else None)
    note_displaced(booking, now)
    tell(booking, "booking_displaced", to=customers(booking), overtaken=overtaken)
    note(booking, "booking.displace", by=by, before=before, reason=reason)
    return booking


def _refuse_own(booking: Booking) -> None:
    fee = cancellation(booking, now=timezone.now()) if booking.status == Status.CONFIRMED else None
    if booking.status == Status.IN_USE or (fee and (fee.refusals or fee.total)):
        raise refuse(
            "own_booking",
            _("Your own booking is hit, and displacing it would cost nothing."),
            params={"booking": booking.pk},
            fix_text=_("Finish or cancel it first, or ask a colleague to enter the outage."),
        )


def _close_running_use(booking: Booking) -> None:
    """A use that was cut short keeps its times but is not submitted: nobody is charged for it."""
    for usage in Usage.objects.filter(booking=booking, state=UsageState.RECORDED, end=None):
        usage.end = max(now_in_minutes(), usage.start + timedelta(minutes=1))
        usage.save(update_fields=["end"])


def tell_of_free_time(
    *, instrument: Instrument, start: datetime, end: datetime, still: tuple[datetime, datetime] | None
) -> int:
    """Tell those whom an outage ``[start, end)`` displaced that their time can be booked again, and the waitlist.

    ``still`` is what remains out of service. Only times that lie ahead; returns how many bookings.
    """
    mark_freed(instrument, start, end)
    displaced = Booking.objects.overlapping(start, end).filter(
        instrument=instrument, status=Status.DISPLACED, start__gt=timezone.now()
    )
    if still is not None:
        displaced = displaced.exclude(start__lt=still[1], end__gt=still[0])
    rows = list(with_names(displaced))
    for booking in rows:
        tell(booking, "booking_time_free", to=customers(booking))
    look_again(rows)
    return len(rows)
