"""A person's bookings: upcoming by day, past in pages, and the calendar."""

from __future__ import annotations

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import get_language
from django.views.decorators.http import require_GET

from backend.accounts.auth import access, page
from booking.models import OCCUPYING, Status
from booking.queries import events as calendar
from booking.queries import mine as own
from booking.queries.offers import shown_offers
from booking.queries.replacements import unanswered
from booking.queries.waitlist import offers_to

PER_PAGE = 25
UPCOMING_PER_PAGE = 50
MOST_UNLOGGED = 20


@require_GET
@page
def mine(request: HttpRequest) -> HttpResponse:
    me = access(request)
    filters = own.Filters.read(request.GET)
    now = timezone.now()
    unlogged = own.unlogged(me, filters, now)
    found = Paginator(own.coming(me, filters, now), UPCOMING_PER_PAGE).get_page(request.GET.get("page"))
    rows = list(found.object_list)
    context = {
        "tab": "mine",
        "page_obj": found,
        "days": own.by_day(rows),
        "unlogged": list(unlogged[:MOST_UNLOGGED]) if found.number == 1 else [],
        "offers": shown_offers(offers_to(me, now), now) if found.number == 1 else [],
        "displaced": unanswered(me, now) if found.number == 1 else [],
        "whole": own.sees_whole(me),
        "who": filters.who,
        "show_person": filters.who == "all" and own.sees_whole(me),
    }
    return render(request, "booking/mine.html", context)


@require_GET
@page
def past(request: HttpRequest) -> HttpResponse:
    me = access(request)
    filters = own.Filters.read(request.GET)
    found = Paginator(own.gone(me, filters), PER_PAGE).get_page(request.GET.get("page"))
    rows = list(found.object_list)
    charges = own.charges_of(rows)
    context = {
        "tab": "past",
        "page_obj": found,
        "rows": [(row, next(iter(row.used), None), charges.get(row.uid)) for row in rows],  # type: ignore[attr-defined]
        "whole": own.sees_whole(me),
        "who": filters.who,
        "show_person": filters.who == "all" and own.sees_whole(me),
        "filters": filters,
        "statuses": [(value, label) for value, label in Status.choices if value not in OCCUPYING],
        "instruments": own.instruments_used(me),
    }
    return render(request, "booking/past.html", context)


@require_GET
@page
def show_calendar(request: HttpRequest) -> HttpResponse:
    choices = calendar.calendar_choices(access(request))
    chosen = request.GET.get("show", "mine")
    if chosen not in dict(choices):
        chosen = "mine"
    return render(request, "booking/calendar.html", {"choices": choices, "chosen": chosen})


@require_GET
@page
def calendar_events(request: HttpRequest) -> JsonResponse:
    me = access(request)
    start, end = calendar.asked_range(request.GET)
    rows = calendar.my_events(me, request.GET.get("show", "mine"), start, end, language=get_language() or "")
    return JsonResponse(rows, safe=False)
