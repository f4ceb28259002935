"""The customer's changes: take a request back, cancel, move to another time."""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone
from django.utils.translation import gettext as _

from backend.accounts.models import User
from backend.core.db import atomic_action
from backend.core.errors import Refused, invalid, refuse
from booking.actions.locks import lock_parties
from booking.actions.requesting import SOURCE, hold_until, ledger_line, quote_out, reserve
from booking.actions.transitions import customers, lock_booking, managers, move, note, require_status, tell
from booking.models import Approval, Booking, Status
from booking.queries.assess import Assessment, Quote, assess, check_shape, quote_for_customer, wish_of
from booking.queries.cancellation import cancellation
from instruments.actions.occupancy import occupy
from instruments.models import OccupancyKind
from invoices.actions.charges import release_charges


@atomic_action
def withdraw_booking(*, booking: Booking, by: User, reason: str = "", version: int | None = None) -> Booking:
    """Take back a request that nobody has decided about; costs nothing."""
    booking = lock_booking(booking, version=version)
    require_status(booking, [Status.REQUESTED])
    before = booking.status
    move(booking, Status.WITHDRAWN, at=timezone.now(), hold_expires_at=None, reason=reason)
    release_charges(source=SOURCE, source_uid=booking.uid)
    tell(booking, "booking_withdrawn", to=managers(booking.instrument))
    note(booking, "booking.withdraw", by=by, before=before, reason=reason)
    return booking


@atomic_action
def cancel_booking(
    *, booking: Booking, by: User, reason: str = "", version: int | None = None, by_lab: bool = False
) -> Booking:
    """Cancel a confirmed booking. The customer pays what `cancellation` states; the lab's own cancelling is free.

    The lab must give a reason. `Refused` when the policy does not allow it any more.
    """
    booking = lock_booking(booking, version=version)
    require_status(booking, [Status.CONFIRMED])
    if by_lab and not reason.strip():
        raise invalid("reason", _("Please give a reason: the customer reads it."), "reason_needed")
    now = timezone.now()
    fee = None if by_lab else cancellation(booking, now=now)
    if fee is not None and fee.refusals:
        raise Refused(*fee.refusals)
    before = booking.status
    move(booking, Status.CANCELLED, at=now, reason=reason)
    release_charges(
        source=SOURCE, source_uid=booking.uid, lines=[ledger_line(line) for line in fee.lines] if fee else []
    )
    told = customers(booking) | managers(booking.instrument)
    tell(booking, "booking_cancelled", to=told, fee=str(fee.total) if fee else "0.00", by_lab=by_lab)
    note(booking, "booking.cancel", by=by, before=before, reason=reason, fee=str(fee.total) if fee else "0.00")
    return booking


@atomic_action
def reschedule_booking(
    *, booking: Booking, by: User, start: datetime, end: datetime, reason: str = "", version: int | None = None
) -> Booking:
    """Move a request or booking to ``[start, end)``; the old time is kept until the new one is certain.

    The rules for changes are asked; where they want approval the booking is *requested* again.
    """
    check_shape(start, end)
    now = timezone.now()
    lock_parties(
        user=booking.user,
        group=booking.group,
        project=booking.project,
        organisation=booking.organisation,
        instrument=booking.instrument,
        now=now,
        act="change",
    )
    booking = lock_booking(booking, version=version)
    require_status(booking, [Status.REQUESTED, Status.CONFIRMED])
    if (start, end) == (booking.start, booking.end):
        raise refuse("same_time", _("This is the time that the booking has already."))
    answer = _assess_move(booking, start, end, now)
    before = booking.status
    quote = quote_for_customer(wish_of(booking).at(start, end), answer, now=now, keep=booking.price_list)
    _apply_move(booking, answer, quote, start, end, now)
    reserve(booking, quote)
    if booking.status == Status.CONFIRMED:
        tell(booking, "booking_rescheduled", to=customers(booking) | managers(booking.instrument))
    else:
        tell(booking, "booking_requested", to=managers(booking.instrument))
        tell(booking, "booking_received", to=customers(booking))
    note(booking, "booking.reschedule", by=by, before=before, reason=reason, start=start, end=end)
    return booking


def _assess_move(booking: Booking, start: datetime, end: datetime, now: datetime) -> Assessment:
    wish = wish_of(booking).at(start, end)
    answer = assess(wish, now=now, act="change", before=booking)
    if answer.refusals:
        raise Refused(*answer.refusals)
    return answer


def _apply_move(
    booking: Booking, answer: Assessment, quote: Quote, start: datetime, end: datetime, now: datetime
) -> None:
    held = bool(answer.approval.roles)
    occupancy = occupy(
        instrument=booking.instrument,
        start=start,
        end=end,
        kind=OccupancyKind.HOLD if held else OccupancyKind.BOOKING,
        replacing=booking.occupancy,
    )
    if held:
        Approval.objects.filter(booking=booking).delete()
    move(
        booking,
        Status.REQUESTED if held else Status.CONFIRMED,
        at=now,
        start=start,
        end=end,
        unit=occupancy.unit,
        quote=quote_out(quote),
        policy=answer.policy,
        approval_roles=list(answer.approval.roles),
        silence=answer.approval.silence,
        hold_expires_at=hold_until(wish_of(booking).at(start, end), answer, now) if held else None,
    )
