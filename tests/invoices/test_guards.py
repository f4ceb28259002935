"""What the database itself refuses of issued documents."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.db import DatabaseError, transaction
from django.utils import timezone

from invoices.models import Charge, ChargeState, Invoice, InvoiceLine, InvoiceStatus
from tests.invoices.ledger import FAPIAO, Ledger

pytestmark = pytest.mark.django_db


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


FROZEN = {
    "number": "JS-x",
    "total": Decimal(1),
    "net": Decimal(1),
    "tax": Decimal(1),
    "snapshot": {},
    "snapshot_sha256": "x",
    "due_date": date(2030, 1, 1),
    "period": "2026-01",
    "sequence": 9,
    "year": 2030,
    "issued_at": timezone.now() + timedelta(days=1),
    "currency": "USD",
    "status": InvoiceStatus.DRAFT,
}


@pytest.mark.parametrize("field", FROZEN)
def test_the_database_refuses_to_change_an_issued_invoice(ledger: Ledger, field: str) -> None:
    ledger.charge()
    invoice = ledger.issue()

    with pytest.raises(DatabaseError), transaction.atomic():
        Invoice.objects.filter(pk=invoice.pk).update(**{field: FROZEN[field]})


def test_the_database_refuses_to_change_or_delete_what_was_issued(ledger: Ledger) -> None:
    charge = ledger.charge()
    invoice = ledger.issue()
    ledger.charge()
    draft = ledger.draft()

    refused = [
        lambda: Invoice.objects.filter(pk=invoice.pk)._raw_delete("default"),
        lambda: InvoiceLine.objects.filter(invoice=invoice)._raw_delete("default"),
        lambda: InvoiceLine.objects.filter(invoice=invoice).update(amount=1),
        lambda: InvoiceLine.objects.filter(invoice=invoice).update(subject="x"),
        lambda: Charge.objects.filter(pk=charge.pk).update(total=1),
        lambda: Charge.objects.filter(pk=charge.pk).update(invoice=None),
        lambda: Charge.objects.filter(pk=charge.pk).update(invoice=draft),
        lambda: Charge.objects.filter(pk=charge.pk).update(state=ChargeState.FINAL),
        lambda: Charge.objects.filter(pk=charge.pk)._raw_delete("default"),
    ]

    for attempt in refused:
        with pytest.raises(DatabaseError, match="immutable"), transaction.atomic():
            attempt()
    assert Invoice.objects.filter(pk=invoice.pk).update(note="may change", fapiao_number=FAPIAO) == 1


def test_the_database_knows_one_draft_per_customer_month_and_currency(ledger: Ledger) -> None:
    ledger.charge()
    ledger.draft()

    with pytest.raises(DatabaseError), transaction.atomic():
        Invoice.objects.create(
            institution=ledger.institution, customer=ledger.customer, period="2026-12", created_by=ledger.finance
        )
