"""Calendar subscriptions: their list, a new address shown once, and the calendars themselves."""

from __future__ import annotations

from typing import Any

import segno
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.cache import get_conditional_response
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST, require_safe

from backend.accounts.auth import access, current_organisation, page, person
from backend.core.fields import checked
from backend.core.http import go
from backend.core.text import whole_number
from booking.actions.feeds import create_feed, replace_feed, revoke_feed
from booking.feeds import render_feed
from booking.forms import FeedForm
from booking.models import Feed, FeedDetail, FeedScope
from booking.queries.subscriptions import get_feed, instruments_to_follow, living_feeds
from instruments.queries.rights import get_visible_instrument


@require_GET
@page
def feeds(request: HttpRequest) -> HttpResponse:
    return render(request, "booking/feeds.html", _context(request))


def _context(request: HttpRequest, made: tuple[Feed, str] | None = None) -> dict[str, Any]:
    form = _form(request)
    context: dict[str, Any] = {
        "nav": "booking:calendar",
        "feeds": living_feeds(person(request)),
        "form": form,
        "several": len(form.organisations) > 1,
    }
    if made:
        feed, secret = made
        url = settings.SITE_URL + reverse("booking:calendar_feed", args=[secret])
        code = segno.make(url, error="m").svg_data_uri(scale=4, border=2, light="#fff")
        context |= {"made": feed, "url": url, "webcal": "webcal://" + url.split("://", 1)[1], "code": code}
    return context


def _form(request: HttpRequest, data: Any = None) -> FeedForm:
    me = access(request)
    current = current_organisation(request)
    initial = {
        "scope": FeedScope.MINE,
        "detail": FeedDetail.FULL,
        "organisation": current.pk if current else None,
        "instrument": request.GET.get("instrument", ""),
    }
    if initial["instrument"]:
        initial |= {"scope": FeedScope.INSTRUMENT, "detail": FeedDetail.BUSY}
    asked = str(initial["instrument"] or (data or {}).get("instrument", ""))
    return FeedForm(
        data,
        initial=initial,
        organisations=sorted(me.organisations.values(), key=lambda one: one.name),
        instruments=instruments_to_follow(me, asked=whole_number(asked) or 0),
        language=get_language() or "",
    )


@require_POST
@page
def create(request: HttpRequest) -> HttpResponse:
    me = access(request)
    data = checked(_form(request, request.POST))
    made = create_feed(
        user=person(request),
        scope=data["scope"],
        detail=data["detail"],
        name=data["name"],
        organisation=me.organisations.get(data["organisation"] or 0),
        instrument=get_visible_instrument(me, data["instrument"]) if data["instrument"] else None,
    )
    return _once(request, made)


@require_POST
@page
def replace(request: HttpRequest, pk: int) -> HttpResponse:
    return _once(request, replace_feed(feed=get_feed(person(request), pk), by=person(request)))


def _once(request: HttpRequest, made: tuple[Feed, str]) -> HttpResponse:
    """The page with the address, which nobody can see again."""
    template = "booking/_feeds.html" if request.headers.get("HX-Request") else "booking/feeds.html"
    response = render(request, template, _context(request, made))
    response["Cache-Control"] = "no-store"
    return response


@require_POST
@page
def revoke(request: HttpRequest, pk: int) -> HttpResponse:
    revoke_feed(feed=get_feed(person(request), pk), by=person(request))
    messages.success(request, _("The subscription has ended. Its address is dead."))
    return go(request, reverse("booking:feeds"))


@require_safe
def calendar_feed(request: HttpRequest, token: str) -> HttpResponseBase:
    """What calendar programs read. The address is the credential: nothing else is asked, nothing may keep it."""
    content, etag = render_feed(token)
    response = HttpResponse(content, content_type="text/calendar; charset=utf-8")
    response["Content-Disposition"] = 'inline; filename="yixiang.ics"'
    response["ETag"] = etag
    answer = get_conditional_response(request, etag=etag, response=response) or response
    answer["Cache-Control"] = "private"
    answer["Referrer-Policy"] = "no-referrer"
    answer["X-Robots-Tag"] = "noindex"
    return answer
