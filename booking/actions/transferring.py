"""A booking goes to a colleague: the time and the terms stay, the person changes."""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone
from django.utils.translation import gettext as _

from backend.accounts.models import Membership, User
from backend.core.db import atomic_action
from backend.core.errors import Refused, invalid, refuse
from booking.actions.changing import apply_change, quoted
from booking.actions.locks import lock_parties
from booking.actions.requesting import reserve
from booking.actions.transitions import customers, deciders, lock_booking, managers, note, require_status, tell
from booking.models import Booking, Status
from booking.queries.assess import assess
from booking.queries.cancellation import of_samples
from booking.queries.wishes import Assessment, wish_of
from booking.rules.asking_again import TRANSFER


@atomic_action
def transfer_booking(
    *, booking: Booking, by: User, user: User, reason: str = "", version: int | None = None
) -> Booking:
    """Hand a request or booking that has not begun to a colleague of the same organisation.

    Every rule is asked for the new person. Where they want approval the booking is *requested* again. Both people
    are told; the one who had it sees it no longer unless they run the organisation.
    """
    now = timezone.now()
    lock_parties(
        user=user,
        group=booking.group,
        project=booking.project,
        organisation=booking.organisation,
        instrument=booking.instrument,
        now=now,
        act=TRANSFER,
    )
    booking = lock_booking(booking, version=version)
    require_status(booking, [Status.REQUESTED, Status.CONFIRMED])
    fixed = list(of_samples(booking))
    if fixed:
        raise Refused(*fixed)
    if now >= booking.start:
        raise refuse("begun", _("The booked time has begun; it cannot be handed over any more."))
    if user.pk == booking.user_id:
        raise refuse("same_user", _("It is their booking already."), field="user")
    if not Membership.objects.current().filter(user=user, organisation=booking.organisation_id).exists():
        raise invalid("user", _("This person is no colleague of your organisation."), "foreign")
    before, old = booking.status, booking.user
    answer = _handed(booking, user, now)
    quote = quoted(booking, answer, booking.start, booking.end)
    made_by = user if booking.made_by_id == old.pk else booking.made_by
    apply_change(
        booking, answer, quote, booking.start, booking.end, now, user=user, made_by=made_by, group=booking.group
    )
    reserve(booking, quote, by=by)
    _announce(booking, old)
    note(booking, "booking.transfer", by=by, before=before, reason=reason, user=user.pk, was_user=old.pk)
    return booking


def _handed(booking: Booking, user: User, now: datetime) -> Assessment:
    """The booking in memory becomes the colleague's; `Refused` with every reason of the rules."""
    before = Booking.objects.model(
        **{field.attname: getattr(booking, field.attname) for field in Booking._meta.concrete_fields}
    )
    before.instrument, before.price_list = booking.instrument, booking.price_list
    booking.user = user
    if booking.group is not None and not booking.group.members.filter(pk=user.pk).exists():
        booking.group = None
    answer = assess(wish_of(booking), now=now, act=TRANSFER, before=before)
    if answer.refusals:
        raise Refused(*answer.refusals)
    return answer


def _announce(booking: Booking, old: User) -> None:
    if booking.status == Status.REQUESTED:
        tell(booking, "booking_requested", to=deciders(booking))
    told = customers(booking) | {old.pk} | managers(booking.instrument)
    tell(booking, "booking_transferred", to=told, was_person=old.name)
