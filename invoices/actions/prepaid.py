"""Prepaid accounts as finance keeps them: terms, top-ups, refunds. Locks: institution or account, audit head."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from backend.accounts.models import Group, Organisation, Project, User
from backend.audit.actions import record
from backend.core.db import atomic_action
from backend.core.errors import Invalid, Refusal, Stale, invalid, refuse
from backend.core.money import format_amount, shown_amount
from instruments.models import Instrument
from invoices import rules
from invoices.actions.holding import lock_account, post_entry
from invoices.actions.telling import tell_entry
from invoices.models import EntryKind, PrepaidAccount, PrepaidEntry, PrepaidKind, PrepaidTerms

LONGEST = {"reference": 100, "note": 500}
# Recorded money may be older than this only by a slip of the pen.
OLDEST = datetime.timedelta(days=366)


@atomic_action
def set_prepaid_terms(
    *,
    institution: Organisation,
    instrument: Instrument | None,
    kind: str,
    percent: Decimal | None = None,
    amount: Decimal | None = None,
    inside: bool = False,
    by: User,
    version: int | None = None,
) -> PrepaidTerms:
    """What is asked before booking from now on; ``instrument`` gives that one terms of its own.

    What is booked keeps what was frozen for it. `Invalid` where kind and number do not fit.
    """
    Organisation.objects.select_for_update(of=("self",), no_key=True).get(pk=institution.pk)
    _check_terms(kind, percent, amount)
    old = PrepaidTerms.objects.filter(institution=institution, instrument=instrument).first()
    if version is not None and version != (old.version if old else 0):
        raise Stale
    values = {"kind": kind, "percent": percent, "amount": amount, "inside": inside, "changed_by": by}
    terms, _created = PrepaidTerms.objects.update_or_create(
        institution=institution, instrument=instrument, defaults={**values, "version": old.version + 1 if old else 1}
    )
    _keep_flag(institution)
    _note(institution.pk, "prepaid.terms", by, "organisation", institution.pk, _shown(old), _shown(terms))
    return terms


@atomic_action
def delete_prepaid_terms(*, terms: PrepaidTerms, by: User) -> None:
    """An instrument goes by its institution again; an institution asks for nothing."""
    Organisation.objects.select_for_update(of=("self",), no_key=True).get(pk=terms.institution_id)
    before = _shown(terms)
    PrepaidTerms.objects.filter(pk=terms.pk).delete()
    _keep_flag(terms.institution)
    _note(terms.institution_id, "prepaid.terms", by, "organisation", terms.institution_id, before, {})


def _keep_flag(institution: Organisation) -> None:
    """Whether booking must look for accounts at all, kept beside the terms."""
    asks = PrepaidTerms.objects.filter(institution=institution).exclude(kind=PrepaidKind.NONE).exists()
    Organisation.objects.filter(pk=institution.pk).update(asks_prepaid=asks)


def _shown(terms: PrepaidTerms | None) -> dict[str, object]:
    if terms is None:
        return {}
    number = terms.percent if terms.kind == PrepaidKind.PERCENT else terms.amount
    where = {"instrument": terms.instrument_id} if terms.instrument_id else {}
    return {"kind": terms.kind, "number": number, "inside": terms.inside, **where}


def _check_terms(kind: str, percent: Decimal | None, amount: Decimal | None) -> None:
    problems = []
    if kind not in PrepaidKind.values:
        problems.append(Refusal("unknown", _("Choose what is asked before booking."), field="kind"))
    if kind == PrepaidKind.PERCENT and (percent is None or not 0 < percent <= 100):
        problems.append(Refusal("out_of_range", _("Between 0.01 and 100 percent."), field="percent"))
    if kind == PrepaidKind.FIXED and (amount is None or not amount.is_finite() or amount <= 0):
        problems.append(Refusal("not_positive", _("The amount must be above zero."), field="amount"))
    if kind != PrepaidKind.PERCENT and percent is not None:
        problems.append(Refusal("not_expected", _("A percentage is only given for a share."), field="percent"))
    if kind != PrepaidKind.FIXED and amount is not None:
        problems.append(Refusal("not_expected", _("An amount is only given for a fixed deposit."), field="amount"))
    if problems:
        raise Invalid(*problems)


@atomic_action
def open_account(
    *,
    institution: Organisation,
    customer: Organisation,
    group: Group | None = None,
    project: Project | None = None,
    currency: str = "",
    by: User,
) -> PrepaidAccount:
    """The account of a customer, or of one of its groups or projects; the one that there is already, if so."""
    if group is not None and project is not None:
        raise invalid("project", _("An account is for a group or for a project, not for both."), "one_of")
    for party in (group, project):
        if party is not None and party.organisation_id != customer.pk:
            raise invalid("customer", _("This group or project does not belong to the customer."), "foreign")
    account, created = PrepaidAccount.objects.get_or_create(
        institution=institution,
        customer=customer,
        group=group,
        project=project,
        currency=currency or institution.currency,
    )
    if created:
        after = {"customer": customer.pk, "currency": account.currency}
        _note(institution.pk, "prepaid.opened", by, "prepaid_account", account.pk, {}, after)
    return account


@atomic_action
def top_up(
    *, account: PrepaidAccount, amount: Decimal, date: datetime.date, reference: str, by: User, note: str = ""
) -> PrepaidEntry:
    """Money that the customer has paid ahead; ``date`` by the institution's calendar.

    `Invalid` for an amount or date that cannot be or a missing reference, `Refused` for one that stands there already.
    """
    return _record(account, EntryKind.TOP_UP, amount, date, reference, note, by)


@atomic_action
def refund(
    *, account: PrepaidAccount, amount: Decimal, date: datetime.date, reference: str, by: User, note: str = ""
) -> PrepaidEntry:
    """Money that was paid back to the customer: at most what is available, not what is frozen."""
    return _record(account, EntryKind.REFUND, amount, date, reference, note, by)


def _record(
    account: PrepaidAccount,
    kind: EntryKind,
    amount: Decimal,
    date: datetime.date,
    reference: str,
    note: str,
    by: User,
) -> PrepaidEntry:
    reference, note = reference.strip(), note.strip()
    locked = lock_account(account.pk)
    _check_shape(locked, amount, date, reference, note)
    standing = locked.entries.filter(kind=kind, reversal=None, reference__iexact=reference)
    if standing.exists():
        raise refuse(
            "reference_used",
            _("The reference %(reference)s stands on this account already.") % {"reference": reference},
            params={"reference": reference},
            fix_text=_("If two transfers really carry the same reference, add something to tell them apart."),
        )
    signed = amount if kind == EntryKind.TOP_UP else -amount
    _refuse_below_zero(locked, signed)
    entry = post_entry(locked, kind, amount=signed, date=date, by_id=by.pk, reference=reference, note=note)
    _finish(locked, entry, f"prepaid.{kind}", by)
    return entry


@atomic_action
def reverse_entry(*, entry: PrepaidEntry, reason: str, by: User) -> PrepaidEntry:
    """Take a wrong top-up or refund back, dated today. `Refused` where the money has been frozen or spent meanwhile."""
    reason = reason.strip()
    if not reason:
        raise invalid("reason", _("Say why this is reversed."))
    if len(reason) > LONGEST["note"]:
        raise invalid("reason", _("At most %(max_length)s characters.") % {"max_length": LONGEST["note"]})
    locked = lock_account(entry.account_id)
    if entry.kind not in (EntryKind.TOP_UP, EntryKind.REFUND):
        raise refuse("not_reversible", _("Only top-ups and refunds are reversed; the rest follows from bookings."))
    if PrepaidEntry.objects.filter(reverses=entry).exists():
        raise refuse("already_reversed", _("This was reversed already."))
    _refuse_below_zero(locked, -entry.amount)
    reversal = post_entry(
        locked,
        EntryKind.REVERSAL,
        amount=-entry.amount,
        by_id=by.pk,
        reverses=entry,
        reference=entry.reference,
        note=reason,
    )
    _finish(locked, reversal, "prepaid.reversed", by, reason=reason)
    return reversal


@atomic_action
def tell_when_below(*, account: PrepaidAccount, low_at: Decimal | None, by: User) -> PrepaidAccount:
    """From which available amount on the customer is told; None for never."""
    if low_at is not None and (not low_at.is_finite() or low_at <= 0 or low_at != low_at.quantize(Decimal("0.01"))):
        raise invalid("low_at", _("The amount must be above zero."), "not_positive")
    locked = lock_account(account.pk)
    before = {"low_at": locked.low_at}
    locked.low_at, locked.low_told = low_at, low_at is not None and locked.available < low_at
    locked.save(update_fields=["low_at", "low_told"])
    after = {"low_at": low_at}
    _note(locked.institution_id, "prepaid.low_at", by, "prepaid_account", locked.pk, before, after)
    return locked


def _check_shape(account: PrepaidAccount, amount: Decimal, date: datetime.date, reference: str, note: str) -> None:
    today = rules.day_at(account.institution, timezone.now())
    problems = []
    if not amount.is_finite() or amount <= 0:
        problems.append(Refusal("not_positive", _("The amount must be above zero."), field="amount"))
    elif amount != amount.quantize(Decimal("0.01")):
        problems.append(Refusal("too_precise", _("An amount has at most two decimals."), field="amount"))
    if date > today:
        problems.append(Refusal("in_future", _("A payment cannot lie in the future."), field="date"))
    elif date < today - OLDEST:
        detail = _("This is long ago; the earliest date is %(first)s.") % {"first": today - OLDEST}
        problems.append(Refusal("too_early", detail, field="date"))
    if not reference:
        problems.append(Refusal("required", _("Give the bank's reference of the transfer."), field="reference"))
    for name, text in (("reference", reference), ("note", note)):
        if len(text) > LONGEST[name]:
            detail = _("At most %(max_length)s characters.") % {"max_length": LONGEST[name]}
            problems.append(Refusal("too_long", detail, field=name))
    if problems:
        raise Invalid(*problems)


def _refuse_below_zero(account: PrepaidAccount, change: Decimal) -> None:
    if account.available + change >= 0:
        return
    shown = {
        "available": shown_amount(account.available, account.currency),
        "frozen": shown_amount(account.frozen, account.currency),
    }
    raise refuse(
        "balance_too_low",
        _("Only %(available)s of this account is available; %(frozen)s is frozen for bookings.") % shown,
        field="amount",
        params={
            "available": format_amount(account.available),
            "frozen": format_amount(account.frozen),
            "missing": format_amount(-(account.available + change)),
            "currency": account.currency,
        },
        fix_text=_("What is frozen becomes available when its bookings are cancelled or charged."),
    )


def _finish(account: PrepaidAccount, entry: PrepaidEntry, action: str, by: User, *, reason: str = "") -> None:
    tell_entry(account, entry)
    after = {
        "amount": entry.amount,
        "date": entry.date,
        "reference": entry.reference,
        "balance": account.balance,
        "frozen": account.frozen,
    }
    _note(account.institution_id, action, by, "prepaid_account", account.pk, {}, after, reason=reason)


def _note(
    institution_id: int,
    action: str,
    by: User,
    object_type: str,
    object_id: int,
    before: dict[str, Any],
    after: dict[str, Any],
    *,
    reason: str = "",
) -> None:
    record(
        organisation_id=institution_id,
        actor_id=by.pk,
        action=action,
        object_type=object_type,
        object_id=object_id,
        before=before,
        after=after,
        reason=reason,
    )
