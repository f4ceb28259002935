"""The customer's changes: take a request back, cancel, move to another time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from backend.accounts.models import User
from backend.accounts.queries import access_of
from backend.core.db import atomic_action
from backend.core.errors import Refused, invalid, refuse
from booking.actions.asking import ask_customer, without_own_spending
from booking.actions.locks import lock_parties_of, lock_to_cancel
from booking.actions.repricing import post_aside, repricing
from booking.actions.requesting import SOURCE, hold_until, ledger_line, quote_out, reserve
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
from booking.actions.violating import record_violations, told
from booking.models import Approval, Booking, Status
from booking.queries.assess import assess
from booking.queries.cancellation import cancellation
from booking.queries.changes import MOVE, stands_against, without_own_agreement, worse_by_lab
from booking.queries.confirming import confirm_by
from booking.queries.facts import InForce, policy_view
from booking.queries.quoting import quote_for_customer
from booking.queries.scope import speaks_for_customer
from booking.queries.wishes import Assessment, Quote, check_shape, wish_of
from instruments.actions.occupancy import occupy
from instruments.models import OccupancyKind
from invoices.actions.charges import release_charges


@atomic_action
def withdraw_booking(*, booking: Booking, by: User, reason: str = "", version: int | None = None) -> Booking:
    """Take back a request that nobody has decided about; costs nothing."""
    booking = lock_booking(booking, version=version)
    require_status(booking, [Status.REQUESTED])
    before, asked = booking.status, deciders(booking)
    move(booking, Status.WITHDRAWN, at=timezone.now(), hold_expires_at=None, reason=reason)
    release_charges(source=SOURCE, source_uid=booking.uid, by_id=by.pk)
    tell(booking, "booking_withdrawn", to=managers(booking.instrument) | asked)
    note(booking, "booking.withdraw", by=by, before=before, reason=reason)
    return booking


@atomic_action
def cancel_booking(
    *, booking: Booking, by: User, reason: str = "", version: int | None = None, by_lab: bool = False
) -> Booking:
    """Cancel a confirmed booking. The customer pays what `cancellation` states; the lab's own cancelling is free.

    The lab must give a reason. `Refused` when the policy does not allow it any more.
    """
    lock_to_cancel(booking)
    booking = lock_booking(booking, version=version)
    require_status(booking, [Status.CONFIRMED])
    if by_lab:
        need_lab(booking, by, reason)
    now = timezone.now()
    if now >= booking.end:
        raise refuse("over", _("The booked time is over. Its use is logged now, or a no-show recorded."))
    fee = None if by_lab else cancellation(booking, now=now)
    if fee is not None and fee.refusals:
        raise Refused(*fee.refusals)
    before = booking.status
    with repricing(booking, correction_uid=booking.uid, by_id=by.pk):
        move(booking, Status.CANCELLED, at=now, reason=reason, excused=by_lab)
        release_charges(
            source=SOURCE,
            source_uid=booking.uid,
            lines=[ledger_line(line) for line in fee.lines] if fee else [],
            by_id=by.pk,
        )
        if fee and fee.aside:
            post_aside(booking, fee.aside)
    seen = [] if by_lab else record_violations(booking, [("cancel", now)], by=by)
    to = customers(booking) | managers(booking.instrument)
    tell(booking, "booking_cancelled", to=to, fee=str(fee.total) if fee else "0.00", by_lab=by_lab)
    paid = str(fee.total) if fee else "0.00"
    note(booking, "booking.cancel", by=by, before=before, reason=reason, fee=paid, **told(seen))
    return booking


@atomic_action
def reschedule_booking(
    *,
    booking: Booking,
    by: User,
    start: datetime,
    end: datetime,
    reason: str = "",
    version: int | None = None,
    by_lab: bool = False,
) -> Booking:
    """Move a request or booking to ``[start, end)``; the old time is kept until the new one is certain.

    The rules for changes are asked; where they want approval the booking is *requested* again, and a
    request stays one. Who moves it for the lab is not asked to agree with themselves, gives a reason, and
    makes nothing longer or dearer. A customer cannot move what would cost a fee to cancel.
    """
    check_shape(start, end)
    now = timezone.now()
    rules = lock_parties_of(booking, now=now, act="change")
    booking = lock_booking(booking, version=version)
    require_status(booking, [Status.REQUESTED, Status.CONFIRMED])
    require_possible(booking, MOVE, start, end, by=by, now=now, by_lab=by_lab, reason=reason)
    answer = assess_change(booking, start, end, now=now, act="change", rules=rules)
    answer = without_own_spending(answer, booking, by, begun=False)
    if by_lab:
        answer = without_own_agreement(answer, booking, access_of(by))
    worse = list(worse_by_lab(booking, answer, start, end)) if by_lab else []
    if worse:
        raise Refused(*worse)
    before, was = booking.status, (booking.start, booking.end)
    quote = quoted(booking, answer, start, end)
    apply_change(booking, answer, quote, start, end, now)
    reserve(booking, quote, by=by)
    if booking.status == Status.CONFIRMED:
        tell(booking, "booking_rescheduled", to=customers(booking) | managers(booking.instrument))
    else:
        tell(booking, "booking_requested", to=deciders(booking))
        tell(booking, "booking_received", to=customers(booking))
    moved = {"start": start, "end": end, "was_start": was[0], "was_end": was[1]}
    note(booking, "booking.reschedule", by=by, before=before, reason=reason, **moved)
    return booking


def need_reason(reason: str) -> None:
    """The lab says why it changes somebody's booking."""
    if not reason.strip():
        raise invalid("reason", _("Please give a reason: the customer reads it."), "reason_needed")


