"""Taking an instrument out of service, and giving it back."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from backend.accounts.models import User
from backend.audit.actions import record
from backend.core.db import atomic_action
from backend.core.errors import NotFound, Refusal, Refused, Stale, invalid, refuse
from backend.core.periods import clock_words
from backend.outbox.actions import post
from booking.actions.displacing import displace_locked, tell_of_free_time
from booking.actions.transitions import managers, now_in_minutes
from booking.models import Booking
from booking.queries.outages import hit_bookings
from instruments.actions.occupancy import lock_instruments, occupy_every_unit, vacate
from instruments.models import Instrument, Outage

LONGEST = timedelta(days=366)
LONGEST_REASON = 200


@atomic_action
def create_outage(
    *,
    instrument: Instrument,
    start: datetime,
    end: datetime,
    reason: str,
    by: User,
    displace: bool = False,
    expected: Collection[int] | None = None,
) -> Outage:
    """Take every unit for ``[start, end)``.

    Refused with the list of bookings that it hits, unless ``displace``: then they are displaced, free of
    charge, and their people are told. ``expected`` are the bookings that the caller was shown: `Refused` with
    the present list where these are others by now.
    """
    reason = _checked(start, end, reason)
    instrument = lock_instruments([instrument.pk])[instrument.pk]
    _refuse_second(instrument, start, end)
    hit = _make_room(instrument, start, end, by=by, reason=reason, displace=displace, expected=expected)
    outage = Outage.objects.create(instrument=instrument, start=start, end=end, reason=reason, created_by=by)
    occupy_every_unit(outage=outage)
    _tell_lab(outage, "outage_created", by)
    _note(outage, "outage.create", by, displaced=hit)
    return outage


@atomic_action
def change_outage(
    *,
    outage: Outage,
    by: User,
    start: datetime | None = None,
    end: datetime | None = None,
    reason: str | None = None,
    displace: bool = False,
    expected: Collection[int] | None = None,
    sequence: int | None = None,
) -> Outage:
    """Another time or reason, for what is left out. The start can only move while it lies ahead.

    What it newly hits is treated as by `create_outage`; whom it displaced is told of time that becomes free.
    ``sequence`` is what the caller saw: `Stale` when it changed since.
    """
    outage = _lock(outage, sequence)
    was = (outage.start, outage.end, outage.reason)
    begins, ends = start or outage.start, end or outage.end
    why = _checked(begins, ends, outage.reason if reason is None else reason)
    if (begins, ends, why) == was:
        return outage
    if begins != outage.start and min(begins, outage.start) <= timezone.now():
        raise refuse("begun", _("It has begun: only its end can still move."))
    _refuse_second(outage.instrument, begins, ends, besides=outage)
    vacate(occupancy_ids=outage.occupancies.values_list("pk", flat=True))
    hit = _make_room(outage.instrument, begins, ends, by=by, reason=why, displace=displace, expected=expected)
    outage.start, outage.end, outage.reason = begins, ends, why
    _save(outage)
    occupy_every_unit(outage=outage)
    tell_of_free_time(instrument=outage.instrument, start=was[0], end=was[1], still=(begins, ends))
    _tell_lab(outage, "outage_changed", by)
    _note(outage, "outage.change", by, was=was, displaced=hit)
    return outage


@atomic_action
def end_outage(*, outage: Outage, by: User, sequence: int | None = None) -> Outage:
    """In service again from this minute on. `Refused` for one that has not begun: that one is deleted."""
    outage = _lock(outage, sequence)
    if outage.start > timezone.now():
        raise refuse("not_begun", _("It has not begun. Delete it, and its time is free again."), until=outage.start)
    was = (outage.start, outage.end, outage.reason)
    vacate(occupancy_ids=outage.occupancies.values_list("pk", flat=True))
    outage.end = max(now_in_minutes(), outage.start + timedelta(minutes=1))
    _save(outage)
    occupy_every_unit(outage=outage)
    tell_of_free_time(instrument=outage.instrument, start=was[0], end=was[1], still=(outage.start, outage.end))
    _tell_lab(outage, "outage_ended", by)
    _note(outage, "outage.end", by, was=was)
    return outage


@atomic_action
def delete_outage(*, outage: Outage, by: User, sequence: int | None = None) -> None:
    """It does not take place. `Refused` once it has begun: what was out of service stays on record."""
    outage = _lock(outage, sequence)
    if outage.start <= timezone.now():
        raise refuse("begun", _("It has begun. End it instead: the time until now stays on record."))
    tell_of_free_time(instrument=outage.instrument, start=outage.start, end=outage.end, still=None)
    _tell_lab(outage, "outage_ended", by)
    _note(outage, "outage.delete", by, was=(outage.start, outage.end, outage.reason))
    vacate(occupancy_ids=outage.occupancies.values_list("pk", flat=True))
    Outage.objects.filter(pk=outage.pk).delete()


def _checked(start: datetime, end: datetime, reason: str) -> str:
    """The reason without blanks around it; `Invalid` for times and texts that make no outage."""
    reason = reason.strip()
    if not reason:
        raise invalid("reason", _("Please give a reason: the customers read it."), "reason_needed")
    if len(reason) > LONGEST_REASON:
        raise invalid("reason", _("At most %(most)s characters.") % {"most": LONGEST_REASON}, "too_long")
    if any(t.second or t.microsecond for t in (start, end)):
        raise invalid("start", _("Please give times in whole minutes."), "whole_minutes")
    if end <= start:
        raise invalid("end", _("The end must be after the start."), "end_before_start")
    if end - start > LONGEST:
        raise invalid("end", _("An outage can last at most a year."), "too_long")
    if end <= timezone.now():
        raise invalid("end", _("The end lies in the past."), "past")
    return reason


def _lock(outage: Outage, sequence: int | None) -> Outage:
    """Lock the instrument, then read the outage anew. One that is over does not change any more."""
    instrument = lock_instruments([outage.instrument_id])[outage.instrument_id]
    fresh = Outage.objects.select_for_update(no_key=True).filter(pk=outage.pk).first()
    if fresh is None:
        raise NotFound
    fresh.instrument = instrument
    if sequence is not None and fresh.sequence != sequence:
        raise Stale
    if fresh.end <= timezone.now():
        raise refuse("over", _("This outage is over and does not change any more."))
    return fresh


def _save(outage: Outage) -> None:
    outage.sequence += 1
    outage.changed_at = timezone.now()
    outage.save(update_fields=["start", "end", "reason", "sequence", "changed_at"])


def _make_room(
    instrument: Instrument,
    start: datetime,
    end: datetime,
    *,
    by: User,
    reason: str,
    displace: bool,
    expected: Collection[int] | None,
) -> list[int]:
    """Displace what is hit, or refuse with the list; the ids of what was displaced."""
    hit = list(hit_bookings(instrument, start, end))
    if hit and not displace:
        raise Refused(*(_hits(booking) for booking in hit))
    if displace and expected is not None and {booking.pk for booking in hit} != set(expected):
        changed = Refusal("hits_changed", _("Meanwhile other bookings are hit than those you were shown."))
        raise Refused(changed, *(_hits(booking) for booking in hit))
    for booking in hit:
        displace_locked(booking, by=by, reason=reason)
    return [booking.pk for booking in hit]


def _refuse_second(instrument: Instrument, start: datetime, end: datetime, besides: Outage | None = None) -> None:
    others = Outage.objects.filter(instrument=instrument, start__lt=end, end__gt=start)
    known = (others.exclude(pk=besides.pk) if besides else others).order_by("start").first()
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
    return Refusal(
        "hits_booking",
        _("%(when)s: booked by %(who)s (%(status)s).")
        % {
            "when": clock_words(booking.start, booking.end, booking.instrument.zone),
            "who": f"{booking.organisation.name}, {booking.user.name}",
            "status": booking.get_status_display(),
        },
        params={"booking": booking.pk, "start": booking.start.isoformat(), "end": booking.end.isoformat()},
        fix_text=_("Displace the booking, or choose another time."),
    )


def _tell_lab(outage: Outage, kind: str, by: User) -> None:
    """The other managers of the instrument hear of it."""
    instrument = outage.instrument
    post(
        key=f"{kind}:{outage.uid}:{outage.sequence}",
        kind=kind,
        recipients=managers(instrument) - {by.pk},
        context={
            "instrument": instrument.name,
            "instrument_en": instrument.name_en or instrument.name,
            "when": clock_words(outage.start, outage.end, instrument.zone),
            "zone": instrument.timezone,
            "reason": outage.reason,
            "person": by.name,
        },
        path=f"/manage/instruments/{instrument.pk}/outages/",
    )


def _note(
    outage: Outage,
    action: str,
    by: User,
    *,
    was: Sequence[Any] = (),
    displaced: Sequence[int] = (),
) -> None:
    names = ("start", "end", "reason")
    record(
        organisation_id=outage.instrument.institution_id,
        actor_id=by.pk,
        action=action,
        object_type="instrument",
        object_id=outage.instrument_id,
        before=dict(zip(names, was, strict=False)),
        after={"outage": outage.pk, "start": outage.start, "end": outage.end, "displaced": list(displaced)},
        reason=outage.reason,
    )
