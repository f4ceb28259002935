"""``/api/v1``: voucher schemes, applications, what they cover, payouts and evidence."""

from __future__ import annotations

from typing import Any

from django.http import FileResponse, HttpRequest
from django.utils import timezone
from ninja import File, Form, Query, Router, Status, UploadedFile

from backend.accounts.auth import access, person, signed_in
from backend.accounts.models import Organisation
from backend.core.api import page_of
from backend.core.db import one
from backend.core.errors import NotFound
from invoices import payout_schemas as papers
from invoices import schemas
from invoices import voucher_schemas as shapes
from invoices.actions.covering import cover_charge, uncover_charge
from invoices.actions.documents import ensure_pdf
from invoices.actions.invoice_files import add_invoice_files, remove_invoice_file
from invoices.actions.voucher_grants import (
    apply_for_voucher,
    grant_voucher,
    refuse_voucher,
    revoke_voucher,
    withdraw_application,
)
from invoices.actions.voucher_payouts import drop_payout, mark_paid, prepare_payout
from invoices.actions.voucher_schemes import save_scheme
from invoices.exports import vouchers as tables
from invoices.exports.evidence import pack_response
from invoices.exports.stored import stored_response
from invoices.exports.tables import Download
from invoices.models import UseState, VoucherScheme, VoucherUse
from invoices.queries import vouchers as queries
from invoices.queries.covering import find_voucher, get_charge_to_cover, offers_for_charge, use_of
from invoices.queries.evidence import files_of, get_invoice_file
from invoices.queries.payouts import due_uses, invoice_of, pack_of_payout, pack_of_use, to_pay_out
from invoices.queries.scope import finance_of, get_managed_invoice, get_visible_invoice

router = Router(auth=signed_in, tags=["vouchers"])

