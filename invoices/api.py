"""``/api/v1``: charges, invoices, their documents and exports."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Query, Router

from backend.accounts.auth import access, person, signed_in
from backend.core.api import page_of
from invoices import exports, queries, schemas
from invoices.actions.documents import ensure_pdf
from invoices.actions.invoices import draft_invoice, issue_invoice, write_fapiao_number
from invoices.models import InvoiceQuerySet

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
    rows = queries.visible_charges(access(request)).filter(**{key: v for key, v in wanted.items() if v is not None})
    return page_of(queries.with_lines(rows).order_by("-service_date", "-pk"), filters, schemas.charge_out)


@router.get("/invoices", response=schemas.InvoiceList, summary="Invoices that you may see")
def list_invoices(request: HttpRequest, filters: Query[schemas.InvoiceFilter]) -> dict[str, Any]:
    rows = _filtered(queries.visible_invoices(access(request)), filters)
    if filters.enterprise is not None:
        rows = rows.filter(customer=filters.enterprise)
    if filters.status is not None:
        rows = rows.shown_as(filters.status, timezone.localdate())
    part = list(queries.invoice_list(rows)[filters.offset : filters.offset + filters.limit])
    return {"items": [schemas.invoice_out(shown) for shown in queries.show(part)], "count": rows.count()}


@router.post("/invoices/draft", response=schemas.InvoiceDetail, summary="Collect a customer's charges in a draft")
def draft(request: HttpRequest, payload: schemas.DraftIn) -> dict[str, Any]:
    institution = queries.get_ledger(access(request), payload.institution)
    customer = queries.get_charged_customer(institution.pk, payload.enterprise)
    made = draft_invoice(
        institution_id=institution.pk, customer_id=customer.pk, period=payload.period, by=person(request)
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
    return exports.pdf_response(ensure_pdf(invoice=queries.get_visible_invoice(access(request), invoice_id)))


@router.post(
    "/invoices/{invoice_id}/issue",
    response=schemas.InvoiceDetail,
    summary="Give a draft its number",
    openapi_extra={"responses": {409: _refused("Issued already, or nothing to issue")}},
)
def issue(request: HttpRequest, invoice_id: int) -> dict[str, Any]:
    issue_invoice(invoice=queries.get_managed_invoice(access(request), invoice_id), by=person(request))
    return _detail(request, invoice_id)


@router.post("/invoices/{invoice_id}/fapiao", response=schemas.InvoiceDetail, summary="Note the fapiao's number")
def fapiao(request: HttpRequest, invoice_id: int, payload: schemas.FapiaoIn) -> dict[str, Any]:
    invoice = queries.get_managed_invoice(access(request), invoice_id)
    write_fapiao_number(invoice=invoice, number=payload.number, by=person(request))
    return _detail(request, invoice_id)


_TABLE: dict[str, Any] = {
    "responses": {
        200: {"content": {"text/csv": {}, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": {}}}
    }
}


@router.get("/exports/invoices.{form}", summary="Invoices as a table", openapi_extra=_TABLE)
def export_invoices(
    request: HttpRequest, form: schemas.ExportFormat, filters: Query[schemas.ExportFilter]
) -> exports.Download:
    return exports.export_invoices(_filtered(queries.visible_invoices(access(request)), filters), form.value)


@router.get("/exports/invoice-lines.{form}", summary="Lines of the issued invoices as a table", openapi_extra=_TABLE)
def export_lines(
    request: HttpRequest, form: schemas.ExportFormat, filters: Query[schemas.ExportFilter]
) -> exports.Download:
    return exports.export_lines(_filtered(queries.visible_invoices(access(request)), filters), form.value)


def _filtered(rows: InvoiceQuerySet, filters: schemas.InvoiceFilter | schemas.ExportFilter) -> InvoiceQuerySet:
    wanted = {"period": filters.period, "institution": filters.institution}
    return rows.filter(**{key: value for key, value in wanted.items() if value is not None})


def _detail(request: HttpRequest, invoice_id: int) -> dict[str, Any]:
    invoice = queries.get_visible_invoice(access(request), invoice_id)
    lines = queries.document_of(invoice)["lines"]
    return {
        **schemas.invoice_out(queries.show([invoice])[0]),
        "lines": [schemas.invoice_line_out(line) for line in lines],
    }
