"""The payment notice (缴费通知单) of an invoice: what is still to be paid today. Not kept."""

from __future__ import annotations

from datetime import date

from django.http import HttpResponse
from django.template.loader import render_to_string
from django.utils.translation import gettext as _

from backend.core import pdf
from backend.core.errors import refuse
from backend.core.export import attachment
from backend.core.money import format_amount, in_capitals
from invoices import rules, verification
from invoices.models import Invoice


def notice_response(invoice: Invoice, today: date) -> HttpResponse:
    """`Refused` where nothing is to be paid."""
    if not invoice.balance:
        raise refuse("nothing_owed", _("Nothing is to be paid on this, so there is no payment notice."))
    return _response(pdf.render(notice_html(invoice, today)), f"{invoice.number}-notice.pdf")


def notice_html(invoice: Invoice, today: date) -> str:
    parts = {"credited": invoice.credited, "settled": invoice.settled, "paid": invoice.paid}
    context = {
        "invoice": invoice,
        "paper": invoice.snapshot,
        "today": today,
        "late": (today - invoice.due_date).days if invoice.due_date and invoice.due_date < today else 0,
        "total": rules.grouped(format_amount(invoice.total)),
        "balance": rules.grouped(format_amount(invoice.balance)),
        "parts": {name: rules.grouped(format_amount(-value)) for name, value in parts.items() if value},
        "in_capitals": in_capitals(invoice.balance) if invoice.currency == "CNY" else "",
        "reminders": invoice.reminders.count(),
        "verify": verification.code_as_data(invoice),
        "family": pdf.FAMILY,
    }
    return render_to_string("invoices/notice.html", context)


def _response(content: bytes, name: str) -> HttpResponse:
    response = HttpResponse(content, content_type="application/pdf")
    response["Content-Disposition"] = attachment(name)
    response["Cache-Control"] = "private, no-store"
    response["X-Content-Type-Options"] = "nosniff"
    return response
