"""A customer's credit at an institution: what was paid too much, used for another invoice, or paid back.

Locks: the invoices by id, the customer's credit, audit head. The row of the credit holds its sum, which the database
keeps from going below zero.
"""

from __future__ import annotations

import datetime
from decimal import Decimal

from django.db.models import F
from django.db.models.functions import Round
from django.utils import timezone
from django.utils.translation import gettext as _

from backend.accounts.models import Role, User
from backend.accounts.queries import people_with
from backend.audit.actions import record
from backend.core.db import atomic_action
from backend.core.errors import Refused, invalid, refuse
from backend.core.money import format_amount, shown_amount
from backend.outbox.actions import post
from invoices import rules
from invoices.actions.papers import lock_invoice, record_invoice
from invoices.actions.paying import add_payment, check_amount, check_texts, refuse_unpayable
from invoices.models import Invoice, Payment, Surplus, SurplusEntry, SurplusKind, Transfer


def lock_surplus(institution_id: int, customer_id: int, currency: str) -> Surplus:
    """Made on first use."""
    found, _created = Surplus.objects.get_or_create(
        institution_id=institution_id, customer_id=customer_id, currency=currency
    )
    rows = Surplus.objects.select_for_update(of=("self",), no_key=True).select_related("institution", "customer")
    return rows.get(pk=found.pk)


def change_surplus(
    surplus: Surplus,
    kind: SurplusKind,
    amount: Decimal,
    *,
    date: datetime.date,
    reference: str,
    by: User,
    note: str = "",
    transfer: Transfer | None = None,
    payment: Payment | None = None,
    invoice: Invoice | None = None,
) -> SurplusEntry:
    """Append one change; ``surplus`` is locked. `Refused` where less is there than is taken away."""
    if surplus.amount + amount < 0:
        params = {"credit": shown_amount(surplus.amount, surplus.currency)}
        raise refuse("credit_too_low", _("The customer's credit is only %(credit)s.") % params, params=params)
    entry = SurplusEntry.objects.create(
        surplus=surplus,
        kind=kind,
        amount=amount,
        date=date,
        reference=reference,
        note=note,
        transfer=transfer,
        payment=payment,
        invoice=invoice,
        recorded_by=by,
    )
    surplus.amount += amount
    Surplus.objects.filter(pk=surplus.pk).update(amount=Round(F("amount") + amount, precision=2))
    _tell(surplus, entry)
    record(
        organisation_id=surplus.institution_id,
        actor_id=by.pk,
        action=f"surplus.{kind}",
        object_type="surplus",
        object_id=surplus.pk,
        after={"amount": amount, "credit": surplus.amount, "currency": surplus.currency, "reference": reference},
        reason=note,
    )
    return entry


def set_aside(*, invoice: Invoice, amount: Decimal, note: Invoice, by: User) -> SurplusEntry:
    """What was paid on an invoice beyond what a credit note leaves to pay. The caller keeps ``invoice.paid``."""
    surplus = lock_surplus(invoice.institution_id, invoice.customer_id, invoice.currency)
    today = rules.day_at(invoice.institution, timezone.now())
    words = _("Credited by %(number)s.") % {"number": note.number}
    payment = add_payment(invoice, -amount, date=today, reference=str(note.number), note=words, by=by, surplus=True)
    return change_surplus(
        surplus,
        SurplusKind.CREDITED,
        amount,
        date=today,
        reference=str(invoice.number),
        by=by,
        note=words,
        payment=payment,
        invoice=note,
    )


@atomic_action
def apply_surplus(*, invoice: Invoice, amount: Decimal, by: User) -> Payment:
    """Pay an invoice, or a part of it, from the customer's credit. `Refused` for more than is owed or is there."""
    check_amount(amount)
    locked = lock_invoice(invoice.pk, no_key=True)
    refuse_unpayable(locked, amount)
    surplus = lock_surplus(locked.institution_id, locked.customer_id, locked.currency)
    today = rules.day_at(locked.institution, timezone.now())
    reference = f"{rules.CREDIT_REFERENCE}-{surplus.entries.count() + 1}"
    payment = add_payment(locked, amount, date=today, reference=reference, by=by, surplus=True)
    change_surplus(
        surplus,
        SurplusKind.APPLIED,
        -amount,
        date=today,
        reference=str(locked.number),
        by=by,
        payment=payment,
        invoice=locked,
    )
    locked.paid += amount
    locked.save(update_fields=["paid"])
    after = {"amount": amount, "reference": reference, "balance": locked.balance}
    record_invoice(locked, "invoice.credit_applied", by, after=after)
    return payment


@atomic_action
def refund_surplus(
    *, surplus: Surplus, amount: Decimal, date: datetime.date, reference: str, by: User, note: str = ""
) -> SurplusEntry:
    """Money that was paid back to the customer, with the bank's reference. `Refused` for more than there is."""
    check_amount(amount)
    reference, note = check_texts(reference, note)
    locked = lock_surplus(surplus.institution_id, surplus.customer_id, surplus.currency)
    today = rules.day_at(locked.institution, timezone.now())
    if date > today:
        raise invalid("date", _("A payment cannot lie in the future."), code="in_future")
    _refuse_repeated(locked, reference)
    return change_surplus(locked, SurplusKind.REFUNDED, -amount, date=date, reference=reference, by=by, note=note)


def _refuse_repeated(surplus: Surplus, reference: str) -> None:
    if surplus.entries.filter(kind=SurplusKind.REFUNDED, reference__iexact=reference).exists():
        raise _used(reference)


def _used(reference: str) -> Refused:
    return refuse(
        "reference_used",
        _("A refund with the reference %(reference)s is recorded already.") % {"reference": reference},
        field="reference",
        params={"reference": reference},
    )


def _tell(surplus: Surplus, entry: SurplusEntry) -> None:
    post(
        key=f"surplus-{entry.uid}",
        kind="surplus_changed",
        recipients=people_with(surplus.customer_id, (Role.ADMIN, Role.FINANCE)),
        context={
            "institution": surplus.institution.name,
            "change": entry.kind,
            "amount": format_amount(abs(entry.amount)),
            "currency": surplus.currency,
            "reference": entry.reference,
            "credit": format_amount(surplus.amount),
        },
        path="/money/credit/",
    )
