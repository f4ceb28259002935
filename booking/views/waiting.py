"""The waitlist: joining it, what one waits for and is offered, and the lab's list with its reasons."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from backend.accounts.auth import access, page, person
from backend.core.errors import Forbidden
from backend.core.http import go
from backend.core.text import whole_number
from booking.actions import offering, waiting
from booking.forms import wall_time
from booking.models import OPEN_WAITS, Status
from booking.queries import pages, waitlist
from booking.queries.offers import shown_offers
from booking.views.instrument import form_arguments
from booking.views.when import reader_of
from booking.waiting_forms import WaitForm
from instruments.models import Instrument, Mode
from instruments.queries.rights import get_managed_instrument, get_visible_instrument

USUAL = 60


@page
@require_http_methods(["GET", "HEAD", "POST"])
def wait(request: HttpRequest, pk: int) -> HttpResponse:
    """Join the waitlist of an instrument, for a window and a length."""
    found = get_visible_instrument(access(request), pk)
    reader = reader_of(request)
    if not reader.may_book:
        raise Forbidden(detail=_("Your account belongs to no organisation that can book."))
    arguments = form_arguments(request, found, reader)
    if request.method != "POST":
        return _join_page(request, found, WaitForm(initial=_chosen(request, found), **arguments))
    form = WaitForm(request.POST, **arguments)
    if not form.is_valid():
        return _join_page(request, found, form, status=422)
    data = form.cleaned_data
    waiting.join_waitlist(
        by=person(request),
        user=data["user"] or person(request),
        organisation=data["organisation"],
        instrument=found,
        start=data["start"],
        end=data["end"],
        minutes=data["minutes"],
        mode=data["mode"],
        purpose=data["purpose"],
        samples=data["samples"],
        project=data["project"],
    )
    messages.success(request, _("You are on the waitlist. As soon as time becomes free for you, you are told."))
    return go(request, reverse("booking:waiting"))


def _chosen(request: HttpRequest, found: Instrument) -> dict[str, Any]:
    """What was chosen in the panel: a time that is taken, or a full day."""
    query, modes = request.GET, pages.time_modes(found)
    start, end = wall_time(query.get("start", ""), found.zone), wall_time(query.get("end", ""), found.zone)
    length = whole_number(query.get("length", "")) or USUAL
    day = wall_time(query.get("day", ""), found.zone)
    if start is not None and end is not None and end > start:
        length = int((end - start) / timedelta(minutes=1))
    elif day is not None:
        start, end = day, day + timedelta(days=1)
    mode = query.get("mode", "")
    return {
        "start": start,
        "end": end,
        "minutes": length,
        "mode": mode if mode in modes else next(iter(modes), ""),
        "purpose": query.get("purpose", ""),
        "samples": query.get("samples", ""),
    }


def _join_page(request: HttpRequest, found: Instrument, form: WaitForm, *, status: int = 200) -> HttpResponse:
    context = {
        "instrument": found,
        "form": form,
        "modes": [(mode, Mode(mode).label) for mode in pages.time_modes(found)],
        "mode": form["mode"].value(),
        "by_sample": pages.terms_of(found, reader_of(request), timezone.now()).by_sample,
        "zone": found.timezone,
    }
    part = bool(request.headers.get("HX-Request")) and request.method == "POST"
    return render(request, "booking/_wait_form.html" if part else "booking/wait.html", context, status=status)


@require_GET
@page
def mine(request: HttpRequest) -> HttpResponse:
    """What the person waits for; offers on top."""
    me, now = access(request), timezone.now()
    offers, rows = list(waitlist.offers_to(me, now)), list(waitlist.recent_waits(me, now)[:100])
    context = {
        "tab": "waiting",
        "offers": shown_offers(offers, now),
        "waits": [row for row in rows if row.status in OPEN_WAITS and row.pk not in {each.pk for each in offers}],
        "ended": [row for row in rows if row.status not in OPEN_WAITS],
    }
    return render(request, "booking/waiting.html", context)


@require_POST
@page
def accept(request: HttpRequest, pk: int) -> HttpResponse:
    found = waitlist.get_own_wait(access(request), pk)
    booking = offering.accept_offer(wait=found, by=person(request), version=_version(request))
    asked = booking.status == Status.REQUESTED
    held = _("Your request has been sent. The time is held for you meanwhile.")
    messages.success(request, held if asked else _("Booked. The time is yours."))
    return go(request, reverse("booking:booking", args=[booking.pk]))


@require_POST
@page
def decline(request: HttpRequest, pk: int) -> HttpResponse:
    found = waitlist.get_own_wait(access(request), pk)
    offering.decline_offer(wait=found, by=person(request), version=_version(request))
    messages.success(request, _("Declined. The time passes on; you stay on the waitlist for others."))
    return go(request, reverse("booking:waiting"))


@require_POST
@page
def leave(request: HttpRequest, pk: int) -> HttpResponse:
    found = waitlist.get_own_wait(access(request), pk)
    waiting.leave_waitlist(wait=found, by=person(request), version=_version(request))
    messages.success(request, _("You are not on this waitlist any more."))
    return go(request, reverse("booking:waiting"))


def _version(request: HttpRequest) -> int | None:
    return whole_number(request.POST.get("version", ""))


@require_GET
@page
def of_instrument(request: HttpRequest, pk: int) -> HttpResponse:
    """The lab's list: everybody in the order in which they are served, and why."""
    found = get_managed_instrument(access(request), pk)
    now = timezone.now()
    context = {
        "instrument": found,
        "zone": found.timezone,
        "ranked": waitlist.standings(found, waitlist.open_waits(found), now, explain=True),
        "ended": list(waitlist.past_waits(found, now)[:50]),
        "rules": waitlist.priority_rules(found, now),
        "tab": "waitlist",
    }
    return render(request, "booking/waitlist.html", context)
