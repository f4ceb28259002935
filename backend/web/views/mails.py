"""The demo's mail, which goes to files. The pages exist on a demo only, because mails hold secret links."""

from __future__ import annotations

from django.conf import settings
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from backend.accounts.auth import access, page, person
from backend.accounts.models import Organisation
from backend.accounts.queries import operated_network
from backend.core.errors import NotFound
from backend.outbox.queries.mailbox import find_mail, writes_files
from backend.outbox.queries.mailbox import mails as sent_mails
from backend.web.actions import note_mail_opened

PER_PAGE = 50


def _demo_network(request: HttpRequest) -> Organisation:
    if not settings.DEMO:
        raise NotFound
    return operated_network(access(request))


@page
@require_safe
def mails(request: HttpRequest) -> HttpResponse:
    """Newest first; ``?to=`` is part of an address."""
    _demo_network(request)
    to = request.GET.get("to", "").strip()
    found = Paginator(sent_mails(to=to), PER_PAGE).get_page(request.GET.get("page"))
    context = {"page_obj": found, "to": to, "demo": True, "writes_files": writes_files()}
    return render(request, "web/mails.html", context)


@page
@require_safe
def mail(request: HttpRequest, key: str) -> HttpResponse:
    network = _demo_network(request)
    found = find_mail(key)
    note_mail_opened(mail=found, by=person(request), organisation_id=network.pk)
    return render(request, "web/mail.html", {"mail": found, "demo": True})
