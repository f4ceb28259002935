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
from booking.actions.offering import withdraw_offers
from booking.actions.replacing import blame
from booking.actions.transitions import managers, now_in_minutes
from booking.models import Booking
from booking.queries.outages import hit_bookings, shown_end
from instruments.actions.occupancy import lock_instruments, occupy_around, occupy_every_unit, vacate
from instruments.models import Instrument, Outage

LONGEST = timedelta(days=366)
LONGEST_REASON = 200


@atomic_action
def create_outage(
    *,
    instrument: Instrument,
    start: datetime,
    end: datetime | None = None,
    reason: str,
    by: User,
    displace: bool = False,
    expected: Collection[int] | None = None,
    open_ended: bool = False,
    displaces: bool = False,
) -> Outage:
    """Take every unit for ``[start, end)``.

    ``open_ended``: nobody knows the end yet. It then need not be given, and moves on by a day each day until
    somebody says that the instrument works again; ``displaces`` says what happens to whom that hits.

    Refused with the list of bookings that it hits, unless ``displace``: then they are displaced, free of
    charge, and their people are told. ``expected`` are the bookings that the caller was shown: `Refused` with
    the present list where these are others by now.
    """
    end = _end(instrument, start, end, open_ended)
    reason = _checked(start, end, reason)
    instrument = lock_instruments([instrument.pk])[instrument.pk]
    _refuse_second(instrument, start, end)
    hit = make_room(instrument, start, end, by=by, reason=reason, displace=displace, expected=expected)
    outage = Outage.objects.create(
        instrument=instrument,
        start=start,
        end=end,
        reason=reason,
        created_by=by,
        open_ended=open_ended,
        displaces=open_ended and displaces,
    )
    blame(outage, hit)
    occupy_every_unit(outage=outage)
    tell_lab(outage, "outage_created", by)
    note(outage, "outage.create", by, displaced=hit)
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
    open_ended: bool | None = None,
    displaces: bool | None = None,
) -> Outage:
    """Another time or reason, for what is left out. The start can only move while it lies ahead.

    What it newly hits is treated as by `create_outage`; whom it displaced is told of time that becomes free.
    ``sequence`` is what the caller saw: `Stale` when it changed since.
    """
    outage = lock_outage(outage, sequence)
    was = (outage.start, outage.end, outage.reason, outage.open_ended, outage.displaces)
    begins, ends = start or outage.start, end or outage.end
    why = _checked(begins, ends, outage.reason if reason is None else reason)
    outage.open_ended = outage.open_ended if open_ended is None else open_ended
    outage.displaces = outage.open_ended and (outage.displaces if displaces is None else displaces)
    if (begins, ends, why, outage.open_ended, outage.displaces) == was:
        return outage
    if begins != outage.start and min(begins, outage.start) <= timezone.now():
        raise refuse("begun", _("It has begun: only its end can still move."))
    _refuse_second(outage.instrument, begins, ends, besides=outage)
    vacate(occupancy_ids=outage.occupancies.values_list("pk", flat=True))
    hit = make_room(outage.instrument, begins, ends, by=by, reason=why, displace=displace, expected=expected)
    outage.start, outage.end, outage.reason = begins, ends, why
    save(outage)
    blame(outage, hit)
    occupy_every_unit(outage=outage)
    tell_of_free_time(instrument=outage.instrument, start=was[0], end=was[1], still=(begins, ends))
    tell_lab(outage, "outage_changed", by)
    note(outage, "outage.change", by, was=was, displaced=hit)
    return outage


