"""The operator's page of mail that did not go out. It never shows what a mail says."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from backend.accounts.auth import access, page, person
from backend.accounts.queries import operated_network
from backend.core.db import one
from backend.outbox.queries.inbox import delivery, troubled
from backend.web.actions import retry_delivery

PER_PAGE = 50


@page
@require_safe
def deliveries(request: HttpRequest) -> HttpResponse:
    operated_network(access(request))
    now = timezone.now()
    figures = delivery(now)
    found = Paginator(troubled(), PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "page_obj": found,
        "demo": settings.DEMO,
        "figures": [
            {"label": _("Given up"), "value": figures.given_up, "tone": "bad" if figures.given_up else ""},
            {"label": _("Waiting"), "value": figures.waiting},
            {"label": _("Sent in 24 hours"), "value": figures.sent},
        ],
        "oldest": figures.oldest,
    }
    return render(request, "web/deliveries.html", context)


@page
@require_POST
def retry(request: HttpRequest, pk: int) -> HttpResponse:
    network = operated_network(access(request))
    retry_delivery(message=one(troubled(), pk), by=person(request), organisation_id=network.pk)
    messages.success(request, _("The mail is tried again within a minute."))
    return redirect("web:deliveries")
