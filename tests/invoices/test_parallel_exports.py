"""Races of batches and of numbers that come back, each on a thread with a connection of its own."""

from __future__ import annotations

import threading
from datetime import date
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from backend.accounts.models import Role, User
from backend.audit.actions import faults
from invoices.actions import batches
from invoices.actions.batches import make_batches, write_results
from invoices.actions.invoices import draft_invoice, issue_invoice
from invoices.fapiao.papers import serial_of
from invoices.fapiao.results import Pair
from invoices.models import FapiaoBatch, FapiaoPart, Invoice, TaxRate
from invoices.queries.fapiao import plan_of
from tests.factories import DAY, make_charge, make_enterprise, make_institution, make_line, make_member
from tests.invoices.ledger import FAPIAO
from tests.parallel import at_once

pytestmark = [pytest.mark.parallel, pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("committed")]


def issued(count: int = 1) -> tuple[list[Invoice], User]:
    """Of as many customers."""
    TaxRate.objects.create(name="Services", code="3040105", percent=Decimal(6), valid_from=date(2020, 1, 1))
    institution = make_institution()
    by = make_member(institution, Role.FINANCE)
    invoices = []
    for code in ("91350100M000100Y43", "9115010022MQ4W4X10")[:count]:
        customer = make_enterprise(uscc=code)
        make_charge(customer, make_line("100.00"), institution=institution)
        draft = draft_invoice(institution_id=institution.pk, customer_id=customer.pk, period="2026-12", by=by)
        invoices.append(issue_invoice(invoice=draft, by=by))
    return invoices, by


def export(invoice: Invoice, by: User) -> list[FapiaoBatch]:
    return make_batches(institution=invoice.institution, invoices=[invoice.pk], by=by)


def test_an_invoice_goes_into_one_batch_though_many_ask() -> None:
    (invoice,), by = issued()

    outcome = at_once([partial(export, invoice, by)] * 6)

    assert (len(outcome.results), outcome.error_counts()) == (1, {"Refused": 5})
    assert FapiaoPart.objects.count() == 1
    assert list(faults()) == []


def test_without_reading_under_the_lock_it_goes_into_several(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: all have read before any writes, and the test above would fail."""
    (invoice,), by = issued()
    all_have_read = threading.Barrier(4)
    memory = threading.local()
    monkeypatch.setattr(batches, "plan_of", lambda *_args, **_more: memory.plan)

    def export_blindly(_number: int) -> Any:
        memory.plan = plan_of(invoice.institution, DAY, only=[invoice.pk])
        all_have_read.wait(30)
        return export(invoice, by)

    outcome = at_once([partial(export_blindly, number) for number in range(4)])

    assert outcome.errors == []
    assert FapiaoPart.objects.count() == 4


def test_one_number_is_noted_on_one_invoice() -> None:
    (first, second), by = issued(2)

    outcome = at_once(
        [
            partial(write_results, institution=one.institution, pairs=[Pair(1, serial_of(one), FAPIAO)], by=by)
            for one in (first, second, first, second)
        ]
    )

    # Who comes second with the same pair finds it noted already; the other invoice is refused.
    assert (len(outcome.results), outcome.error_counts()) == (2, {"Invalid": 2})
    assert Invoice.objects.filter(fapiao_number=FAPIAO).count() == 1
    assert list(faults()) == []
