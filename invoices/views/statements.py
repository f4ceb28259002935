"""Bank statements: reading one in, and matching its rows."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from backend.accounts.auth import access, page, person
from backend.accounts.models import Organisation
from backend.core.export import Format
from backend.core.fields import checked
from backend.core.http import go
from backend.core.money import format_amount
from backend.core.text import whole_number
from instruments.actions.import_table import LARGEST_FILE
from invoices.actions.statements import ignore_row, match_row, match_sure, read_statement, reopen_row
from invoices.exports import money, tables
from invoices.models import BankRow, BankStatement, Charge, Invoice, RowState
from invoices.money_forms import MatchForm, RowFilterForm, SetAsideForm, StatementForm
from invoices.queries.scope import get_charged_customer
from invoices.queries.statements import Matching, get_row, get_statement, matches, visible_rows
from invoices.queries.terms import terms_of
from invoices.views.credit import sent_parts
from invoices.views.shared import kept_ledger

PER_PAGE = 30


def _rows(request: HttpRequest, institution: Organisation) -> tuple[Any, str]:
    form = RowFilterForm(request.GET)
    status = form.cleaned_data["status"] if form.is_valid() and "status" in request.GET else RowState.WAITING
    rows = visible_rows(access(request)).filter(institution=institution)
    return (rows.filter(state=status) if status else rows), status


@page
@require_http_methods(["GET", "POST"])
def bank(request: HttpRequest) -> HttpResponse:
    """GET: the rows, those to match first. POST: one more statement."""
    institution = kept_ledger(request)
    if request.method == "POST":
        data = checked(StatementForm(request.POST, request.FILES))
        file = data.pop("file")
        made = read_statement(
            institution=institution,
            name=file.name or "",
            content=file.read(LARGEST_FILE + 1),
            columns={name: text for name, text in data.items() if text},
            by=person(request),
        )
        messages.success(request, _read(made))
        return go(request, reverse("invoices:bank") + (f"?statement={made.pk}" if made.faults else ""))
    rows, status = _rows(request, institution)
    page_obj = Paginator(rows, PER_PAGE).get_page(request.GET.get("page"))
    found = [_shown(one) for one in matches(institution, list(page_obj.object_list))]
    waiting = visible_rows(access(request)).filter(institution=institution, state=RowState.WAITING)
    context = {
        "institution": institution,
        "page_obj": page_obj,
        "found": found,
        "status": status,
        "statuses": RowFilterForm().fields["status"].choices,  # type: ignore[attr-defined]  # a ChoiceField
        "sure": sum(one.sure for one in matches(institution, list(waiting[:200]))),
        "form": StatementForm(initial=terms_of(institution.pk).columns),
        "statement": _statement(request),
        "query": request.GET.urlencode(),
        "nav": "invoices:desk",
    }
    return render(request, "invoices/bank.html", context)


def _statement(request: HttpRequest) -> BankStatement | None:
    """Whose bad rows are shown."""
    pk = whole_number(request.GET.get("statement", ""))
    return None if pk is None else get_statement(access(request), pk)


def _read(made: BankStatement) -> str:
    new = ngettext("%(count)s new row", "%(count)s new rows", made.new_rows) % {"count": made.new_rows}
    words = _("%(file)s: %(new)s, %(known)s known already, %(bad)s unreadable.")
    return words % {"file": made.name, "new": new, "known": made.known_rows, "bad": len(made.faults)}


def _shown(found: Matching) -> dict[str, Any]:
    """A row with its suggestions; one query if there are any."""
    pks = {pk for one in found.suggestions for pk, _part in one.parts}
    invoices = {
        invoice.pk: invoice
        for invoice in Invoice.objects.filter(pk__in=pks).select_related("customer").defer("snapshot")
    }
    suggestions = [
        {
            "customer": invoices[one.parts[0][0]].customer,
            "parts": [(invoices[pk], part) for pk, part in one.parts],
            "rest": one.rest,
            "score": one.score,
            "reasons": one.reasons,
        }
        for one in found.suggestions
        if one.parts
    ]
    return {"row": found.row, "sure": found.sure, "suggestions": suggestions}


@page
@require_GET
def row(request: HttpRequest, pk: int) -> HttpResponse:
    """All suggestions of a row, and every open invoice to split it over."""
    found = get_row(access(request), pk)
    [matching] = matches(found.institution, [found])
    customer = _customer(request, found)
    chosen = dict(matching.suggestions[0].parts) if matching.suggestions and customer is None else {}
    rows = Invoice.objects.filter(institution=found.institution_id, currency=found.currency).owing()
    rows = rows.filter(customer=customer) if customer else rows
    named = rows.select_related("customer").defer("snapshot").order_by("customer__name", "due_date", "pk")[:200]
    context = {
        **_shown(matching),
        "invoices": [(one, format_amount(chosen[one.pk]) if one.pk in chosen else "") for one in named],
        "customers": _customers(found.institution),
        "customer": customer,
        "nav": "invoices:desk",
    }
    return render(request, "invoices/bank_row.html", context)


def _customers(institution: Organisation) -> list[Organisation]:
    charged = Charge.objects.filter(institution=institution).values("customer")
    return list(Organisation.objects.filter(pk__in=charged).order_by("name")[:500])


def _customer(request: HttpRequest, found: BankRow) -> Organisation | None:
    pk = whole_number(request.GET.get("customer", "") or request.POST.get("customer", ""))
    return None if pk is None else get_charged_customer(found.institution_id, pk)


@page
@require_POST
def match(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_row(access(request), pk)
    keep = checked(MatchForm(request.POST))["keep_rest"]
    made = match_row(
        row=found,
        parts=sent_parts(request),
        customer=_customer(request, found),
        keep_rest=keep,
        by=person(request),
    )
    messages.success(request, _("Recorded for %(customer)s.") % {"customer": made.customer.name})
    return go(request, reverse("invoices:bank"))


@page
@require_POST
def match_all(request: HttpRequest) -> HttpResponse:
    done, refused = match_sure(institution=kept_ledger(request), by=person(request))
    words = ngettext("%(count)s payment was recorded.", "%(count)s payments were recorded.", done) % {"count": done}
    messages.success(request, words)
    for reason in refused[:10]:
        messages.warning(request, reason)
    return go(request, reverse("invoices:bank"))


@page
@require_POST
def ignore(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_row(access(request), pk)
    ignore_row(row=found, reason=checked(SetAsideForm(request.POST))["reason"], by=person(request))
    messages.success(request, _("The row was set aside."))
    return go(request, reverse("invoices:bank"))


@page
@require_POST
def reopen(request: HttpRequest, pk: int) -> HttpResponse:
    reopen_row(row=get_row(access(request), pk), by=person(request))
    return go(request, reverse("invoices:bank_row", args=[pk]))


@page
@require_GET
def export(request: HttpRequest, form: Format) -> tables.Download:
    """The rows as seen."""
    rows, _status = _rows(request, kept_ledger(request))
    return money.export_rows(rows, form)
