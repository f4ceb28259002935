"""Payments: recorded, never edited; a wrong one is reversed by another.

Locks: the invoices by id, the customer's credit, audit head.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from decimal import Decimal

from django.utils import timezone
from django.utils.translation import gettext as _

from backend.accounts.models import Organisation, User
from backend.audit.actions import record
from backend.core.db import atomic_action
from backend.core.errors import Invalid, NotFound, Refusal, Refused, invalid, refuse
from backend.core.money import ZERO, add_up, shown_amount
from invoices import rules
from invoices.actions.papers import lock_invoice, record_invoice
from invoices.actions.paying import (
    LONGEST,
    add_payment,
    amount_problems,
    check_date,
    figures,
    keep_sum,
    refuse_unpayable,
    tell_of_payment,
    text_problems,
)
from invoices.actions.surplus import change_surplus, lock_surplus
from invoices.models import Invoice, Payment, SurplusEntry, SurplusKind, Transfer

# One transfer settles at most so many invoices.
MOST_PARTS = 100


@atomic_action
def record_payment(
    *,
    invoice: Invoice,
    amount: Decimal,
    date: datetime.date,
    reference: str,
    by: User,
    note: str = "",
    keep_rest: bool = False,
) -> Payment:
    """Money that came in, in the invoice's currency; ``date`` by the institution's calendar.

    `Invalid` for an amount or date that cannot be or a missing reference; `Refused` on drafts, credit notes and what
    was credited, for a reference that stands on the invoice already and for more than the balance: with
    ``keep_rest`` what is over becomes the customer's credit, if something is still owed.
    """
    reference, note = reference.strip(), note.strip()
    _check_shape(amount, reference, note)
    locked = lock_invoice(invoice.pk, no_key=True)
    if keep_rest and ZERO < locked.balance < amount:
        transfer = record_transfer(
            institution=locked.institution,
            customer=locked.customer,
            currency=locked.currency,
            amount=amount,
            date=date,
            reference=reference,
            note=note,
            parts={locked.pk: locked.balance},
            keep_rest=True,
            by=by,
        )
        return transfer.payments.get()
    return _pay(locked, amount, date, reference, by, note)


def _pay(
    locked: Invoice,
    amount: Decimal,
    date: datetime.date,
    reference: str,
    by: User,
    note: str,
    transfer: Transfer | None = None,
) -> Payment:
    refuse_unpayable(locked, ZERO)
    check_date(locked, date)
    refuse_unpayable(locked, amount)
    standing = locked.payments.filter(reverses=None, reversal=None, surplus=False)
    if standing.filter(reference__iexact=reference).exists():
        raise _reference_used(
            _("A payment with the reference %(reference)s stands on this invoice already."), reference
        )
    payment = add_payment(locked, amount, date=date, reference=reference, note=note, by=by, transfer=transfer)
    keep_sum(locked, amount)
    tell_of_payment(locked, "payment_recorded", payment)
    record_invoice(locked, "invoice.payment_recorded", by, after=figures(locked, payment))
    return payment


@atomic_action
def record_transfer(
    *,
    institution: Organisation,
    customer: Organisation,
    currency: str,
    amount: Decimal,
    date: datetime.date,
    reference: str,
    parts: Mapping[int, Decimal],
    by: User,
    note: str = "",
    keep_rest: bool = False,
) -> Transfer:
    """One transfer of a customer split over its invoices: ``parts`` are invoice ids with their amounts.

    What the parts leave becomes the customer's credit with ``keep_rest``, else it is `Refused`, as are a reference
    that stands already and whatever `record_payment` refuses of a part.
    """
    reference, note = reference.strip(), note.strip()
    _check_shape(amount, reference, note)
    rest = amount - add_up(parts.values())
    _check_parts(parts, rest, keep_rest, currency)
    invoices = [_lock_part(pk, institution, customer, currency) for pk in sorted(parts)]
    surplus = lock_surplus(institution.pk, customer.pk, currency)
    if _stands(institution, customer, reference):
        raise _reference_used(_("A transfer with the reference %(reference)s is recorded already."), reference)
    today = rules.day_at(institution, timezone.now())
    if date > today:
        raise invalid("date", _("A payment cannot lie in the future."), code="in_future")
    transfer = Transfer.objects.create(
        institution=institution,
        customer=customer,
        currency=currency,
        amount=amount,
        date=date,
        reference=reference,
        note=note,
        recorded_by=by,
    )
    for invoice in invoices:
        _pay(invoice, parts[invoice.pk], date, reference, by, note, transfer)
    if rest:
        change_surplus(
            surplus, SurplusKind.OVERPAID, rest, date=date, reference=reference, by=by, note=note, transfer=transfer
        )
    after = {"amount": amount, "reference": reference, "invoices": [one.number for one in invoices], "rest": rest}
    _record_transfer(transfer, "transfer.recorded", by, after)
    return transfer


@atomic_action
def reverse_payment(*, payment: Payment, reason: str, by: User, to_credit: bool = False) -> Payment:
    """Take a payment back: it was wrong, bounced or was paid back. Returns the reversal, dated today.

    With ``to_credit`` the money is there and becomes the customer's credit, to which what came from there returns in
    any case. What a credit note moved to the customer's credit is taken from it again. `Invalid` without a reason;
    `Refused` for a reversal, for what was reversed before, and when that credit was used meanwhile.
    """
    reason = _checked_reason(reason)
    locked = lock_invoice(payment.invoice_id, no_key=True)
    _refuse_irreversible(payment)
    today = rules.day_at(locked.institution, timezone.now())
    moved = max(ZERO, payment.amount - locked.paid)
    if moved:
        _fetch_back(locked, moved, today, reason, by)
    reversal = add_payment(
        locked,
        -payment.amount,
        date=today,
        reference=payment.reference,
        note=reason,
        by=by,
        reverses=payment,
        transfer=payment.transfer,
        surplus=payment.surplus,
    )
    if payment.surplus or to_credit:
        _keep_as_credit(locked, reversal, today, reason, by)
    keep_sum(locked, moved - payment.amount)
    tell_of_payment(locked, "payment_reversed", reversal)
    record_invoice(locked, "invoice.payment_reversed", by, after=figures(locked, reversal), reason=reason)
    return reversal


@atomic_action
def reverse_transfer(*, transfer: Transfer, reason: str, by: User) -> Transfer:
    """Take back all that stands of a transfer that bounced: its payments, and what became the customer's credit.

    `Refused` when nothing of it stands and when that credit was used meanwhile.
    """
    reason = _checked_reason(reason)
    payments = list(transfer.payments.filter(reverses=None).order_by("invoice_id"))
    for pk in [payment.invoice_id for payment in payments]:
        lock_invoice(pk, no_key=True)
    standing = [payment for payment in payments if not Payment.objects.filter(reverses=payment).exists()]
    surplus = lock_surplus(transfer.institution_id, transfer.customer_id, transfer.currency)
    kept = add_up(SurplusEntry.objects.filter(transfer=transfer).values_list("amount", flat=True))
    if not standing and not kept:
        raise refuse("already_reversed", _("Nothing of this transfer stands any more."))
    today = rules.day_at(surplus.institution, timezone.now())
    if kept:
        change_surplus(
            surplus,
            SurplusKind.TAKEN_BACK,
            -kept,
            date=today,
            reference=transfer.reference,
            by=by,
            note=reason,
            transfer=transfer,
        )
    for payment in standing:
        reverse_payment(payment=payment, reason=reason, by=by)
    after = {"amount": transfer.amount, "reference": transfer.reference}
    _record_transfer(transfer, "transfer.reversed", by, after, reason)
    return transfer


def _record_transfer(transfer: Transfer, action: str, by: User, after: dict[str, object], reason: str = "") -> None:
    record(
        organisation_id=transfer.institution_id,
        actor_id=by.pk,
        action=action,
        object_type="transfer",
        object_id=transfer.uid,
        after=after,
        reason=reason,
    )


def _fetch_back(invoice: Invoice, amount: Decimal, today: datetime.date, reason: str, by: User) -> None:
    """From the credit to which a credit note had moved it; ``invoice.paid`` is kept by the caller."""
    surplus = lock_surplus(invoice.institution_id, invoice.customer_id, invoice.currency)
    number = str(invoice.number)
    payment = add_payment(invoice, amount, date=today, reference=number, note=reason, by=by, surplus=True)
    change_surplus(
        surplus, SurplusKind.TAKEN_BACK, -amount, date=today, reference=number, by=by, note=reason, payment=payment
    )


def _keep_as_credit(invoice: Invoice, reversal: Payment, today: datetime.date, reason: str, by: User) -> None:
    surplus = lock_surplus(invoice.institution_id, invoice.customer_id, invoice.currency)
    change_surplus(
        surplus,
        SurplusKind.RETURNED,
        -reversal.amount,
        date=today,
        reference=str(invoice.number),
        by=by,
        note=reason,
        payment=reversal,
        invoice=invoice,
    )


def _refuse_irreversible(payment: Payment) -> None:
    if payment.reverses_id is not None:
        raise refuse("is_reversal", _("A reversal cannot be reversed. Record the payment again."))
    if payment.amount < 0 or (
        payment.surplus and not payment.surplus_entries.filter(kind=SurplusKind.APPLIED).exists()
    ):
        raise refuse("is_moved", _("This only moved money between the invoice and the customer's credit."))
    if Payment.objects.filter(reverses=payment).exists():
        raise refuse("already_reversed", _("This payment was reversed already."))


def _lock_part(pk: int, institution: Organisation, customer: Organisation, currency: str) -> Invoice:
    locked = lock_invoice(pk, no_key=True)
    if (locked.institution_id, locked.customer_id) != (institution.pk, customer.pk):
        raise NotFound
    if locked.currency != currency:
        words = _("%(number)s is in %(currency)s.") % {"number": locked.number, "currency": locked.currency}
        raise refuse("other_currency", words, field="parts")
    return locked


def _check_parts(parts: Mapping[int, Decimal], rest: Decimal, keep_rest: bool, currency: str) -> None:
    wrong = [Refusal(one.code, one.detail, field="parts") for part in parts.values() for one in amount_problems(part)]
    if wrong:
        raise Invalid(*wrong[:1])
    if len(parts) > MOST_PARTS:
        raise invalid("parts", _("At most %(most)s invoices at once.") % {"most": MOST_PARTS}, code="too_many")
    if rest < 0:
        params = {"over": shown_amount(-rest, currency)}
        raise refuse("parts_above_amount", _("The parts are %(over)s more than what came in.") % params, field="parts")
    if rest and not keep_rest:
        params = {"rest": shown_amount(rest, currency)}
        raise refuse(
            "rest_left",
            _("%(rest)s is left over.") % params,
            field="parts",
            params=params,
            fix_text=_("Keep it as the customer's credit, or name more invoices."),
        )


def _stands(institution: Organisation, customer: Organisation, reference: str) -> bool:
    """Whether something of a transfer with this reference has not been reversed."""
    same = Transfer.objects.filter(institution=institution, customer=customer, reference__iexact=reference)
    paid = Payment.objects.filter(transfer__in=same, reverses=None, reversal=None).exists()
    kept = add_up(SurplusEntry.objects.filter(transfer__in=same).values_list("amount", flat=True))
    return paid or kept > 0


def _reference_used(words: str, reference: str) -> Refused:
    return refuse(
        "reference_used",
        words % {"reference": reference},
        params={"reference": reference},
        fix_text=_("If two transfers really carry the same reference, add something to tell them apart."),
    )


def _checked_reason(reason: str) -> str:
    reason = reason.strip()
    if not reason:
        raise invalid("reason", _("Say why this payment is reversed."))
    if len(reason) > LONGEST["note"]:
        raise invalid("reason", _("At most %(max_length)s characters.") % {"max_length": LONGEST["note"]})
    return reason


def _check_shape(amount: Decimal, reference: str, note: str) -> None:
    wrong = [*amount_problems(amount), *text_problems(reference, note)]
    if wrong:
        raise Invalid(*wrong)
