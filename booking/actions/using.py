"""Check-in, check-out, the usage log and its verification, which makes charges final."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone, translation
from django.utils.translation import gettext as _

from backend.accounts.models import Organisation, User
from backend.audit.actions import record
from backend.core.db import atomic_action
from backend.core.errors import NotFound, Refusal, Refused, invalid, refuse
from booking.actions.locks import lock_to_charge, lock_to_record
from booking.actions.repricing import falls_later, post_beside, repricing
from booking.actions.requesting import SOURCE, ledger_line
from booking.actions.transitions import (
    customers,
    lock_booking,
    managers,
    move,
    note,
    now_in_minutes,
    require_status,
    tell,
)
from booking.actions.violating import Happened, record_violations, strike_out, told
from booking.models import Booking, Status, Usage, UsageState
from booking.queries.cancellation import of_samples
from booking.queries.earlier import posts_beside
from booking.queries.no_show import can_be_corrected
from booking.queries.scope import speaks_for_customer
from booking.queries.usage import final_price
from instruments.actions.occupancy import lock_instruments
from instruments.models import Instrument, Mode
from invoices.actions.aside import note_aside
from invoices.actions.charges import finalise_charges, reopen_charges, reserve_charges

EARLY = timedelta(minutes=15)
NEAR = timedelta(days=1)
OLDEST = timedelta(days=731)
OWN_REFERENCE = "booking:"
CORRECTION_REFERENCE = "correction:"


def reference(booking: Booking) -> str:
    """The usage record's reference: one per booking."""
    return f"{OWN_REFERENCE}{booking.uid}"


@atomic_action
def start_booking(*, booking: Booking, by: User, version: int | None = None) -> Booking:
    """Check in: the use begins now. Possible from a quarter of an hour before the start until the end."""
    lock_to_record(booking, "checkin")
    booking = lock_booking(booking, version=version)
    require_status(booking, [Status.CONFIRMED])
    _leave_to_lab(booking, by)
    now = now_in_minutes()
    if now < booking.start - EARLY:
        raise refuse(
            "too_early_to_start",
            _("You can start from 15 minutes before the booked time."),
            until=booking.start - EARLY,
        )
    if now >= booking.end:
        raise refuse("too_late_to_start", _("The booked time is over. Ask the lab to log the use."))
    neighbours = Booking.objects.filter(instrument=booking.instrument_id, unit=booking.unit, status=Status.IN_USE)
    if neighbours.exists():
        raise refuse("still_in_use", _("Somebody is still using it. Start when they have finished."))
    before = booking.status
    Usage.objects.create(**_usage_fields(booking, by), state=UsageState.RECORDED, start=now)
    move(booking, Status.IN_USE, at=timezone.now())
    seen = record_violations(booking, [("checkin", now)], by=by)
    note(booking, "booking.start", by=by, before=before, used_from=now, **told(seen))
    return booking


def _leave_to_lab(booking: Booking, by: User) -> None:
    """`Refused` for who belongs to the customer: time taken for samples, and a fee that would be taken back."""
    if booking.order_id is None and booking.status != Status.NO_SHOW:
        return
    if speaks_for_customer(by, booking):
        own = Refusal("own_use", _("You belong to the customer yourself. Please ask a colleague."))
        raise Refused(*(list(of_samples(booking)) or [own]))


def _require_loggable(booking: Booking, by: User, source_ref: str, *, by_lab: bool) -> None:
    require_status(booking, [Status.CONFIRMED, Status.IN_USE, *([Status.NO_SHOW] if by_lab else [])])
    _leave_to_lab(booking, by)
    _check_correctable(booking)
    if source_ref != reference(booking):
        _check_reference(source_ref)
    if timezone.now() < booking.start - EARLY:
        raise refuse("not_begun", _("The booked time has not begun; nothing can be logged yet."), until=booking.start)


