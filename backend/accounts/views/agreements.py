"""Contracts with customers, for those who administer an institution."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from backend.accounts.agreement_forms import AgreementForm, EndForm
from backend.accounts.auth import access, page, person
from backend.accounts.models import Agreement, Organisation, Role
from backend.accounts.own_actions import agreements as actions
from backend.accounts.queries import (
    Access,
    agreements_to_run,
    find_customer,
    get_administered,
    get_agreement_to_run,
)
from backend.core.errors import Forbidden, NotFound
from backend.core.fields import checked
from backend.core.http import go
from backend.core.text import whole_number

SOON = timedelta(days=30)


def _homes(mine: Access) -> list[Organisation]:
    """Institutions that the person administers; 403 for their other members, 404 for everybody else."""
    found = [mine.organisations[pk] for pk in mine.institutions(Role.ADMIN)]
    if not found:
        raise Forbidden if mine.institutions() else NotFound
    return sorted(found, key=lambda one: one.name)


@page
@require_safe
def agreements(request: HttpRequest) -> HttpResponse:
    """Those in force by default; what ends within a month stands first."""
    mine, today = access(request), timezone.localdate()
    homes = _homes(mine)
    rows = agreements_to_run(mine)
    expiring = rows.filter(valid_to__gte=today, valid_to__lte=today + SOON).count()
    filters = {"q": request.GET.get("q", "").strip()[:80], "state": request.GET.get("state", "")}
    part = Paginator(_filtered(rows, filters, today), 50).get_page(request.GET.get("page"))
    context = {
        "rows": [{"row": one, **_state(one, today)} for one in part.object_list],
        "page_obj": part,
        "institutions": homes,
        "several": len(homes) > 1,
        "expiring": expiring,
        "filters": filters,
        "states": [("", _("In force")), ("soon", _("Ends soon")), ("all", _("All"))],
        "filtered": bool(filters["q"] or filters["state"]),
    }
    return render(request, "accounts/agreements.html", context)


def _filtered(rows: QuerySet[Agreement], filters: dict[str, str], today: date) -> QuerySet[Agreement]:
    if filters["q"]:
        text = filters["q"]
        like = Q(number__icontains=text) | Q(customer__name__icontains=text) | Q(customer__name_en__icontains=text)
        rows = rows.filter(like | Q(audience__iexact=text))
    if filters["state"] == "soon":
        return rows.filter(valid_to__gte=today, valid_to__lte=today + SOON)
    if filters["state"] == "all":
        return rows
    return rows.filter(Q(valid_to=None) | Q(valid_to__gte=today))


def _state(one: Agreement, today: date) -> dict[str, str]:
    if one.valid_to and one.valid_to < today:
        return {"word": _("ended"), "tone": "off"}
    if one.valid_from > today:
        return {"word": _("not yet in force"), "tone": "wait"}
    if one.valid_to and one.valid_to <= today + SOON:
        return {"word": _("ends soon"), "tone": "wait"}
    return {"word": _("in force"), "tone": "good"}


@page
@require_http_methods(["GET", "HEAD", "POST"])
def create(request: HttpRequest) -> HttpResponse:
    mine = access(request)
    homes = _homes(mine)
    chosen = whole_number(request.GET.get("institution", ""))
    home = get_administered(mine, chosen) if chosen else homes[0]
    if home not in homes:
        raise NotFound
    form = AgreementForm(request.POST or None, initial={"valid_from": timezone.localdate()})
    if request.method == "POST" and form.is_valid():
        data = {name: value for name, value in form.cleaned_data.items() if name != "version"}
        customer = find_customer(data.pop("customer"))
        actions.create_agreement(institution=home, customer=customer, by=person(request), **data)
        messages.success(request, _("The agreement is entered."))
        return redirect("accounts:agreements")
    context = {"form": form, "institution": home}
    return render(request, "accounts/agreement.html", context, status=422 if form.errors else 200)


@page
@require_http_methods(["GET", "HEAD", "POST"])
def agreement(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_agreement_to_run(access(request), pk)
    today = timezone.localdate()
    initial: dict[str, Any] = {name: getattr(found, name) for name in (*actions.FIELDS, "version")}
    form = AgreementForm(request.POST or None, initial=initial, known=True)
    if request.method == "POST" and form.is_valid():
        actions.change_agreement(agreement=found, by=person(request), **form.cleaned_data)
        messages.success(request, _("Saved."))
        return redirect("accounts:agreements")
    context = {
        "form": form,
        "institution": found.institution,
        "agreement": found,
        "over": bool(found.valid_to and found.valid_to <= today),
        "end_form": EndForm(initial={"day": today, "version": found.version}),
        **_state(found, today),
    }
    return render(request, "accounts/agreement.html", context, status=422 if form.errors else 200)


@page
@require_POST
def end(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_agreement_to_run(access(request), pk)
    data = checked(EndForm(request.POST))
    actions.end_agreement(agreement=found, by=person(request), **data)
    messages.success(request, _("The agreement ends. What is booked already keeps its prices."))
    return go(request, reverse("accounts:agreements"))
