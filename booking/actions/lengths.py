"""A booking lasts longer or shorter; its start stays."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from backend.accounts.models import User
from backend.accounts.queries import access_of
from backend.core.db import atomic_action
from backend.core.errors import refuse
from booking.actions.asking import without_own_spending
from booking.actions.changing import apply_change, assess_change, quoted, require_possible, reschedule_booking
from booking.actions.locks import lock_parties_of
from booking.actions.requesting import reserve
from booking.actions.transitions import customers, deciders, lock_booking, managers, note, require_status, tell
from booking.models import OCCUPYING, Booking, Status
from booking.queries.changes import SHORTEN, act_of
from booking.queries.scope import roles_held, speaks_for_customer
from booking.queries.wishes import Assessment, check_shape
from booking.rules.asking_again import EXTEND


def change_times(
    *,
    booking: Booking,
    by: User,
    start: datetime,
    end: datetime,
    reason: str = "",
    version: int | None = None,
    by_lab: bool = False,
) -> Booking:
    """Extend, shorten or move it, whichever the new time is."""
    more: dict[str, Any] = {"reason": reason, "version": version, "by_lab": by_lab}
    act = act_of(booking, start, end)
    if act == EXTEND:
        return extend_booking(booking=booking, by=by, end=end, **more)
    if act == SHORTEN:
        return shorten_booking(booking=booking, by=by, end=end, **more)
    return reschedule_booking(booking=booking, by=by, start=start, end=end, **more)


@atomic_action
def extend_booking(
    *,
    booking: Booking,
    by: User,
    end: datetime,
    reason: str = "",
    version: int | None = None,
    by_lab: bool = False,
) -> Booking:
    """Let a booking end later, also while it is in use; every rule is asked in full, and those for extending.

    Before the start, rules that want approval make it *requested* again; what runs needs the agreement at once,
    which a manager gives by extending it themselves. The lab gives a reason.
    """
    return _resize(EXTEND, booking, end, by=by, reason=reason, version=version, by_lab=by_lab)


@atomic_action
def shorten_booking(
    *,
    booking: Booking,
    by: User,
    end: datetime,
    reason: str = "",
    version: int | None = None,
    by_lab: bool = False,
) -> Booking:
    """Let a booking that has not begun end earlier; the rest of its time is free at once.

    The rules bring back no reason that the booking already had. A customer cannot shorten what would cost a fee
    to cancel. The lab gives a reason.
    """
    return _resize(SHORTEN, booking, end, by=by, reason=reason, version=version, by_lab=by_lab)


def _resize(
    act: str, booking: Booking, end: datetime, *, by: User, reason: str, version: int | None, by_lab: bool
) -> Booking:
    check_shape(booking.start, end)
    now = timezone.now()
    longer = act == EXTEND
    asked = EXTEND if longer else "change"
    rules = lock_parties_of(booking, now=now, act=asked)
    booking = lock_booking(booking, version=version)
    require_status(booking, OCCUPYING)
    require_possible(booking, act, booking.start, end, by=by, now=now, by_lab=by_lab, reason=reason)
    answer = assess_change(booking, booking.start, end, now=now, act=asked, rules=rules)
    begun = now >= booking.start
    answer = without_own_spending(answer, booking, by, begun=begun)
    if begun:
        _need_no_other_agreement(booking, answer, by)
    was, before = booking.end, booking.status
    quote = quoted(booking, answer, booking.start, end)
    apply_change(booking, answer, quote, booking.start, end, now, begun=begun)
    reserve(booking, quote, by=by)
    _announce(booking, longer=longer)
    times = {"start": booking.start, "end": booking.end, "was_start": booking.start, "was_end": was}
    done = "booking.extend" if longer else "booking.shorten"
    note(booking, done, by=by, before=before, reason=reason, **times)
    return booking


def _need_no_other_agreement(booking: Booking, answer: Assessment, by: User) -> None:
    """A use that runs cannot wait for an answer: who extends it must be the one who would be asked."""
    own = by.pk in customers(booking) or speaks_for_customer(by, booking)
    given = [] if own else roles_held(access_of(by), answer.approval.roles, booking.instrument)
    if set(answer.approval.roles) - set(given):
        raise refuse(
            "needs_approval",
            _("So long, the booking needs the agreement of the lab."),
            params={"roles": list(answer.approval.roles)},
            fix_text=_("Please ask the lab to extend it."),
        )


def _announce(booking: Booking, *, longer: bool) -> None:
    if booking.status == Status.REQUESTED:
        tell(booking, "booking_requested", to=deciders(booking))
        tell(booking, "booking_received", to=customers(booking))
    else:
        tell(booking, "booking_resized", to=customers(booking) | managers(booking.instrument), longer=longer)
