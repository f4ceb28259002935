"""Contesting a violation, deciding about that, striking out, lifting a suspension, recording by hand."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid5

from django.core.files import File
from django.utils import timezone
from django.utils.translation import gettext as _

from backend.accounts.models import Organisation, User
from backend.accounts.queries import access_of, operated_network
from backend.audit.actions import record
from backend.core.db import atomic_action
from backend.core.errors import NotFound, invalid, refuse
from booking.actions.consequences import DESK, follow_up, house, tell_of, theirs
from booking.actions.conversation import add_note
from booking.actions.locks import TABLES, lock_rows
from booking.actions.repricing import repricing
from booking.actions.requesting import SOURCE
from booking.models import Appeal, AppealState, Booking, Side, Status, Violation
from booking.queries.earlier import posts_beside
from booking.queries.owed import Owed, owed_for_booking
from booking.queries.standing import Barred, standing_of
from booking.queries.violations import appeal_until, is_own
from booking.rules.standing import LIFTED
from instruments.models import Instrument
from invoices.actions.aside import note_aside
from invoices.actions.charges import release_charges
from invoices.actions.corrections import correct_charges
from invoices.models import ChargeState

NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
OLDEST = timedelta(days=366)
_RELATED = ("person", "organisation", "instrument__institution", "institution", "booking")


@atomic_action
def appeal_violation(*, violation: Violation, by: User, reason: str, files: Sequence[File[Any]] = ()) -> Appeal:
    """The person, or their organisation's administrator, contests it; once, within the days that the house gives.

    ``files`` go with the reason into the booking's conversation, where both sides see them.
    """
    reason = _need(reason, _("Please say why: the lab decides by it."))
    fresh = _lock(violation)
    if fresh.struck_out_at or fresh.name == LIFTED:
        raise refuse("counts_no_more", _("This entry counts no more: there is nothing to contest."))
    if Appeal.objects.filter(violation=fresh).exists():
        raise refuse("appealed_already", _("This has been contested already. It can be done once."))
    until = appeal_until(fresh)
    if timezone.now() > until:
        raise refuse("too_late_to_appeal", _("The time to contest this is over."), until=until)
    appeal = Appeal.objects.create(violation=fresh, made_by=by, made_at=timezone.now(), reason=reason)
    if files:
        if fresh.booking is None:
            raise invalid(
                "files", _("Files belong to a booking, and this entry has none. Please describe it."), "files"
            )
        add_note(booking=fresh.booking, by=by, side=Side.CUSTOMER, text=reason, files=files)
    lab = house(fresh) - {by.pk, fresh.person_id}
    tell_of(fresh, "appeal_made", to=lab, path=f"{DESK}{fresh.pk}/", said=reason)
    _note(fresh, "violation.appeal", by=by, reason=reason)
    return appeal


@atomic_action
def decide_appeal(*, violation: Violation, by: User, upheld: bool, answer: str) -> Appeal:
    """The lab answers. Upheld, the entry counts no more, and what it had led to ends by itself. Never one's own.

    The fee for it is taken back; what stands on an issued invoice is credited with the next statement.
    """
    answer = _need(answer, _("Please answer with a reason: the person reads it."), "answer")
    fresh = _lock(violation)
    appeal = Appeal.objects.select_for_update(no_key=True).filter(violation=fresh).first()
    if appeal is None:
        raise NotFound
    _refuse_own(fresh, by)
    if appeal.state != AppealState.OPEN:
        raise refuse(
            "decided_already", _("This has been decided already: %(state)s.") % {"state": appeal.get_state_display()}
        )
    before = _bars_of(fresh)
    appeal.state = AppealState.UPHELD if upheld else AppealState.DISMISSED
    appeal.decided_by, appeal.decided_at, appeal.answer = by, timezone.now(), answer
    appeal.save(update_fields=["state", "decided_by", "decided_at", "answer"])
    waived = _strike(fresh, by, answer) if upheld else ""
    freed = upheld and before > _bars_of(fresh)
    said: dict[str, Any] = {"upheld": upheld, "freed": freed, "waived": waived, "reason": answer}
    tell_of(fresh, "appeal_decided", to=theirs(fresh) | {appeal.made_by_id}, **said)
    _note(fresh, "violation.decide", by=by, reason=answer, state=appeal.state, **_waived(waived))
    return appeal


@atomic_action
def strike_out_violation(*, violation: Violation, by: User, reason: str) -> Violation:
    """The lab takes an entry back, with a reason, and the fee for it; an open appeal is thereby upheld."""
    reason = _need(reason, _("Please give a reason: the person reads it."))
    fresh = _lock(violation)
    _refuse_own(fresh, by)
    if fresh.name == LIFTED:
        raise refuse("not_a_violation", _("A lifted suspension is no violation and cannot be struck out."))
    if fresh.struck_out_at:
        raise refuse("counts_no_more", _("This entry has been struck out already."))
    before = _bars_of(fresh)
    waived = _strike(fresh, by, reason)
    Appeal.objects.filter(violation=fresh, state=AppealState.OPEN).update(
        state=AppealState.UPHELD, decided_by=by, decided_at=timezone.now(), answer=reason
    )
    freed = before > _bars_of(fresh)
    tell_of(fresh, "violation_struck_out", to=theirs(fresh), freed=freed, waived=waived, reason=reason)
    _note(fresh, "violation.strike_out", by=by, reason=reason, **_waived(waived))
    return fresh


@atomic_action
def lift_standing(
    *, by: User, institution: Organisation | None, party: Mapping[str, int], reason: str, rule: str = ""
) -> Violation:
    """End the suspensions of a party that the rules of the institution (None: of the network) have led to.

    ``rule`` names one ladder, empty all of them. Refused where nothing stands, and for one's own.
    """
    reason = _need(reason, _("Please give a reason: the person reads it."))
    lock_rows(list(party), **dict(party))
    found = {name: TABLES[name].objects.filter(pk=pk).first() for name, pk in party.items()}  # type: ignore[attr-defined]
    if None in found.values():
        raise NotFound
    person, organisation = found.get("person"), found.get("organisation")
    if person == by or (organisation is not None and access_of(by).has(organisation.pk)):
        raise refuse("own_violation", _("Nobody lifts a suspension of their own. Please ask a colleague."))
    now = timezone.now()
    stands = standing_of(person, [organisation.pk] if organisation else [], now).barred
    if not any(_is_meant(each, institution, party, rule) for each in stands):
        raise refuse("nothing_to_lift", _("No such suspension is in force."))
    made = Violation.objects.create(
        name=LIFTED, rule=rule, at=now, institution=institution, recorded_by=by, reason=reason, **found
    )
    if person is not None or organisation is not None:
        tell_of(made, "standing_lifted", to=theirs(made), reason=reason)
    _note(made, "standing.lift", by=by, reason=reason, party=dict(party), rule=rule)
    return made


def _is_meant(each: Barred, institution: Organisation | None, party: Mapping[str, int], rule: str) -> bool:
    return each.house == institution and dict(each.party) == dict(party) and rule in ("", each.consequence.rule_id)


@atomic_action
def record_violation(
    *,
    by: User,
    name: str,
    reason: str,
    at: datetime | None = None,
    booking: Booking | None = None,
    person: User | None = None,
    organisation: Organisation | None = None,
    instrument: Instrument | None = None,
) -> Violation:
    """The lab records what no rule could see, with a reason: of a booking, or of a person on an instrument."""
    reason = _need(reason, _("Please give a reason: the person reads it."))
    if not NAME.fullmatch(name) or name == LIFTED:
        raise invalid("name", _("Small letters, digits and underscores only, such as no_show."), "name")
    if booking is not None:
        person, organisation, instrument = booking.user, booking.organisation, booking.instrument
    if person is None or instrument is None:
        raise invalid("booking", _("Name a booking, or a person and an instrument."), "required")
    now = timezone.now()
    at = at or now
    if at > now:
        raise invalid("at", _("This lies in the future."), "in_future")
    if at < now - OLDEST:
        raise invalid("at", _("This is more than a year ago."), "too_old")
    lock_rows(["person", "organisation"], person=person.pk, organisation=organisation.pk if organisation else None)
    made = Violation(
        name=name, at=at, booking=booking, person=person, organisation=organisation, instrument=instrument,
        institution=instrument.institution, recorded_by=by, reason=reason, cause="hand",
        group=booking.group if booking else None, project=booking.project if booking else None,
    )  # fmt: skip
    _refuse_own(made, by)
    if booking is not None and booking.violations.filter(name=name, struck_out_at=None).exists():
        raise refuse("recorded_already", _("This is on record for the booking already."))
    if booking is not None:
        # Struck out before: each of a booking has a name of its own by what found it.
        made.rule = f"hand-{booking.violations.count()}"
    made.save()
    follow_up([made], by=by)
    _note(made, "violation.record", by=by, reason=reason)
    return made


def _need(text: str, words: str, field: str = "reason") -> str:
    text = text.replace("\r\n", "\n").strip()
    if not text:
        raise invalid(field, words, "reason_needed")
    return text


def _lock(violation: Violation) -> Violation:
    """The parties by which ladders count first, then the row, read anew."""
    parties = {"person": violation.person_id, "group": violation.group_id, "project": violation.project_id}
    lock_rows(list(TABLES), **parties, organisation=violation.organisation_id)
    rows = Violation.objects.select_for_update(of=("self",), no_key=True).select_related(*_RELATED)
    fresh = rows.filter(pk=violation.pk).first()
    if fresh is None:
        raise NotFound
    return fresh


def _refuse_own(violation: Violation, by: User) -> None:
    mine, customer = access_of(by), violation.organisation_id
    if is_own(mine, violation):
        raise refuse("own_violation", _("Nobody decides about an entry of their own. Please ask a colleague."))
    if customer not in (None, violation.institution_id) and mine.has(customer or 0):
        raise refuse("own_violation", _("You belong to the customer yourself. Please ask a colleague."))


def _strike(violation: Violation, by: User, reason: str) -> str:
    """It counts no more; the fee that is taken back with it, in words, or empty."""
    violation.struck_out_at, violation.struck_out_by = timezone.now(), by
    violation.reason = f"{violation.reason}\n{reason}".strip()
    violation.save(update_fields=["struck_out_at", "struck_out_by", "reason"])
    return _waive(violation, by)


FEE_OF = {"never": Status.NO_SHOW, "cancel": Status.CANCELLED}
"""The cause of a violation, and the state in which a booking owes nothing but the fee for it."""


def _waive(violation: Violation, by: User) -> str:
    """Prices count the no-show or cancellation no more either, here and for others of the period."""
    booking = violation.booking
    if booking is None or FEE_OF.get(violation.cause) != booking.status:
        return ""
    owed = owed_for_booking(booking)
    fee = owed if owed is not None and owed.is_final and owed.total else None
    with repricing(booking, correction_uid=uuid5(booking.uid, f"violation:{violation.pk}"), by_id=by.pk):
        Booking.objects.filter(pk=booking.pk).update(excused=True)
        if fee is not None:
            _take_back(violation, booking, fee, by)
    return f"{fee.total} {fee.currency}" if fee is not None else ""


def _take_back(violation: Violation, booking: Booking, owed: Owed, by: User) -> None:
    if posts_beside(booking.price_list):
        note_aside(source=SOURCE, source_uid=booking.uid, lines=())
    if owed.first.state == ChargeState.INVOICED:
        correct_charges(
            source=SOURCE,
            source_uid=booking.uid,
            correction_uid=uuid5(booking.uid, f"violation:{violation.pk}"),
            lines=(),
            differences=[_("The entry for which this fee was charged has been struck out.")],
            service_date=owed.first.service_date,
            by_id=by.pk,
        )
    else:
        release_charges(source=SOURCE, source_uid=booking.uid, by_id=by.pk)


def _waived(fee: str) -> dict[str, str]:
    return {"waived": fee} if fee else {}


def _bars_of(violation: Violation) -> int:
    """How many suspensions stand against its parties now."""
    if violation.person is None:
        return 0
    organisations = [violation.organisation_id] if violation.organisation_id else []
    return len(standing_of(violation.person, organisations, timezone.now()).barred)


def _note(violation: Violation, action: str, *, by: User, reason: str, **after: Any) -> None:
    record(
        # Without an institution it is an operator's act.
        organisation_id=violation.institution_id or operated_network(access_of(by)).pk,
        actor_id=by.pk,
        action=action,
        object_type="violation",
        object_id=violation.pk,
        after={"violation": violation.name, "person": violation.person_id, "booking": violation.booking_id, **after},
        reason=reason,
    )
