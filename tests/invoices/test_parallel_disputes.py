"""Races of disputes, partial credits and a customer's credit, each on a thread with a connection of its own."""

from __future__ import annotations

import threading
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from backend.accounts.models import Role
from backend.audit.actions import faults
from backend.core.money import add_up
from invoices.actions import credits as crediting
from invoices.actions import disputes
from invoices.actions.credits import credit_invoice
from invoices.actions.disputes import decide_dispute, open_dispute, withdraw_dispute
from invoices.actions.invoices import draft_invoice, issue_invoice
from invoices.actions.payments import record_payment, record_transfer
from invoices.actions.surplus import apply_surplus, refund_surplus
from invoices.models import Charge, ChargeLine, Dispute, Invoice, Surplus, Transfer
from tests.factories import make_charge, make_enterprise, make_institution, make_line, make_member
from tests.parallel import Outcome, at_once

pytestmark = [pytest.mark.parallel, pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("committed")]


class Case:
    """A charge of 100.00 and those who deal with it."""

    def __init__(self, *amounts: str) -> None:
        self.institution, self.customer = make_institution(), make_enterprise()
        self.finance = make_member(self.institution, Role.FINANCE)
        lines = [make_line(amount, f"item{n}") for n, amount in enumerate(amounts or ("100.00",))]
        self.charge = make_charge(self.customer, *lines, institution=self.institution)

    def draft(self) -> Invoice:
        return draft_invoice(
            institution_id=self.institution.pk, customer_id=self.customer.pk, period="2026-12", by=self.finance
        )

    def issue(self, draft: Invoice | None = None) -> Invoice:
        return issue_invoice(invoice=draft or self.draft(), by=self.finance)

    def dispute(self) -> Dispute:
        return open_dispute(charge=self.charge, reason="No", by=self.charge.user)

    def decide(self, found: Dispute, decision: str, amount: str | None = None) -> Dispute:
        owed = Decimal(amount) if amount else None
        return decide_dispute(dispute=found, decision=decision, reason="x", by=self.finance, amount=owed)

    def standing(self) -> Charge:
        return Charge.objects.get(pk=self.charge.pk)

    def lines(self) -> Decimal:
        return add_up(ChargeLine.objects.filter(charge=self.charge, stage="final").values_list("amount", flat=True))


def test_one_of_many_disputes_is_raised() -> None:
    case = Case()

    outcome = at_once([case.dispute] * 6)

    assert (len(outcome.results), outcome.error_counts()) == (1, {"Refused": 5})
    assert Dispute.objects.count() == 1


def test_a_dispute_and_a_draft_never_both_hold_the_charge() -> None:
    for _round in range(6):
        case = Case()

        at_once([case.dispute, case.draft])

        charge = case.standing()
        assert (charge.disputed, charge.invoice) == (True, None)


def test_a_dispute_and_issuing_exclude_each_other() -> None:
    seen = set()
    for _round in range(8):
        case = Case()
        draft = case.draft()

        outcome = at_once([case.dispute, partial(case.issue, draft)])

        charge = case.standing()
        seen.add(charge.state)
        assert (len(outcome.results), outcome.error_counts()) == (1, {"Refused": 1})
        assert charge.disputed == (charge.state == "final")
    assert seen <= {"final", "invoiced"}


def test_one_of_many_decisions_wins() -> None:
    case = Case()
    found = case.dispute()
    calls = [("uphold", None), ("waive", None), ("adjust", "40.00"), ("adjust", "60.00")]

    outcome = at_once(
        [partial(case.decide, found, *call) for call in calls]
        + [partial(withdraw_dispute, dispute=found, by=case.charge.user)]
    )

    charge, [decided] = case.standing(), Dispute.objects.all()
    assert (len(outcome.results), outcome.error_counts()) == (1, {"Refused": 4})
    assert decided.after == charge.total == case.lines()
    assert list(faults()) == []


