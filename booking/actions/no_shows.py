"""Nobody came: noted by the system where check-in is on, and by a manager anywhere."""

from __future__ import annotations

import logging

from django.utils import timezone, translation
from django.utils.translation import gettext as _

from backend.accounts.models import User
from backend.accounts.queries import access_of
from backend.core.db import atomic_action
from backend.core.errors import refuse
from booking.actions.locks import lock_to_record
from booking.actions.repricing import post_aside, repricing
from booking.actions.requesting import SOURCE, ledger_line
from booking.actions.transitions import customers, lock_booking, managers, move, note, require_status, tell
from booking.actions.violating import record_violations, told
from booking.models import Booking, Status
from booking.queries.no_show import due_no_shows, no_show_fee, no_show_from
from booking.queries.scope import is_customer
from invoices.actions.charges import release_charges

log = logging.getLogger(__name__)


@atomic_action
def mark_no_show(*, booking: Booking, by: User, reason: str = "", version: int | None = None) -> Booking:
    """A manager notes that nobody came; the customer owes what the booking's price list asks for that.

    Possible once the grace after the booked start has passed, on any instrument. Nobody notes their own: cancelling
    may cost more.
    """
    lock_to_record(booking, "never")
    booking = lock_booking(booking, version=version)
    require_status(booking, [Status.CONFIRMED])
    if is_customer(access_of(by), booking):
        raise refuse("own_booking", _("Nobody notes a no-show of their own. Please ask a colleague."))
    due = no_show_from(booking)
    if due is None:
        raise refuse("still_in_use", _("Somebody else is still using it, so the customer cannot begin yet."))
    if timezone.now() < due:
        raise refuse(
            "too_early_for_no_show",
            _("A no-show can be noted %(minutes)s minutes after the time could begin.")
            % {"minutes": booking.instrument.no_show_grace},
            until=due,
        )
    return _mark(booking, by=by, reason=reason)


@atomic_action
def miss_booking(*, booking: Booking) -> Booking:
    """What the system does when nobody checked in in time; unchanged where that is not so any more."""
    lock_to_record(booking, "never")
    booking = lock_booking(booking)
    if booking.status != Status.CONFIRMED or not booking.instrument.check_in:
        return booking
    due = no_show_from(booking)
    if due is None or timezone.now() < due:
        return booking
    return _mark(booking, by=None)


def _mark(booking: Booking, *, by: User | None, reason: str = "") -> Booking:
    with translation.override(booking.user.language):  # the sentences are kept for the person who is charged
        fee = no_show_fee(booking)
        lines = [ledger_line(line) for line in fee.lines]
        before = booking.status
        with repricing(booking, correction_uid=booking.uid, by_id=by.pk if by else None):
            move(booking, Status.NO_SHOW, at=timezone.now(), reason=reason)
            release_charges(source=SOURCE, source_uid=booking.uid, lines=lines, by_id=by.pk if by else None)
            if fee.aside:
                post_aside(booking, fee.aside)
    seen = record_violations(booking, [("never", None)], by=by)
    to = customers(booking) | managers(booking.instrument)
    tell(booking, "booking_no_show", to=to - ({by.pk} if by else set()), fee=str(fee.total))
    note(booking, "booking.no_show", by=by, before=before, reason=reason, fee=str(fee.total), **told(seen))
    return booking


def mark_no_shows() -> int:
    """Every booking whose grace has run out, each in a transaction of its own; returns how many were marked."""
    marked = 0
    for booking in list(due_no_shows(timezone.now())):
        try:
            marked += miss_booking(booking=booking).status == Status.NO_SHOW
        except Exception:
            # One that cannot be marked must not hold up the others; the next minute tries again.
            log.exception("booking %s could not be marked as a no-show", booking.pk)
    return marked
