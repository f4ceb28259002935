"""The page of an instrument and its booking panel: public but for the last step."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from backend.accounts.auth import access, person
from backend.accounts.models import Project
from backend.accounts.queries import Access
from backend.core.errors import Forbidden
from backend.core.fields import checked
from backend.core.http import go
from backend.core.text import whole_number
from booking.actions.overtaking import book_first
from booking.forms import BookingForm, WishForm, wall_time
from booking.models import Status
from booking.queries import behalf, pages, teaching
from booking.queries import events as calendar
from booking.queries.scope import get_booking
from booking.views import show
from booking.views.when import choose, reader_of, when, wished
from instruments.models import Instrument, Mode
from instruments.pricing.units import unit_label
from instruments.queries.rights import get_visible_instrument, manages
from invoices.queries.covering import find_voucher

# What a visitor has chosen, kept through signing in.
CHOICE = (
    "start",
    "end",
    "start_fold",
    "end_fold",
    "mode",
    "samples",
    "purpose",
    "notes",
    "organisation",
    "project",
    "length",
)
# Characters of one of them; in the address of the sign-in page a Chinese one becomes fifteen.
MOST_KEPT = 200


@require_GET
def instrument(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_visible_instrument(access(request), pk)
    terms = pages.terms_of(found, reader_of(request), timezone.now())
    modes = pages.time_modes(found)
    context: dict[str, Any] = {
        "instrument": found,
        "techniques": list(found.techniques.all()),
        **_trainings(request, terms),
        "manages": manages(access(request), found),
        "reader": terms.reader,
        "modes": [(mode, Mode(mode).label) for mode in modes],
        "all_modes": [Mode(mode).label for mode in found.modes],
        # Rules speak of times; who only hands in samples has none.
        "by_time": any(mode != Mode.SAMPLE for mode in found.modes),
        **_prices(terms),
        "topics": terms.topics(),
    }
    if modes:
        context |= _panel(request, terms)
    return render(request, "booking/instrument.html", context)


def _trainings(request: HttpRequest, terms: pages.Terms) -> dict[str, Any]:
    """Which level the rules ask for, what the reader has, the trainings on offer; one query where there are none."""
    user = person(request) if request.user.is_authenticated else None
    return {
        "needed_levels": teaching.needed_levels(terms.rules),
        "own_facts": terms.parties.qualified.get((user.pk, terms.instrument.pk)) if user else None,
        "ways": teaching.ways_to(terms.instrument, user, terms.now),
    }


def _prices(terms: pages.Terms) -> dict[str, Any]:
    prices = pages.prices(terms, show.audiences())
    if prices is None:
        return {"prices": None}
    return {
        "prices": prices,
        "my_prices": show.price_rows(prices.mine),
        "other_prices": show.price_rows(prices.others),
        "least_unit": unit_label(prices.unit) if prices.unit else "",
    }


def _panel(request: HttpRequest, terms: pages.Terms) -> dict[str, Any]:
    """Everything of the panel for a fresh page; a choice in the address is filled in and answered at once."""
    modes = pages.time_modes(terms.instrument)
    chosen = _choice(request.GET, terms.instrument)
    mode = chosen["mode"] if chosen.get("mode") in modes else modes[0]
    context = choose(terms, mode, chosen)
    if chosen.get("start") and not chosen.get("end"):
        chosen["end"] = chosen["start"] + timedelta(minutes=context["length"])
    chosen["mode"] = mode
    arguments = form_arguments(request, terms.instrument, terms.reader)
    form = BookingForm(initial=chosen, **arguments)
    answer = wished(WishForm(chosen, **arguments), terms.instrument, terms.reader, terms.now, access(request))
    return context | {"form": form, "mode": mode, "answer": answer, "by_sample": terms.by_sample}


def _choice(query: QueryDict, found: Instrument) -> dict[str, Any]:
    chosen: dict[str, Any] = {name: query[name] for name in CHOICE if query.get(name)}
    for name in ("start", "end"):
        if name in chosen:
            chosen[name] = wall_time(chosen[name], found.zone)
    return {name: value for name, value in chosen.items() if value is not None}


@require_GET
def times(request: HttpRequest, pk: int) -> HttpResponse:
    """The times of a day, again: another day, length or mode was chosen."""
    found = get_visible_instrument(access(request), pk)
    modes = pages.time_modes(found)
    chosen: dict[str, Any] = {"length": request.GET.get("length", "")}
    day = wall_time(request.GET.get("day", ""), found.zone)
    if day:
        chosen["day"] = day.date()
    moving = whole_number(request.GET.get("moving", ""))
    if moving:
        chosen["moving"] = get_booking(access(request), moving)
    mode = request.GET.get("mode", "")
    mode = mode if mode in modes else next(iter(modes), Mode.OPERATOR.value)
    return render(request, "booking/_times.html", {"instrument": found, **when(request, found, mode, chosen)})


@require_POST
def check(request: HttpRequest, pk: int) -> HttpResponse:
    """What would happen, and why; writes nothing."""
    found = get_visible_instrument(access(request), pk)
    reader = reader_of(request)
    form = WishForm(request.POST, **form_arguments(request, found, reader))
    answer = wished(form, found, reader, timezone.now(), access(request))
    return render(
        request, "booking/_answer.html", {"instrument": found, "reader": reader, "answer": answer, "oob": True}
    )


@require_POST
def book(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_visible_instrument(access(request), pk)
    if not request.user.is_authenticated:
        return show.sign_in(request, f"{reverse('booking:instrument', args=[pk])}?{urlencode(_kept(request.POST))}")
    reader = reader_of(request)
    if not reader.may_book:
        raise Forbidden(detail=_("Your account belongs to no organisation that can book."))
    data = checked(BookingForm(request.POST, **form_arguments(request, found, reader)))
    booking = book_first(
        by=person(request),
        user=data["user"] or person(request),
        organisation=data["organisation"],
        instrument=found,
        start=data["start"],
        end=data["end"],
        mode=data["mode"],
        purpose=data["purpose"],
        notes=data["notes"],
        samples=data["samples"],
        project=data["project"],
        displaces=data["displaces"],
        voucher=find_voucher(access(request), data["organisation"], data["voucher"]),
        voucher_declared=data["voucher_declared"],
    )
    if data["user"]:
        text = _("Booked for %(person)s, who has been told.") % {"person": booking.user}
        asked = _("Requested for %(person)s, who has been told.") % {"person": booking.user}
        messages.success(request, asked if booking.status == Status.REQUESTED else text)
    elif booking.status == Status.REQUESTED:
        messages.success(request, _("Your request has been sent. The time is held for you meanwhile."))
    else:
        messages.success(request, _("Booked. The time is yours."))
    return go(request, reverse("booking:booking", args=[booking.pk]))


def _kept(data: QueryDict) -> dict[str, Any]:
    """The choice for the address; what would make that too long for servers, the browser keeps itself."""
    return {name: data[name] for name in CHOICE if 0 < len(data.get(name, "")) <= MOST_KEPT}


@require_GET
def events(request: HttpRequest, pk: int) -> JsonResponse:
    """The week of an instrument for the calendar; says who only to those whom it concerns."""
    mine = access(request)
    found = get_visible_instrument(mine, pk)
    rows = calendar.instrument_events(mine, found, *calendar.asked_range(request.GET), language=get_language() or "")
    return JsonResponse(rows, safe=False)


def form_arguments(request: HttpRequest, found: Instrument, reader: pages.Reader) -> dict[str, Any]:
    """The organisations that the person may book for, the chosen one first, and their projects; one query."""
    if not reader.may_book:
        return {"instrument": found, "organisations": [], "projects": []}
    organisations = sorted(access(request).bookers(), key=lambda one: one.pk != reader.organisation.pk)
    projects = Project.objects.filter(organisation__in=[one.pk for one in organisations], active=True)
    return {
        "instrument": found,
        "organisations": organisations,
        "projects": list(projects),
        "language": get_language() or "",
        **_others(access(request), found),
    }


def _others(mine: Access, found: Instrument) -> dict[str, Any]:
    """For whom else the person may book; no query for who may for nobody."""
    if not behalf.may_book_for_others(mine, found):
        return {}
    parties = [*behalf.colleagues(mine), *behalf.known_customers(mine, found)]
    return {"parties": parties, "by_email": partial(behalf.parties_by_email, mine, found)}
