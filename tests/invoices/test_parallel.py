"""Races on genuinely parallel connections, each with a thread of its own."""

from __future__ import annotations

import threading
from datetime import date
from functools import partial

import pytest

from backend.accounts.models import Organisation, Role, User
from backend.audit.actions import faults
from invoices.actions import invoices as actions
from invoices.actions import papers
from invoices.actions.charges import finalise_charges, reserve_charges
from invoices.actions.invoices import draft_invoice, issue_invoice
from invoices.models import Charge, ChargeState, Counter, Invoice, InvoiceLine, InvoiceStatus
from tests.factories import DAY, make_charge, make_enterprise, make_institution, make_line, make_member
from tests.parallel import at_once

pytestmark = [pytest.mark.parallel, pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("committed")]

N = 20
ROUNDS = 25


def make_drafts(n: int) -> tuple[list[Invoice], User]:
    institution = make_institution(code="kx")
    by = make_member(institution, Role.FINANCE)
    drafts = []
    for _ in range(n):
        customer = make_enterprise()
        make_charge(customer, institution=institution)
        drafts.append(draft_invoice(institution_id=institution.pk, customer_id=customer.pk, period="2026-12", by=by))
    return drafts, by


def sequences() -> list[int | None]:
    return sorted(Invoice.objects.exclude(sequence=None).values_list("sequence", flat=True))  # type: ignore[type-var]


def test_parallel_issues_get_the_numbers_1_to_n() -> None:
    drafts, by = make_drafts(N)

    outcome = at_once([lambda draft=draft: issue_invoice(invoice=draft, by=by) for draft in drafts])

    assert outcome.errors == []
    assert sequences() == list(range(1, N + 1))
    assert Counter.objects.get().last == N
    assert InvoiceLine.objects.count() == N
    assert list(faults()) == []


def test_without_the_counters_lock_the_numbers_collide(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: read-modify-write instead of the locked counter, and the test above would fail."""
    drafts, by = make_drafts(8)
    all_have_read = threading.Barrier(8)
    memory = threading.local()
    monkeypatch.setattr(papers, "next_sequence", lambda invoice, year: memory.last + 1)

    def issue(draft: Invoice) -> Invoice:
        memory.last = Invoice.objects.exclude(sequence=None).count()
        all_have_read.wait(30)
        return issue_invoice(invoice=draft, by=by)

    outcome = at_once([lambda draft=draft: issue(draft) for draft in drafts])

    assert outcome.errors != []
    assert sequences() != list(range(1, 9))


def test_rolled_back_issues_leave_no_gap_among_parallel_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    drafts, by = make_drafts(N)
    failing = {draft.pk for draft in drafts[::3]}
    tell = actions._tell_customer

    def fail_for_some(invoice: Invoice) -> None:
        if invoice.pk in failing:
            raise RuntimeError("after the number was given")
        tell(invoice)

    monkeypatch.setattr(actions, "_tell_customer", fail_for_some)
    outcome = at_once([lambda draft=draft: issue_invoice(invoice=draft, by=by) for draft in drafts])

    assert outcome.error_counts() == {"RuntimeError": len(failing)}
    assert len(outcome.results) == N - len(failing)
    assert sequences() == list(range(1, N - len(failing) + 1))


def test_one_draft_is_issued_once() -> None:
    [draft], by = make_drafts(1)

    outcome = at_once([lambda: issue_invoice(invoice=draft, by=by)] * 10)

    assert len(outcome.results) == 1
    assert outcome.error_counts() == {"Refused": 9}
    assert (sequences(), InvoiceLine.objects.count()) == ([1], 1)


def test_parallel_drafts_collect_each_charge_once() -> None:
    institution, customer = make_institution(), make_enterprise()
    by = make_member(institution, Role.FINANCE)
    for _ in range(5):
        make_charge(customer, institution=institution)

    def draft() -> Invoice:
        return draft_invoice(institution_id=institution.pk, customer_id=customer.pk, period="2026-12", by=by)

    outcome = at_once([draft] * 8)

    assert outcome.errors == []
    assert Invoice.objects.count() == 1
    assert Invoice.objects.get().charges.count() == 5


def test_what_is_drafted_while_its_draft_is_issued_is_still_billed() -> None:
    """Each round issues a draft while two others want to add a new charge to it: no charge gets lost between."""
    institution = make_institution(code="kx")
    by = make_member(institution, Role.FINANCE)

    def draft(customer: Organisation) -> Invoice:
        return draft_invoice(institution_id=institution.pk, customer_id=customer.pk, period="2026-12", by=by)

    for _round in range(ROUNDS):
        customer = make_enterprise()
        make_charge(customer, institution=institution)
        standing = draft(customer)
        for _ in range(3):
            make_charge(customer, institution=institution)

        outcome = at_once(
            [partial(issue_invoice, invoice=standing, by=by), partial(draft, customer), partial(draft, customer)]
        )

        # A drafter who comes after another has taken everything has nothing left.
        assert set(outcome.error_counts()) <= {"Refused"}, outcome.errors
        for charge in Charge.objects.filter(customer=customer).select_related("invoice"):
            printed = InvoiceLine.objects.filter(charge_line__charge=charge)
            if charge.state == ChargeState.INVOICED:
                assert [line.invoice for line in printed] == [charge.invoice]
            else:
                assert not printed.exists()
                assert charge.invoice is None or charge.invoice.status == InvoiceStatus.DRAFT
        if Charge.objects.filter(customer=customer, state=ChargeState.FINAL).exists():
            issue_invoice(invoice=draft(customer), by=by)
        assert sorted(InvoiceLine.objects.values_list("charge_line__charge").filter(invoice__customer=customer)) == (
            sorted(Charge.objects.filter(customer=customer).values_list("pk"))
        )
    assert list(faults()) == []


def test_a_use_corrected_while_it_is_issued_is_either_in_or_refused() -> None:
    drafts, by = make_drafts(6)
    charges = [draft.charges.get() for draft in drafts]

    def correct(charge: Charge) -> Charge:
        return finalise_charges(
            source=charge.source, source_uid=charge.source_uid, lines=[make_line("90.00")], differences=["Shorter."]
        )

    outcome = at_once(
        [lambda draft=draft: issue_invoice(invoice=draft, by=by) for draft in drafts]
        + [lambda charge=charge: correct(charge) for charge in charges]
    )

    assert set(outcome.error_counts()) <= {"Refused"}, outcome.errors
    for invoice in Invoice.objects.all():
        charge = invoice.charges.get()
        assert charge.state == ChargeState.INVOICED
        assert charge.total == invoice.total == invoice.lines.get().amount


def test_one_source_is_reserved_once() -> None:
    template = make_charge(final=False)
    Charge.objects.exclude(pk=template.pk)
    uid = "11111111-1111-4111-8111-111111111111"

    def reserve() -> Charge:
        return reserve_charges(
            source="booking",
            source_uid=uid,  # type: ignore[arg-type]
            institution_id=template.institution_id,
            customer_id=template.customer_id,
            project_id=None,
            user_id=template.user_id,
            subject="x",
            service_date=DAY,
            price_list="v1",
            currency="CNY",
            lines=[make_line()],
        )

    outcome = at_once([reserve] * 8)

    assert outcome.errors == []
    charge = Charge.objects.get(source_uid=uid)
    assert charge.lines.count() == 1
    assert charge.service_date == date(2026, 12, 1)
