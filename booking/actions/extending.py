"""Outages of which nobody knows the end: shown a day ahead, and moved on by a day each day until they are closed."""

from __future__ import annotations

import logging
from collections.abc import Collection
from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.translation import gettext as _

from backend.accounts.models import User
from backend.core.db import atomic_action
from backend.core.errors import refuse
from booking.actions.displacing import displace_locked
from booking.actions.offering import withdraw_offers
from booking.actions.outages import lock_outage, make_room, note, save, tell_lab
from booking.actions.replacing import blame
from booking.models import Booking
from booking.queries.outages import newly_hit, shown_end
from instruments.actions.occupancy import occupy_around
from instruments.models import Outage

log = logging.getLogger(__name__)


@atomic_action
def extend_outage(*, outage: Outage, by: User, expected: Collection[int], sequence: int | None = None) -> Outage:
    """The lab displaces what lies in the way; ``expected`` are the bookings that it was shown."""
    outage = lock_outage(outage, sequence)
    if not outage.open_ended:
        raise refuse("has_an_end", _("The end of this outage is known. Change it instead."))
    until = shown_end(outage.instrument, timezone.now(), at_least=outage.end)
    hit = make_room(outage.instrument, outage.end, until, by=by, reason=outage.reason, displace=True, expected=expected)
    was = (outage.start, outage.end, outage.reason)
    _extend(outage, until)
    blame(outage, hit)
    note(outage, "outage.change", by, was=was, displaced=hit)
    return outage


@atomic_action
def extend_open_outage(*, outage: Outage) -> Outage:
    """What the system does every day: move the shown end on, displace what is newly hit, or ask the lab.

    Where the lab is asked, the outage ends before the first of these bookings: nothing is booked twice.
    """
    outage = lock_outage(outage)
    now = timezone.now()
    until = shown_end(outage.instrument, now)
    if not outage.open_ended or outage.end >= until:
        return outage
    hit = newly_hit(outage, until, now)
    # Whoever entered the outage does not get rid of a booking of their own by it.
    displaced = [each for each in hit if outage.displaces and each.user_id != outage.created_by_id]
    kept = [each for each in hit if each not in displaced]
    until = min([until, *(each.occupancy.start for each in kept if each.occupancy)])
    displaced = [each for each in displaced if each.occupancy and each.occupancy.start < until]
    for booking in displaced:
        displace_locked(booking, by=None, reason=outage.reason)
    was = (outage.start, outage.end, outage.reason)
    if until > outage.end:
        _extend(outage, until)
        blame(outage, [each.pk for each in displaced])
        note(outage, "outage.extend", None, was=was, displaced=[each.pk for each in displaced])
    _tell(outage, displaced, kept)
    return outage


def _extend(outage: Outage, until: datetime) -> None:
    withdraw_offers(instrument=outage.instrument, start=outage.end, end=until, reason=outage.reason)
    since, outage.end = outage.end, until
    save(outage)
    occupy_around(outage=outage, start=since, end=until)


def _tell(outage: Outage, displaced: list[Booking], kept: list[Booking]) -> None:
    """The lab hears of what was displaced, and once of each set of bookings that waits for its word."""
    if displaced:
        tell_lab(outage, "outage_extended", None, displaced=len(displaced))
    if kept:
        which = "-".join(str(each.pk) for each in kept)
        tell_lab(outage, "outage_extended", None, key=f"asks:{which}", waiting=len(kept))


def extend_outages() -> int:
    """Every open outage whose shown end is near, each in a transaction of its own; how many were moved on."""
    near = Outage.objects.filter(open_ended=True, end__lt=timezone.now() + timedelta(days=2))
    done = 0
    for outage in list(near.select_related("instrument").order_by("pk")):
        try:
            done += extend_open_outage(outage=outage).end != outage.end
        except Exception:
            log.exception("outage %s could not be extended", outage.pk)
    return done
