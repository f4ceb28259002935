"""Races on genuinely parallel connections, each with a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from django.db import connection

from backend.accounts.models import Role, User
from backend.audit.actions import faults
from backend.core.errors import Refused
from invoices.actions import invoices as actions
from invoices.actions.charges import finalise_charges, reserve_charges
from invoices.actions.invoices import draft_invoice, issue_invoice
from invoices.models import Charge, ChargeState, Counter, Invoice, InvoiceLine
from tests.factories import DAY, make_charge, make_enterprise, make_institution, make_line, make_member

pytestmark = [pytest.mark.parallel, pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("committed")]

N = 20


def at_once(jobs: list[Callable[[], Any]]) -> list[Any]:
    """Run all jobs at the same moment; results or exceptions in their order."""
    gate = threading.Barrier(len(jobs))
    results: list[Any] = [None] * len(jobs)

    def run(index: int, job: Callable[[], Any]) -> None:
        try:
            connection.ensure_connection()
            gate.wait(30)
            results[index] = job()
        except Exception as error:
            results[index] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(index, job)) for index, job in enumerate(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(90)
    return results


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

    results = at_once([lambda draft=draft: issue_invoice(invoice=draft, by=by) for draft in drafts])

    assert [result for result in results if isinstance(result, Exception)] == []
    assert sequences() == list(range(1, N + 1))
    assert Counter.objects.get().last == N
    assert InvoiceLine.objects.count() == N
    assert list(faults()) == []


def test_without_the_counters_lock_the_numbers_collide(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: read-modify-write instead of the locked counter, and the test above would fail."""
    drafts, by = make_drafts(8)
    all_have_read = threading.Barrier(8)
    memory = threading.local()
    monkeypatch.setattr(actions, "_next_sequence", lambda invoice, year: memory.last + 1)

    def issue(draft: Invoice) -> Invoice:
        memory.last = Invoice.objects.exclude(sequence=None).count()
        all_have_read.wait(30)
        return issue_invoice(invoice=draft, by=by)

    results = at_once([lambda draft=draft: issue(draft) for draft in drafts])

    assert [result for result in results if isinstance(result, Exception)] != []
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
    results = at_once([lambda draft=draft: issue_invoice(invoice=draft, by=by) for draft in drafts])

    assert sum(isinstance(result, RuntimeError) for result in results) == len(failing)
    assert sum(isinstance(result, Invoice) for result in results) == N - len(failing)
    assert sequences() == list(range(1, N - len(failing) + 1))


def test_one_draft_is_issued_once() -> None:
    [draft], by = make_drafts(1)

    results = at_once([lambda: issue_invoice(invoice=draft, by=by)] * 10)

    assert sum(isinstance(result, Invoice) for result in results) == 1
    assert sum(isinstance(result, Refused) for result in results) == 9
    assert (sequences(), InvoiceLine.objects.count()) == ([1], 1)


def test_parallel_drafts_collect_each_charge_once() -> None:
    institution, customer = make_institution(), make_enterprise()
    by = make_member(institution, Role.FINANCE)
    for _ in range(5):
        make_charge(customer, institution=institution)

    def draft() -> Invoice:
        return draft_invoice(institution_id=institution.pk, customer_id=customer.pk, period="2026-12", by=by)

    results = at_once([draft] * 8)

    assert [result for result in results if isinstance(result, Exception)] == []
    assert Invoice.objects.count() == 1
    assert Invoice.objects.get().charges.count() == 5


def test_a_use_corrected_while_it_is_issued_is_either_in_or_refused() -> None:
    drafts, by = make_drafts(6)
    charges = [draft.charges.get() for draft in drafts]

    def correct(charge: Charge) -> Charge:
        return finalise_charges(
            source=charge.source, source_uid=charge.source_uid, lines=[make_line("90.00")], differences=["Shorter."]
        )

    results = at_once(
        [lambda draft=draft: issue_invoice(invoice=draft, by=by) for draft in drafts]
        + [lambda charge=charge: correct(charge) for charge in charges]
    )

    assert all(isinstance(result, Invoice | Charge | Refused) for result in results), results
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

    results = at_once([reserve] * 8)

    assert [result for result in results if isinstance(result, Exception)] == []
    charge = Charge.objects.get(source_uid=uid)
    assert charge.lines.count() == 1
    assert charge.service_date == date(2026, 12, 1)
