"""Pages of finance, and the customer's money page."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import F
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST
from django_htmx.http import HttpResponseClientRedirect

from backend.accounts.auth import access, current_organisation, page, person
from backend.accounts.models import Organisation
from backend.core.errors import NotFound, invalid
from backend.core.export import Format
from instruments.pricing.units import unit_label
from invoices import exports, queries, rules
from invoices.actions.documents import ensure_pdf
from invoices.actions.invoices import delete_draft, draft_invoice, issue_invoice, write_fapiao_number
from invoices.forms import DraftForm, FapiaoForm, InvoiceFilterForm
from invoices.models import ChargeState, Invoice, InvoicePdf, InvoiceQuerySet, InvoiceStatus, ShownStatus

PER_PAGE = 30
PDF_PATIENCE = timedelta(minutes=1)
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
def desk(request: HttpRequest) -> HttpResponse:
    """The month of the institution that the person acts for; those without a ledger see what they are charged."""
    institution = _ledger(request)
    if institution is None:
        return redirect("invoices:mine")
    period = _period(request)
    return render(
        request,
        "invoices/desk.html",
        {"desk": queries.desk(institution, period), "months": _months(period)},
    )


@page
@require_POST
def draft(request: HttpRequest) -> HttpResponse:
    form = DraftForm(request.POST)
    if not form.is_valid():
        raise invalid("period", _("Give the month as YYYY-MM, for example 2026-03."))
    data = form.cleaned_data
    institution = queries.get_ledger(access(request), data["institution"])
    customer = queries.get_charged_customer(institution.pk, data["customer"])
    draft_invoice(institution_id=institution.pk, customer_id=customer.pk, period=data["period"], by=person(request))
    messages.success(request, _("Draft for %(customer)s made.") % {"customer": customer.name})
    return _go(request, f"{reverse('invoices:desk')}?period={data['period']}")


@page
@require_GET
def invoice(request: HttpRequest, pk: int) -> HttpResponse:
    found = queries.get_visible_invoice(access(request), pk)
    is_finance = found.institution_id in queries.finance_of(access(request))
    return render(
        request,
        "invoices/invoice.html",
        {
            "invoice": found,
            "shown": queries.show([found])[0],
            "paper": rules.paper(queries.document_of(found), unit=unit_label),
            "is_draft": found.status == InvoiceStatus.DRAFT,
            "is_finance": is_finance,
            "pdf_expected": _pdf_expected(found),
            "fapiao_form": FapiaoForm(initial={"number": found.fapiao_number}),
            "events": _events(found),
        },
    )


@page
@require_POST
def issue(request: HttpRequest, pk: int) -> HttpResponse:
    issued = issue_invoice(invoice=queries.get_managed_invoice(access(request), pk), by=person(request))
    messages.success(request, _("Issued as %(number)s.") % {"number": issued.number})
    if request.POST.get("back") == "desk":
        return _go(request, f"{reverse('invoices:desk')}?period={issued.period}")
    return _go(request, reverse("invoices:invoice", args=[pk]))


@page
@require_POST
def delete(request: HttpRequest, pk: int) -> HttpResponse:
    found = queries.get_managed_invoice(access(request), pk)
    delete_draft(invoice=found, by=person(request))
    messages.success(request, _("The draft was deleted; its charges can be invoiced again."))
    return _go(request, f"{reverse('invoices:desk')}?period={found.period}")


@page
@require_POST
def fapiao(request: HttpRequest, pk: int) -> HttpResponse:
    found = queries.get_managed_invoice(access(request), pk)
    write_fapiao_number(invoice=found, number=request.POST.get("number", ""), by=person(request))
    messages.success(request, _("The fapiao number was noted."))
    return _go(request, reverse("invoices:invoice", args=[pk]))


@page
@require_GET
def pdf(request: HttpRequest, pk: int) -> HttpResponse:
    return exports.pdf_response(ensure_pdf(invoice=queries.get_visible_invoice(access(request), pk)))


@page
@require_GET
def pdf_state(request: HttpRequest, pk: int) -> HttpResponse:
    """The download button, or a word that the document is being made; asks again by itself."""
    found = queries.get_visible_invoice(access(request), pk)
    return render(request, "invoices/_pdf.html", {"invoice": found, "pdf_expected": _pdf_expected(found)})


@page
@require_GET
def lines(request: HttpRequest, pk: int, form: Format) -> exports.Download:
    found = queries.get_visible_invoice(access(request), pk)
    if found.status == InvoiceStatus.DRAFT:
        raise NotFound
    return exports.export_lines(Invoice.objects.filter(pk=found.pk), form, name=str(found.number))


@page
@require_GET
def invoice_list(request: HttpRequest) -> HttpResponse:
    if not _reads_invoices(request):
        return redirect("invoices:mine")
    rows, filters = _listed(request)
    paginator = Paginator(queries.invoice_list(rows), PER_PAGE)
    page_obj = paginator.get_page(request.GET.get("page"))
    mine = queries.visible_invoices(access(request)).order_by()
    context = {
        "page_obj": page_obj,
        "rows": queries.show(list(page_obj.object_list)),
        "filters": filters,
        "filtered": any(value for key, value in filters.items() if key != "sort"),
        "statuses": InvoiceFilterForm().fields["status"].choices,  # type: ignore[attr-defined]  # a ChoiceField
        "periods": list(mine.values_list("period", flat=True).distinct().order_by("-period")[:36]),
        "customers": list(
            mine.values_list("customer_id", "customer__name").distinct().order_by("customer__name")[:300]
        ),
        "query": request.GET.urlencode(),
        "keeps_ledger": bool(queries.finance_of(access(request))),
        "party": "customer" if queries.finance_of(access(request)) else "institution",
    }
    return render(request, "invoices/list.html", context)


@page
@require_GET
def export(request: HttpRequest, kind: str, form: Format) -> exports.Download:
    """The list as seen: same filters, all pages."""
    rows, filters = _listed(request)
    name = "-".join(filter(None, [kind, filters.get("period")]))
    make = {"invoices": exports.export_invoices, "lines": exports.export_lines}[kind]
    return make(rows, form, name=name)


@page
@require_GET
def mine(request: HttpRequest) -> HttpResponse:
    """What the organisation that the person acts for is charged."""
    customer = current_organisation(request)
    if customer is None:
        raise NotFound
    period = _period(request)
    money = queries.money_of(access(request), customer, period)
    return render(
        request, "invoices/mine.html", {"money": money, "months": _months(period), "figures": _figures(money)}
    )


def _figures(money: queries.Money) -> list[dict[str, Any]]:
    arisen = [
        {"label": _("Quoted this month"), "value": money.sum_of(ChargeState.RESERVED)},
        {"label": _("Used, to be invoiced"), "value": money.sum_of(ChargeState.FINAL)},
    ]
    if not money.may_receive:
        return arisen
    invoices = reverse("invoices:list")
    overdue = money.sum_in(ShownStatus.OVERDUE)
    return [
        *arisen,
        {"label": _("Open invoices"), "value": money.sum_in(ShownStatus.OPEN), "url": f"{invoices}?status=open"},
        {
            "label": _("Overdue"),
            "value": overdue,
            "url": f"{invoices}?status=overdue",
            "tone": "bad" if overdue else "",
        },
    ]


def _reads_invoices(request: HttpRequest) -> bool:
    """Plain members have no invoices, only charges of their own; who belongs nowhere sees an empty list."""
    may = access(request)
    return not may.where() or bool(queries.finance_of(may) or may.where(*queries.RECEIVERS))


def _ledger(request: HttpRequest) -> Organisation | None:
    """The institution to keep the ledger of: the current organisation, else the first that one may."""
    ledgers = queries.finance_of(access(request))
    current = current_organisation(request)
    if current is not None and current.pk in ledgers:
        return current
    return access(request).organisations[min(ledgers)] if ledgers else None


def _period(request: HttpRequest) -> str:
    wanted = request.GET.get("period", "")
    return wanted if rules.is_period(wanted) else rules.period_of(timezone.localdate())


def _months(period: str) -> dict[str, Any]:
    return {"this": period, "before": rules.neighbour(period, -1), "after": rules.neighbour(period, 1)}


def _listed(request: HttpRequest) -> tuple[InvoiceQuerySet, dict[str, Any]]:
    form = InvoiceFilterForm(request.GET)
    form.is_valid()
    filters = dict(form.cleaned_data)
    rows = queries.visible_invoices(access(request)).with_charged()
    if filters.get("status"):
        rows = rows.shown_as(filters["status"], timezone.localdate())
    for name in ("period", "customer", "institution"):
        if filters.get(name):
            rows = rows.filter(**{name: filters[name]})
    sort = filters.get("sort") or ""
    if sort:
        rows = rows.order_by(*SORTS[sort.removeprefix("-")])
        rows = rows.reverse() if sort.startswith("-") else rows
    return rows, filters


def _events(found: Invoice) -> list[dict[str, Any]]:
    events = [{"at": found.created_at, "text": _("Draft made"), "by": found.created_by}]
    if found.issued_at:
        events.append({"at": found.issued_at, "text": _("Issued"), "by": found.issued_by, "tone": "good"})
    return events[::-1]


def _pdf_expected(found: Invoice) -> bool:
    """Whether the worker is probably still making it; later the first reader makes it."""
    recent = found.issued_at is not None and timezone.now() - found.issued_at < PDF_PATIENCE
    return recent and not InvoicePdf.objects.filter(invoice=found).exists()


def _go(request: HttpRequest, url: str) -> HttpResponse | HttpResponseRedirect:
    """To another page, also from a request that HTMX made: a refusal stays on the page, success leaves it."""
    return HttpResponseClientRedirect(url) if request.headers.get("HX-Request") else redirect(url)
