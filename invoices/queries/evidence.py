"""What an authority asks for before it pays, and what of it is missing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TypeVar

from django.db.models import Q
from django.utils.translation import gettext as _

from backend.accounts.models import Agreement
from backend.core.db import one
from invoices.models import (
    Evidence,
    Invoice,
    InvoiceFile,
    InvoiceKind,
    InvoicePdf,
    Payment,
    VoucherUse,
)

Row = TypeVar("Row", InvoiceFile, Payment)


@dataclass(frozen=True, slots=True)
class Papers:
    """One invoice of a pack with its files; ``missing`` are sentences."""

    invoice: Invoice
    uses: list[VoucherUse]
    files: list[InvoiceFile]
    payments: list[Payment]
    contracts: list[Agreement]
    has_pdf: bool
    missing: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Pack:
    """What goes into one ZIP: for one use or for a whole batch."""

    name: str
    papers: list[Papers]

    @property
    def missing(self) -> list[tuple[str, str]]:
        """Number of the invoice and what it lacks."""
        return [(str(each.invoice.number), word) for each in self.papers for word in each.missing]


def pack_of(name: str, uses: Sequence[VoucherUse]) -> Pack:
    """Of redeemed uses; a fixed number of queries. Invoices by number."""
    wanted = {use.charge.invoice_id for use in uses if use.charge.invoice_id is not None}
    invoices = list(
        Invoice.objects.filter(pk__in=wanted).select_related("institution", "customer").order_by("number", "pk")
    )
    files, payments = _by_invoice(files_of(wanted)), _by_invoice(_payments(wanted))
    rendered = set(InvoicePdf.objects.filter(invoice__in=wanted).values_list("invoice", flat=True))
    papers = []
    for invoice in invoices:
        mine = [use for use in uses if use.charge.invoice_id == invoice.pk]
        each = Papers(
            invoice,
            mine,
            files.get(invoice.pk, []),
            payments.get(invoice.pk, []),
            _contracts(invoice, [use.charge.service_date for use in mine]),
            invoice.pk in rendered,
        )
        each.missing.extend(_missing(each))
        papers.append(each)
    return Pack(name, papers)


def files_of(invoices: Iterable[int]) -> list[InvoiceFile]:
    rows = InvoiceFile.objects.filter(invoice__in=list(invoices), removed_at=None).select_related("by")
    return list(rows.order_by("kind", "pk"))


def get_invoice_file(invoice: Invoice, pk: int) -> InvoiceFile:
    """`NotFound` for what was removed."""
    return one(InvoiceFile.objects.filter(invoice=invoice, removed_at=None), pk)


def _payments(invoices: Iterable[int]) -> list[Payment]:
    rows = Payment.objects.filter(invoice__in=list(invoices), reverses=None, reversal=None)
    return list(rows.order_by("date", "pk"))


def _by_invoice(rows: Iterable[Row]) -> dict[int, list[Row]]:
    found: dict[int, list[Row]] = {}
    for row in rows:
        found.setdefault(row.invoice_id, []).append(row)
    return found


def _contracts(invoice: Invoice, days: Sequence[date]) -> list[Agreement]:
    """Agreements between the parties in force on one of the days."""
    if not days:
        return []
    rows = Agreement.objects.filter(institution=invoice.institution_id, customer=invoice.customer_id)
    current = rows.filter(valid_from__lte=max(days)).filter(Q(valid_to=None) | Q(valid_to__gte=min(days)))
    return list(current.order_by("number"))


def _missing(papers: Papers) -> list[str]:
    invoice = papers.invoice
    wanted = {kind for use in papers.uses for kind in use.grant.scheme.evidence}
    kinds = {file.kind for file in papers.files}
    words = []
    if Evidence.STATEMENT in wanted and not papers.has_pdf:
        words.append(_("The PDF of the invoice has not been made yet."))
    if invoice.kind == InvoiceKind.CREDIT_NOTE:
        return words
    if Evidence.CONTRACT in wanted and Evidence.CONTRACT not in kinds:
        words.append(_("The contract has not been uploaded."))
    if Evidence.PAYMENT in wanted:
        if invoice.balance > 0:
            words.append(_("The customer has not paid their part in full."))
        if Evidence.PAYMENT not in kinds and invoice.total > invoice.settled:
            words.append(_("The proof of payment has not been uploaded."))
    if Evidence.FAPIAO in wanted:
        if not invoice.fapiao_number:
            words.append(_("The number of the fapiao has not been noted."))
        if Evidence.FAPIAO not in kinds:
            words.append(_("The fapiao has not been uploaded."))
    return words
