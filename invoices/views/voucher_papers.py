"""What was redeemed, its evidence, the transfers of the network, and the papers beside an invoice."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import FileResponse, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from backend.accounts.auth import access, page, person
from backend.accounts.models import Organisation
from backend.core.db import one
from backend.core.errors import NotFound
from backend.core.export import Format
from backend.core.fields import checked
from backend.core.http import go
from invoices import rules, voucher_rules
from invoices.actions.documents import ensure_pdf
from invoices.actions.invoice_files import add_invoice_files, remove_invoice_file
from invoices.actions.voucher_payouts import drop_payout, mark_paid, prepare_payout
from invoices.exports import vouchers as tables
from invoices.exports.evidence import pack_response
from invoices.exports.stored import stored_response
from invoices.exports.tables import Download
from invoices.models import PayoutState, UseState, VoucherScheme, VoucherUse
from invoices.queries import vouchers as queries
from invoices.queries.evidence import get_invoice_file
from invoices.queries.payouts import due_uses, invoice_of, pack_of_payout, pack_of_use, to_pay_out
from invoices.queries.scope import finance_of, get_managed_invoice, get_visible_invoice
from invoices.views.vouchers import nav
from invoices.voucher_forms import FileForm, PaidForm, PrepareForm, UseFilterForm

PER_PAGE = 50


# --- uses ------------------------------------------------------------------------------------------------------------


@page
@require_GET
def uses(request: HttpRequest) -> HttpResponse:
    rows, filters = _listed(request)
    page_obj = Paginator(rows.order_by("-pk"), PER_PAGE).get_page(request.GET.get("page"))
    mine = queries.visible_uses(access(request)).order_by()
    context = {
        "page_obj": page_obj,
        "rows": [(use, voucher_rules.use_status(use)) for use in page_obj.object_list],
        "filters": filters,
        "filtered": any(filters.values()),
        "states": UseState.choices,
        "schemes": list(VoucherScheme.objects.filter(pk__in=mine.values("grant__scheme"))),
        "institutions": list(Organisation.objects.filter(pk__in=mine.values("charge__institution"))),
        "query": request.GET.urlencode(),
        "nav": nav(request),
    }
    return render(request, "invoices/vouchers/uses.html", context)


def _listed(request: HttpRequest) -> tuple[QuerySet[VoucherUse], dict[str, Any]]:
    form = UseFilterForm(request.GET)
    form.is_valid()
    filters = {name: value for name, value in form.cleaned_data.items() if value}
    rows = queries.visible_uses(access(request))
    links = {"state": "state", "scheme": "grant__scheme", "institution": "charge__institution"}
    rows = rows.filter(**{link: filters[name] for name, link in links.items() if name in filters})
    if "month" in filters:
        first, last = rules.first_day(filters["month"]), rules.last_day(filters["month"])
        rows = rows.filter(charge__service_date__range=(first, last))
    return rows, filters


@page
@require_GET
def uses_export(request: HttpRequest, form: Format) -> Download:
    return tables.export_uses(_listed(request)[0], form)


@page
@require_GET
def use(request: HttpRequest, pk: int) -> HttpResponse:
    found = queries.get_use(access(request), pk)
    context = {
        "use": found,
        "status": voucher_rules.use_status(found),
        "limits": [voucher_rules.limit_word(code) for code in found.limits],
        "own": found.charge.total - found.amount,
        "pack": pack_of_use(found) if found.state == UseState.REDEEMED else None,
        "is_finance": found.charge.institution_id in finance_of(access(request)),
        "file_form": FileForm(),
        "nav": nav(request),
    }
    return render(request, "invoices/vouchers/use.html", context)


@page
@require_GET
def use_evidence(request: HttpRequest, pk: int) -> FileResponse:
    """Of what was redeemed; the PDF is made first where nobody has made it yet."""
    found = queries.get_use(access(request), pk)
    if found.state != UseState.REDEEMED or found.charge.invoice is None:
        raise NotFound
    # Who may see a use may see its document: operators check it before they pay.
    ensure_pdf(invoice=invoice_of(found))
    return pack_response(pack_of_use(found))


# --- transfers of the network ----------------------------------------------------------------------------------------


@page
@require_GET
def payouts(request: HttpRequest) -> HttpResponse:
    may = access(request)
    due = due_uses() if may.is_operator else due_uses().filter(charge__institution__in=finance_of(may))
    page_obj = Paginator(queries.visible_payouts(may), PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "due": to_pay_out(due),
        "page_obj": page_obj,
        "is_operator": may.is_operator,
        "nav": nav(request),
    }
    return render(request, "invoices/vouchers/payouts.html", context)


@page
@require_POST
def payout_prepare(request: HttpRequest) -> HttpResponse:
    queries.network_of(access(request))
    data = checked(PrepareForm(request.POST))
    made = prepare_payout(
        institution=one(Organisation.objects.all(), data["institution"]),
        scheme=one(VoucherScheme.objects.all(), data["scheme"]),
        by=person(request),
    )
    return go(request, reverse("invoices:voucher_payout", args=[made.pk]))


@page
@require_GET
def payout(request: HttpRequest, pk: int) -> HttpResponse:
    may = access(request)
    found = queries.get_payout(may, pk)
    lines = list(
        found.lines.select_related("use__grant__scheme", "use__charge__customer", "use__charge__invoice").defer(
            "use__charge__invoice__snapshot"
        )
    )
    context = {
        "payout": found,
        "lines": lines,
        "pack": pack_of_payout(found),
        "may_pay": may.is_operator and found.state == PayoutState.PREPARED,
        "form": PaidForm(initial={"paid_on": timezone.localdate()}),
        "nav": nav(request),
    }
    return render(request, "invoices/vouchers/payout.html", context)


@page
@require_GET
def payout_evidence(request: HttpRequest, pk: int) -> FileResponse:
    found = queries.get_payout(access(request), pk)
    return pack_response(pack_of_payout(found))


@page
@require_POST
def payout_paid(request: HttpRequest, pk: int) -> HttpResponse:
    found = queries.get_payout_to_run(access(request), pk)
    mark_paid(payout=found, by=person(request), **checked(PaidForm(request.POST)))
    messages.success(request, _("Marked as paid; the institution has been told."))
    return go(request, reverse("invoices:voucher_payout", args=[pk]))


@page
@require_POST
def payout_drop(request: HttpRequest, pk: int) -> HttpResponse:
    drop_payout(payout=queries.get_payout_to_run(access(request), pk), by=person(request))
    messages.success(request, _("The batch was given up; its vouchers are due again."))
    return go(request, reverse("invoices:voucher_payouts"))


# --- papers beside an invoice ----------------------------------------------------------------------------------------


@page
@require_POST
def invoice_files(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_managed_invoice(access(request), pk)
    data = checked(FileForm(request.POST))
    add_invoice_files(invoice=found, kind=data["kind"], files=request.FILES.getlist("files"), by=person(request))
    messages.success(request, _("The files were added."))
    return go(request, f"{reverse('invoices:invoice', args=[pk])}#papers")


@page
@require_GET
def invoice_file(request: HttpRequest, pk: int, file: int) -> FileResponse:
    return stored_response(get_invoice_file(get_visible_invoice(access(request), pk), file))


@page
@require_POST
def invoice_file_remove(request: HttpRequest, pk: int, file: int) -> HttpResponse:
    found = get_managed_invoice(access(request), pk)
    remove_invoice_file(file=get_invoice_file(found, file), by=person(request))
    messages.success(request, _("The file was removed."))
    return go(request, f"{reverse('invoices:invoice', args=[pk])}#papers")
