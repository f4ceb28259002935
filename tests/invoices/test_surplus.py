"""A customer's credit: overpayments, transfers over several invoices, use, refund, and what is never possible."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, transaction
from django.utils import timezone

from backend.accounts.models import Role
from backend.audit.actions import faults
from backend.core.errors import Invalid, NotFound, Refused
from backend.outbox.models import Message
from backend.outbox.queries.words import render
from invoices.actions.credits import credit_invoice
from invoices.actions.payments import record_payment, record_transfer, reverse_payment, reverse_transfer
from invoices.actions.surplus import apply_surplus, refund_surplus
from invoices.models import Invoice, Payment, Surplus, SurplusEntry, Transfer
from tests.factories import make_member
from tests.invoices.ledger import Ledger, code_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


def pay(ledger: Ledger, invoice: Invoice, amount: str, reference: str = "R1", **more: Any) -> Payment:
    fields = {"date": timezone.localdate(), "by": ledger.finance, **more}
    return record_payment(invoice=invoice, amount=Decimal(amount), reference=reference, **fields)


def transfer(ledger: Ledger, amount: str, parts: dict[int, str], reference: str = "T1", **more: Any) -> Transfer:
    return record_transfer(
        **{
            "institution": ledger.institution,
            "customer": ledger.customer,
            "currency": "CNY",
            "amount": Decimal(amount),
            "date": timezone.localdate(),
            "reference": reference,
            "parts": {pk: Decimal(part) for pk, part in parts.items()},
            "by": ledger.finance,
            **more,
        }
    )


def credit_left() -> Decimal:
    return Surplus.objects.get().amount


def fresh(invoice: Invoice) -> Invoice:
    return Invoice.objects.get(pk=invoice.pk)


def test_what_is_paid_too_much_is_kept_when_finance_says_so(ledger: Ledger) -> None:
    invoice = ledger.issued("100.00")

    with pytest.raises(Refused) as raised:
        pay(ledger, invoice, "120.00")
    payment = pay(ledger, invoice, "120.00", keep_rest=True)

    assert code_of(raised) == "more_than_owed"
    assert (payment.amount, fresh(invoice).balance, credit_left()) == (Decimal(100), Decimal("0.00"), Decimal("20.00"))
    assert Transfer.objects.get().amount == Decimal("120.00")


def test_credit_pays_another_invoice(ledger: Ledger) -> None:
    pay(ledger, ledger.issued("100.00"), "120.00", keep_rest=True)
    second = ledger.issued("50.00")

    with pytest.raises(Refused) as raised:
        apply_surplus(invoice=second, amount=Decimal("20.01"), by=ledger.finance)
    payment = apply_surplus(invoice=second, amount=Decimal("20.00"), by=ledger.finance)

    assert code_of(raised) == "credit_too_low"
    assert (fresh(second).balance, credit_left(), payment.surplus) == (Decimal("30.00"), Decimal("0.00"), True)


def test_credit_never_pays_more_than_is_owed(ledger: Ledger) -> None:
    pay(ledger, ledger.issued("100.00"), "180.00", keep_rest=True)

    with pytest.raises(Refused) as raised:
        apply_surplus(invoice=ledger.issued("50.00"), amount=Decimal("50.01"), by=ledger.finance)

    assert (code_of(raised), credit_left()) == ("more_than_owed", Decimal("80.00"))


def test_credit_is_paid_back_with_a_reference_once(ledger: Ledger) -> None:
    pay(ledger, ledger.issued("100.00"), "120.00", keep_rest=True)
    surplus = Surplus.objects.get()
    back: dict[str, Any] = {"surplus": surplus, "date": timezone.localdate(), "by": ledger.finance}

    refund_surplus(**back, amount=Decimal("15.00"), reference="OUT-1")
    codes = []
    for amount, reference in (("1.00", "OUT-1"), ("5.01", "OUT-2")):
        with pytest.raises(Refused) as raised:
            refund_surplus(**back, amount=Decimal(amount), reference=reference)
        codes.append(code_of(raised))
    with pytest.raises(Invalid):
        refund_surplus(**{**back, "date": timezone.localdate() + timedelta(2)}, amount=Decimal(1), reference="OUT-3")

    assert (codes, credit_left()) == (["reference_used", "credit_too_low"], Decimal("5.00"))


def test_one_transfer_pays_several_invoices_and_leaves_a_rest(ledger: Ledger) -> None:
    first, second = ledger.issued("100.00"), ledger.issued("60.00")

    made = transfer(ledger, "150.00", {first.pk: "100.00", second.pk: "40.00"}, keep_rest=True)

    assert [(p.invoice, p.amount) for p in made.payments.order_by("pk")] == [(first, 100), (second, 40)]
    assert (fresh(first).balance, fresh(second).balance, credit_left()) == (0, Decimal("20.00"), Decimal("10.00"))
    assert list(faults(organisation_id=ledger.institution.pk)) == []


def test_what_a_transfer_is_refused(ledger: Ledger) -> None:
    first, second = ledger.issued("100.00"), ledger.issued("60.00")
    transfer(ledger, "10.00", {first.pk: "10.00"})
    refused = {
        "rest_left": lambda: transfer(ledger, "50.01", {first.pk: "50.00"}, "T2"),
        "parts_above_amount": lambda: transfer(ledger, "49.99", {first.pk: "50.00"}, "T2"),
        "more_than_owed": lambda: transfer(ledger, "90.01", {first.pk: "90.01"}, "T2"),
        "reference_used": lambda: transfer(ledger, "10.00", {second.pk: "10.00"}, "t1"),
        "other_currency": lambda: transfer(ledger, "10.00", {first.pk: "10.00"}, "T2", currency="USD"),
    }

    for code, call in refused.items():
        with pytest.raises(Refused) as raised:
            call()
        assert code_of(raised) == code
    with pytest.raises(NotFound):
        transfer(ledger, "10.00", {first.pk: "10.00"}, "T2", customer=ledger.institution)
    with pytest.raises(Invalid):
        transfer(ledger, "10.00", {first.pk: "0.00"}, "T2")
    assert Transfer.objects.count() == 1


def test_a_bounced_transfer_is_taken_back_altogether(ledger: Ledger) -> None:
    first, second = ledger.issued("100.00"), ledger.issued("60.00")
    made = transfer(ledger, "170.00", {first.pk: "100.00", second.pk: "60.00"}, keep_rest=True)

    reverse_transfer(transfer=made, reason="Bounced", by=ledger.finance)

    assert (fresh(first).balance, fresh(second).balance, credit_left()) == (100, 60, Decimal("0.00"))
    with pytest.raises(Refused) as raised:
        reverse_transfer(transfer=made, reason="Again", by=ledger.finance)
    assert code_of(raised) == "already_reversed"
    transfer(ledger, "160.00", {first.pk: "100.00", second.pk: "60.00"})


def test_a_used_credit_is_not_taken_back(ledger: Ledger) -> None:
    made = transfer(ledger, "110.00", {ledger.issued("100.00").pk: "100.00"}, keep_rest=True)
    apply_surplus(invoice=ledger.issued("50.00"), amount=Decimal("5.00"), by=ledger.finance)

    with pytest.raises(Refused) as raised:
        reverse_transfer(transfer=made, reason="Bounced", by=ledger.finance)

    assert (code_of(raised), credit_left()) == ("credit_too_low", Decimal("5.00"))


def test_reversed_what_came_from_the_credit_returns_there(ledger: Ledger) -> None:
    pay(ledger, ledger.issued("100.00"), "120.00", keep_rest=True)
    second = ledger.issued("50.00")
    payment = apply_surplus(invoice=second, amount=Decimal("20.00"), by=ledger.finance)

    reverse_payment(payment=payment, reason="Other invoice", by=ledger.finance)

    assert (fresh(second).paid, credit_left()) == (Decimal("0.00"), Decimal("20.00"))


def test_a_payment_put_on_the_wrong_invoice_is_kept_as_credit(ledger: Ledger) -> None:
    invoice = ledger.issued("100.00")

    reverse_payment(payment=pay(ledger, invoice, "100.00"), reason="Other invoice", by=ledger.finance, to_credit=True)

    assert (fresh(invoice).balance, credit_left()) == (Decimal("100.00"), Decimal("100.00"))


def test_a_bounced_payment_of_what_was_credited_takes_the_credit_back(ledger: Ledger) -> None:
    invoice = ledger.issued("100.00", "6.00")
    payment = pay(ledger, invoice, "106.00")
    credit_invoice(invoice=invoice, reason="x", by=ledger.finance, lines=[1])
    assert credit_left() == Decimal("100.00")

    reverse_payment(payment=payment, reason="Bounced", by=ledger.finance)

    assert (fresh(invoice).paid, fresh(invoice).balance, credit_left()) == (0, Decimal("6.00"), Decimal("0.00"))
    for moved in invoice.payments.filter(surplus=True):
        with pytest.raises(Refused) as raised:
            reverse_payment(payment=moved, reason="x", by=ledger.finance)
        assert code_of(raised) == "is_moved"


def test_entries_stay_and_the_sum_is_never_below_zero(ledger: Ledger) -> None:
    pay(ledger, ledger.issued("100.00"), "120.00", keep_rest=True)

    for rows, change in (
        (SurplusEntry.objects.all(), {"amount": 1}),
        (Surplus.objects.all(), {"amount": -1}),
        (Transfer.objects.all(), {"amount": 1}),
    ):
        with pytest.raises(DatabaseError), transaction.atomic():
            rows.update(**change)
    with pytest.raises(DatabaseError), transaction.atomic():
        SurplusEntry.objects.all().delete()


def test_the_payers_hear_what_became_of_it(ledger: Ledger) -> None:
    make_member(ledger.customer, Role.FINANCE)
    pay(ledger, ledger.issued("100.00"), "120.00", keep_rest=True)

    subject, body = render(Message.objects.get(kind="surplus_changed", channel="mail"))

    assert "¥20.00" in subject
    assert "reference R1" in body


def test_cents_add_up_as_people_add_them(ledger: Ledger) -> None:
    """In binary fractions 0.1 + 0.2 is more than 0.3, and 0.8 − 0.1 is more than 0.7."""
    three, eight = ledger.issued("0.30"), ledger.issued("0.70", "0.10")
    for number, amount in enumerate(("0.10", "0.20")):
        pay(ledger, three, amount, f"A{number}")
    credit_invoice(invoice=eight, reason="x", by=ledger.finance, lines=[2])
    pay(ledger, eight, "0.70", "B1")
    pay(ledger, ledger.issued("1.00"), "1.30", "C1", keep_rest=True)
    for number, amount in enumerate(("0.10", "0.20")):
        refund_surplus(
            surplus=Surplus.objects.get(), amount=Decimal(amount), date=timezone.localdate(), reference=f"D{number}",
            by=ledger.finance,
        )  # fmt: skip

    assert list(Invoice.objects.owing()) == []
    assert Invoice.objects.shown_as("paid", timezone.localdate()).count() == 3
    assert credit_left() == Decimal("0.00")