@atomic_action
def finish_booking(
    *,
    booking: Booking,
    by: User,
    start: datetime | None = None,
    end: datetime | None = None,
    samples: int | None = None,
    parameters: dict[str, Any] | None = None,
    comment: str = "",
    source_ref: str = "",
    version: int | None = None,
    by_lab: bool = False,
) -> Usage:
    """Check out, or log the use of a booking that was never checked in; the rest of the time is free again.

    ``by_lab``: within a day the lab also logs what was taken for a no-show; its fee is taken back.

    ``end`` defaults to now, or to the booked end when that is past. ``start`` may only be given where
    nobody checked in, and defaults to the booked start. The use must lie within a day of the booked time,
    and must have a price: what cannot be charged is refused here, where it can still be mended.
    """
    lock_to_record(booking, "checkin", "checkout", "never")
    booking = lock_booking(booking, version=version)
    _require_loggable(booking, by, source_ref, by_lab=by_lab)
    running = booking.usages.filter(corrects=None).first()
    usage = running or Usage(**_usage_fields(booking, by), start=start or booking.start)
    usage.end = end or min(now_in_minutes(), booking.end)
    check_times(usage.start, usage.end)
    check_near(booking, usage.start, usage.end)
    usage.samples = booking.samples if samples is None else samples
    usage.parameters = booking.parameters if parameters is None else parameters
    usage.comment, usage.state = comment, UsageState.SUBMITTED
    usage.source_ref = source_ref or usage.source_ref
    final_price(usage)
    usage.save()
    before, came = booking.status, booking.status == Status.NO_SHOW
    if came:
        _take_back_fee(booking, by)
    else:
        move(booking, Status.COMPLETED, at=timezone.now())
    if came:
        strike_out(booking, "never", by=by)
    seen = record_violations(booking, _happened(usage, before=before, by_lab=by_lab), by=by)
    if by_lab:
        # It was still running by the clock; the lab knows better when it ended.
        strike_out(booking, "checkout", by=by, but=seen)
    tell(booking, "usage_submitted", to=managers(booking.instrument) - {by.pk})
    tell(booking, "booking_completed", to=customers(booking) - {by.pk}, came=came, **_used(usage))
    note(booking, "booking.finish", by=by, before=before, used_from=usage.start, used_to=usage.end, **told(seen))
    return usage


def _take_back_fee(booking: Booking, by: User) -> None:
    """They came after all: there was no no-show, neither here nor for what others of the period cost."""
    with repricing(booking, correction_uid=booking.uid, by_id=by.pk):
        move(booking, Status.COMPLETED, at=timezone.now(), reason="")
        reopen_charges(source=SOURCE, source_uid=booking.uid, by_id=by.pk)
        if posts_beside(booking.price_list):
            note_aside(source=SOURCE, source_uid=booking.uid, lines=())


def _happened(usage: Usage, *, before: str, by_lab: bool) -> list[Happened]:
    """What the log says of coming and leaving; who checked in was observed then.

    Who checked in and works alone leaves when they check out: a log of the booked end takes no overtime back.
    """
    booking, now, left = usage.booking, now_in_minutes(), usage.end
    if before != Status.IN_USE:
        return [("checkin", usage.start), ("checkout", left)]
    if booking is not None and left is not None and booking.mode == Mode.SELF and not by_lab:
        left = now if left <= booking.end < now else left
    return [("checkout", left)]


def _check_correctable(booking: Booking) -> None:
    if booking.status == Status.NO_SHOW and not can_be_corrected(booking, timezone.now()):
        raise refuse("too_late_to_correct", _("A no-show can be corrected within 24 hours, not later."))


def _used(usage: Usage) -> dict[str, str]:
    """The use in the instrument's wall time, for the message."""
    assert usage.end is not None
    start, end = (at.astimezone(usage.instrument.zone) for at in (usage.start, usage.end))
    return {"used_from": f"{start:%Y-%m-%d %H:%M}", "used_to": f"{end:%Y-%m-%d %H:%M}"}


def _usage_fields(booking: Booking, by: User) -> dict[str, Any]:
    return {
        "source_ref": reference(booking),
        "instrument": booking.instrument,
        "booking": booking,
        "organisation": booking.organisation,
        "user": booking.user,
        "recorded_by": by,
    }


def check_near(booking: Booking, start: datetime, end: datetime) -> None:
    """A use belongs to its booking: nobody logs last month's on it."""
    if start < booking.start - NEAR or end > booking.end + NEAR or start >= booking.end + NEAR:
        raise invalid("start", _("The use must lie within a day of the booked time."), "far_from_booking")


def check_times(start: datetime, end: datetime) -> None:
    """`Invalid` for times that no use can have."""
    if any(t.second or t.microsecond for t in (start, end)):
        raise invalid("start", _("Please give times in whole minutes."), "whole_minutes")
    if start < timezone.now() - OLDEST:
        raise invalid("start", _("A use of more than two years ago cannot be logged."), "too_old")
    if end <= start:
        raise invalid("end", _("The end of the use must be after its start."), "end_before_start")
    if end > timezone.now():
        raise invalid("end", _("A use cannot end in the future."), "in_future")
    if end - start > timedelta(days=92):
        raise invalid("end", _("A use can last at most 92 days."), "too_long")