def need_lab(booking: Booking, by: User, reason: str) -> None:
    """The lab's way, which costs nothing, is not open to who belongs to the customer; `Refused`."""
    if speaks_for_customer(by, booking):
        raise refuse("own_booking", _("You belong to the customer yourself. Please ask a colleague."))
    need_reason(reason)


def require_possible(
    booking: Booking,
    act: str,
    start: datetime,
    end: datetime,
    *,
    by: User,
    now: datetime,
    by_lab: bool,
    reason: str,
) -> None:
    """`Refused` where the change is impossible whatever the rules say of the new time."""
    found = list(stands_against(booking, act, start, end, now=now, by_lab=by_lab))
    if found:
        raise Refused(*found)
    if by_lab:
        need_lab(booking, by, reason)


def assess_change(
    booking: Booking, start: datetime, end: datetime, *, now: datetime, act: str, rules: Mapping[int, InForce]
) -> Assessment:
    """What the rules say of the new time; `Refused` with every reason of theirs."""
    wish = wish_of(booking).at(start, end)
    answer = assess(wish, now=now, act=act, before=booking, rules=rules)
    if answer.refusals:
        raise Refused(*answer.refusals)
    return answer


def quoted(booking: Booking, answer: Assessment, start: datetime, end: datetime) -> Quote:
    """The price of the changed booking, under the list that it was made under."""
    return quote_for_customer(wish_of(booking).at(start, end), answer, keep=booking.price_list)


def apply_change(
    booking: Booking,
    answer: Assessment,
    quote: Quote,
    start: datetime,
    end: datetime,
    now: datetime,
    *,
    begun: bool = False,
    **changes: Any,
) -> None:
    """Take the new time in place of the old and write what the assessment says of it.

    What has ``begun`` keeps its unit and its status.
    """
    # A request that nobody has agreed to stays one, also where a smaller one gives no new reason to ask.
    waiting = booking.status == Status.REQUESTED
    roles = list(answer.approval.roles) or (booking.approval_roles if waiting else [])
    held = waiting or (bool(roles or answer.spending) and not begun)
    until = hold_until(wish_of(booking).at(start, end), answer, booking.requested_at if waiting else now, now=now)
    occupancy = occupy(
        instrument=booking.instrument,
        start=start,
        end=end,
        kind=OccupancyKind.HOLD if held else OccupancyKind.BOOKING,
        replacing=booking.occupancy,
        same_unit=begun,
    )
    if held:
        Approval.objects.filter(booking=booking).delete()
        changes |= {"approval_roles": roles, "silence": answer.approval.silence or (booking.silence if waiting else "")}
        changes["awaits_customer"] = answer.spending is not None or (waiting and booking.awaits_customer)
    move(
        booking,
        Status.REQUESTED if held else booking.status,
        at=now,
        start=start,
        end=end,
        unit=occupancy.unit,
        audience=answer.audience,
        quote=quote_out(quote),
        policy=answer.policy,
        hold_expires_at=until if held else None,
        reminded_at=booking.reminded_at if begun else None,
        **({} if begun else _to_confirm(booking, answer, start, end, now)),
        **changes,
    )
    if answer.spending is not None:
        ask_customer(booking, answer.spending)


def _to_confirm(
    booking: Booking, answer: Assessment, start: datetime, end: datetime, now: datetime
) -> dict[str, datetime | None]:
    """Another time must be confirmed anew; the same one, longer or shorter, stays so."""
    if start == booking.start and booking.coming_at is not None:
        return {}
    view = {**policy_view(booking), "start": start, "end": end}
    by = confirm_by(answer.policy, view, tz=booking.instrument.timezone, now=now)
    return {"confirm_by": by, "confirm_asked_at": None, "coming_at": None}
