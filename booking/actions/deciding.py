"""The lab's decisions about requests, and what happens when it says nothing."""

from __future__ import annotations

import logging

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from backend.accounts.models import User
from backend.accounts.queries import access_of
from backend.core.db import atomic_action
from backend.core.errors import Forbidden, invalid, refuse
from booking.actions.requesting import SOURCE
from booking.actions.transitions import (
    customers,
    deciders,
    lock_booking,
    managers,
    move,
    note,
    require_status,
    tell,
)
from booking.models import Approval, Booking, Decision, Status
from booking.queries.scope import deciding_roles, speaks_for_customer
from instruments.actions.occupancy import relabel
from instruments.models import OccupancyKind
from invoices.actions.charges import release_charges

log = logging.getLogger(__name__)


@atomic_action
def approve_booking(*, booking: Booking, by: User, reason: str = "", version: int | None = None) -> Booking:
    """Give the agreement of the person's roles; the booking is confirmed when every needed role has agreed.

    Nobody decides about their own request. A held request whose time ran out cannot be approved any more.
    """
    booking = lock_booking(booking, version=version)
    require_status(booking, [Status.REQUESTED])
    _refuse_own(booking, by)
    _refuse_unsent(booking)
    now = timezone.now()
    if booking.hold_expires_at and booking.hold_expires_at <= now:
        raise refuse("hold_expired", _("The time for deciding has run out."), until=booking.hold_expires_at)
    given = agree(booking, by=by, reason=reason)
    open_roles = [role for role in booking.approval_roles if role not in given]
    if open_roles:
        note(booking, "booking.agree", by=by, reason=reason, open=open_roles)
        return booking
    return _confirm(booking, by=by, reason=reason)


def _refuse_own(booking: Booking, by: User) -> None:
    """Nobody decides about their own request, nor about one of an enterprise that they belong to."""
    if by.pk in customers(booking):
        raise refuse("own_request", _("You cannot decide about your own request. Please ask a colleague."))
    if speaks_for_customer(by, booking):
        raise refuse("own_request", _("You belong to the customer yourself. Please ask a colleague."))


def _refuse_unsent(booking: Booking) -> None:
    if booking.awaits_customer:
        raise refuse(
            "awaits_customer",
            _("%(organisation)s has not agreed to the price yet; you will be asked once it has.")
            % {"organisation": booking.organisation.name},
        )


def agree(booking: Booking, *, by: User, reason: str) -> set[str]:
    """Record the agreement of each needed role that the person has; returns the roles that have agreed."""
    mine = deciding_roles(access_of(by), booking)
    if not mine:
        raise Forbidden
    already = set(booking.approvals.values_list("role", flat=True))
    new = [role for role in mine if role not in already]
    if not new:
        raise refuse("already_agreed", _("You have agreed already; another role must still agree."))
    now = timezone.now()
    for role in new:
        Approval.objects.create(booking=booking, role=role, decision=Decision.APPROVED, by=by, at=now, reason=reason)
    return already | set(new)


def _confirm(booking: Booking, *, by: User | None, reason: str = "") -> Booking:
    before = booking.status
    move(booking, Status.CONFIRMED, at=timezone.now(), hold_expires_at=None, reason=reason)
    if booking.occupancy is not None:
        relabel(occupancy=booking.occupancy, kind=OccupancyKind.BOOKING)
    tell(booking, "booking_confirmed", to=customers(booking))
    note(booking, "booking.approve", by=by, before=before, reason=reason)
    return booking


@atomic_action
def reject_booking(*, booking: Booking, by: User, reason: str, version: int | None = None) -> Booking:
    """Say no in the name of one needed role, with a reason that the customer reads; the time is free at once."""
    if not reason.strip():
        raise invalid("reason", _("Please give a reason: the customer reads it."), "reason_needed")
    booking = lock_booking(booking, version=version)
    require_status(booking, [Status.REQUESTED])
    _refuse_own(booking, by)
    _refuse_unsent(booking)
    mine = deciding_roles(access_of(by), booking)
    if not mine:
        raise Forbidden
    before, now = booking.status, timezone.now()
    for role in mine:
        # Who agreed before may think again while other roles are still asked.
        said = {"decision": Decision.REJECTED, "by": by, "at": now, "reason": reason}
        Approval.objects.update_or_create(booking=booking, role=role, defaults=said)
    move(booking, Status.REJECTED, at=now, hold_expires_at=None, reason=reason)
    release_charges(source=SOURCE, source_uid=booking.uid, by_id=by.pk)
    tell(booking, "booking_rejected", to=customers(booking))
    note(booking, "booking.reject", by=by, before=before, reason=reason)
    return booking


@atomic_action
def expire_hold(*, booking: Booking) -> Booking:
    """What silence means once the hold has run out: consent where the policy says so, else the request expires.

    Nobody consents to a time that has begun.
    """
    booking = lock_booking(booking)
    now = timezone.now()
    if booking.status != Status.REQUESTED or booking.hold_expires_at is None or booking.hold_expires_at > now:
        return booking
    if booking.silence == "consent" and booking.start > now and not booking.awaits_customer:
        return _confirm(booking, by=None)
    before, silent = booking.status, deciders(booking)
    move(booking, Status.EXPIRED, at=now, hold_expires_at=None)
    release_charges(source=SOURCE, source_uid=booking.uid)
    tell(booking, "booking_expired", to=customers(booking) | managers(booking.instrument) | silent)
    note(booking, "booking.expire", by=None, before=before)
    return booking


def expire_holds() -> int:
    """Every request whose hold has run out, found by range, so that a missed tick is caught up."""
    due: QuerySet[Booking] = Booking.objects.filter(status=Status.REQUESTED, hold_expires_at__lte=timezone.now())
    ended = 0
    for booking in list(due.order_by("hold_expires_at")[:500]):
        try:
            ended += expire_hold(booking=booking).status != Status.REQUESTED
        except Exception:
            # One that cannot be ended must not hold up the others; the next minute tries again.
            log.exception("hold of booking %s could not be ended", booking.pk)
    return ended
