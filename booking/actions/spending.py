"""The customer's own agreement to what a booking costs. Until it is given the laboratory is not asked.

Locks as for every change of a booking: the instrument, then the booking.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.translation import gettext as _

from backend.accounts.models import User
from backend.accounts.queries import access_of
from backend.core.db import atomic_action
from backend.core.errors import Forbidden, Refusal, Refused, invalid, refuse
from booking.actions.transitions import customers, deciders, lock_booking, move, note, require_status, tell
from booking.models import Booking, SpendingRequest, SpendingState, Status
from booking.queries.spending import may_approve
from instruments.actions.occupancy import relabel
from instruments.models import OccupancyKind
from invoices.actions.charges import release_charges

SOURCE = "booking"
MOST_REASON = 500


@atomic_action
def approve_spending(*, request: SpendingRequest, by: User, reason: str = "", version: int | None = None) -> Booking:
    """Agree to the price. Then the laboratory is asked where its rules want that, else the booking is confirmed."""
    booking, asked = _lock_open(request, by, version)
    now = timezone.now()
    if booking.hold_expires_at and booking.hold_expires_at <= now:
        raise refuse("hold_expired", _("The time for deciding has run out."), until=booking.hold_expires_at)
    _close(asked, SpendingState.APPROVED, by, reason, now)
    before = booking.status
    open_roles = set(booking.approval_roles) - set(booking.approvals.values_list("role", flat=True))
    if open_roles:
        move(booking, Status.REQUESTED, at=now, awaits_customer=False, hold_expires_at=_lab_has_until(booking, now))
        tell(booking, "booking_requested", to=deciders(booking))
        tell(booking, "spending_approved", to=customers(booking) - {by.pk})
    else:
        move(booking, Status.CONFIRMED, at=now, awaits_customer=False, hold_expires_at=None)
        if booking.occupancy is not None:
            relabel(occupancy=booking.occupancy, kind=OccupancyKind.BOOKING)
        tell(booking, "booking_confirmed", to=customers(booking))
    note(booking, "booking.spending_approved", by=by, before=before, reason=reason, total=str(asked.total))
    return booking


@atomic_action
def reject_spending(*, request: SpendingRequest, by: User, reason: str, version: int | None = None) -> Booking:
    """Say no, with a reason that the person reads; the time is free at once and nothing is owed."""
    if not reason.strip():
        raise invalid("reason", _("Please give a reason: the person who booked reads it."), "reason_needed")
    booking, asked = _lock_open(request, by, version)
    now, before = timezone.now(), booking.status
    _close(asked, SpendingState.REJECTED, by, reason, now)
    move(booking, Status.REJECTED, at=now, hold_expires_at=None, awaits_customer=False, reason=reason)
    release_charges(source=SOURCE, source_uid=booking.uid, by_id=by.pk)
    tell(booking, "spending_rejected", to=customers(booking) - {by.pk})
    note(booking, "booking.spending_rejected", by=by, before=before, reason=reason, total=str(asked.total))
    return booking


@dataclass(frozen=True, slots=True)
class Decided:
    """What became of one of several."""

    request: SpendingRequest
    refusals: tuple[Refusal, ...]


def decide_spending(
    *, requests: Sequence[SpendingRequest], by: User, approve: bool, reason: str = ""
) -> Iterable[Decided]:
    """Each in a transaction of its own: one that fails holds up no other."""
    act = approve_spending if approve else reject_spending
    for request in requests:
        try:
            act(request=request, by=by, reason=reason)
            yield Decided(request, ())
        except Refused as refused:
            yield Decided(request, refused.refusals)


def _lock_open(request: SpendingRequest, by: User, version: int | None) -> tuple[Booking, SpendingRequest]:
    booking = lock_booking(request.booking, version=version)
    asked = SpendingRequest.objects.select_for_update(of=("self",), no_key=True).get(pk=request.pk)
    require_status(booking, [Status.REQUESTED])
    if asked.state != SpendingState.OPEN or not booking.awaits_customer:
        raise refuse(
            "decided_already", _("This has been decided already: %(state)s.") % {"state": asked.get_state_display()}
        )
    if not may_approve(access_of(by), booking.organisation_id, booking.project, asked.approvers):
        raise Forbidden
    if by.pk == booking.made_by_id:
        raise refuse("own_request", _("You cannot decide about your own request. Please ask a colleague."))
    return booking, asked


def _close(asked: SpendingRequest, state: SpendingState, by: User, reason: str, now: datetime) -> None:
    if len(reason) > MOST_REASON:
        raise invalid("reason", _("At most %(max_length)s characters.") % {"max_length": MOST_REASON})
    asked.state, asked.decided_by, asked.decided_at, asked.reason = state, by, now, reason.strip()
    asked.save(update_fields=["state", "decided_by", "decided_at", "reason"])


def _lab_has_until(booking: Booking, now: datetime) -> datetime | None:
    """The laboratory's hours begin when it is asked; where silence has a meaning its date stays."""
    if booking.silence or booking.hold_expires_at is None:
        return booking.hold_expires_at
    return min(max(booking.hold_expires_at, now + timedelta(hours=booking.instrument.hold_hours)), booking.start)
