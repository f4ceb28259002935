"""What the public page behind a document's code confirms, and nothing more."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from backend.core.errors import NotFound
from invoices import verification
from invoices.models import Invoice, InvoiceStatus


@dataclass(frozen=True, slots=True)
class Genuine:
    number: str
    issued: date
    total: Decimal
    currency: str
    sha256: str


def confirm(code: str) -> Genuine:
    """`NotFound` for a code that is nobody's, wherever it is wrong."""
    uid = verification.uid_in(code)
    found = None
    if uid is not None:
        found = Invoice.objects.filter(uid=uid).exclude(status=InvoiceStatus.DRAFT).first()
    if found is None or not verification.is_genuine(code, found):
        raise NotFound
    day = date.fromisoformat(found.snapshot["issue_date"])
    return Genuine(str(found.number), day, found.total, found.currency, found.snapshot_sha256)