def test_without_the_lock_two_decisions_are_posted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: both read that it is open before either writes."""
    case = Case()
    found = case.dispute()
    both_have_read = threading.Barrier(2)
    memory = threading.local()
    monkeypatch.setattr(disputes, "_lock_open", lambda dispute: memory.both)
    # The database refuses to close it twice; the lines are posted before that.
    monkeypatch.setattr(disputes, "_close", lambda dispute, *rest, **more: None)

    def decide_blindly(amount: str) -> Dispute:
        charge = Charge.objects.select_related("institution", "customer").get(pk=case.charge.pk)
        memory.both = (found, charge)
        found.charge = charge
        both_have_read.wait(30)
        return case.decide(found, "waive", None) if amount == "0" else case.decide(found, "adjust", amount)

    outcome = at_once([partial(decide_blindly, "40.00"), partial(decide_blindly, "60.00")])

    # Nobody is refused as in the test above: both are posted, or the database refuses a line at the same position.
    assert "Refused" not in outcome.error_counts()
    assert len(outcome.results) + outcome.error_counts().get("IntegrityError", 0) == 2


def credit_parts(invoice: Invoice, case: Case, amounts: list[str]) -> Outcome:
    calls = [
        partial(credit_invoice, invoice=invoice, reason="x", by=case.finance, lines={1: Decimal(amount)})
        for amount in amounts
    ]
    return at_once(calls)


def test_parallel_partial_credits_never_exceed_the_line() -> None:
    case = Case("100.00", "5.00")
    invoice = case.issue()

    outcome = credit_parts(invoice, case, ["30.00"] * 6)

    invoice.refresh_from_db()
    assert (len(outcome.results), outcome.error_counts()) == (3, {"Refused": 3})
    assert invoice.credited == Decimal("90.00") == -add_up(invoice.credit_notes.values_list("total", flat=True))
    assert sorted(invoice.credit_notes.values_list("sequence", flat=True)) == [1, 2, 3]


def test_without_the_lock_the_database_refuses_what_is_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: all read what is left before any writes, so only the check of the database is left."""
    case = Case("100.00", "5.00")
    invoice = case.issue()
    all_have_read = threading.Barrier(3)
    stale = crediting.creditable_lines(invoice)
    monkeypatch.setattr(crediting, "creditable_lines", lambda _invoice: stale)

    def blindly() -> Invoice:
        all_have_read.wait(30)
        return credit_invoice(invoice=invoice, reason="x", by=case.finance, lines={1: Decimal("60.00")})

    outcome = at_once([blindly] * 3)

    invoice.refresh_from_db()
    assert (len(outcome.results), outcome.error_counts()) == (1, {"IntegrityError": 2})
    assert invoice.credited == Decimal("60.00")


def test_a_payment_and_a_credit_leave_what_is_over_as_credit() -> None:
    for number in range(6):
        case = Case()
        invoice = case.issue()
        pay = partial(
            record_payment, invoice=invoice, amount=Decimal("100.00"), date=timezone.localdate(),
            reference=f"R{number}", by=case.finance,
        )  # fmt: skip

        outcome = at_once([pay, partial(credit_invoice, invoice=invoice, reason="x", by=case.finance)])

        invoice.refresh_from_db()
        kept = add_up(Surplus.objects.filter(customer=case.customer).values_list("amount", flat=True))
        assert (invoice.status, invoice.paid) == ("credited", Decimal("0.00"))
        assert kept == (Decimal("100.00") if len(outcome.results) == 2 else Decimal("0.00"))


def over() -> tuple[Case, Surplus]:
    """A customer with a credit of 100.00."""
    case = Case()
    record_transfer(
        institution=case.institution, customer=case.customer, currency="CNY", amount=Decimal("100.00"),
        date=timezone.localdate(), reference="T", parts={}, keep_rest=True, by=case.finance,
    )  # fmt: skip
    return case, Surplus.objects.get()


def test_credit_is_spent_once() -> None:
    case, surplus = over()
    invoice = case.issue()
    back: dict[str, Any] = {"surplus": surplus, "date": timezone.localdate(), "by": case.finance}
    calls = [partial(refund_surplus, amount=Decimal("30.00"), reference=f"B{n}", **back) for n in range(4)]
    calls += [partial(apply_surplus, invoice=invoice, amount=Decimal("30.00"), by=case.finance)] * 4

    outcome = at_once(calls)

    surplus.refresh_from_db()
    assert (len(outcome.results), outcome.error_counts()) == (3, {"Refused": 5})
    assert surplus.amount == Decimal("10.00") == add_up(surplus.entries.values_list("amount", flat=True))


def test_without_the_lock_the_database_keeps_the_credit_from_going_below_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: all read 100.00; more than one is let through by our own check."""
    from invoices.actions import surplus as action  # shadowed by the row below

    case, surplus = over()
    all_have_read = threading.Barrier(3)
    monkeypatch.setattr(action, "lock_surplus", lambda *_: Surplus.objects.select_related("institution").get())
    real = action.change_surplus
    seen = []

    def after_all_have_read(found: Surplus, *rest: Any, **more: Any) -> Any:
        found.amount = Decimal("100.00")
        seen.append(found.amount)
        return real(found, *rest, **more)

    monkeypatch.setattr(action, "change_surplus", after_all_have_read)

    def refund(number: int) -> Any:
        all_have_read.wait(30)
        return refund_surplus(
            surplus=surplus, amount=Decimal("60.00"), date=timezone.localdate(), reference=f"B{number}", by=case.finance
        )

    outcome = at_once([partial(refund, number) for number in range(3)])

    surplus.refresh_from_db()
    assert (len(seen), len(outcome.results), outcome.error_counts()) == (3, 1, {"IntegrityError": 2})
    assert surplus.amount == Decimal("40.00")


def test_one_transfer_is_recorded_once_however_often_it_is_sent() -> None:
    case = Case()
    invoice = case.issue()
    call = partial(
        record_transfer, institution=case.institution, customer=case.customer, currency="CNY",
        amount=Decimal("20.00"), date=timezone.localdate(), reference="T9", by=case.finance,
    )  # fmt: skip

    outcome = at_once(
        [partial(call, parts={invoice.pk: Decimal("20.00")}), partial(call, parts={}, keep_rest=True)] * 3
    )

    assert (len(outcome.results), outcome.error_counts()) == (1, {"Refused": 5})
    assert Transfer.objects.count() == 1
    with transaction.atomic():
        assert list(faults()) == []
