"""Races of payments, credits and corrections, each on a thread with a connection of its own."""

from __future__ import annotations

import threading
import uuid
from decimal import Decimal
from functools import partial

import pytest
from django.db.models import Sum
from django.utils import timezone

from backend.accounts.models import Role, User
from backend.audit.actions import faults
from invoices.actions import payments
from invoices.actions.corrections import correct_charges, family_standing
from invoices.actions.credits import credit_invoice
from invoices.actions.invoices import draft_invoice, issue_invoice
from invoices.actions.payments import record_payment, reverse_payment
from invoices.models import Charge, Counter, Invoice, Payment
from tests.factories import DAY, make_charge, make_enterprise, make_institution, make_line, make_member
from tests.parallel import at_once

pytestmark = [pytest.mark.parallel, pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("committed")]


def issued(amount: str = "100.00") -> tuple[Invoice, User]:
    institution, customer = make_institution(), make_enterprise()
    by = make_member(institution, Role.FINANCE)
    make_charge(customer, make_line(amount), institution=institution)
    draft = draft_invoice(institution_id=institution.pk, customer_id=customer.pk, period="2026-12", by=by)
    return issue_invoice(invoice=draft, by=by), by


def pay(invoice: Invoice, by: User, amount: str, reference: str) -> Payment:
    return record_payment(
        invoice=invoice, amount=Decimal(amount), date=timezone.localdate(), reference=reference, by=by
    )


def sum_paid(invoice: Invoice) -> Decimal:
    return Payment.objects.filter(invoice=invoice).aggregate(sum=Sum("amount"))["sum"] or Decimal("0.00")


def test_parallel_payments_never_exceed_the_balance() -> None:
    invoice, by = issued("100.00")

    outcome = at_once([partial(pay, invoice, by, "30.00", f"R{n}") for n in range(10)])

    invoice.refresh_from_db()
    assert (len(outcome.results), outcome.error_counts()) == (3, {"Refused": 7})
    assert invoice.paid == sum_paid(invoice) == Decimal("90.00")
    assert list(faults()) == []


def test_without_the_invoices_lock_payments_exceed_the_balance(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: all read the balance before any writes, and the test above would fail."""
    invoice, by = issued("100.00")
    all_have_read = threading.Barrier(4)
    memory = threading.local()

    def remembered(pk: int, **options: bool) -> Invoice:
        return memory.invoice  # type: ignore[no-any-return]

    monkeypatch.setattr(payments, "lock_invoice", remembered)

    def pay_blindly(number: int) -> Payment:
        memory.invoice = Invoice.objects.select_related("institution").get(pk=invoice.pk)
        all_have_read.wait(30)
        return pay(invoice, by, "60.00", f"R{number}")

    outcome = at_once([partial(pay_blindly, number) for number in range(4)])

    assert outcome.errors == []
    assert sum_paid(invoice) == Decimal("240.00")


def test_one_reference_is_recorded_once() -> None:
    invoice, by = issued("100.00")

    outcome = at_once([partial(pay, invoice, by, "10.00", "R1")] * 6)

    assert (len(outcome.results), outcome.error_counts()) == (1, {"Refused": 5})


def test_a_payment_is_reversed_once() -> None:
    invoice, by = issued()
    payment = pay(invoice, by, "40.00", "R1")

    outcome = at_once([partial(reverse_payment, payment=payment, reason="x", by=by)] * 6)

    assert (len(outcome.results), outcome.error_counts()) == (1, {"Refused": 5})
    assert sum_paid(invoice) == Decimal("0.00")


def test_one_of_many_credits_wins() -> None:
    invoice, by = issued()

    outcome = at_once([partial(credit_invoice, invoice=invoice, reason="x", by=by, rebill=True)] * 6)

    assert (len(outcome.results), outcome.error_counts()) == (1, {"Refused": 5})
    assert Counter.objects.get(series="HC").last == 1
    assert sorted(Charge.objects.values_list("source", flat=True)) == ["booking", "credit", "rebill"]
    assert list(faults()) == []


def test_parallel_corrections_take_back_each_other() -> None:
    invoice, by = issued()
    charge = invoice.charges.get()

    def correct(amount: str) -> Charge:
        return correct_charges(
            source=charge.source,
            source_uid=charge.source_uid,
            correction_uid=uuid.uuid4(),
            lines=[make_line(amount)],
            differences=[],
            service_date=DAY,
            by_id=by.pk,
        )

    outcome = at_once([partial(correct, f"{n}.00") for n in range(20, 26)])

    assert outcome.errors == []
    [stands] = family_standing(charge)
    assert sum(one.total for one in Charge.objects.all()) == stands.amount


def test_what_is_corrected_while_it_is_credited_is_never_owed_twice() -> None:
    for _round in range(8):
        invoice, by = issued()
        charge = invoice.charges.get()
        correct = partial(
            correct_charges,
            source=charge.source,
            source_uid=charge.source_uid,
            correction_uid=uuid.uuid4(),
            lines=[make_line("30.00")],
            differences=[],
            service_date=DAY,
            by_id=by.pk,
        )

        outcome = at_once([correct, partial(credit_invoice, invoice=invoice, reason="x", by=by, rebill=True)])

        assert outcome.errors == []
        owed = Charge.objects.filter(customer=invoice.customer).aggregate(sum=Sum("total"))["sum"]
        assert owed == Decimal("30.00")
