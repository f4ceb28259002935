"""``/api/v1``: what leaves for other programs: batches for the tax platform, the journal, charges, UBL."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router, Status

from backend.accounts.auth import access, person, signed_in
from backend.accounts.models import Organisation
from invoices import export_schemas as shapes
from invoices.actions.batches import discard_batch, judge_results, make_batches, write_results
from invoices.actions.journals import mark_exported
from invoices.actions.settings import save_setting
from invoices.exports import tables
from invoices.exports.batch import batch_response, plan_response
from invoices.exports.journal import export_journal
from invoices.exports.ubl import ubl_response
from invoices.fapiao.results import Pair
from invoices.models import BookKind
from invoices.queries.fapiao import batches_of, get_batch, parts_of, plan_of, setting_of, today_of, without_earlier
from invoices.queries.scope import charges_to_export, get_ledger_of, get_visible_invoice
from invoices.schemas import ExportFormat, LedgerFilter

router = Router(auth=signed_in, tags=["invoices"])

TABLE: dict[str, Any] = {
    "responses": {
        200: {"content": {"text/csv": {}, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": {}}}
    }
}


def refused(reason: str) -> dict[str, Any]:
    """A 409 that `declare_problems` does not know of."""
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": reason, "content": {"application/problem+json": {"schema": schema}}}


def _ledger(request: HttpRequest, institution: int | None) -> Organisation:
    return get_ledger_of(access(request), institution)


@router.get("/exports/charges.{form}", summary="Charges as a table", openapi_extra=TABLE)
def export_charges(
    request: HttpRequest, form: ExportFormat, filters: Query[shapes.ChargeExportFilter]
) -> tables.Download:
    rows = charges_to_export(access(request), filters.period or "", filters.institution, filters.status)
    return tables.export_charges(rows, form.value)


@router.get(
    "/invoices/{invoice_id}/ubl.xml",
    summary="The document as UBL 2.1 XML (EN 16931)",
    openapi_extra={
        "responses": {200: {"content": {"application/xml": {}}}, 409: refused("A draft, or it lacks what UBL demands")}
    },
)
def get_ubl(request: HttpRequest, invoice_id: int) -> HttpResponse:
    return ubl_response(get_visible_invoice(access(request), invoice_id))


# --- batches for the tax platform ----------------------------------------------------------------------------------


@router.get(
    "/exports/fapiao-batch.{form}",
    summary="Template for making tax invoices of all statements without a fapiao number; XLSX only, remembers nothing",
    openapi_extra={"responses": {**TABLE["responses"], 409: refused("Something is to be mended before, or CSV")}},
)
def export_batch(request: HttpRequest, form: ExportFormat, filters: Query[shapes.BatchExportFilter]) -> HttpResponse:
    institution = _ledger(request, filters.institution)
    plan = plan_of(institution, today_of(institution), filters.period or "")
    plan = plan if filters.again else without_earlier(plan)
    return plan_response(plan, form.value, "-".join(filter(None, ["fapiao-batch", filters.period])))


@router.get("/fapiao-batches", response=shapes.BatchList, summary="Batches made for the tax platform")
def list_batches(request: HttpRequest, filters: Query[LedgerFilter]) -> dict[str, Any]:
    found = batches_of(_ledger(request, filters.institution))
    return {"items": [shapes.batch_out(batch) for batch in found], "count": len(found)}


@router.post(
    "/fapiao-batches",
    response={201: list[shapes.BatchDetail]},
    summary="Make a batch and remember it; several where one file does not take all",
    openapi_extra={"responses": {409: refused("Something is to be mended before, or it stands in an earlier batch")}},
)
def post_batch(request: HttpRequest, payload: shapes.BatchIn) -> Status[list[dict[str, Any]]]:
    institution = _ledger(request, payload.institution)
    wanted = payload.invoices
    if wanted is None:
        plan = plan_of(institution, today_of(institution), payload.period or "")
        wanted = [invoice.pk for invoice in (plan if payload.again else without_earlier(plan)).invoices]
    made = make_batches(institution=institution, invoices=wanted, again=payload.again, by=person(request))
    return Status(201, [_batch(request, batch.pk) for batch in made])


@router.get("/fapiao-batches/{batch_id}", response=shapes.BatchDetail, summary="A batch with its tax invoices")
def read_batch(request: HttpRequest, batch_id: int) -> dict[str, Any]:
    return _batch(request, batch_id)


@router.get(
    "/fapiao-batches/{batch_id}/workbook", summary="The workbook of a batch, as it was made", openapi_extra=TABLE
)
def batch_file(request: HttpRequest, batch_id: int) -> HttpResponse:
    return batch_response(get_batch(access(request), batch_id))


@router.post(
    "/fapiao-batches/{batch_id}/discard",
    response=shapes.BatchDetail,
    summary="The platform refused it: its invoices may go into another",
    openapi_extra={"responses": {409: refused("Numbers from it have been noted")}},
)
def discard(request: HttpRequest, batch_id: int) -> dict[str, Any]:
    discard_batch(batch=get_batch(access(request), batch_id), by=person(request))
    return _batch(request, batch_id)


def _batch(request: HttpRequest, pk: int) -> dict[str, Any]:
    batch = get_batch(access(request), pk)
    return {**shapes.batch_out(batch), "parts": [shapes.part_out(part) for part in parts_of(batch)]}


@router.post(
    "/fapiao-results",
    response=shapes.ResultsOut,
    summary="Write back the numbers that the tax platform gave, by serial number",
)
def post_results(request: HttpRequest, payload: shapes.FapiaoNumbersIn) -> dict[str, Any]:
    institution = _ledger(request, payload.institution)
    pairs = [Pair(line, row.serial.strip(), row.number.strip()) for line, row in enumerate(payload.rows, 1)]
    if payload.dry_run:
        return shapes.results_out(judge_results(institution=institution, pairs=pairs), written=False)
    results = write_results(institution=institution, pairs=pairs, by=person(request))
    return shapes.results_out(results, written=True)


# --- the accounts --------------------------------------------------------------------------------------------------


@router.get(
    "/exports/journal.{form}",
    summary="The entries of a month for the accounts",
    openapi_extra={"responses": {**TABLE["responses"], 409: refused("An account is missing")}},
)
def get_journal(request: HttpRequest, form: ExportFormat, filters: Query[shapes.JournalFilter]) -> tables.Download:
    return export_journal(_ledger(request, filters.institution), filters.period, form.value)


@router.post(
    "/journals",
    response={201: shapes.JournalOut},
    summary="Note that a month's entries were taken over",
    openapi_extra={"responses": {409: refused("An account is missing, nothing to book, or it was exported before")}},
)
def post_journal(request: HttpRequest, payload: shapes.JournalIn) -> Status[dict[str, Any]]:
    institution = _ledger(request, payload.institution)
    made = mark_exported(institution=institution, period=payload.period, again=payload.again, by=person(request))
    return Status(201, shapes.journal_out(made))


@router.get("/fapiao-settings", response=shapes.SettingOut, summary="How the template of the tax platform is filled")
def get_fapiao_settings(request: HttpRequest, filters: Query[LedgerFilter]) -> dict[str, Any]:
    return shapes.setting_out(setting_of(_ledger(request, filters.institution).pk, BookKind.FAPIAO))


@router.put("/fapiao-settings", response=shapes.SettingOut, summary="Save how the template is filled")
def put_fapiao_settings(request: HttpRequest, payload: shapes.SettingIn) -> dict[str, Any]:
    return _saved(request, payload, BookKind.FAPIAO)


@router.get("/account-mapping", response=shapes.SettingOut, summary="Which account takes what")
def get_mapping(request: HttpRequest, filters: Query[LedgerFilter]) -> dict[str, Any]:
    return shapes.setting_out(setting_of(_ledger(request, filters.institution).pk, BookKind.ACCOUNTS))


@router.put("/account-mapping", response=shapes.SettingOut, summary="Save which account takes what")
def put_mapping(request: HttpRequest, payload: shapes.SettingIn) -> dict[str, Any]:
    return _saved(request, payload, BookKind.ACCOUNTS)


def _saved(request: HttpRequest, payload: shapes.SettingIn, kind: BookKind) -> dict[str, Any]:
    institution = _ledger(request, payload.institution)
    saved = save_setting(
        institution=institution, kind=kind, content=payload.content, version=payload.version, by=person(request)
    )
    return shapes.setting_out(saved)
