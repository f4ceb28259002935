"""Booking all instruments of an experiment at once, and cancelling all of it."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from backend.accounts.models import User
from backend.core.db import atomic_action
from backend.core.errors import Refused, refuse
from booking.actions.together import (
    cancel_all,
    expected_fees,
    lock_changing,
    lock_wishes,
    place_planned,
    tell_together,
    without_taken,
)
from booking.actions.transitions import customers, deciders, managers, tell, untold
from booking.models import Booking, Bundle, Status
from booking.queries.series import Planned, changeable
from booking.queries.several import numbered, plan_several
from booking.queries.wishes import Wish, check_shape


@atomic_action
def book_several(*, wishes: Sequence[Wish], by: User, purpose: str, notes: str = "") -> Bundle:
    """Book every wish or none, all for the same person and organisation; quotas see the earlier items.

    `Refused` with every refusal of every item, each naming its item by ``items.N``.
    """
    for wish in wishes:
        check_shape(wish.start, wish.end)
    now = timezone.now()
    # Who is refused anyway holds nobody up: the locks come after.
    planned = plan_several(wishes, by=by, now=now)
    _stop_if_refused(planned)
    locked = lock_wishes(wishes, now=now)
    planned = without_taken(planned, locked)
    _stop_if_refused(planned)
    first = wishes[0]
    bundle = Bundle.objects.create(
        organisation=first.organisation, user=first.user, made_by=by, purpose=purpose, made_at=now
    )
    done: dict[int, Booking] = {}
    left = list(planned)
    words: dict[str, Any] = {"purpose": purpose, "notes": notes, "bundle": bundle, "rules": locked.rules}
    with untold():
        # The audit record of each institution is locked by its first row: in one order, whatever the items'.
        for index in sorted(range(len(left)), key=lambda n: (left[n].wish.instrument.institution_id, n)):
            booking, refusals = place_planned(left[index], by=by, now=now, **words)
            left[index] = Planned(left[index].wish, refusals)
            if booking:
                done[index] = booking
    _stop_if_refused(left)
    _announce(bundle, [done[index] for index in sorted(done)])
    return bundle


def _stop_if_refused(planned: Sequence[Planned]) -> None:
    refusals = list(numbered(planned))
    if refusals:
        raise Refused(*refusals)


def _announce(bundle: Bundle, rows: Sequence[Booking]) -> None:
    """One message for the customer; each lab hears of its own instruments only."""
    tell_together("bookings_made", rows, to=customers(rows[0]), path=path_of(bundle), key=f"bookings_made:{bundle.uid}")
    for row in rows:
        if row.status == Status.REQUESTED:
            tell(row, "booking_requested", to=deciders(row))


def path_of(bundle: Bundle) -> str:
    return f"/bookings/together/{bundle.pk}/"


@atomic_action
def cancel_bundle(
    *, bundle: Bundle, rows: Sequence[Booking], by: User, reason: str = "", expected: Decimal | None = None
) -> list[Booking]:
    """Cancel all of an experiment that can be cancelled, or nothing; ``expected`` is the fee that was shown."""
    now = timezone.now()
    if rows:
        lock_changing(rows, now=now)
    related = "instrument__institution", "organisation", "user", "made_by", "project", "group", "price_list"
    fresh = Booking.objects.filter(pk__in=[row.pk for row in rows]).select_related(*related, "occupancy")
    rows = changeable(fresh.order_by("instrument__institution", "start"), now)
    if not rows:
        raise refuse("nothing_left", _("Nothing of this experiment can be cancelled any more."))
    fees = expected_fees(rows, expected=expected, now=now)
    with untold():
        done = cancel_all(rows, by=by, reason=reason, by_lab=False)
    more = {"fee": str(fees.total), "by_lab": False, "reason": reason}
    key = f"bookings_cancelled:{bundle.uid}:{done[0].pk}:{done[0].version}"
    tell_together("bookings_cancelled", done, to=customers(done[0]), path=path_of(bundle), key=key, **more)
    for row in done:
        kind = "booking_withdrawn" if row.status == Status.WITHDRAWN else "booking_cancelled"
        tell(row, kind, to=managers(row.instrument) - customers(row))
    return done