@atomic_action
def record_usage(
    *,
    by: User,
    source_ref: str,
    instrument: Instrument,
    user: User,
    organisation: Organisation,
    start: datetime,
    end: datetime,
    samples: int | None = None,
    parameters: dict[str, Any] | None = None,
    comment: str = "",
) -> Usage:
    """Log a use that had no booking, e.g. from a device.

    The same ``source_ref`` with the same content returns the first record; with other content it is
    `Invalid`. The record must have a price.
    """
    check_times(start, end)
    _check_reference(source_ref)
    lock_instruments([instrument.pk])
    usage = Usage(
        source_ref=source_ref,
        instrument=instrument,
        organisation=organisation,
        user=user,
        recorded_by=by,
        state=UsageState.SUBMITTED,
        start=start,
        end=end,
        samples=samples,
        parameters=parameters or {},
        comment=comment,
    )
    known = Usage.objects.filter(instrument=instrument, source_ref=source_ref).first()
    if known is not None:
        return same_record(known, usage)
    final_price(usage)
    usage.save()
    _note_usage(usage, "usage.record", by)
    return usage


def _check_reference(text: str) -> None:
    for ours in (OWN_REFERENCE, CORRECTION_REFERENCE):
        if text.startswith(ours):
            words = _("References that begin with “%(ours)s” are ours.") % {"ours": ours}
            raise invalid("source_ref", words, "reserved")


def same_record(known: Usage, again: Usage) -> Usage:
    """The known record for a repetition; `Invalid` when the reference comes with something else."""
    told = ("start", "end", "samples", "parameters", "comment", "user_id", "organisation_id")
    if any(getattr(known, name) != getattr(again, name) for name in told):
        raise invalid("source_ref", _("This reference was used for another record."), "reference_used")
    return known


def lock_usage(usage: Usage) -> Usage:
    """Lock the instrument, then the record, and read it anew with all that its price needs."""
    lock_instruments([usage.instrument_id])
    related = ("instrument__institution", "organisation", "user", "booking__price_list", "booking__project")
    rows = Usage.objects.select_for_update(of=("self",), no_key=True).select_related(*related)
    fresh = rows.filter(pk=usage.pk).first()
    if fresh is None:
        raise NotFound
    return fresh


def may_verify(usage: Usage, by: User) -> None:
    """`Refused` for one's own use, and for that of an enterprise that one belongs to oneself."""
    if by.pk == usage.user_id:
        raise refuse("own_use", _("Nobody verifies their own use. Please ask a colleague."))
    if speaks_for_customer(by, usage):
        raise refuse("own_use", _("You belong to the customer yourself. Please ask a colleague."))


@atomic_action
def verify_usage(*, usage: Usage, by: User) -> Usage:
    """Confirm a record: it never changes again, and its charges become final with each difference named."""
    lock_to_charge(usage)
    fresh = lock_usage(usage)
    if fresh.state != UsageState.SUBMITTED:
        raise refuse(
            "wrong_status",
            _("Only a submitted record can be verified; this one is “%(state)s”.")
            % {"state": fresh.get_state_display()},
        )
    may_verify(fresh, by)
    with repricing(fresh, correction_uid=fresh.uid, by_id=by.pk):
        fresh.state, fresh.verified_by, fresh.verified_at = UsageState.VERIFIED, by, timezone.now()
        fresh.save(update_fields=["state", "verified_by", "verified_at"])
        _finalise(fresh, by=by)
    if fresh.booking is not None:
        tell(fresh.booking, "usage_verified", to=customers(fresh.booking) - {by.pk})
    _note_usage(fresh, "usage.verify", by)
    return fresh


def _finalise(usage: Usage, *, by: User) -> None:
    with translation.override(usage.user.language):  # the sentences are kept for the person who is charged
        priced = final_price(usage)
    day = usage.start.astimezone(usage.instrument.zone).date()
    lines = [ledger_line(line) for line in priced.lines if not falls_later(line, day)]
    source, uid = (SOURCE, usage.booking.uid) if usage.booking else ("usage", usage.uid)
    if usage.booking is None:
        reserve_charges(
            source=source,
            source_uid=uid,
            institution_id=usage.instrument.institution_id,
            customer_id=usage.organisation_id,
            project_id=None,
            user_id=usage.user_id,
            subject=usage.instrument.name,
            service_date=day,
            price_list=priced.title,
            currency=priced.currency,
            lines=lines,
            by_id=by.pk,
        )
    finalise_charges(
        source=source, source_uid=uid, lines=lines, differences=priced.differences, service_date=day, by_id=by.pk
    )
    if priced.beside:
        whole = (*priced.lines, *priced.aside)
        post_beside(source, uid, whole, service_date=day, correction_uid=usage.uid, by_id=by.pk)


def _note_usage(usage: Usage, action: str, by: User) -> None:
    record(
        organisation_id=usage.instrument.institution_id,
        actor_id=by.pk,
        action=action,
        object_type="usage",
        object_id=usage.pk,
        after={"state": usage.state, "start": usage.start, "end": usage.end, "organisation": usage.organisation_id},
    )
