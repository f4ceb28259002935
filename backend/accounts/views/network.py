"""The network operator's pages: enterprises that wait to be confirmed."""

from __future__ import annotations

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from backend.accounts.auth import access, page, person
from backend.accounts.forms import DecisionForm
from backend.accounts.models import Registration, RegistrationStatus
from backend.accounts.own_actions.registering import confirm_registration, refuse_registration
from backend.accounts.queries import registrations as visible_registrations
from backend.core.db import one
from backend.core.fields import checked
from backend.core.http import go

PER_PAGE = 20


@page
@require_safe
def registrations(request: HttpRequest) -> HttpResponse:
    """Those that wait, the longest waiting first; with ``?status=`` those decided."""
    asked = request.GET.get("status", "")
    status = asked if asked in RegistrationStatus.values else RegistrationStatus.PENDING
    mine = access(request)
    rows = Paginator(visible_registrations(mine, status), PER_PAGE).get_page(request.GET.get("page"))
    waiting = visible_registrations(mine, RegistrationStatus.PENDING).count()
    context = {
        "page_obj": rows,
        "status": status,
        "tabs": RegistrationStatus.choices,
        "waiting": waiting,
        "pending": status == RegistrationStatus.PENDING,
    }
    return render(request, "accounts/registrations.html", context)


@page
@require_POST
def confirm(request: HttpRequest, pk: int) -> HttpResponse:
    found = _visible(request, pk)
    note = checked(DecisionForm(request.POST))["note"]
    confirm_registration(registration=found, by=person(request), note=note)
    messages.success(request, _("%(organisation)s is confirmed.") % {"organisation": found.organisation.name})
    return go(request, reverse("accounts:registrations"))


@page
@require_POST
def refuse(request: HttpRequest, pk: int) -> HttpResponse:
    found = _visible(request, pk)
    reason = checked(DecisionForm(request.POST))["reason"]
    refuse_registration(registration=found, by=person(request), reason=reason)
    messages.success(request, _("%(organisation)s is refused.") % {"organisation": found.organisation.name})
    return go(request, reverse("accounts:registrations"))


def _visible(request: HttpRequest, pk: int) -> Registration:
    return one(visible_registrations(access(request)), pk)
