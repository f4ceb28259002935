"""``/api/v1``: charges, invoices, their documents and tables."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Query, Router

from backend.accounts.auth import access, person, signed_in
from backend.core.api import page_of
from invoices import schemas
from invoices.actions.credits import credit_invoice
from invoices.actions.documents import ensure_pdf
from invoices.actions.invoices import draft_invoice, issue_invoice, write_fapiao_number
from invoices.actions.payments import record_payment, reverse_payment
from invoices.exports import tables
from invoices.models import InvoiceQuerySet
from invoices.queries.ageing import ageing_of
from invoices.queries.charges import with_lines
from invoices.queries.papers import document_of, listed, payments_of, show
from invoices.queries.scope import (
    get_charged_customer,
    get_ledger,
    get_ledger_of,
    get_managed_invoice,
    get_payment,
    get_visible_invoice,
    visible_charges,
    visible_invoices,
)

router = Router(auth=signed_in, tags=["invoices"])


def _refused(reason: str) -> dict[str, Any]:
    """A 409 that `declare_problems` does not know of."""
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": reason, "content": {"application/problem+json": {"schema": schema}}}


@router.get("/charges", response=schemas.ChargeList, summary="What was used and what it costs")
def list_charges(request: HttpRequest, filters: Query[schemas.ChargeFilter]) -> dict[str, Any]:
    wanted = {
        "service_date__gte": filters.from_,
        "service_date__lte": filters.to,
        "customer": filters.organisation,
        "project": filters.project,
        "state": filters.status,
    }
    rows = visible_charges(access(request)).filter(**{key: v for key, v in wanted.items() if v is not None})
    return page_of(with_lines(rows).order_by("-service_date", "-pk"), filters, schemas.charge_out)


@router.get("/invoices", response=schemas.InvoiceList, summary="Invoices that you may see")
def list_invoices(request: HttpRequest, filters: Query[schemas.InvoiceFilter]) -> dict[str, Any]:
    rows = _filtered(visible_invoices(access(request)), filters)
    if filters.enterprise is not None:
        rows = rows.filter(customer=filters.enterprise)
    if filters.kind is not None:
        rows = rows.filter(kind=filters.kind)
    if filters.status is not None:
        rows = rows.shown_as(filters.status, timezone.localdate())
    part = list(listed(rows)[filters.offset : filters.offset + filters.limit])
    return {"items": [schemas.invoice_out(shown) for shown in show(part)], "count": rows.count()}


@router.post("/invoices/draft", response=schemas.InvoiceDetail, summary="Collect a customer's charges in a draft")
def draft(request: HttpRequest, payload: schemas.DraftIn) -> dict[str, Any]:
    institution = get_ledger(access(request), payload.institution)
    customer = get_charged_customer(institution.pk, payload.enterprise)
    made = draft_invoice(
        institution_id=institution.pk,
        customer_id=customer.pk,
        period=payload.period,
        currency=payload.currency,
        by=person(request),
    )
    return _detail(request, made.pk)


@router.get("/invoices/{invoice_id}", response=schemas.InvoiceDetail, summary="An invoice with its lines")
def get_invoice(request: HttpRequest, invoice_id: int) -> dict[str, Any]:
    return _detail(request, invoice_id)


@router.get(
    "/invoices/{invoice_id}/pdf",
    summary="The document",
    openapi_extra={"responses": {200: {"content": {"application/pdf": {}}}, 409: _refused("A draft has no document")}},
)
def get_pdf(request: HttpRequest, invoice_id: int) -> HttpResponse:
    return tables.pdf_response(ensure_pdf(invoice=get_visible_invoice(access(request), invoice_id)))


@router.post(
    "/invoices/{invoice_id}/issue",
    response=schemas.InvoiceDetail,
    summary="Give a draft its number",
    openapi_extra={"responses": {409: _refused("Issued already, or nothing to issue")}},
)
def issue(request: HttpRequest, invoice_id: int) -> dict[str, Any]:
    issue_invoice(invoice=get_managed_invoice(access(request), invoice_id), by=person(request))
    return _detail(request, invoice_id)


@router.post("/invoices/{invoice_id}/fapiao", response=schemas.InvoiceDetail, summary="Note the fapiao's number")
def fapiao(request: HttpRequest, invoice_id: int, payload: schemas.FapiaoIn) -> dict[str, Any]:
    invoice = get_managed_invoice(access(request), invoice_id)
    write_fapiao_number(invoice=invoice, number=payload.number, by=person(request))
    return _detail(request, invoice_id)


@router.post(
    "/invoices/{invoice_id}/payments", response=schemas.InvoiceDetail, summary="Record money that came in for it"
)
def pay(request: HttpRequest, invoice_id: int, payload: schemas.PaymentIn) -> dict[str, Any]:
    invoice = get_managed_invoice(access(request), invoice_id)
    record_payment(invoice=invoice, by=person(request), **payload.dict())
    return _detail(request, invoice_id)


@router.post(
    "/invoices/{invoice_id}/payments/{payment_id}/reverse",
    response=schemas.InvoiceDetail,
    summary="Take a wrong payment back",
)
def reverse(
    request: HttpRequest, invoice_id: int, payment_id: int, payload: schemas.ReversePaymentIn
) -> dict[str, Any]:
    payment = get_payment(get_managed_invoice(access(request), invoice_id), payment_id)
    reverse_payment(payment=payment, reason=payload.reason, to_credit=payload.to_credit, by=person(request))
    return _detail(request, invoice_id)


@router.post(
    "/invoices/{invoice_id}/credit",
    response=schemas.InvoiceDetail,
    summary="Credit it, or lines of it; the answer is the credit note",
    openapi_extra={"responses": {409: _refused("A draft, a credit note, credited before, or corrected later")}},
)
def credit(request: HttpRequest, invoice_id: int, payload: schemas.CreditIn) -> dict[str, Any]:
    invoice = get_managed_invoice(access(request), invoice_id)
    note = credit_invoice(
        invoice=invoice, by=person(request), reason=payload.reason, rebill=payload.rebill, lines=payload.chosen()
    )
    return _detail(request, note.pk)


_TABLE: dict[str, Any] = {
    "responses": {
        200: {"content": {"text/csv": {}, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": {}}}
    }
}


@router.get("/exports/invoices.{form}", summary="Invoices as a table", openapi_extra=_TABLE)
def export_invoices(
    request: HttpRequest, form: schemas.ExportFormat, filters: Query[schemas.ExportFilter]
) -> tables.Download:
    return tables.export_invoices(_filtered(visible_invoices(access(request)), filters), form.value)


@router.get("/exports/invoice-lines.{form}", summary="Lines of the issued invoices as a table", openapi_extra=_TABLE)
def export_lines(
    request: HttpRequest, form: schemas.ExportFormat, filters: Query[schemas.ExportFilter]
) -> tables.Download:
    return tables.export_lines(_filtered(visible_invoices(access(request)), filters), form.value)


@router.get("/exports/payments.{form}", summary="Payments as a table", openapi_extra=_TABLE)
def export_payments(
    request: HttpRequest, form: schemas.ExportFormat, filters: Query[schemas.ExportFilter]
) -> tables.Download:
    return tables.export_payments(_filtered(visible_invoices(access(request)), filters), form.value)


@router.get("/exports/ageing.{form}", summary="Open balances of an institution by days past due", openapi_extra=_TABLE)
def export_ageing(
    request: HttpRequest, form: schemas.ExportFormat, filters: Query[schemas.LedgerFilter]
) -> tables.Download:
    return tables.export_ageing(ageing_of(get_ledger_of(access(request), filters.institution)), form.value)


def _filtered(rows: InvoiceQuerySet, filters: schemas.InvoiceFilter | schemas.ExportFilter) -> InvoiceQuerySet:
    wanted = {"period": filters.period, "institution": filters.institution}
    return rows.filter(**{key: value for key, value in wanted.items() if value is not None})


def _detail(request: HttpRequest, invoice_id: int) -> dict[str, Any]:
    invoice = get_visible_invoice(access(request), invoice_id)
    lines = document_of(invoice)["lines"]
    notes = list(invoice.credit_notes.order_by("pk").values_list("number", flat=True))
    return {
        **schemas.invoice_out(show([invoice])[0]),
        "reason": invoice.reason,
        "credit_note": notes[-1] if notes else None,
        "credit_notes": notes,
        "reminders": [schemas.reminder_out(one) for one in invoice.reminders.all()],
        "reminders_held": invoice.reminders_held,
        "payments": [schemas.payment_out(payment) for payment in payments_of(invoice)],
        "lines": [schemas.invoice_line_out(line) for line in lines],
    }
