"""The list of invoices, and the customer's money page."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Paginator
from django.db.models import F, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from backend.accounts.auth import access, current_organisation, page
from backend.accounts.models import Organisation, Project
from backend.core.export import Format
from invoices.exports import tables
from invoices.forms import InvoiceFilterForm
from invoices.models import ChargeState, Invoice, InvoiceQuerySet
from invoices.queries.budgets import money_of_projects, visible_projects
from invoices.queries.money import Money, money_of
from invoices.queries.own import STATES, OwnYear, Wanted, accounts_of, open_quotes, year_of
from invoices.queries.papers import listed, show
from invoices.queries.scope import RECEIVERS, finance_of, visible_charges, visible_invoices
from invoices.views.shared import months, period_of
from invoices.views.spending import wanted_of

PER_PAGE = 30
YEARS_SHOWN = 5
# A draft's total and number are not stored; they sort by what is charged and come last.
SORTS: dict[str, list[Any]] = {
    "number": ["issued_at", "pk"],
    "period": ["period", "pk"],
    "customer": ["customer__name", "pk"],
    "due": [F("due_date").asc(nulls_last=True), "pk"],
    "total": ["charged", "pk"],
}


@page
@require_GET
def invoice_list(request: HttpRequest) -> HttpResponse:
    if not _reads_invoices(request):
        return redirect("invoices:mine")
    rows, filters = _listed(request)
    paginator = Paginator(listed(rows), PER_PAGE)
    page_obj = paginator.get_page(request.GET.get("page"))
    mine = visible_invoices(access(request)).order_by()
    institutions = _parties(mine, "institution")
    context = {
        "page_obj": page_obj,
        "rows": show(list(page_obj.object_list)),
        "filters": filters,
        "filtered": any(value for key, value in filters.items() if key != "sort"),
        "statuses": InvoiceFilterForm().fields["status"].choices,  # type: ignore[attr-defined]  # a ChoiceField
        "kinds": InvoiceFilterForm().fields["kind"].choices,  # type: ignore[attr-defined]  # a ChoiceField
        "periods": list(mine.values_list("period", flat=True).distinct().order_by("-period")[:36]),
        "customers": _parties(mine, "customer"),
        "query": request.GET.urlencode(),
        "keeps_ledger": bool(finance_of(access(request))),
        "nav": "invoices:desk" if finance_of(access(request)) else "invoices:mine",
        "institutions": institutions,
        "party": _party(bool(finance_of(access(request))), filters, len(institutions)),
    }
    return render(request, "invoices/list.html", context)


def _parties(mine: QuerySet[Invoice], side: str) -> list[tuple[int, str]]:
    """Who stands on this side of the invoices, by the name in the reader's language."""
    language = get_language() or ""
    found = Organisation.objects.filter(pk__in=mine.values(side)).order_by("name")[:300]
    return sorted(((one.pk, one.label(language)) for one in found), key=lambda each: each[1])


def _party(keeps_ledger: bool, filters: dict[str, Any], institutions: int) -> str:
    """Which side a row names: the other one; both where one's own statements stand among those of others."""
    if not keeps_ledger:
        return "institution"
    return "customer" if filters.get("institution") or institutions < 2 else "both"


@page
@require_GET
def export(request: HttpRequest, kind: str, form: Format) -> tables.Download:
    """The list as seen: same filters, all pages."""
    rows, filters = _listed(request)
    name = "-".join(filter(None, [kind, filters.get("period")]))
    makers = {
        "invoices": tables.export_invoices,
        "lines": tables.export_lines,
        "payments": tables.export_payments,
    }
    return makers[kind](rows, form, name=name)


@page
@require_GET
def mine(request: HttpRequest) -> HttpResponse:
    """What the organisation that the person acts for is charged."""
    customer = current_organisation(request)
    if customer is None:
        return render(request, "accounts/no_organisation.html", {"nav": "invoices:mine"})
    period = period_of(request)
    money = money_of(access(request), customer, period)
    context = {"money": money, "months": months(period), "figures": _figures(money), **_around(request, customer)}
    return render(request, "invoices/mine.html", context)


def _around(request: HttpRequest, customer: Organisation) -> dict[str, Any]:
    """The year in figures as narrowed, and what else there is of the organisation's money."""
    may, today = access(request), timezone.localdate()
    year = year_of(may, customer, wanted_of(request))
    projects = list(visible_projects(may, customer)) if customer.rules_spending else []
    rows = money_of_projects(projects, customer.currency, today)
    return {
        "year": year,
        "year_chart": _chart(year),
        "years": range(today.year, today.year - YEARS_SHOWN, -1),
        "states": [(state, ChargeState(state).label) for state in STATES],
        "projects": Project.objects.filter(charges__in=visible_charges(may).filter(customer=customer)).distinct(),
        "institutions": year_of(may, customer, Wanted(year.wanted.year)).institutions,
        "query": request.GET.urlencode(),
        "accounts": accounts_of(may, customer),
        "quotes": open_quotes(may, customer),
        "budgets": [row for row in rows if row.budget],
        "keeps_rules": may.has(customer.pk, *RECEIVERS),
        "waiting": customer.rules_spending and may.has(customer.pk, *RECEIVERS),
        "leads": may.has(customer.pk, *RECEIVERS) or any(row.project.leader_id == may.user_id for row in rows),
    }


def _chart(year: OwnYear) -> dict[str, Any]:
    series = [
        {"name": str(ChargeState(state).label), "data": [float(line.sums.get(state, 0)) for line in year.months]}
        for state in STATES
    ]
    labels = [line.label for line in year.months]
    return {"kind": "stack", "labels": labels, "series": series, "unit": year.customer.currency}


def _figures(money: Money) -> list[dict[str, Any]]:
    arisen = [
        {"label": _("Quoted this month"), "value": money.sum_of(ChargeState.RESERVED)},
        {"label": _("Used, to be invoiced"), "value": money.sum_of(ChargeState.FINAL)},
    ]
    if not money.may_receive:
        return arisen
    invoices = reverse("invoices:list")
    return [
        *arisen,
        {"label": _("Open invoices"), "value": money.open_sum, "url": f"{invoices}?status=not_due"},
        {
            "label": _("Overdue"),
            "value": money.overdue_sum,
            "url": f"{invoices}?status=overdue",
            "tone": "bad" if money.overdue_sum else "",
        },
    ]


def _reads_invoices(request: HttpRequest) -> bool:
    """Plain members have no invoices, only charges of their own; who belongs nowhere sees an empty list."""
    may = access(request)
    return not may.where() or bool(finance_of(may) or may.where(*RECEIVERS))


def _listed(request: HttpRequest) -> tuple[InvoiceQuerySet, dict[str, Any]]:
    form = InvoiceFilterForm(request.GET)
    form.is_valid()
    filters = dict(form.cleaned_data)
    rows = visible_invoices(access(request)).with_charged()
    if filters.get("status"):
        rows = rows.shown_as(filters["status"], timezone.localdate())
    for name in ("period", "customer", "institution", "kind"):
        if filters.get(name):
            rows = rows.filter(**{name: filters[name]})
    sort = filters.get("sort") or ""
    if sort:
        rows = rows.order_by(*SORTS[sort.removeprefix("-")])
        rows = rows.reverse() if sort.startswith("-") else rows
    return rows, filters
