"""Payments: recorded, never edited; a wrong one is reversed by another. Locks: the invoice, audit head."""

from __future__ import annotations

import datetime
from decimal import Decimal

from django.utils import timezone
from django.utils.translation import gettext as _

from backend.accounts.models import User
from backend.core.db import atomic_action
from backend.core.errors import Invalid, Refusal, invalid, refuse
from backend.core.money import format_amount
from invoices import rules
from invoices.actions.papers import lock_invoice, not_issued, record_invoice, tell_payers
from invoices.models import Invoice, InvoiceKind, InvoiceStatus, Payment

LONGEST = {"reference": 100, "note": 500}
# Money may come before its invoice; earlier than this it is a slip of the pen.
PREPAID = datetime.timedelta(days=90)


@atomic_action
def record_payment(
    *, invoice: Invoice, amount: Decimal, date: datetime.date, reference: str, by: User, note: str = ""
) -> Payment:
    """Money that came in, in the invoice's currency; ``date`` by the institution's calendar.

    `Invalid` for an amount or date that cannot be or a missing reference; `Refused` on drafts, credit notes and what
    was credited, for more than the balance and for a reference that stands on the invoice already.
    """
    reference, note = reference.strip(), note.strip()
    _check_shape(amount, reference, note)
    locked = lock_invoice(invoice.pk, no_key=True)
    _refuse_unpayable(locked)
    _check_date(locked, date)
    _refuse_more_than_owed(locked, amount)
    standing = locked.payments.filter(reverses=None, reversal=None)
    if standing.filter(reference__iexact=reference).exists():
        raise refuse(
            "reference_used",
            _("A payment with the reference %(reference)s stands on this invoice already.") % {"reference": reference},
            params={"reference": reference},
            fix_text=_("If two transfers really carry the same reference, add something to tell them apart."),
        )
    payment = Payment.objects.create(
        invoice=locked, amount=amount, date=date, reference=reference, note=note, recorded_by=by
    )
    _keep_sum(locked, amount)
    _tell(locked, "payment_recorded", payment)
    record_invoice(locked, "invoice.payment_recorded", by, after=_figures(locked, payment))
    return payment


@atomic_action
def reverse_payment(*, payment: Payment, reason: str, by: User) -> Payment:
    """Take a payment back: it was wrong, bounced or was paid back. Returns the reversal, dated today.

    `Invalid` without a reason; `Refused` for a reversal or what was reversed before.
    """
    reason = reason.strip()
    if not reason:
        raise invalid("reason", _("Say why this payment is reversed."))
    if len(reason) > LONGEST["note"]:
        raise invalid("reason", _("At most %(max_length)s characters.") % {"max_length": LONGEST["note"]})
    locked = lock_invoice(payment.invoice_id, no_key=True)
    if payment.reverses_id is not None:
        raise refuse("is_reversal", _("A reversal cannot be reversed. Record the payment again."))
    if Payment.objects.filter(reverses=payment).exists():
        raise refuse("already_reversed", _("This payment was reversed already."))
    reversal = Payment.objects.create(
        invoice=locked,
        amount=-payment.amount,
        date=rules.day_at(locked.institution, timezone.now()),
        reference=payment.reference,
        note=reason,
        recorded_by=by,
        reverses=payment,
    )
    _keep_sum(locked, reversal.amount)
    _tell(locked, "payment_reversed", reversal)
    record_invoice(locked, "invoice.payment_reversed", by, after=_figures(locked, reversal), reason=reason)
    return reversal


def _check_shape(amount: Decimal, reference: str, note: str) -> None:
    problems = []
    if not amount.is_finite() or amount <= 0:
        problems.append(Refusal("not_positive", _("The amount must be above zero."), field="amount"))
    elif amount != amount.quantize(Decimal("0.01")):
        problems.append(Refusal("too_precise", _("An amount has at most two decimals."), field="amount"))
    if not reference:
        problems.append(Refusal("required", _("Give the bank's reference of the transfer."), field="reference"))
    for name, text in (("reference", reference), ("note", note)):
        if len(text) > LONGEST[name]:
            detail = _("At most %(max_length)s characters.") % {"max_length": LONGEST[name]}
            problems.append(Refusal("too_long", detail, field=name))
    if problems:
        raise Invalid(*problems)


def _check_date(invoice: Invoice, date: datetime.date) -> None:
    today = rules.day_at(invoice.institution, timezone.now())
    if date > today:
        raise invalid("date", _("A payment cannot lie in the future."), code="in_future")
    issued = rules.day_at(invoice.institution, invoice.issued_at) if invoice.issued_at else today
    first = issued - PREPAID
    if date < first:
        detail = _("This is long before the invoice was issued; the earliest date is %(first)s.")
        raise invalid("date", detail % {"first": first}, code="too_early", params={"first": str(first)})


def _refuse_unpayable(invoice: Invoice) -> None:
    if invoice.status == InvoiceStatus.DRAFT:
        raise not_issued()
    if invoice.kind == InvoiceKind.CREDIT_NOTE:
        raise refuse("is_credit_note", _("Nothing is paid on a credit note."))
    if invoice.status == InvoiceStatus.CREDITED:
        raise refuse("already_credited", _("%(number)s was credited already.") % {"number": invoice.number})


def _refuse_more_than_owed(invoice: Invoice, amount: Decimal) -> None:
    if amount <= invoice.balance:
        return
    params = {"currency": invoice.currency, "balance": format_amount(invoice.balance)}
    if invoice.balance == 0:
        raise refuse("paid_already", _("This is paid in full; nothing more is owed."), params=params)
    detail = _("Only %(currency)s %(balance)s is still to be paid on this invoice.") % params
    raise refuse("more_than_owed", detail, field="amount", params=params)


def _keep_sum(invoice: Invoice, amount: Decimal) -> None:
    invoice.paid += amount
    invoice.save(update_fields=["paid"])


def _figures(invoice: Invoice, payment: Payment) -> dict[str, object]:
    return {
        "amount": payment.amount,
        "date": payment.date,
        "reference": payment.reference,
        "balance": invoice.balance,
    }


def _tell(invoice: Invoice, kind: str, payment: Payment) -> None:
    tell_payers(
        invoice,
        kind,
        f"{kind.replace('_', '-')}-{payment.uid}",
        {
            "amount": format_amount(abs(payment.amount)),
            "date": str(payment.date),
            "reference": payment.reference,
            "balance": format_amount(invoice.balance),
            "reason": payment.note if payment.reverses_id else "",
        },
    )
