"""What is left to credit of an invoice's lines."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Prefetch

from backend.core.money import add_up
from invoices.models import ChargeLine, Invoice, InvoiceLine


@dataclass(frozen=True, slots=True)
class Creditable:
    """A printed line, what is left of it, and the lines that credited parts of it and stand."""

    row: InvoiceLine
    left: Decimal
    done: bool
    parts: list[ChargeLine]

    @property
    def charge_id(self) -> int:
        return self.row.charge_line.charge_id

    @property
    def credited(self) -> Decimal:
        return self.row.amount - self.left


def creditable_lines(invoice: Invoice) -> list[Creditable]:
    """In the order of the document; two queries."""
    noted = Prefetch("credited_by", InvoiceLine.objects.select_related("charge_line").order_by("pk"))
    rows = invoice.lines.select_related("charge_line__charge").prefetch_related(noted).order_by("position")
    return [_creditable(row) for row in rows]


def _creditable(row: InvoiceLine) -> Creditable:
    notes = list(row.credited_by.all())
    left = row.amount + add_up(note.amount for note in notes)
    gone = any(note.charge_line.corrects_id == row.charge_line_id for note in notes)
    parts = [] if gone else [note.charge_line for note in notes]
    return Creditable(row, left, gone, parts)
