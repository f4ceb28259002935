"""Prepaid accounts: the institution's list and terms, and one account for both sides."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from backend.accounts.auth import access, current_organisation, page, person
from backend.accounts.models import Organisation
from backend.accounts.queries import find_customer
from backend.core.errors import Forbidden
from backend.core.export import Format
from backend.core.fields import checked
from backend.core.http import go
from invoices.actions.prepaid import (
    delete_prepaid_terms,
    open_account,
    refund,
    reverse_entry,
    set_prepaid_terms,
    tell_when_below,
    top_up,
)
from invoices.exports.prepaid import export_accounts, export_entries
from invoices.exports.tables import Download
from invoices.forms import ReversalForm
from invoices.models import EntryKind, PrepaidAccount
from invoices.prepaid_forms import InstrumentTermsForm, LowForm, OpenForm, RefundForm, TermsForm, TopUpForm
from invoices.queries.prepaid import (
    SETTERS,
    accounts_kept,
    entries_of,
    find_part,
    get_account,
    get_entry,
    get_kept_account,
    get_terms,
    held_by,
    terms_of,
)
from invoices.queries.scope import finance_of
from invoices.views.shared import ledger_of

PER_PAGE = 30


def _kept(request: HttpRequest) -> Organisation:
    institution = ledger_of(request)
    if institution is None:
        raise Forbidden
    return institution


@page
@require_GET
def accounts(request: HttpRequest) -> HttpResponse:
    """What customers have paid ahead at the institution that the person keeps the ledger of."""
    institution = _kept(request)
    text, low = request.GET.get("q", "").strip(), request.GET.get("low") == "1"
    rows = Paginator(accounts_kept(institution, text, low=low), PER_PAGE).get_page(request.GET.get("page"))
    own = next((row for row in terms_of(institution) if row.instrument is None), None)
    context = {
        "institution": institution,
        "page_obj": rows,
        "held": held_by(institution),
        "terms": own,
        "text": text,
        "low": low,
        "query": request.GET.urlencode(),
        "open_form": OpenForm(),
        "nav": "invoices:desk",
    }
    return render(request, "invoices/prepaid_accounts.html", context)


@page
@require_GET
def accounts_export(request: HttpRequest, form: Format) -> Download:
    """The list as seen, all pages."""
    low = request.GET.get("low") == "1"
    return export_accounts(accounts_kept(_kept(request), request.GET.get("q", "").strip(), low=low), form)


@page
@require_POST
def open_one(request: HttpRequest) -> HttpResponse:
    institution = _kept(request)
    data = checked(OpenForm(request.POST))
    customer = find_customer(data["customer"])
    project, group = find_part(customer, data["project"], data["group"])
    account = open_account(institution=institution, customer=customer, project=project, group=group, by=person(request))
    return go(request, _url(account))


def _url(account: PrepaidAccount) -> str:
    return reverse("invoices:prepaid_account", args=[account.pk])


@page
@require_GET
def account(request: HttpRequest, pk: int) -> HttpResponse:
    """Its statement, for the customer and for the institution's finance, who records money here."""
    found = get_account(access(request), pk)
    return _account(request, found)


def _account(request: HttpRequest, found: PrepaidAccount, status: int = 200, **forms: Any) -> HttpResponse:
    keeps = found.institution_id in finance_of(access(request))
    rows = Paginator(entries_of(found), PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "account": found,
        "keeps": keeps,
        "page_obj": rows,
        "reversible": (EntryKind.TOP_UP, EntryKind.REFUND),
        "top_up_form": TopUpForm.today(),
        "refund_form": RefundForm.today(),
        "low_form": LowForm(initial={"low_at": found.low_at}),
        "nav": "invoices:desk" if keeps else "invoices:mine",
        **forms,
    }
    return render(request, "invoices/prepaid_account.html", context, status=status)


@page
@require_GET
def entries_export(request: HttpRequest, pk: int, form: Format) -> Download:
    return export_entries(get_account(access(request), pk), form)


@page
@require_POST
def pay_in(request: HttpRequest, pk: int) -> HttpResponse:
    return _recorded(request, pk, TopUpForm(request.POST), "top_up_form", top_up, _("Top-up recorded."))


@page
@require_POST
def pay_out(request: HttpRequest, pk: int) -> HttpResponse:
    return _recorded(request, pk, RefundForm(request.POST), "refund_form", refund, _("Refund recorded."))


def _recorded(request: HttpRequest, pk: int, form: Any, name: str, act: Callable[..., Any], done: str) -> HttpResponse:
    found = get_kept_account(access(request), pk)
    if not form.is_valid():
        return _account(request, found, 422, **{name: form})
    act(account=found, by=person(request), **form.cleaned_data)
    messages.success(request, done)
    return go(request, _url(found))


@page
@require_POST
def low(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_kept_account(access(request), pk)
    tell_when_below(account=found, by=person(request), **checked(LowForm(request.POST)))
    messages.success(request, _("Saved."))
    return go(request, _url(found))


@page
@require_http_methods(["GET", "POST"])
def reverse_one(request: HttpRequest, pk: int, entry: int) -> HttpResponse:
    """Take a top-up or refund back, with a reason."""
    found = get_kept_account(access(request), pk)
    row = get_entry(found, entry)
    form = ReversalForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        reverse_entry(entry=row, reason=form.cleaned_data["reason"], by=person(request))
        messages.success(request, _("Reversed."))
        return go(request, _url(found))
    context = {"account": found, "entry": row, "form": form, "nav": "invoices:desk"}
    return render(request, "invoices/prepaid_reverse.html", context, status=422 if form.is_bound else 200)


# --- what is asked before booking ------------------------------------------------------------------------------------


def _setting(request: HttpRequest) -> Organisation:
    """The institution whose terms the person sets: the one they act for, else their first."""
    mine = access(request).institutions(*SETTERS)
    current = current_organisation(request)
    if current is not None and current.pk in mine:
        return current
    if not mine:
        raise Forbidden
    return access(request).organisations[min(mine)]


@page
@require_http_methods(["GET", "POST"])
def terms(request: HttpRequest) -> HttpResponse:
    institution = _setting(request)
    if request.method == "GET":
        return _terms(request, institution)
    single = request.POST.get("what") == "instrument"
    form = InstrumentTermsForm(request.POST, institution=institution) if single else TermsForm(request.POST)
    if not form.is_valid():
        return _terms(request, institution, 422, **{"instrument_form" if single else "form": form})
    data = form.cleaned_data
    set_prepaid_terms(institution=institution, by=person(request), **{"instrument": None, **data})
    messages.success(request, _("Saved. It holds for what is booked from now on."))
    return redirect("invoices:prepaid_terms")


def _terms(request: HttpRequest, institution: Organisation, status: int = 200, **forms: Any) -> HttpResponse:
    rows = terms_of(institution)
    own = next((row for row in rows if row.instrument is None), None)
    context = {
        "institution": institution,
        "own": own,
        "rows": [row for row in rows if row.instrument is not None],
        "form": TermsForm.of(own),
        "instrument_form": InstrumentTermsForm(institution=institution),
        "keeps": institution.pk in finance_of(access(request)),
        "nav": "invoices:desk",
        **forms,
    }
    return render(request, "invoices/prepaid_terms.html", context, status=status)


@page
@require_POST
def delete_terms(request: HttpRequest, pk: int) -> HttpResponse:
    delete_prepaid_terms(terms=get_terms(_setting(request), pk), by=person(request))
    messages.success(request, _("Removed: the instrument goes by the institution's terms again."))
    return redirect("invoices:prepaid_terms")
