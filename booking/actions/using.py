"""Check-in, check-out, the usage log and its verification, which makes charges final."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from backend.accounts.models import Organisation, User
from backend.audit.actions import record
from backend.core.db import atomic_action
from backend.core.errors import NotFound, invalid, refuse
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
from booking.models import Booking, Status, Usage, UsageState
from booking.queries.usage import final_price
from instruments.actions.occupancy import lock_instruments
from instruments.models import Instrument
from invoices.actions.charges import finalise_charges, reserve_charges

EARLY = timedelta(minutes=15)


def reference(booking: Booking) -> str:
    """The usage record's reference: one per booking."""
    return f"booking:{booking.uid}"


@atomic_action
def start_booking(*, booking: Booking, by: User, version: int | None = None) -> Booking:
    """Check in: the use begins now. Possible from a quarter of an hour before the start until the end."""
    booking = lock_booking(booking, version=version)
    require_status(booking, [Status.CONFIRMED])
    now = now_in_minutes()
    if now < booking.start - EARLY:
        raise refuse(
            "too_early_to_start",
            _("You can start from 15 minutes before the booked time."),
            until=booking.start - EARLY,
        )
    if now >= booking.end:
        raise refuse("too_late_to_start", _("The booked time is over. Ask the lab to log the use."))
    before = booking.status
    Usage.objects.create(**_usage_fields(booking, by), state=UsageState.RECORDED, start=now)
    move(booking, Status.IN_USE, at=timezone.now())
    note(booking, "booking.start", by=by, before=before, used_from=now)
    return booking


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
    version: int | None = None,
) -> Usage:
    """Check out, or log the use of a booking that was never checked in; the rest of the time is free again.

    ``end`` defaults to now, or to the booked end when that is past. ``start`` may only be given where
    nobody checked in, and defaults to the booked start.
    """
    booking = lock_booking(booking, version=version)
    require_status(booking, [Status.CONFIRMED, Status.IN_USE])
    usage = Usage.objects.filter(instrument=booking.instrument, source_ref=reference(booking)).first()
    if usage is None:
        usage = Usage(**_usage_fields(booking, by), start=start or booking.start)
    usage.end = end or min(now_in_minutes(), booking.end)
    _check_times(usage.start, usage.end)
    usage.samples = booking.samples if samples is None else samples
    usage.parameters = booking.parameters if parameters is None else parameters
    usage.comment, usage.state = comment, UsageState.SUBMITTED
    usage.save()
    before = booking.status
    move(booking, Status.COMPLETED, at=timezone.now())
    tell(booking, "usage_submitted", to=managers(booking.instrument) - {by.pk})
    note(booking, "booking.finish", by=by, before=before, used_from=usage.start, used_to=usage.end)
    return usage


def _usage_fields(booking: Booking, by: User) -> dict[str, Any]:
    return {
        "source_ref": reference(booking),
        "instrument": booking.instrument,
        "booking": booking,
        "organisation": booking.organisation,
        "user": booking.user,
        "recorded_by": by,
    }


def _check_times(start: datetime, end: datetime) -> None:
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
    """Log a use that had no booking, e.g. from a device. The same ``source_ref`` again returns the first record."""
    _check_times(start, end)
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
    try:
        with transaction.atomic():
            usage.save()
    except IntegrityError:
        return Usage.objects.get(instrument=instrument, source_ref=source_ref)
    _note_usage(usage, "usage.record", by)
    return usage


@atomic_action
def verify_usage(*, usage: Usage, by: User) -> Usage:
    """Confirm a record: it never changes again, and its charges become final with each difference named."""
    lock_instruments([usage.instrument_id])
    fresh = (
        Usage.objects.select_for_update(of=("self",))
        .select_related("instrument__institution", "organisation", "user", "booking__price_list", "booking__project")
        .filter(pk=usage.pk)
        .first()
    )
    if fresh is None:
        raise NotFound
    if fresh.state != UsageState.SUBMITTED:
        raise refuse(
            "wrong_status",
            _("Only a submitted record can be verified; this one is “%(state)s”.")
            % {"state": fresh.get_state_display()},
        )
    fresh.state, fresh.verified_by, fresh.verified_at = UsageState.VERIFIED, by, timezone.now()
    fresh.save(update_fields=["state", "verified_by", "verified_at"])
    _finalise(fresh)
    if fresh.booking is not None:
        tell(fresh.booking, "usage_verified", to=customers(fresh.booking) - {by.pk})
    _note_usage(fresh, "usage.verify", by)
    return fresh


def _finalise(usage: Usage) -> None:
    with translation.override(usage.user.language):  # the sentences are kept for the person who is charged
        priced = final_price(usage)
    lines = [ledger_line(line) for line in priced.lines]
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
            service_date=usage.start.astimezone(usage.instrument.zone).date(),
            price_list=priced.title,
            currency=priced.currency,
            lines=lines,
        )
    finalise_charges(source=source, source_uid=uid, lines=lines, differences=priced.differences)


def _note_usage(usage: Usage, action: str, by: User) -> None:
    record(
        organisation_id=usage.instrument.institution_id,
        actor_id=by.pk,
        action=action,
        object_type="usage",
        object_id=usage.pk,
        after={"state": usage.state, "start": usage.start, "end": usage.end, "organisation": usage.organisation_id},
    )
