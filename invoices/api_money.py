"""``/api/v1``: disputes, transfers, customers' credit, reminders, and the check of a document's code."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from ninja import File, Form, Query, Router, Status, UploadedFile

from backend.accounts.auth import access, optional, person, signed_in, throttle
from backend.core.api import Page, page_of
from backend.core.money import format_amount
from invoices import money_schemas as shapes
from invoices import rules
from invoices.actions.disputes import add_reply, decide_dispute, open_dispute, withdraw_dispute
from invoices.actions.payments import record_transfer, reverse_transfer
from invoices.actions.reminders import hold_reminders
from invoices.actions.surplus import apply_surplus, refund_surplus
from invoices.actions.terms import save_terms
from invoices.api_exports import TABLE, refused
from invoices.exports import money, tables
from invoices.exports.notice import notice_response
from invoices.models import SurplusEntry
from invoices.queries import disputes as scope
from invoices.queries.scope import (
    get_charged_customer,
    get_ledger,
    get_ledger_of,
    get_managed_invoice,
    get_visible_invoice,
)
from invoices.queries.surplus import (
    entries_of,
    get_managed_surplus,
    get_managed_transfer,
    get_visible_surplus,
    visible_surpluses,
    visible_transfers,
)
from invoices.queries.terms import terms_of
from invoices.queries.verification import confirm
from invoices.schemas import ExportFormat, LedgerFilter, ReverseIn

router = Router(auth=signed_in, tags=["invoices"])
FILE: dict[str, Any] = {"responses": {200: {"description": "The file", "content": {"*/*": {}}}}}
PDF: dict[str, Any] = {"responses": {200: {"content": {"application/pdf": {}}}, 409: refused("Nothing is to be paid")}}


def _detail(request: HttpRequest, pk: int) -> dict[str, Any]:
    found = scope.get_visible_dispute(access(request), pk)
    return {**shapes.dispute_out(found), "notes": [shapes.note_out(note) for note in scope.notes_of(found)]}


@router.post("/charges/{charge_id}/dispute", response=shapes.DisputeDetail, summary="Object to a charge or its line")
def dispute(request: HttpRequest, charge_id: int, payload: shapes.DisputeIn) -> dict[str, Any]:
    charge = scope.get_disputable_charge(access(request), charge_id)
    made = open_dispute(charge=charge, by=person(request), reason=payload.reason, line=payload.line)
    return _detail(request, made.pk)


@router.post("/charges/{charge_id}/decide", response=shapes.DisputeDetail, summary="Decide the open dispute about it")
def decide(request: HttpRequest, charge_id: int, payload: shapes.DisputeDecisionIn) -> dict[str, Any]:
    found = scope.open_dispute_of(scope.get_disputed_charge(access(request), charge_id))
    decide_dispute(
        dispute=found,
        decision=payload.decision.value,
        reason=payload.reason,
        amount=payload.amount,
        by=person(request),
    )
    return _detail(request, found.pk)


@router.get("/disputes", response=shapes.DisputeList, summary="Disputes that you may see, the newest first")
def list_disputes(request: HttpRequest, filters: Query[shapes.DisputeFilter]) -> dict[str, Any]:
    rows = scope.filtered(scope.visible_disputes(access(request)), filters.dict())
    return page_of(rows, filters, shapes.dispute_out)


@router.get("/disputes/{dispute_id}", response=shapes.DisputeDetail, summary="A dispute with its messages")
def get_dispute(request: HttpRequest, dispute_id: int) -> dict[str, Any]:
    return _detail(request, dispute_id)


@router.post("/disputes/{dispute_id}/replies", response=shapes.DisputeDetail, summary="Write to the other side")
def reply(request: HttpRequest, dispute_id: int, payload: shapes.ReplyIn) -> dict[str, Any]:
    found = scope.get_visible_dispute(access(request), dispute_id)
    add_reply(dispute=found, text=payload.text, by=person(request), side=scope.side_of(access(request), found))
    return _detail(request, dispute_id)


@router.post(
    "/disputes/{dispute_id}/files",
    response=shapes.DisputeDetail,
    summary="Send files to the other side",
    openapi_extra={"responses": {413: refused("More than can be sent at once")}},
)
def send_files(
    request: HttpRequest, dispute_id: int, files: File[list[UploadedFile]], form: Form[shapes.ReplyForm]
) -> dict[str, Any]:
    found = scope.get_visible_dispute(access(request), dispute_id)
    side = scope.side_of(access(request), found)
    add_reply(dispute=found, text=form.text, by=person(request), side=side, files=files)
    return _detail(request, dispute_id)


@router.get("/disputes/{dispute_id}/files/{file_id}", summary="A file of a dispute", openapi_extra=FILE)
def read_file(request: HttpRequest, dispute_id: int, file_id: int) -> HttpResponseBase:
    return money.file_response(scope.get_dispute_file(access(request), dispute_id, file_id))


@router.post("/disputes/{dispute_id}/withdraw", response=shapes.DisputeDetail, summary="Give your dispute up")
def withdraw(request: HttpRequest, dispute_id: int) -> dict[str, Any]:
    withdraw_dispute(dispute=scope.get_own_dispute(access(request), dispute_id), by=person(request))
    return _detail(request, dispute_id)


@router.get("/exports/disputes.{form}", summary="Disputes as a table", openapi_extra=TABLE)
def export_disputes(
    request: HttpRequest, form: ExportFormat, filters: Query[shapes.DisputeExportFilter]
) -> tables.Download:
    rows = scope.filtered(scope.visible_disputes(access(request)), filters.dict())
    return money.export_disputes(rows, form.value)


# --- transfers and credit --------------------------------------------------------------------------------------------


@router.get("/transfers", response=shapes.TransferList, summary="Transfers with what they paid, the newest first")
def list_transfers(request: HttpRequest, filters: Query[shapes.TransferFilter]) -> dict[str, Any]:
    wanted = {"institution": filters.institution, "customer": filters.enterprise}
    rows = visible_transfers(access(request)).filter(**{key: pk for key, pk in wanted.items() if pk is not None})
    return page_of(rows, filters, shapes.transfer_out)


@router.post("/transfers", response={201: shapes.TransferOut}, summary="Record one transfer for several invoices")
def transfer(request: HttpRequest, payload: shapes.TransferIn) -> Status[dict[str, Any]]:
    institution = get_ledger(access(request), payload.institution)
    made = record_transfer(
        institution=institution,
        customer=get_charged_customer(institution.pk, payload.enterprise),
        currency=payload.currency or institution.currency,
        parts={part.invoice: part.amount for part in payload.parts},
        by=person(request),
        **payload.dict(include={"amount", "date", "reference", "note", "keep_rest"}),
    )
    return Status(201, shapes.transfer_out(visible_transfers(access(request)).get(pk=made.pk)))


@router.post("/transfers/{transfer_id}/reverse", response=shapes.TransferOut, summary="Take a bounced transfer back")
def undo_transfer(request: HttpRequest, transfer_id: int, payload: ReverseIn) -> dict[str, Any]:
    found = get_managed_transfer(access(request), transfer_id)
    reverse_transfer(transfer=found, reason=payload.reason, by=person(request))
    return shapes.transfer_out(visible_transfers(access(request)).get(pk=found.pk))


@router.get("/credits", response=shapes.CreditList, summary="Customers' credit: what was paid too much and is left")
def list_credits(request: HttpRequest, page: Query[Page]) -> dict[str, Any]:
    return page_of(visible_surpluses(access(request)), page, shapes.credit_out)


@router.get("/credits/{credit_id}", response=shapes.CreditDetail, summary="A credit with its entries, newest first")
def get_credit(request: HttpRequest, credit_id: int) -> dict[str, Any]:
    found = get_visible_surplus(access(request), credit_id)
    entries = [shapes.entry_out(entry) for entry in entries_of(found)[:200]]
    return {**shapes.credit_out(found), "entries": entries}


@router.post("/credits/{credit_id}/refund", response=shapes.CreditDetail, summary="Note what was paid back")
def refund(request: HttpRequest, credit_id: int, payload: shapes.RefundIn) -> dict[str, Any]:
    refund_surplus(surplus=get_managed_surplus(access(request), credit_id), by=person(request), **payload.dict())
    return get_credit(request, credit_id)


@router.post(
    "/invoices/{invoice_id}/use-credit", response=shapes.CreditDetail, summary="Pay it from the customer's credit"
)
def use_credit(request: HttpRequest, invoice_id: int, payload: shapes.CreditUseIn) -> dict[str, Any]:
    invoice = get_managed_invoice(access(request), invoice_id)
    paid = apply_surplus(invoice=invoice, amount=payload.amount, by=person(request))
    return get_credit(request, paid.surplus_entries.get().surplus_id)


@router.get("/exports/credit.{form}", summary="Entries of customers' credit as a table", openapi_extra=TABLE)
def export_credit(request: HttpRequest, form: ExportFormat) -> tables.Download:
    rows = SurplusEntry.objects.filter(surplus__in=visible_surpluses(access(request)))
    return money.export_credit(rows, form.value)


# --- reminders, terms, the check -------------------------------------------------------------------------------------


@router.get("/invoices/{invoice_id}/notice", summary="The payment notice of what is left to pay", openapi_extra=PDF)
def notice(request: HttpRequest, invoice_id: int) -> HttpResponse:
    invoice = get_visible_invoice(access(request), invoice_id)
    return notice_response(invoice, rules.day_at(invoice.institution, timezone.now()))


@router.post("/invoices/{invoice_id}/hold-reminders", response={204: None}, summary="Send no reminders, or again")
def hold(request: HttpRequest, invoice_id: int, payload: shapes.HoldIn) -> Status[None]:
    hold_reminders(invoice=get_managed_invoice(access(request), invoice_id), reason=payload.reason, by=person(request))
    return Status(204, None)


@router.get("/money-terms", response=shapes.MoneyTermsOut, summary="Time to dispute and reminders of an institution")
def get_terms(request: HttpRequest, filters: Query[LedgerFilter]) -> dict[str, Any]:
    return shapes.terms_out(terms_of(get_ledger_of(access(request), filters.institution).pk))


@router.post("/money-terms", response=shapes.MoneyTermsOut, summary="Set them")
def set_terms(request: HttpRequest, payload: shapes.MoneyTermsIn) -> dict[str, Any]:
    institution = get_ledger_of(access(request), payload.institution)
    reminders = [level.dict() for level in payload.reminders]
    saved = save_terms(
        institution=institution, dispute_days=payload.dispute_days, reminders=reminders, by=person(request)
    )
    return shapes.terms_out(saved)


@router.get(
    "/verify/{code}", auth=optional, response=shapes.GenuineOut, summary="Whether a document with this code was issued"
)
def verify(request: HttpRequest, code: str) -> dict[str, Any]:
    throttle(request, "verify")
    found = confirm(code)
    return {
        "number": found.number,
        "issued": found.issued,
        "total": format_amount(found.total),
        "currency": found.currency,
        "sha256": found.sha256,
    }
