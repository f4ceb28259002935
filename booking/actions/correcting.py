"""Putting a logged use right: a record that waits is edited, a verified one gets a new record beside it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils import timezone, translation
from django.utils.translation import gettext as _

from backend.accounts.models import Membership, User
from backend.audit.actions import record
from backend.core.db import atomic_action
from backend.core.errors import invalid, refuse
from backend.core.periods import clock_words
from backend.outbox.actions import post
from booking.actions.locks import lock_to_charge
from booking.actions.repricing import falls_later, post_beside, repricing
from booking.actions.requesting import ledger_line
from booking.actions.transitions import customers, who_belongs
from booking.actions.using import CORRECTION_REFERENCE, check_near, check_times, lock_usage, may_verify
from booking.models import Usage, UsageState
from booking.queries.corrections import Correction, weigh
from booking.queries.owed import sources_of
from booking.queries.usage import final_price
from invoices.actions.corrections import correct_charges
from invoices.models import ChargeState

MEASURED = ("start", "end", "samples", "parameters", "comment")
MOST_REASON = 2000


@atomic_action
def amend_usage(
    *,
    usage: Usage,
    by: User,
    start: datetime,
    end: datetime,
    samples: int | None,
    parameters: Mapping[str, Any],
    comment: str,
    reason: str = "",
) -> Usage:
    """Edit a record that waits for verification; nothing is charged by this. The same again changes nothing.

    Who may not verify it does not edit it either: a colleague would verify it unawares.
    """
    fresh = lock_usage(usage)
    require_submitted(fresh)
    may_verify(fresh, by)
    before = _measured(fresh)
    _apply(fresh, start=start, end=end, samples=samples, parameters=parameters, comment=comment)
    if _measured(fresh) == before:
        return fresh
    check_use(fresh)
    final_price(fresh)
    fresh.save(update_fields=list(MEASURED))
    _note(fresh, "usage.amend", by=by, before=before, reason=_reason(reason, needed=False))
    return fresh


@atomic_action
def correct_usage(
    *,
    usage: Usage,
    by: User,
    start: datetime,
    end: datetime,
    samples: int | None,
    parameters: Mapping[str, Any],
    reason: str,
    comment: str = "",
) -> Usage:
    """A new record beside a verified one, verified at once by the manager who makes it.

    Only the newest record of a use can be corrected, and nobody corrects their own use. The price follows the
    version that the booking kept; the charge is made final anew, or the difference is posted where it stands on
    an issued invoice. The customer is told.
    """
    lock_to_charge(usage)
    fresh = lock_usage(usage)
    require_correctable(fresh, by)
    new = corrected(fresh, start=start, end=end, samples=samples, parameters=parameters, comment=comment)
    new.reason = _reason(reason, needed=True)
    check_use(new)
    if _measured(new) == _measured(fresh):
        raise refuse("nothing_changed", _("Nothing is different from the record that is there."))
    new.recorded_by = new.verified_by = by
    new.verified_at = timezone.now()
    with translation.override(fresh.user.language):  # the sentences are kept for the person who is charged
        change = weigh(fresh, new)
        sentences = _told(change, new.reason)
    source, uid = sources_of([fresh])[fresh.pk]
    day = new.start.astimezone(new.instrument.zone).date()
    with repricing(fresh, day, correction_uid=new.uid, by_id=by.pk):
        new.save()
        correct_charges(
            source=source,
            source_uid=uid,
            correction_uid=new.uid,
            lines=[ledger_line(line) for line in change.price.lines if not falls_later(line, day)],
            differences=sentences,
            service_date=day,
            by_id=by.pk,
        )
        if change.price.beside:
            whole = (*change.price.lines, *change.price.aside)
            post_beside(source, uid, whole, service_date=day, correction_uid=new.uid, by_id=by.pk)
    _tell(new, change, by)
    _note(new, "usage.correct", by=by, before={"corrects": fresh.pk, **_measured(fresh)}, reason=new.reason)
    return new


def require_submitted(usage: Usage) -> None:
    """`Refused` for a running record and for a verified one, each with what to do instead."""
    if usage.state == UsageState.RECORDED:
        raise refuse("wrong_status", _("This use is still running. Finish it first, then change the record."))
    if usage.state == UsageState.VERIFIED:
        raise refuse(
            "wrong_status",
            _("This record is verified and does not change any more. Correct it by a new record."),
            params={"status": usage.state},
        )


def require_correctable(usage: Usage, by: User) -> None:
    if usage.state != UsageState.VERIFIED:
        raise refuse(
            "wrong_status",
            _("Only a verified record is corrected; this one is “%(state)s” and can simply be changed.")
            % {"state": usage.get_state_display()},
            params={"status": usage.state},
        )
    newer = Usage.objects.filter(corrects=usage.pk).values_list("pk", flat=True).first()
    if newer is not None:
        raise refuse(
            "corrected_already",
            _("This record has been corrected already; only the newest one can be corrected."),
            params={"newest": newer},
        )
    may_verify(usage, by)


def corrected(usage: Usage, **measured: Any) -> Usage:
    """The record that would take the place of a verified one; not saved."""
    new = Usage(
        source_ref=f"{CORRECTION_REFERENCE}{usage.uid}",
        instrument=usage.instrument,
        booking=usage.booking,
        organisation=usage.organisation,
        user=usage.user,
        state=UsageState.VERIFIED,
        corrects=usage,
    )
    _apply(new, **measured)
    return new


def preview_change(*, usage: Usage, **measured: Any) -> Correction:
    """What `amend_usage` or `correct_usage` with these values would cost; writes nothing."""
    new = corrected(usage, **measured)
    check_use(new)
    return weigh(usage, new)


def _told(change: Correction, reason: str) -> list[str]:
    """A charge that is not invoiced yet is explained from its quote on; later only what changes is billed."""
    because = _("Corrected: %(reason)s") % {"reason": reason}
    invoiced = change.owed is not None and change.owed.first.state == ChargeState.INVOICED
    return [because, *change.sentences] if invoiced else [*change.price.differences, because]


def _apply(usage: Usage, **measured: Any) -> None:
    for name in MEASURED:
        setattr(usage, name, dict(measured[name] or {}) if name == "parameters" else measured[name])


def check_use(usage: Usage) -> None:
    """The same sense as when it is logged."""
    assert usage.end is not None
    check_times(usage.start, usage.end)
    if usage.booking is not None:
        check_near(usage.booking, usage.start, usage.end)


def _reason(text: str, *, needed: bool) -> str:
    text = text.strip()
    if needed and not text:
        raise invalid("reason", _("Please say why the record is corrected. The customer reads it."), "required")
    return text[:MOST_REASON]


def _measured(usage: Usage) -> dict[str, Any]:
    return {name: getattr(usage, name) for name in MEASURED}


def _tell(usage: Usage, change: Correction, by: User) -> None:
    booking = usage.booking
    if booking is None:
        here = Membership.objects.current().filter(organisation=usage.organisation, user=usage.user_id)
        to = set(here.values_list("user_id", flat=True)) - {by.pk}
    else:
        to = who_belongs(customers(booking), booking) - {by.pk}
    assert usage.end is not None
    post(
        key=f"usage_corrected:{usage.uid}",
        kind="usage_corrected",
        recipients=to,
        context={
            "instrument": usage.instrument.name,
            "instrument_en": usage.instrument.name_en or usage.instrument.name,
            "organisation": usage.organisation.name,
            "person": usage.user.name,
            "when": clock_words(usage.start, usage.end, usage.instrument.zone),
            "zone": usage.instrument.timezone,
            "was": str(change.before),
            "total": str(change.price.total),
            "currency": change.price.currency,
            "reason": usage.reason,
        },
        path=f"/bookings/{booking.pk}/" if booking else f"/usage/{usage.pk}/",
    )


def _note(usage: Usage, action: str, *, by: User, before: Mapping[str, Any], reason: str) -> None:
    record(
        organisation_id=usage.instrument.institution_id,
        actor_id=by.pk,
        action=action,
        object_type="usage",
        object_id=usage.pk,
        before=dict(before),
        after={"state": usage.state, "organisation": usage.organisation_id, **_measured(usage)},
        reason=reason,
    )
