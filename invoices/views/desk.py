"""The desk of an institution's finance: the month, open balances, the batch for the tax platform."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from backend.accounts.auth import access, page, person
from backend.accounts.models import Organisation
from backend.core.errors import Forbidden, invalid
from backend.core.export import Format
from backend.core.http import go
from backend.core.money import format_amount
from invoices.actions.invoices import draft_invoice
from invoices.exports import tables
from invoices.forms import DraftForm
from invoices.models import ShownStatus
from invoices.queries.ageing import ageing_of, band_labels
from invoices.queries.desk import Desk, month_of
from invoices.queries.scope import get_charged_customer, get_ledger
from invoices.views.shared import ledger_of, months, period_of


@page
@require_GET
def desk(request: HttpRequest) -> HttpResponse:
    """The month of the institution that the person acts for; those without a ledger see what they are charged."""
    institution = ledger_of(request)
    if institution is None:
        return redirect("invoices:mine")
    period = period_of(request)
    shown = month_of(institution, period)
    return render(request, "invoices/desk.html", {"desk": shown, "months": months(period), "figures": _figures(shown)})


def _figures(desk: Desk) -> list[dict[str, Any]]:
    rows = f"{reverse('invoices:list')}?institution={desk.institution.pk}&"
    figures: list[tuple[str, Any, int, str, str]] = [
        (_("To draft"), desk.sum_to_draft(), desk.customers_to_draft(), "#to-draft", ""),
        (_("Drafts"), desk.sum_drafts(), len(desk.drafts), f"{rows}status=draft", ""),
        (str(ShownStatus.OPEN.label), desk.open_sum, desk.open_count, f"{rows}status=not_due", ""),
        (_("Overdue"), desk.sum_overdue(), len(desk.overdue), f"{rows}status=overdue", "bad" if desk.overdue else ""),
        (_("Paid for this month"), desk.sum_paid(), desk.paid_count(), f"{rows}period={desk.period}", "good"),
    ]
    return [
        {"label": label, "value": value, "count": count, "url": url, "tone": tone if value else ""}
        for label, value, count, url, tone in figures
    ]


@page
@require_POST
def draft(request: HttpRequest) -> HttpResponse:
    form = DraftForm(request.POST)
    if not form.is_valid():
        raise invalid("period", _("Give the month as YYYY-MM, for example 2026-03."))
    data = form.cleaned_data
    institution = get_ledger(access(request), data["institution"])
    customer = get_charged_customer(institution.pk, data["customer"])
    draft_invoice(
        institution_id=institution.pk,
        customer_id=customer.pk,
        period=data["period"],
        currency=data["currency"] or None,
        by=person(request),
    )
    messages.success(request, _("Draft for %(customer)s made.") % {"customer": customer.name})
    return go(request, f"{reverse('invoices:desk')}?period={data['period']}")


def _kept(request: HttpRequest) -> Organisation:
    institution = ledger_of(request)
    if institution is None:
        raise Forbidden
    return institution


@page
@require_GET
def ageing(request: HttpRequest) -> HttpResponse:
    """Who owes how much for how long."""
    found = ageing_of(_kept(request))
    labels = band_labels()
    chart = {
        "kind": "bar",
        "labels": labels,
        "series": [{"name": row.currency, "data": [format_amount(band) for band in row.bands]} for row in found.totals],
    }
    return render(request, "invoices/ageing.html", {"ageing": found, "labels": labels, "chart": chart})


@page
@require_GET
def ageing_export(request: HttpRequest, form: Format) -> tables.Download:
    return tables.export_ageing(ageing_of(_kept(request)), form)
