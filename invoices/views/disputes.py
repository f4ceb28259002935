"""Disputes about charges: raising one, the list, the page of one."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from backend.accounts.auth import access, page, person
from backend.accounts.models import Organisation
from backend.core.attachments import MOST_BYTES, MOST_FILES, TYPES_IN_WORDS
from backend.core.export import Format
from backend.core.http import go
from backend.core.money import shown_amount
from invoices.actions.disputes import add_reply, decide_dispute, open_dispute, withdraw_dispute
from invoices.exports import money, tables
from invoices.models import Dispute, DisputeSide, DisputeState
from invoices.money_forms import DecideForm, DisputeFilterForm, DisputeForm, ReplyForm
from invoices.queries import disputes as scope

PER_PAGE = 30
FILES = {"most_files": MOST_FILES, "most_bytes": MOST_BYTES, "types": TYPES_IN_WORDS}


def _nav(request: HttpRequest) -> str:
    return "invoices:desk" if scope.deciders_of(access(request)) else "invoices:mine"


@page
@require_http_methods(["GET", "POST"])
def raise_one(request: HttpRequest, pk: int) -> HttpResponse:
    """Which charge, which line, why; ``?line=`` chooses one."""
    charge = scope.get_disputable_charge(access(request), pk)
    standing = [line for line in scope.lines_in_question(charge) if line.amount > 0]
    lines = [(line.pk, f"{line.name} · {shown_amount(line.amount, charge.currency)}") for line in standing]
    form = DisputeForm(request.POST or None, lines=lines, initial={"line": request.GET.get("line")})
    if request.method == "POST" and form.is_valid():
        files = request.FILES.getlist("files")
        made = open_dispute(charge=charge, by=person(request), files=files, **form.cleaned_data)
        messages.success(request, _("The institution was told; the charge is not invoiced until it is decided."))
        return redirect("invoices:dispute", made.pk)
    context = {"charge": charge, "form": form, "window": scope.window_of(charge), "nav": _nav(request), **FILES}
    return render(request, "invoices/dispute_new.html", context, status=422 if form.is_bound else 200)


def _listed(request: HttpRequest) -> tuple[Any, dict[str, Any]]:
    form = DisputeFilterForm(request.GET)
    form.is_valid()
    return scope.filtered(scope.visible_disputes(access(request)), form.cleaned_data), dict(form.cleaned_data)


@page
@require_GET
def disputes(request: HttpRequest) -> HttpResponse:
    rows, filters = _listed(request)
    mine = scope.visible_disputes(access(request)).order_by()
    customers = Organisation.objects.filter(pk__in=mine.values("charge__customer")).order_by("name")[:300]
    context = {
        "page_obj": Paginator(rows, PER_PAGE).get_page(request.GET.get("page")),
        "filters": filters,
        "filtered": any(filters.values()),
        "statuses": DisputeFilterForm().fields["status"].choices,  # type: ignore[attr-defined]  # a ChoiceField
        "customers": list(customers),
        "decides": bool(scope.deciders_of(access(request))),
        "query": request.GET.urlencode(),
        "nav": _nav(request),
    }
    return render(request, "invoices/disputes.html", context)


@page
@require_GET
def export(request: HttpRequest, form: Format) -> tables.Download:
    """The list as seen."""
    return money.export_disputes(_listed(request)[0], form)


@page
@require_GET
def dispute(request: HttpRequest, pk: int) -> HttpResponse:
    return _page(request, scope.get_visible_dispute(access(request), pk))


def _page(request: HttpRequest, found: Dispute, decide: DecideForm | None = None) -> HttpResponse:
    """With status 422 if there is a form to mend."""
    side = scope.side_of(access(request), found)
    context = {
        "dispute": found,
        "charge": found.charge,
        "lines": scope.lines_in_question(found.charge),
        "notes": list(scope.notes_of(found)),
        "side": side,
        "decides": side == DisputeSide.INSTITUTION and found.opened_by_id != person(request).pk,
        "is_open": found.state == DisputeState.OPEN,
        "may_withdraw": found.state == DisputeState.OPEN and scope.may_withdraw(access(request), found),
        "decide_form": decide or DecideForm(initial={"decision": "uphold"}),
        "reply_form": ReplyForm(),
        "nav": _nav(request),
        **FILES,
    }
    return render(request, "invoices/dispute.html", context, status=422 if decide else 200)


@page
@require_POST
def reply(request: HttpRequest, pk: int) -> HttpResponse:
    found = scope.get_visible_dispute(access(request), pk)
    add_reply(
        dispute=found,
        text=request.POST.get("text", ""),
        by=person(request),
        side=scope.side_of(access(request), found),
        files=request.FILES.getlist("files"),
    )
    return go(request, f"{reverse('invoices:dispute', args=[pk])}#notes")


@page
@require_POST
def decide(request: HttpRequest, pk: int) -> HttpResponse:
    found = scope.get_managed_dispute(access(request), pk)
    form = DecideForm(request.POST)
    if not form.is_valid():
        return _page(request, found, form)
    data = form.cleaned_data
    amount = data["amount"] if data["decision"] == "adjust" else None
    decide_dispute(dispute=found, decision=data["decision"], reason=data["reason"], amount=amount, by=person(request))
    messages.success(request, _("The dispute is decided; the customer was told."))
    return go(request, reverse("invoices:dispute", args=[pk]))


@page
@require_POST
def withdraw(request: HttpRequest, pk: int) -> HttpResponse:
    withdraw_dispute(dispute=scope.get_own_dispute(access(request), pk), by=person(request))
    messages.success(request, _("You withdrew the dispute; the charge stands."))
    return go(request, reverse("invoices:dispute", args=[pk]))


@page
@require_GET
def file(request: HttpRequest, pk: int, file: int) -> HttpResponseBase:
    return money.file_response(scope.get_dispute_file(access(request), pk, file))
