"""What is downloaded: the PDF, and tables of invoices, lines, payments and open balances."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal

from django.http import FileResponse, HttpResponse, StreamingHttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _

from backend.core.export import Cell, Format, attachment, table_response
from instruments.pricing.units import unit_label
from invoices import rules
from invoices.models import (
    ChargeQuerySet,
    ChargeState,
    InvoiceKind,
    InvoiceLine,
    InvoicePdf,
    InvoiceQuerySet,
    InvoiceStatus,
    Payment,
)
from invoices.queries.ageing import Ageing, band_labels
from invoices.queries.papers import Shown, listed, show

CHUNK = 500

Download = StreamingHttpResponse | FileResponse


def pdf_response(document: InvoicePdf) -> HttpResponse:
    """The stored bytes; their digest is the ETag."""
    response = HttpResponse(bytes(document.content), content_type="application/pdf")
    response["Content-Disposition"] = attachment(f"{document.invoice.number}.pdf")
    response["ETag"] = f'"{document.sha256}"'
    response["Cache-Control"] = "private, no-cache"
    response["X-Content-Type-Options"] = "nosniff"
    return response


def export_invoices(rows: InvoiceQuerySet, form: Format, name: str = "invoices") -> Download:
    """One row for each invoice, drafts included if they are among ``rows``."""
    header = [
        _("Number"),
        _("Status"),
        _("Period"),
        _("Institution"),
        _("Customer"),
        _("Unified social credit code"),
        _("Currency"),
        _("Net"),
        _("Tax rate %"),
        _("Tax"),
        _("Total"),
        _("Issued on"),
        _("Due on"),
        _("Fapiao number"),
        "SHA-256",
        _("Kind"),
        _("Credits invoice"),
        _("Paid so far"),
        _("Balance"),
        _("Settled otherwise"),
        _("Credited"),
    ]
    return table_response(form, name, header, _invoice_rows(rows))


def _invoice_rows(rows: InvoiceQuerySet) -> Iterator[list[Cell]]:
    today = timezone.localdate()
    for shown in _shown_in_chunks(rows, today):
        invoice = shown.invoice
        yield [
            invoice.number,
            shown.status_label,
            invoice.period,
            invoice.institution.name,
            invoice.customer.name,
            invoice.customer.uscc,
            invoice.currency,
            shown.net,
            invoice.tax_percent if invoice.number else None,
            shown.tax,
            shown.total,
            rules.day_at(invoice.institution, invoice.issued_at) if invoice.issued_at else None,
            invoice.due_date,
            invoice.fapiao_number,
            invoice.snapshot_sha256,
            invoice.get_kind_display(),
            invoice.credits.number if invoice.credits else "",
            invoice.paid,
            shown.balance,
            invoice.settled,
            invoice.credited,
        ]


def _shown_in_chunks(rows: InvoiceQuerySet, today: date) -> Iterator[Shown]:
    """In constant memory, however many there are."""
    last = 0
    while part := list(listed(rows).filter(pk__gt=last).order_by("pk")[:CHUNK]):
        yield from show(part, today)
        last = part[-1].pk


def export_lines(rows: InvoiceQuerySet, form: Format, name: str = "invoice-lines") -> Download:
    """One row for each line of the issued invoices among ``rows``."""
    header, cells = line_table(rows)
    return table_response(form, name, header, cells)


def line_table(rows: InvoiceQuerySet) -> tuple[list[str], Iterator[list[Cell]]]:
    """Its header and rows."""
    header = [
        _("Number"),
        _("Line"),
        _("Institution"),
        _("Customer"),
        _("Unified social credit code"),
        _("Date of service"),
        _("Instrument"),
        _("Person"),
        _("Project"),
        _("Charge code"),
        _("Charge item"),
        _("Quantity"),
        _("Unit"),
        _("Unit price"),
        _("Amount"),
        _("Currency"),
        _("Calculation"),
        _("Kind"),
        _("Credits invoice"),
    ]
    return header, _line_rows(rows)


def _line_rows(rows: InvoiceQuerySet) -> Iterator[list[Cell]]:
    issued = rows.exclude(status=InvoiceStatus.DRAFT).order_by().values("pk")
    lines = InvoiceLine.objects.filter(invoice__in=issued).order_by("invoice_id", "position")
    fields = lines.values_list(
        "invoice__number",
        "position",
        "invoice__institution__name",
        "invoice__customer__name",
        "invoice__customer__uscc",
        "service_date",
        "subject",
        "charge_line__charge__user__name",
        "charge_line__charge__project__code",
        "charge_line__code",
        "name",
        "quantity",
        "unit",
        "unit_price",
        "amount",
        "invoice__currency",
        "charge_line__why",
        "invoice__kind",
        "invoice__credits__number",
    )
    for row in fields.iterator(chunk_size=CHUNK):
        kind = str(InvoiceKind(row[17]).label)
        yield [*row[:11], _trim(row[11]), unit_label(row[12]), _price(row[13]), *row[14:17], kind, row[18]]


def export_payments(rows: InvoiceQuerySet, form: Format, name: str = "payments") -> Download:
    """One row for each payment on the invoices among ``rows``; a reversal is a row below zero."""
    header = [
        _("Number"),
        _("Period"),
        _("Institution"),
        _("Customer"),
        _("Unified social credit code"),
        _("Date"),
        _("Amount"),
        _("Currency"),
        _("Reference"),
        _("Note"),
        _("Reversal"),
        _("Recorded at"),
    ]
    return table_response(form, name, header, _payment_rows(rows))


def _payment_rows(rows: InvoiceQuerySet) -> Iterator[list[Cell]]:
    payments = Payment.objects.filter(invoice__in=rows.order_by().values("pk")).order_by("date", "pk")
    fields = payments.values_list(
        "invoice__number",
        "invoice__period",
        "invoice__institution__name",
        "invoice__customer__name",
        "invoice__customer__uscc",
        "date",
        "amount",
        "invoice__currency",
        "reference",
        "note",
        "reverses_id",
        "recorded_at",
    )
    for row in fields.iterator(chunk_size=CHUNK):
        yield [*row[:10], _("yes") if row[10] else "", row[11]]


def export_charges(rows: ChargeQuerySet, form: Format, name: str = "charges") -> Download:
    """One row for each charge, also the reserved and the released ones."""
    header = [
        _("Date of service"),
        _("Status"),
        _("Institution"),
        _("Customer"),
        _("Unified social credit code"),
        _("Instrument"),
        _("Person"),
        _("Project"),
        _("Price list"),
        _("Quoted"),
        _("Amount"),
        _("Currency"),
        _("Differences"),
        _("Invoice"),
        _("Source"),
        _("Identifier"),
    ]
    return table_response(form, name, header, _charge_rows(rows))


def _charge_rows(rows: ChargeQuerySet) -> Iterator[list[Cell]]:
    fields = rows.order_by("service_date", "pk").values_list(
        "service_date",
        "state",
        "institution__name",
        "customer__name",
        "customer__uscc",
        "subject",
        "user__name",
        "project__code",
        "price_list",
        "reserved_total",
        "total",
        "currency",
        "differences",
        "invoice__number",
        "source",
        "uid",
    )
    for row in fields.iterator(chunk_size=CHUNK):
        yield [row[0], str(ChargeState(row[1]).label), *row[2:12], "\n".join(row[12]), *row[13:15], str(row[15])]


def export_ageing(ageing: Ageing, form: Format) -> Download:
    """The open balances as the page shows them."""
    header = [
        _("Customer"),
        _("Unified social credit code"),
        _("Currency"),
        *(str(label) for label in band_labels()),
        _("Balance"),
        _("Invoices"),
        _("Oldest due date"),
    ]
    rows: Iterator[list[Cell]] = (
        [row.customer, row.uscc, row.currency, *row.bands, row.total, row.invoices, row.oldest] for row in ageing.rows
    )
    return table_response(form, f"ageing-{ageing.day}", header, rows)


def _trim(number: Decimal | None) -> Decimal | None:
    """1.5000 → 1.5: trailing zeros say nothing."""
    if number is None:
        return None
    short = number.normalize()
    return short.quantize(Decimal(1)) if short == short.to_integral_value() else short


def _price(number: Decimal | None) -> Decimal | None:
    """As on the document: two decimals, more only where they say something."""
    return None if number is None else Decimal(rules.plain_price(number))
