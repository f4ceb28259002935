"""Tables of disputes, of customers' credit and of bank rows; and the files of a dispute."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from django.db.models import QuerySet
from django.http import FileResponse
from django.utils.translation import gettext as _

from backend.core.errors import NotFound
from backend.core.export import Cell, Format, attachment, table_response
from invoices.exports.tables import CHUNK, Download
from invoices.models import BankRow, Dispute, DisputeFile, SurplusEntry

log = logging.getLogger(__name__)


def file_response(file: DisputeFile) -> FileResponse:
    """Only ever a download."""
    try:
        content = file.content.open("rb")
    except FileNotFoundError as error:
        log.error("file %s of a dispute: %s is missing", file.pk, file.content.name)
        raise NotFound from error
    response = FileResponse(content, content_type=file.media_type)
    response["Content-Disposition"] = attachment(file.name)
    response["Content-Length"] = str(file.size)
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "private, no-store"
    return response


def export_disputes(rows: QuerySet[Dispute], form: Format) -> Download:
    header = [
        *(_("Status"), _("Institution"), _("Customer"), _("Instrument"), _("Date of service"), _("Charge item")),
        *(_("Disputed amount"), _("Amount after the decision"), _("Currency"), _("Reason"), _("Answer")),
        *(_("Raised by"), _("Raised on"), _("Closed on")),
    ]
    cells: Iterator[list[Cell]] = (
        [
            *(one.get_state_display(), one.charge.institution.name, one.charge.customer.name, one.charge.subject),
            *(one.charge.service_date, one.line.name if one.line else "", one.before, one.after),
            *(one.charge.currency, one.reason, one.answer, one.opened_by.name, one.opened_at, one.closed_at),
        ]
        for one in rows.order_by("pk").iterator(chunk_size=CHUNK)
    )
    return table_response(form, "disputes", header, cells)


def export_credit(rows: QuerySet[SurplusEntry], form: Format) -> Download:
    header = [
        *(_("Date"), _("Institution"), _("Customer"), _("Unified social credit code"), _("Kind"), _("Amount")),
        *(_("Currency"), _("Reference"), _("Note"), _("Number"), _("Recorded at")),
    ]
    fields = rows.order_by("pk").select_related("surplus__institution", "surplus__customer", "invoice")
    cells: Iterator[list[Cell]] = (
        [
            *(one.date, one.surplus.institution.name, one.surplus.customer.name, one.surplus.customer.uscc),
            *(one.get_kind_display(), one.amount, one.surplus.currency, one.reference, one.note),
            *(one.invoice.number if one.invoice else "", one.recorded_at),
        ]
        for one in fields.defer("invoice__snapshot").iterator(chunk_size=CHUNK)
    )
    return table_response(form, "credit", header, cells)


def export_rows(rows: QuerySet[BankRow], form: Format) -> Download:
    header = [
        *(_("Date"), _("Amount"), _("Currency"), _("Payer"), _("Payer's account"), _("Bank reference")),
        *(_("Purpose"), _("Status"), _("Reason"), _("File"), _("Line")),
    ]
    cells: Iterator[list[Cell]] = (
        [
            *(one.date, one.amount, one.currency, one.payer, one.account, one.reference, one.text),
            *(one.get_state_display(), one.reason, one.statement.name, one.line),
        ]
        for one in rows.order_by("date", "pk").iterator(chunk_size=CHUNK)
    )
    return table_response(form, "bank-rows", header, cells)