@atomic_action
def end_outage(*, outage: Outage, by: User, sequence: int | None = None) -> Outage:
    """In service again from this minute on. `Refused` for one that has not begun: that one is deleted."""
    outage = lock_outage(outage, sequence)
    if outage.start > timezone.now():
        raise refuse("not_begun", _("It has not begun. Delete it, and its time is free again."), until=outage.start)
    was = (outage.start, outage.end, outage.reason)
    vacate(occupancy_ids=outage.occupancies.values_list("pk", flat=True))
    # An open one whose end was held up by a booking ended there.
    outage.end = min(outage.end, max(now_in_minutes(), outage.start + timedelta(minutes=1)))
    outage.open_ended = False
    save(outage)
    occupy_around(outage=outage, start=outage.start, end=outage.end)
    tell_of_free_time(instrument=outage.instrument, start=was[0], end=was[1], still=(outage.start, outage.end))
    tell_lab(outage, "outage_ended", by)
    note(outage, "outage.end", by, was=was)
    return outage


@atomic_action
def delete_outage(*, outage: Outage, by: User, sequence: int | None = None) -> None:
    """It does not take place. `Refused` once it has begun: what was out of service stays on record."""
    outage = lock_outage(outage, sequence)
    if outage.start <= timezone.now():
        raise refuse("begun", _("It has begun. End it instead: the time until now stays on record."))
    tell_of_free_time(instrument=outage.instrument, start=outage.start, end=outage.end, still=None)
    tell_lab(outage, "outage_ended", by)
    note(outage, "outage.delete", by, was=(outage.start, outage.end, outage.reason))
    vacate(occupancy_ids=outage.occupancies.values_list("pk", flat=True))
    Outage.objects.filter(pk=outage.pk).delete()


def _end(instrument: Instrument, start: datetime, end: datetime | None, open_ended: bool) -> datetime:
    if end is not None:
        return end
    if not open_ended:
        raise invalid("end", _("Please give the end, or say that it is not known yet."), "end_needed")
    return shown_end(instrument, max(start, timezone.now()))


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


def lock_outage(outage: Outage, sequence: int | None = None) -> Outage:
    """Lock the instrument, then read the outage anew. One that is over does not change any more."""
    instrument = lock_instruments([outage.instrument_id])[outage.instrument_id]
    fresh = Outage.objects.select_for_update(no_key=True).filter(pk=outage.pk).first()
    if fresh is None:
        raise NotFound
    fresh.instrument = instrument
    if sequence is not None and fresh.sequence != sequence:
        raise Stale
    if fresh.end <= timezone.now() and not fresh.open_ended:
        raise refuse("over", _("This outage is over and does not change any more."))
    return fresh


def save(outage: Outage) -> None:
    outage.sequence += 1
    outage.changed_at = timezone.now()
    outage.save(update_fields=["start", "end", "reason", "open_ended", "displaces", "sequence", "changed_at"])


def make_room(
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
    withdraw_offers(instrument=instrument, start=start, end=end, reason=reason)
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


def tell_lab(outage: Outage, kind: str, by: User | None, *, key: str = "", **more: Any) -> None:
    """The other managers of the instrument hear of it; all of them of what nobody did."""
    instrument = outage.instrument
    post(
        key=f"{kind}:{outage.uid}:{key or outage.sequence}",
        kind=kind,
        recipients=managers(instrument) - ({by.pk} if by else set()),
        context={
            "instrument": instrument.name,
            "instrument_en": instrument.name_en or instrument.name,
            "when": clock_words(outage.start, outage.end, instrument.zone),
            "zone": instrument.timezone,
            "reason": outage.reason,
            "person": by.name if by else "",
            **more,
        },
        path=f"/manage/instruments/{instrument.pk}/outages/",
    )


def note(
    outage: Outage,
    action: str,
    by: User | None,
    *,
    was: Sequence[Any] = (),
    displaced: Sequence[int] = (),
) -> None:
    names = ("start", "end", "reason", "open_ended", "displaces")
    record(
        organisation_id=outage.instrument.institution_id,
        actor_id=by.pk if by else None,
        action=action,
        object_type="instrument",
        object_id=outage.instrument_id,
        before=dict(zip(names, was, strict=False)),
        after={
            "outage": outage.pk,
            "start": outage.start,
            "end": outage.end,
            "open_ended": outage.open_ended,
            "displaced": list(displaced),
        },
        reason=outage.reason,
    )
