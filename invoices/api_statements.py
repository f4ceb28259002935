"""``/api/v1``: bank statements and the matching of their rows."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import File, Form, Query, Router, Status, UploadedFile

from backend.accounts.auth import access, person, signed_in
from instruments.actions.import_table import LARGEST_FILE
from invoices import statement_schemas as shapes
from invoices.actions.statements import ignore_row, match_row, match_sure, read_statement, reopen_row
from invoices.api_exports import TABLE
from invoices.exports import money, tables
from invoices.models import BankRow, Invoice
from invoices.queries.scope import get_charged_customer, get_ledger_of
from invoices.queries.statements import Matching, get_row, matches, visible_rows
from invoices.schemas import ExportFormat

router = Router(auth=signed_in, tags=["invoices"])


@router.post("/bank-statements", response={201: shapes.StatementOut}, summary="Read a bank statement in, CSV or XLSX")
def upload(request: HttpRequest, file: File[UploadedFile], form: Form[shapes.StatementForm]) -> Status[dict[str, Any]]:
    institution = get_ledger_of(access(request), form.institution)
    columns = {name: text for name, text in form.dict(exclude={"institution"}).items() if text}
    content = file.read(LARGEST_FILE + 1)
    made = read_statement(
        institution=institution, name=file.name or "", content=content, columns=columns, by=person(request)
    )
    return Status(201, shapes.statement_out(made))


@router.get("/bank-rows", response=shapes.RowList, summary="Money that came in, with suggested matches")
def list_rows(request: HttpRequest, filters: Query[shapes.RowFilter]) -> dict[str, Any]:
    institution = get_ledger_of(access(request), filters.institution)
    rows = visible_rows(access(request)).filter(institution=institution)
    if filters.status is not None:
        rows = rows.filter(state=filters.status)
    found = matches(institution, list(rows[filters.offset : filters.offset + filters.limit]))
    return {"items": _out(found), "count": rows.count()}


def _out(found: list[Matching]) -> list[dict[str, Any]]:
    named = {pk for one in found for each in one.suggestions for pk, _part in each.parts}
    numbers = {pk: str(number) for pk, number in Invoice.objects.filter(pk__in=named).values_list("pk", "number")}
    return [shapes.row_out(one, numbers) for one in found]


def _answer(request: HttpRequest, row: BankRow) -> dict[str, Any]:
    fresh = get_row(access(request), row.pk)
    return _out(matches(fresh.institution, [fresh]))[0]


@router.post("/bank-rows/match-sure", response=shapes.MatchedOut, summary="Record all rows whose match is sure")
def sure(request: HttpRequest, payload: shapes.LedgerIn) -> dict[str, Any]:
    institution = get_ledger_of(access(request), payload.institution)
    done, refused = match_sure(institution=institution, by=person(request))
    return {"matched": done, "refused": refused}


@router.post("/bank-rows/{row_id}/match", response=shapes.RowOut, summary="Record it as paying these invoices")
def match(request: HttpRequest, row_id: int, payload: shapes.MatchIn) -> dict[str, Any]:
    row = get_row(access(request), row_id)
    owner = payload.enterprise
    match_row(
        row=row,
        parts={part.invoice: part.amount for part in payload.parts},
        customer=None if owner is None else get_charged_customer(row.institution_id, owner),
        keep_rest=payload.keep_rest,
        by=person(request),
    )
    return _answer(request, row)


@router.post("/bank-rows/{row_id}/ignore", response=shapes.RowOut, summary="Set aside what pays no invoice")
def ignore(request: HttpRequest, row_id: int, payload: shapes.SetAsideIn) -> dict[str, Any]:
    row = get_row(access(request), row_id)
    ignore_row(row=row, reason=payload.reason, by=person(request))
    return _answer(request, row)


@router.post("/bank-rows/{row_id}/reopen", response=shapes.RowOut, summary="Take up again what was set aside")
def reopen(request: HttpRequest, row_id: int) -> dict[str, Any]:
    row = get_row(access(request), row_id)
    reopen_row(row=row, by=person(request))
    return _answer(request, row)


@router.get("/exports/bank-rows.{form}", summary="Rows of bank statements as a table", openapi_extra=TABLE)
def export_rows(request: HttpRequest, form: ExportFormat, filters: Query[shapes.LedgerIn]) -> tables.Download:
    institution = get_ledger_of(access(request), filters.institution)
    return money.export_rows(visible_rows(access(request)).filter(institution=institution), form.value)
