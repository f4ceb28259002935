"""What recording a payment, a transfer and the use of a credit have in common. The invoice is locked."""

from __future__ import annotations

import datetime
from decimal import Decimal

from django.utils import timezone
from django.utils.translation import gettext as _

from backend.accounts.models import User
from backend.core.errors import Invalid, Refusal, invalid, refuse
from backend.core.money import format_amount
from invoices import rules
from invoices.actions.papers import not_issued, tell_payers
from invoices.models import Invoice, InvoiceKind, InvoiceStatus, Payment, Transfer

LONGEST = {"reference": 100, "note": 500}
# Money may come before its invoice; earlier than this it is a slip of the pen.
PREPAID = datetime.timedelta(days=90)


def add_payment(
    invoice: Invoice,
    amount: Decimal,
    *,
    date: datetime.date,
    reference: str,
    by: User,
    note: str = "",
    transfer: Transfer | None = None,
    surplus: bool = False,
    reverses: Payment | None = None,
) -> Payment:
    """The row alone; the caller keeps `Invoice.paid`."""
    return Payment.objects.create(
        invoice=invoice,
        amount=amount,
        date=date,
        reference=reference,
        note=note,
        recorded_by=by,
        transfer=transfer,
        surplus=surplus,
        reverses=reverses,
    )


def keep_sum(invoice: Invoice, amount: Decimal) -> None:
    invoice.paid += amount
    invoice.save(update_fields=["paid"])


def check_amount(amount: Decimal) -> None:
    wrong = amount_problems(amount)
    if wrong:
        raise Invalid(*wrong)


def amount_problems(amount: Decimal) -> list[Refusal]:
    if not amount.is_finite() or amount <= 0:
        return [Refusal("not_positive", _("The amount must be above zero."), field="amount")]
    if amount != amount.quantize(Decimal("0.01")):
        return [Refusal("too_precise", _("An amount has at most two decimals."), field="amount")]
    return []


def text_problems(reference: str, note: str) -> list[Refusal]:
    wrong = []
    if not reference:
        wrong.append(Refusal("required", _("Give the bank's reference of the transfer."), field="reference"))
    for name, text in (("reference", reference), ("note", note)):
        if len(text) > LONGEST[name]:
            detail = _("At most %(max_length)s characters.") % {"max_length": LONGEST[name]}
            wrong.append(Refusal("too_long", detail, field=name))
    return wrong


def check_texts(reference: str, note: str) -> tuple[str, str]:
    reference, note = reference.strip(), note.strip()
    wrong = text_problems(reference, note)
    if wrong:
        raise Invalid(*wrong)
    return reference, note


def refuse_unpayable(invoice: Invoice, amount: Decimal) -> None:
    if invoice.status == InvoiceStatus.DRAFT:
        raise not_issued()
    if invoice.kind == InvoiceKind.CREDIT_NOTE:
        raise refuse("is_credit_note", _("Nothing is paid on a credit note."))
    if invoice.status == InvoiceStatus.CREDITED:
        raise refuse("already_credited", _("%(number)s was credited already.") % {"number": invoice.number})
    _refuse_more_than_owed(invoice, amount)


def _refuse_more_than_owed(invoice: Invoice, amount: Decimal) -> None:
    if amount <= invoice.balance:
        return
    params = {
        "currency": invoice.currency,
        "balance": format_amount(invoice.balance),
        "number": str(invoice.number),
    }
    fix = _("What is over can be kept as the customer's credit.")
    if invoice.balance == 0:
        raise refuse("paid_already", _("This is paid in full; nothing more is owed."), params=params, fix_text=fix)
    detail = _("Only %(currency)s %(balance)s is still to be paid on this invoice.") % params
    raise refuse("more_than_owed", detail, field="amount", params=params, fix_text=fix)


def check_date(invoice: Invoice, date: datetime.date) -> None:
    today = rules.day_at(invoice.institution, timezone.now())
    if date > today:
        raise invalid("date", _("A payment cannot lie in the future."), code="in_future")
    issued = rules.day_at(invoice.institution, invoice.issued_at) if invoice.issued_at else today
    first = issued - PREPAID
    if date < first:
        detail = _("This is long before the invoice was issued; the earliest date is %(first)s.")
        raise invalid("date", detail % {"first": first}, code="too_early", params={"first": str(first)})


def figures(invoice: Invoice, payment: Payment) -> dict[str, object]:
    return {
        "amount": payment.amount,
        "date": payment.date,
        "reference": payment.reference,
        "balance": invoice.balance,
    }


def tell_of_payment(invoice: Invoice, kind: str, payment: Payment) -> None:
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