_ZIP: dict[str, Any] = {"responses": {200: {"content": {"application/zip": {}}}}}
_BYTES: dict[str, Any] = {"responses": {200: {"description": "The file", "content": {"*/*": {}}}}}
_TABLE: dict[str, Any] = {
    "responses": {
        200: {"content": {"text/csv": {}, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": {}}}
    }
}


# --- schemes ---------------------------------------------------------------------------------------------------------


@router.get("/voucher-schemes", response=shapes.SchemeList, summary="Schemes that take applications, and yours")
def list_schemes(request: HttpRequest) -> dict[str, Any]:
    found = list(queries.schemes_shown(access(request), timezone.localdate()))
    return {"items": [shapes.scheme_out(each) for each in found], "count": len(found)}


@router.post("/voucher-schemes", response={201: shapes.SchemeOut}, summary="Make a scheme")
def make_scheme(request: HttpRequest, payload: shapes.SchemeIn) -> Status[dict[str, Any]]:
    network = queries.network_of(access(request))
    values = shapes.scheme_values(payload)
    made = save_scheme(scheme=None, values=values, network_id=network.pk, by=person(request))
    return Status(201, shapes.scheme_out(made))


@router.get("/voucher-schemes/{scheme_id}", response=shapes.SchemeOut, summary="A scheme and what it says")
def get_scheme(request: HttpRequest, scheme_id: int) -> dict[str, Any]:
    return shapes.scheme_out(queries.get_scheme(access(request), scheme_id, timezone.localdate()))


@router.patch("/voucher-schemes/{scheme_id}", response=shapes.SchemeOut, summary="Change a scheme")
def change_scheme(request: HttpRequest, scheme_id: int, payload: shapes.SchemeChange) -> dict[str, Any]:
    network = queries.network_of(access(request))
    saved = save_scheme(
        scheme=queries.get_scheme_to_run(access(request), scheme_id),
        values=shapes.scheme_values(payload),
        network_id=network.pk,
        by=person(request),
        version=payload.version,
    )
    return shapes.scheme_out(saved)


# --- vouchers --------------------------------------------------------------------------------------------------------


@router.get("/vouchers", response=shapes.GrantList, summary="Applications and vouchers of your enterprise, or all")
def list_vouchers(request: HttpRequest, filters: Query[shapes.GrantFilter]) -> dict[str, Any]:
    wanted = {"state": filters.status, "scheme": filters.scheme, "enterprise": filters.enterprise}
    rows = queries.visible_grants(access(request)).filter(**{k: v for k, v in wanted.items() if v is not None})
    part = list(rows.prefetch_related("files")[filters.offset : filters.offset + filters.limit])
    shown = queries.show_grants(part, timezone.localdate())
    return {"items": [shapes.grant_out(each) for each in shown], "count": rows.count()}


@router.post("/vouchers", response={201: shapes.GrantOut}, summary="Apply for a voucher")
def apply(
    request: HttpRequest,
    form: Form[shapes.ApplicationIn],
    files: File[list[UploadedFile]] = [],  # noqa: B006
) -> Status[dict[str, Any]]:
    enterprise = queries.get_applicant(access(request), form.enterprise)
    values = form.dict(exclude={"scheme", "enterprise", "related"})
    related = [code.strip() for code in form.related.split(",") if code.strip()]
    made = apply_for_voucher(
        scheme=queries.get_scheme(access(request), form.scheme, timezone.localdate()),
        enterprise=enterprise,
        values={**values, "related": related},
        files=files,
        by=person(request),
    )
    return Status(201, _grant(request, made.pk))


@router.get("/vouchers/{voucher_id}", response=shapes.GrantOut, summary="A voucher and what is left of it")
def get_voucher(request: HttpRequest, voucher_id: int) -> dict[str, Any]:
    return _grant(request, voucher_id)


@router.post("/vouchers/{voucher_id}/grant", response=shapes.GrantOut, summary="Grant it, for the network")
def grant(request: HttpRequest, voucher_id: int, payload: shapes.GiveIn) -> dict[str, Any]:
    found = queries.get_grant_to_decide(access(request), voucher_id)
    grant_voucher(grant=found, by=person(request), **payload.dict())
    return _grant(request, voucher_id)


@router.post("/vouchers/{voucher_id}/refuse", response=shapes.GrantOut, summary="Refuse it, for the network")
def refuse(request: HttpRequest, voucher_id: int, payload: shapes.DecisionIn) -> dict[str, Any]:
    found = queries.get_grant_to_decide(access(request), voucher_id)
    refuse_voucher(grant=found, reason=payload.reason, by=person(request))
    return _grant(request, voucher_id)


@router.post("/vouchers/{voucher_id}/revoke", response=shapes.GrantOut, summary="Revoke it, for the network")
def revoke(request: HttpRequest, voucher_id: int, payload: shapes.DecisionIn) -> dict[str, Any]:
    found = queries.get_grant_to_decide(access(request), voucher_id)
    revoke_voucher(grant=found, reason=payload.reason, by=person(request))
    return _grant(request, voucher_id)


@router.post("/vouchers/{voucher_id}/withdraw", response=shapes.GrantOut, summary="Take the application back")
def withdraw(request: HttpRequest, voucher_id: int) -> dict[str, Any]:
    withdraw_application(grant=queries.get_own_grant(access(request), voucher_id), by=person(request))
    return _grant(request, voucher_id)


@router.get("/vouchers/{voucher_id}/files/{file_id}", summary="A document of it", openapi_extra=_BYTES)
def voucher_file(request: HttpRequest, voucher_id: int, file_id: int) -> FileResponse:
    return stored_response(queries.get_grant_file(queries.get_grant(access(request), voucher_id), file_id))


def _grant(request: HttpRequest, voucher_id: int) -> dict[str, Any]:
    [shown] = queries.show_grants([queries.get_grant(access(request), voucher_id)], timezone.localdate())
    return shapes.grant_out(shown)


# --- what they cover -------------------------------------------------------------------------------------------------


@router.get(
    "/charges/{charge_id}/vouchers",
    response=list[shapes.OfferOut],
    summary="Vouchers beside a charge: what each would cover, or why not",
)
def offers(request: HttpRequest, charge_id: int) -> list[dict[str, Any]]:
    charge = get_charge_to_cover(access(request), charge_id)
    return [shapes.offer_out(offer, charge.total) for offer in offers_for_charge(charge)]


@router.post("/charges/{charge_id}/voucher", response=shapes.UseOut, summary="Reserve a voucher for a charge")
def cover(request: HttpRequest, charge_id: int, payload: shapes.CoverIn) -> dict[str, Any]:
    charge = get_charge_to_cover(access(request), charge_id)
    voucher = find_voucher(access(request), charge.customer, payload.voucher)
    if voucher is None:
        raise NotFound
    cover_charge(
        source=charge.source,
        source_uid=charge.source_uid,
        grant=voucher,
        declared=payload.voucher_declared,
        by=person(request),
    )
    use = use_of(charge)
    if use is None:
        raise NotFound
    return shapes.use_out(use)


@router.post("/charges/{charge_id}/voucher/remove", response=list[shapes.OfferOut], summary="Give it back")
def uncover(request: HttpRequest, charge_id: int) -> list[dict[str, Any]]:
    charge = get_charge_to_cover(access(request), charge_id)
    uncover_charge(source=charge.source, source_uid=charge.source_uid, by=person(request))
    return [shapes.offer_out(offer, charge.total) for offer in offers_for_charge(charge)]


@router.get("/voucher-uses", response=shapes.UseList, summary="What vouchers cover")
def list_uses(request: HttpRequest, filters: Query[shapes.UseFilter]) -> dict[str, Any]:
    wanted = {
        "state": filters.status,
        "grant__scheme": filters.scheme,
        "charge__institution": filters.institution,
        "grant": filters.voucher,
    }
    rows = queries.visible_uses(access(request)).filter(**{k: v for k, v in wanted.items() if v is not None})
    return page_of(rows.order_by("-pk"), filters, shapes.use_out)


@router.get("/voucher-uses/{use_id}", response=shapes.UseOut, summary="One of them")
def get_use(request: HttpRequest, use_id: int) -> dict[str, Any]:
    return shapes.use_out(queries.get_use(access(request), use_id))


@router.get("/voucher-uses/{use_id}/evidence", response=papers.EvidenceOut, summary="What its evidence lacks")
def use_evidence(request: HttpRequest, use_id: int) -> dict[str, Any]:
    return papers.evidence_out(pack_of_use(_redeemed(request, use_id)))


@router.get("/voucher-uses/{use_id}/evidence.zip", summary="Its evidence for the authority", openapi_extra=_ZIP)
def use_pack(request: HttpRequest, use_id: int) -> FileResponse:
    use = _redeemed(request, use_id)
    ensure_pdf(invoice=invoice_of(use))
    return pack_response(pack_of_use(use))


def _redeemed(request: HttpRequest, use_id: int) -> VoucherUse:
    use = queries.get_use(access(request), use_id)
    if use.state != UseState.REDEEMED:
        raise NotFound
    return use


# --- payouts and caps ------------------------------------------------------------------------------------------------


@router.get("/voucher-dues", response=list[papers.DueOut], summary="What the network owes institutions")
def dues(request: HttpRequest) -> list[dict[str, Any]]:
    may = access(request)
    due = due_uses() if may.is_operator else due_uses().filter(charge__institution__in=finance_of(may))
    return [papers.due_out(row) for row in to_pay_out(due)]


@router.get("/voucher-payouts", response=papers.PayoutList, summary="Transfers of the network")
def list_payouts(request: HttpRequest, filters: Query[papers.PayoutFilter]) -> dict[str, Any]:
    rows = queries.visible_payouts(access(request))
    if filters.status is not None:
        rows = rows.filter(state=filters.status)
    return page_of(rows, filters, papers.payout_out)


@router.post("/voucher-payouts", response={201: papers.PayoutOut}, summary="Gather what is due into a batch")
def prepare(request: HttpRequest, payload: papers.PrepareIn) -> Status[dict[str, Any]]:
    queries.network_of(access(request))
    made = prepare_payout(
        institution=one(Organisation.objects.all(), payload.institution),
        scheme=one(VoucherScheme.objects.all(), payload.scheme),
        by=person(request),
    )
    return Status(201, papers.payout_out(made))


@router.get("/voucher-payouts/{payout_id}", response=papers.PayoutOut, summary="A transfer")
def get_payout(request: HttpRequest, payout_id: int) -> dict[str, Any]:
    return papers.payout_out(queries.get_payout(access(request), payout_id))


@router.post("/voucher-payouts/{payout_id}/paid", response=papers.PayoutOut, summary="Mark it as paid")
def paid(request: HttpRequest, payout_id: int, payload: papers.PaidIn) -> dict[str, Any]:
    found = queries.get_payout_to_run(access(request), payout_id)
    return papers.payout_out(mark_paid(payout=found, by=person(request), **payload.dict()))


@router.post("/voucher-payouts/{payout_id}/drop", response={204: None}, summary="Give a batch up that is not paid")
def drop(request: HttpRequest, payout_id: int) -> Status[None]:
    drop_payout(payout=queries.get_payout_to_run(access(request), payout_id), by=person(request))
    return Status(204, None)


@router.get("/voucher-payouts/{payout_id}/evidence", response=papers.EvidenceOut, summary="What its evidence lacks")
def payout_evidence(request: HttpRequest, payout_id: int) -> dict[str, Any]:
    return papers.evidence_out(pack_of_payout(queries.get_payout(access(request), payout_id)))


@router.get("/voucher-payouts/{payout_id}/evidence.zip", summary="Its evidence", openapi_extra=_ZIP)
def payout_pack(request: HttpRequest, payout_id: int) -> FileResponse:
    return pack_response(pack_of_payout(queries.get_payout(access(request), payout_id)))


@router.get("/voucher-caps", response=list[papers.CapOut], summary="What is used of the caps, for the network")
def caps(request: HttpRequest) -> list[dict[str, Any]]:
    return [papers.cap_out(row) for row in queries.caps_of(access(request))]


@router.get("/exports/vouchers.{form}", summary="Vouchers as a table", openapi_extra=_TABLE)
def export_vouchers(request: HttpRequest, form: schemas.ExportFormat) -> Download:
    return tables.export_grants(queries.visible_grants(access(request)), form.value)


@router.get("/exports/voucher-uses.{form}", summary="What vouchers cover as a table", openapi_extra=_TABLE)
def export_uses(request: HttpRequest, form: schemas.ExportFormat) -> Download:
    return tables.export_uses(queries.visible_uses(access(request)), form.value)


@router.get("/exports/voucher-payouts.{form}", summary="Transfers as a table", openapi_extra=_TABLE)
def export_payouts(request: HttpRequest, form: schemas.ExportFormat) -> Download:
    return tables.export_payouts(queries.visible_payouts(access(request)), form.value)


@router.get("/exports/voucher-caps.{form}", summary="Caps as a table, for the network", openapi_extra=_TABLE)
def export_caps(request: HttpRequest, form: schemas.ExportFormat) -> Download:
    return tables.export_caps(queries.caps_of(access(request)), form.value)


# --- papers beside an invoice ----------------------------------------------------------------------------------------


@router.get("/invoices/{invoice_id}/files", response=list[papers.InvoiceFileOut], summary="Papers beside an invoice")
def invoice_files(request: HttpRequest, invoice_id: int) -> list[dict[str, Any]]:
    found = get_visible_invoice(access(request), invoice_id)
    return [papers.invoice_file_out(file) for file in files_of([found.pk])]


@router.post("/invoices/{invoice_id}/files", response=list[papers.InvoiceFileOut], summary="Add papers to an invoice")
def add_files(
    request: HttpRequest, invoice_id: int, form: Form[papers.FileIn], files: File[list[UploadedFile]]
) -> list[dict[str, Any]]:
    found = get_managed_invoice(access(request), invoice_id)
    add_invoice_files(invoice=found, kind=form.kind, files=files, by=person(request))
    return [papers.invoice_file_out(file) for file in files_of([found.pk])]


@router.get("/invoices/{invoice_id}/files/{file_id}", summary="One of the papers", openapi_extra=_BYTES)
def invoice_file(request: HttpRequest, invoice_id: int, file_id: int) -> FileResponse:
    return stored_response(get_invoice_file(get_visible_invoice(access(request), invoice_id), file_id))


@router.post("/invoices/{invoice_id}/files/{file_id}/remove", response={204: None}, summary="Remove a paper")
def remove_file(request: HttpRequest, invoice_id: int, file_id: int) -> Status[None]:
    found = get_managed_invoice(access(request), invoice_id)
    remove_invoice_file(file=get_invoice_file(found, file_id), by=person(request))
    return Status(204, None)
