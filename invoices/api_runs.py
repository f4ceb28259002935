"""``/api/v1``: the monthly run, the words of a draft, how an organisation bills, the month in figures."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import File, Query, Router, Status
from ninja.files import UploadedFile

from backend.accounts.auth import access, person, signed_in
from backend.accounts.models import OrganisationKind
from invoices import run_schemas as shapes
from invoices.actions.billing import ask_for_tax_data, choose_billing, remove_logo, set_logo, word_draft
from invoices.actions.running import cancel_run, start_run
from invoices.exports.figures import export_figures
from invoices.exports.previews import export_preview
from invoices.exports.tables import Download
from invoices.models import BillingSettings
from invoices.queries.billing import billing_of
from invoices.queries.figures import figures_of
from invoices.queries.preview import preview_of
from invoices.queries.runs import get_run, progress_of
from invoices.queries.scope import get_charged_customer, get_ledger, get_ledger_of, get_managed_invoice, may_receive
from invoices.schemas import ExportFormat

router = Router(auth=signed_in, tags=["invoices"])


def _refused(reason: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"responses": {409: {"description": reason, "content": {"application/problem+json": {"schema": schema}}}}}


@router.get("/finance/preview", response=shapes.PreviewOut, summary="What a monthly run would bill, and what blocks it")
def preview(request: HttpRequest, filters: Query[shapes.MonthFilter]) -> dict[str, Any]:
    institution = get_ledger_of(access(request), filters.institution)
    return shapes.preview_out(preview_of(institution, filters.period))


@router.post(
    "/finance/runs",
    response=shapes.RunOut,
    summary="Make drafts for all, or issue all drafts, in the background",
    openapi_extra=_refused("Another run is under way, or there is nothing to do"),
)
def start(request: HttpRequest, payload: shapes.RunIn) -> dict[str, Any]:
    institution = get_ledger(access(request), payload.institution)
    run = start_run(
        institution=institution, period=payload.period, step=payload.step, only=payload.only, by=person(request)
    )
    return shapes.run_out(progress_of(run))


@router.get("/finance/runs/{run_id}", response=shapes.RunOut, summary="How far a run has come")
def get(request: HttpRequest, run_id: int) -> dict[str, Any]:
    return shapes.run_out(progress_of(get_run(access(request), run_id)))


@router.post("/finance/runs/{run_id}/stop", response=shapes.RunOut, summary="Stop a run; what is done stays")
def stop(request: HttpRequest, run_id: int) -> dict[str, Any]:
    return shapes.run_out(progress_of(cancel_run(run=get_run(access(request), run_id), by=person(request))))


@router.put(
    "/invoices/{invoice_id}/words",
    response=shapes.Words,
    summary="Set the words that stand on a draft",
    openapi_extra=_refused("Issued already"),
)
def words(request: HttpRequest, invoice_id: int, payload: shapes.Words) -> dict[str, Any]:
    draft = get_managed_invoice(access(request), invoice_id)
    return {**payload.dict(), **word_draft(invoice=draft, wording=payload.dict(), by=person(request)).wording}


@router.post(
    "/finance/ask-for-tax-data",
    response={204: None},
    summary="Ask a customer for the tax data that its invoices lack",
    openapi_extra=_refused("Nothing is missing, or nobody could enter it"),
)
def ask(request: HttpRequest, payload: shapes.AskIn) -> Status[None]:
    institution = get_ledger(access(request), payload.institution)
    customer = get_charged_customer(institution.pk, payload.customer)
    ask_for_tax_data(institution=institution, customer=customer, by=person(request))
    return Status(204, None)


@router.get("/billing/{organisation_id}", response=shapes.BillingOut, summary="How an organisation bills or is billed")
def get_billing(request: HttpRequest, organisation_id: int) -> dict[str, Any]:
    return _billing_out(billing_of(_own(request, organisation_id)))


@router.put("/billing/{organisation_id}", response=shapes.BillingOut, summary="Choose how it bills or is billed")
def put_billing(request: HttpRequest, organisation_id: int, payload: shapes.BillingIn) -> dict[str, Any]:
    organisation = access(request).organisations[_own(request, organisation_id)]
    return _billing_out(choose_billing(organisation=organisation, by=person(request), **payload.dict()))


@router.post(
    "/billing/{organisation_id}/logo", response=shapes.BillingOut, summary="The picture at the head of documents"
)
def put_logo(request: HttpRequest, organisation_id: int, logo: File[UploadedFile]) -> dict[str, Any]:
    institution = get_ledger(access(request), organisation_id)
    set_logo(institution=institution, file=logo, by=person(request))
    return _billing_out(billing_of(institution.pk))


@router.delete("/billing/{organisation_id}/logo", response=shapes.BillingOut, summary="No picture any more")
def delete_logo(request: HttpRequest, organisation_id: int) -> dict[str, Any]:
    institution = get_ledger(access(request), organisation_id)
    remove_logo(institution=institution, by=person(request))
    return _billing_out(billing_of(institution.pk))


def _own(request: HttpRequest, organisation_id: int) -> int:
    """Finance of an institution, administrators and finance of a customer."""
    own = access(request).organisations.get(organisation_id)
    if own is not None and own.kind == OrganisationKind.ENTERPRISE and may_receive(access(request), own.pk):
        return own.pk
    return get_ledger(access(request), organisation_id).pk


def _billing_out(billing: BillingSettings) -> dict[str, Any]:
    logo = billing.logo.sha256 if billing.logo else None
    return {"missing_data": billing.missing_data, "attach_pdf": billing.attach_pdf, "logo_sha256": logo}


_TABLE: dict[str, Any] = {
    "responses": {
        200: {"content": {"text/csv": {}, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": {}}}
    }
}


@router.get(
    "/finance/figures", response=shapes.FiguresOut, summary="What was invoiced, paid and is open, by month and more"
)
def figures(request: HttpRequest, filters: Query[shapes.FiguresFilter]) -> dict[str, Any]:
    institution = get_ledger_of(access(request), filters.institution)
    return shapes.figures_out(figures_of(institution, filters.wanted()))


@router.get("/exports/figures.{form}", summary="The figures as a table", openapi_extra=_TABLE)
def figures_table(request: HttpRequest, form: ExportFormat, filters: Query[shapes.FiguresTable]) -> Download:
    institution = get_ledger_of(access(request), filters.institution)
    return export_figures(figures_of(institution, filters.wanted()), filters.by, form.value)


@router.get("/exports/to-bill.{form}", summary="What a monthly run would bill, as a table", openapi_extra=_TABLE)
def preview_table(request: HttpRequest, form: ExportFormat, filters: Query[shapes.MonthFilter]) -> Download:
    shown = preview_of(get_ledger_of(access(request), filters.institution), filters.period)
    return export_preview(shown, shown.rows, form.value)
