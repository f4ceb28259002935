"""Contracts of an institution with its customers: entered, changed, ended."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from backend.accounts.models import Agreement, Organisation, User
from backend.audit.actions import record
from backend.core.db import atomic_action, read_anew
from backend.core.errors import Invalid, Refusal, invalid, refuse

FIELDS = ("number", "audience", "valid_from", "valid_to")


@atomic_action
def create_agreement(
    *,
    institution: Organisation,
    customer: Organisation,
    by: User,
    number: str,
    valid_from: date,
    valid_to: date | None = None,
    audience: str = "",
) -> Agreement:
    """A contract; where it names an ``audience`` the customer is treated as that, for prices and rules."""
    if customer.pk == institution.pk:
        raise invalid("customer", _("An institution has no agreement with itself."), "own")
    agreement = Agreement(
        institution=institution, customer=customer, number=number.strip(), audience=audience.strip(),
        valid_from=valid_from, valid_to=valid_to,
    )  # fmt: skip
    _save(agreement)
    _note(agreement, "agreement.create", by, {}, {**_words(agreement), "customer": customer.name})
    return agreement


@atomic_action
def change_agreement(*, agreement: Agreement, by: User, version: int | None = None, **values: Any) -> Agreement:
    """What is left out stays. Bookings keep the audience under which they were made."""
    fresh = _lock(agreement, version)
    before = _words(fresh)
    for name, value in values.items():
        if name not in FIELDS:
            raise TypeError(name)
        setattr(fresh, name, value.strip() if isinstance(value, str) else value)
    after = _words(fresh)
    if after == before:
        return fresh
    fresh.version += 1
    _save(fresh)
    changed = [name for name in after if after[name] != before[name]]
    _note(
        fresh, "agreement.change", by, {name: before[name] for name in changed}, {name: after[name] for name in changed}
    )
    return fresh


@atomic_action
def end_agreement(
    *, agreement: Agreement, by: User, reason: str, day: date | None = None, version: int | None = None
) -> Agreement:
    """``day`` is the last one on which it is in force, today by default; not earlier than yesterday."""
    reason = reason.strip()
    if not reason:
        raise invalid("reason", _("Please say why, for the record."), "reason_needed")
    fresh = _lock(agreement, version)
    last = day or timezone.localdate()
    if last < timezone.localdate() - timedelta(days=1):
        raise invalid("day", _("An agreement cannot end in the past: bookings were made under it."), "past")
    if fresh.valid_to is not None and fresh.valid_to <= last:
        raise refuse(
            "ended_already", _("This agreement ends on %(day)s already.") % {"day": fresh.valid_to.isoformat()}
        )
    before = _words(fresh)
    # One that has not begun never comes into force: its last day is its first.
    fresh.valid_to = max(last, fresh.valid_from)
    fresh.version += 1
    _save(fresh)
    _note(fresh, "agreement.end", by, before, _words(fresh), reason)
    return fresh


def _lock(agreement: Agreement, version: int | None) -> Agreement:
    """Read anew; `Stale` when the caller saw another version."""
    rows = Agreement.objects.select_for_update(of=("self",)).select_related("institution", "customer")
    return read_anew(rows, agreement, version=version)


def _save(agreement: Agreement) -> None:
    problems = []
    if not agreement.number:
        problems.append(Refusal("required", _("Please give the number of the contract."), field="number"))
    if agreement.valid_to is not None and agreement.valid_to < agreement.valid_from:
        problems.append(Refusal("end_before_start", _("The end must not be before the start."), field="valid_to"))
    if problems:
        raise Invalid(*problems)
    try:
        with transaction.atomic():
            agreement.save()
    except IntegrityError as error:
        raise invalid("number", _("The institution has an agreement with this number."), "taken") from error


def _words(agreement: Agreement) -> dict[str, Any]:
    return {name: getattr(agreement, name) for name in FIELDS}


def _note(
    agreement: Agreement, action: str, by: User, before: dict[str, Any], after: dict[str, Any], reason: str = ""
) -> None:
    record(
        organisation_id=agreement.institution_id,
        actor_id=by.pk,
        action=action,
        object_type="agreement",
        object_id=agreement.pk,
        before=before,
        after=after,
        reason=reason,
    )
