"""The customer says beforehand that they will come; what nobody confirms in time is noted, and given away."""

from __future__ import annotations

import logging
from datetime import timedelta

from django.conf import settings
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from backend.accounts.models import User
from backend.core.db import atomic_action
from backend.core.errors import refuse
from booking.actions.locks import lock_to_record
from booking.actions.requesting import SOURCE
from booking.actions.transitions import customers, lock_booking, managers, move, note, require_status, tell
from booking.actions.violating import record_violations, told
from booking.models import Booking, Status
from booking.queries.confirming import UNCONFIRMED, must_confirm, of_booking, waiting_for_word
from booking.queries.lists import with_names
from invoices.actions.charges import release_charges

log = logging.getLogger(__name__)
MOST_AT_ONCE = 500


@atomic_action
def confirm_coming(*, booking: Booking, by: User, version: int | None = None) -> Booking:
    """Said once, before the moment that the rules name; `Refused` where nobody asks, or it is over."""
    booking = lock_booking(booking, version=version)
    require_status(booking, [Status.CONFIRMED])
    if booking.coming_at is not None:
        raise refuse("confirmed_already", _("This has been confirmed already."))
    now = timezone.now()
    if booking.confirm_by is None or not must_confirm(booking, now):
        raise refuse("nothing_to_confirm", _("This booking stands without being confirmed."))
    if now >= booking.confirm_by:
        raise refuse("too_late_to_confirm", _("The time for confirming is over."), until=booking.confirm_by)
    move(booking, booking.status, at=now, coming_at=now)
    note(booking, "booking.confirm_coming", by=by)
    return booking


@atomic_action
def ask_to_confirm(*, booking: Booking) -> bool:
    """Told once; False where it is not so any more."""
    asked = waiting_for_word().filter(pk=booking.pk, version=booking.version, confirm_asked_at=None)
    if not asked.update(confirm_asked_at=timezone.now()):
        return False
    assert booking.confirm_by is not None  # only such wait
    found = of_booking(booking)
    until = f"{booking.confirm_by.astimezone(booking.instrument.zone):%Y-%m-%d %H:%M}"
    tell(booking, "booking_to_confirm", to=customers(booking), until=until, forfeits=bool(found and found.forfeits))
    return True


@atomic_action
def note_unconfirmed(*, booking: Booking) -> bool:
    """What the system does at the moment of the rules; True where the time is given away, free of charge."""
    lock_to_record(booking, UNCONFIRMED)
    booking = lock_booking(booking)
    now = timezone.now()
    if not must_confirm(booking, now) or booking.confirm_by is None or now < booking.confirm_by:
        return False
    found = of_booking(booking)
    seen = record_violations(booking, [(UNCONFIRMED, None)], by=None)
    before = booking.status
    if found is None or not found.forfeits:
        move(booking, before, at=now, confirm_by=None)
        note(booking, "booking.unconfirmed", by=None, before=before, **told(seen))
        return False
    with translation.override(booking.user.language):
        reason = _("Nobody confirmed in time that this booking will be used.")
    move(booking, Status.CANCELLED, at=now, confirm_by=None, reason=reason, excused=True)
    release_charges(source=SOURCE, source_uid=booking.uid)
    tell(booking, "booking_unconfirmed", to=customers(booking) | managers(booking.instrument))
    note(booking, "booking.unconfirmed", by=None, before=before, reason=reason, **told(seen))
    return True


def tend_unconfirmed() -> int:
    """Every minute: ask those who must soon confirm, and note who has not; how many times were given away."""
    now, ahead = timezone.now(), timedelta(hours=settings.REMINDER_HOURS)
    waiting = with_names(waiting_for_word().filter(start__gt=now)).order_by("confirm_by", "pk")
    soon = waiting.filter(confirm_asked_at=None, confirm_by__gt=now, confirm_by__lte=now + ahead)
    released = 0
    for booking in list(soon[:MOST_AT_ONCE]):
        try:
            ask_to_confirm(booking=booking)
        except Exception:
            log.exception("the customer of booking %s could not be asked to confirm", booking.pk)
    for booking in list(waiting.filter(confirm_by__lte=now)[:MOST_AT_ONCE]):
        try:
            released += note_unconfirmed(booking=booking)
        except Exception:
            # One that fails must not hold up the others; the next minute tries again.
            log.exception("booking %s could not be noted as unconfirmed", booking.pk)
    return released
