"""Taking an instrument out of service."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.translation import gettext as _

from backend.accounts.models import User
from backend.audit.actions import record
from backend.core.db import atomic_action
from backend.core.errors import Refusal, Refused, invalid, refuse
from booking.actions.requesting import SOURCE
from booking.actions.transitions import customers, move, note, tell
from booking.models import Booking, Status
from instruments.actions.occupancy import lock_instruments, occupy_every_unit
from instruments.models import Instrument, Outage
from invoices.actions.charges import release_charges

LONGEST = timedelta(days=366)


@atomic_action
def create_outage(
    *, instrument: Instrument, start: datetime, end: datetime, reason: str, by: User, displace: bool = False
) -> Outage:
    """Take every unit for ``[start, end)``.

    Refused with the list of bookings that it hits, unless ``displace``: then they are displaced, free of
    charge, and their people are told.
    """
    if end <= start:
        raise invalid("end", _("The end must be after the start."), "end_before_start")
    if end - start > LONGEST:
        raise invalid("end", _("An outage can last at most a year."), "too_long")
    if end <= timezone.now():
        raise invalid("end", _("The end lies in the past."), "past")
    instrument = lock_instruments([instrument.pk])[instrument.pk]
    _refuse_second(instrument, start, end)
    hit = list(
        Booking.objects.filter(instrument=instrument, occupancy__start__lt=end, occupancy__end__gt=start)
        .select_related("instrument__institution", "organisation", "user", "occupancy")
        .order_by("start", "pk")
    )
    if hit and not displace:
        raise Refused(*(_hits(booking) for booking in hit))
    for booking in hit:
        _displace(booking, by=by, reason=reason)
    outage = Outage.objects.create(instrument=instrument, start=start, end=end, reason=reason, created_by=by)
    occupy_every_unit(outage=outage)
    record(
        organisation_id=instrument.institution_id,
        actor_id=by.pk,
        action="outage.create",
        object_type="instrument",
        object_id=instrument.pk,
        after={"outage": outage.pk, "start": start, "end": end, "displaced": [b.pk for b in hit]},
        reason=reason,
    )
    return outage


def _refuse_second(instrument: Instrument, start: datetime, end: datetime) -> None:
    known = Outage.objects.filter(instrument=instrument, start__lt=end, end__gt=start).order_by("start").first()
    if known is not None:
        when = (t.astimezone(instrument.zone) for t in (known.start, known.end))
        first, last = (f"{t:%Y-%m-%d %H:%M}" for t in when)
        raise refuse(
            "outage_known",
            _("There is an outage already from %(first)s to %(last)s: %(reason)s.")
            % {"first": first, "last": last, "reason": known.reason},
            params={"outage": known.pk},
        )


def _hits(booking: Booking) -> Refusal:
    zone = booking.instrument.zone
    start, end = booking.start.astimezone(zone), booking.end.astimezone(zone)
    return Refusal(
        "hits_booking",
        _("%(when)s: booked by %(who)s (%(status)s).")
        % {
            "when": f"{start:%Y-%m-%d %H:%M}–{end:%H:%M}",
            "who": f"{booking.organisation.name}, {booking.user.name}",
            "status": booking.get_status_display(),
        },
        params={"booking": booking.pk, "start": booking.start.isoformat(), "end": booking.end.isoformat()},
        fix_text=_("Displace the booking, or choose another time."),
    )


def _displace(booking: Booking, *, by: User, reason: str) -> None:
    before = booking.status
    move(booking, Status.DISPLACED, at=timezone.now(), hold_expires_at=None, reason=reason)
    release_charges(source=SOURCE, source_uid=booking.uid, by_id=by.pk)
    tell(booking, "booking_displaced", to=customers(booking))
    note(booking, "booking.displace", by=by, before=before, reason=reason)
