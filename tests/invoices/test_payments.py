"""Payments: in parts, never more than is owed, never edited."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.db import DatabaseError, transaction
from django.db.models import Sum
from django.utils import timezone

from backend.accounts.models import Role
from backend.audit.models import Entry
from backend.core.errors import Invalid, Refused
from backend.outbox.models import Message
from backend.outbox.queries.words import render
from invoices.actions.credits import credit_invoice
from invoices.actions.payments import record_payment, reverse_payment
from invoices.models import Invoice, Payment
from invoices.queries.papers import listed, show
from tests.factories import make_member
from tests.invoices.ledger import Ledger, code_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


def pay(ledger: Ledger, invoice: Invoice, amount: str, reference: str = "R1", **more: Any) -> Payment:
    fields = {"date": timezone.localdate(), "by": ledger.finance, **more}
    return record_payment(invoice=invoice, amount=Decimal(amount), reference=reference, **fields)


def status(invoice: Invoice) -> str:
    return show([listed(Invoice.objects.filter(pk=invoice.pk)).get()])[0].status


def test_an_invoice_is_paid_in_parts(ledger: Ledger) -> None:
    invoice = ledger.issued()

    seen = [status(invoice)]
    for number, amount in enumerate(("40.00", "59.99", "0.01")):
        pay(ledger, invoice, amount, f"R{number}")
        seen.append(status(invoice))

    invoice.refresh_from_db()
    assert seen == ["open", "part_paid", "part_paid", "paid"]
    assert (invoice.paid, invoice.balance) == (Decimal("100.00"), Decimal("0.00"))
    assert invoice.payments.aggregate(sum=Sum("amount"))["sum"] == Decimal("100.00")


def test_more_than_the_balance_is_refused_and_the_balance_named(ledger: Ledger) -> None:
    invoice = ledger.issued()
    pay(ledger, invoice, "60.00")

    with pytest.raises(Refused) as raised:
        pay(ledger, invoice, "40.01", "R2")

    assert (code_of(raised), str(raised.value.detail)) == (
        "more_than_owed",
        "Only CNY 40.00 is still to be paid on this invoice.",
    )
    assert Payment.objects.count() == 1


def test_nothing_more_is_taken_once_it_is_paid(ledger: Ledger) -> None:
    invoice = ledger.issued()
    pay(ledger, invoice, "100.00")

    with pytest.raises(Refused) as raised:
        pay(ledger, invoice, "0.01", "R2")

    assert code_of(raised) == "paid_already"


def test_a_reference_stands_once_on_an_invoice(ledger: Ledger) -> None:
    invoice, other = ledger.issued(), ledger.issued()
    pay(ledger, invoice, "10.00", "AB-1")

    with pytest.raises(Refused) as raised:
        pay(ledger, invoice, "10.00", " ab-1 ")
    pay(ledger, other, "10.00", "AB-1")

    assert code_of(raised) == "reference_used"


def test_drafts_credit_notes_and_what_was_credited_take_no_payments(ledger: Ledger) -> None:
    invoice = ledger.issued()
    note = credit_invoice(invoice=invoice, reason="x", by=ledger.finance)
    ledger.charge()
    codes = []

    for paper in (ledger.draft(), note, invoice):
        with pytest.raises(Refused) as raised:
            pay(ledger, paper, "1.00")
        codes.append(code_of(raised))

    assert codes == ["not_issued", "is_credit_note", "already_credited"]


@pytest.mark.parametrize(
    ("fields", "field", "code"),
    [
        ({"amount": "0"}, "amount", "not_positive"),
        ({"amount": "-1"}, "amount", "not_positive"),
        ({"amount": "NaN"}, "amount", "not_positive"),
        ({"amount": "1.001"}, "amount", "too_precise"),
        ({"reference": "  "}, "reference", "required"),
        ({"reference": "x" * 101}, "reference", "too_long"),
        ({"note": "x" * 501}, "note", "too_long"),
        ({"date": date(2099, 1, 1)}, "date", "in_future"),
        ({"date": date(2020, 1, 1)}, "date", "too_early"),
    ],
)
def test_what_a_payment_cannot_be(ledger: Ledger, fields: dict[str, Any], field: str, code: str) -> None:
    with pytest.raises(Invalid) as raised:
        pay(ledger, ledger.issued(), **{"amount": "1.00", **fields})

    assert (raised.value.refusals[0].field, code_of(raised)) == (field, code)


def test_every_wrong_field_is_named_at_once(ledger: Ledger) -> None:
    with pytest.raises(Invalid) as raised:
        pay(ledger, ledger.issued(), "0", "")

    assert [refusal.field for refusal in raised.value.refusals] == ["amount", "reference"]


def test_days_are_those_of_the_institutions_calendar(ledger: Ledger) -> None:
    """At 20:00 UTC it is tomorrow in Shanghai; and a deposit may come three months before its invoice."""
    with time_machine.travel("2026-12-15T20:00:00Z", tick=False):
        invoice = ledger.issued()
        pay(ledger, invoice, "1.00", date=date(2026, 12, 16))
        pay(ledger, invoice, "1.00", "R2", date=date(2026, 12, 16) - timedelta(days=90))
        for wrong in (date(2026, 12, 17), date(2026, 12, 16) - timedelta(days=91)):
            with pytest.raises(Invalid):
                pay(ledger, invoice, "1.00", "R3", date=wrong)


def test_a_wrong_payment_is_reversed_and_recorded_again(ledger: Ledger) -> None:
    invoice = ledger.issued()
    wrong = pay(ledger, invoice, "100.00")

    reversal = reverse_payment(payment=wrong, reason="Typed wrong", by=ledger.finance)
    pay(ledger, invoice, "10.00")

    invoice.refresh_from_db()
    assert (reversal.amount, reversal.reverses, reversal.note) == (Decimal("-100.00"), wrong, "Typed wrong")
    assert (invoice.paid, status(invoice)) == (Decimal("10.00"), "part_paid")


def test_a_payment_is_reversed_once(ledger: Ledger) -> None:
    payment = pay(ledger, ledger.issued(), "10.00")
    reversal = reverse_payment(payment=payment, reason="x", by=ledger.finance)
    codes = []

    for one in (payment, reversal):
        with pytest.raises(Refused) as raised:
            reverse_payment(payment=one, reason="x", by=ledger.finance)
        codes.append(code_of(raised))

    assert codes == ["already_reversed", "is_reversal"]


@pytest.mark.parametrize("reason", [" ", "x" * 501])
def test_a_reversal_needs_a_reason(ledger: Ledger, reason: str) -> None:
    payment = pay(ledger, ledger.issued(), "10.00")

    with pytest.raises(Invalid) as raised:
        reverse_payment(payment=payment, reason=reason, by=ledger.finance)

    assert raised.value.refusals[0].field == "reason"


def test_the_payers_hear_of_each_and_the_chain_holds_them(ledger: Ledger) -> None:
    payer = make_member(ledger.customer, Role.FINANCE)
    make_member(ledger.customer)
    invoice = ledger.issued()
    payment = pay(ledger, invoice, "60.00")
    reverse_payment(payment=payment, reason="It bounced", by=ledger.finance)
    pay(ledger, invoice, "100.00", "R2")

    mails = Message.objects.filter(kind__startswith="payment_", channel="mail").order_by("pk")
    bodies = [render(message)[1] for message in mails]

    assert {message.recipient for message in mails} == {payer}
    assert "Still to be paid: ¥40.00." in bodies[0]
    assert "It bounced" in bodies[1]
    assert "paid in full" in bodies[2]
    entries = Entry.objects.filter(action__startswith="invoice.payment").order_by("sequence")
    assert [entry.after["balance"] for entry in entries] == ["40.00", "100.00", "0.00"]


def test_the_database_refuses_to_change_a_payment(ledger: Ledger) -> None:
    payment = pay(ledger, ledger.issued(), "10.00")

    for attempt in (
        lambda: Payment.objects.filter(pk=payment.pk).update(amount=Decimal("9.00")),
        lambda: Payment.objects.filter(pk=payment.pk).update(reference="x"),
        lambda: Payment.objects.filter(pk=payment.pk)._raw_delete("default"),
    ):
        with pytest.raises(DatabaseError, match="immutable"), transaction.atomic():
            attempt()


@pytest.mark.parametrize("paid", ["100.01", "-0.01"])
def test_the_database_keeps_the_balance_between_nothing_and_the_total(ledger: Ledger, paid: str) -> None:
    invoice = ledger.issued()

    with pytest.raises(DatabaseError), transaction.atomic():
        Invoice.objects.filter(pk=invoice.pk).update(paid=Decimal(paid))


@pytest.mark.parametrize("wanted", ["open", "part_paid", "paid", "overdue", "owing", "not_due", "credited", "issued"])
def test_a_status_is_found_as_it_is_shown(ledger: Ledger, wanted: str) -> None:
    with time_machine.travel("2026-12-15T02:00:00Z", tick=False):
        papers = {name: ledger.issued() for name in ("open", "part_paid", "paid", "credited")}
        pay(ledger, papers["part_paid"], "10.00")
        pay(ledger, papers["paid"], "100.00")
        papers["note"] = credit_invoice(invoice=papers["credited"], reason="x", by=ledger.finance)
    with time_machine.travel("2026-10-01T02:00:00Z", tick=False):
        papers["overdue"] = ledger.issued()
    ledger.charge()
    ledger.draft()
    several = {"owing": {"open", "part_paid", "overdue"}, "not_due": {"open", "part_paid"}, "issued": set(papers)}
    expected = several.get(wanted, {wanted})

    found = Invoice.objects.shown_as(wanted, date(2026, 12, 15))

    assert set(found) == {papers[name] for name in expected}
