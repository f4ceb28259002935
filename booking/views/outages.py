"""An instrument's outages: taking it out of service, with the bookings that this hits, and giving it back."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST

from backend.accounts.auth import access, page, person
from backend.core.http import go
from backend.core.text import whole_number
from booking.actions import outages as actions
from booking.actions.extending import extend_outage
from booking.forms import OutageForm
from booking.models import Booking
from booking.queries.outages import get_outage, hit_bookings, shown_end, split_outages
from booking.views.show import done_in_place
from instruments.models import Instrument, Outage
from instruments.queries.rights import get_managed_instrument


@page
@require_http_methods(["GET", "HEAD", "POST"])
def outages(request: HttpRequest, pk: int) -> HttpResponse:
    """The list and the form. What is hit is shown first; only who has seen that list displaces."""
    instrument = get_managed_instrument(access(request), pk)
    if request.method != "POST":
        return _page(request, instrument, OutageForm(zone=instrument.zone))
    form = OutageForm(request.POST, zone=instrument.zone)
    if not form.is_valid():
        return _page(request, instrument, form, status=422)
    data = form.cleaned_data
    until = data["end"] or shown_end(instrument, max(data["start"], timezone.now()))
    hits = list(hit_bookings(instrument, data["start"], until))
    if not _agreed(request, hits):
        return _page(request, instrument, form, hits=hits, status=_seen(request))
    made = actions.create_outage(
        instrument=instrument,
        start=data["start"],
        end=until,
        open_ended=data["open_ended"],
        displaces=data["displaces"],
        reason=data["reason"],
        by=person(request),
        displace=bool(hits),
        expected=[each.pk for each in hits],
    )
    text = _told(len(hits))
    if _is_drawn(request):
        return done_in_place(text)
    messages.success(request, text)
    return _back(request, made.instrument)


def _told(hit: int) -> str:
    if not hit:
        return _("The instrument is out of service at this time. No booking was hit.")
    words = ngettext(
        "The instrument is out of service at this time. %(number)s booking was displaced, and its customer was told.",
        "The instrument is out of service at this time. %(number)s bookings were displaced, their customers were told.",
        hit,
    )
    return words % {"number": hit}


def _is_drawn(request: HttpRequest) -> bool:
    """Drawn on the desk's timeline: the form stands in a dialog, and the reader stays at the desk."""
    return request.POST.get("back") == "calendar" and bool(request.headers.get("HX-Request"))


@page
@require_http_methods(["GET", "HEAD", "POST"])
def change(request: HttpRequest, pk: int, outage: int) -> HttpResponse:
    """Another time or reason, with the same list of what is newly hit."""
    instrument = get_managed_instrument(access(request), pk)
    found = get_outage(instrument, outage)
    if request.method != "POST":
        return _change_page(request, instrument, found, _form_of(found))
    form = OutageForm(request.POST, zone=instrument.zone)
    if not form.is_valid():
        return _change_page(request, instrument, found, form, status=422)
    data = form.cleaned_data
    until = data["end"] or found.end
    hits = list(hit_bookings(instrument, data["start"], until))
    if not _agreed(request, hits):
        return _change_page(request, instrument, found, form, hits=hits, status=_seen(request))
    changed = actions.change_outage(
        outage=found,
        by=person(request),
        start=data["start"],
        end=until,
        open_ended=data["open_ended"],
        displaces=data["displaces"],
        reason=data["reason"],
        displace=bool(hits),
        expected=[each.pk for each in hits],
        sequence=data["sequence"],
    )
    messages.success(request, _("The outage has been changed."))
    return _back(request, changed.instrument)


@require_POST
@page
def end(request: HttpRequest, pk: int, outage: int) -> HttpResponse:
    instrument = get_managed_instrument(access(request), pk)
    actions.end_outage(outage=get_outage(instrument, outage), by=person(request))
    messages.success(request, _("The instrument is in service again."))
    return _back(request, instrument)


@require_POST
@page
def extend(request: HttpRequest, pk: int, outage: int) -> HttpResponse:
    """Displace what lies in the way of an outage without a known end: exactly what the person was shown."""
    instrument = get_managed_instrument(access(request), pk)
    seen = [whole_number(each) or 0 for each in request.POST.getlist("hit")[:1000]]
    extend_outage(outage=get_outage(instrument, outage), by=person(request), expected=seen)
    messages.success(request, _("The outage has been extended. Whom it hit has been told and is proposed other times."))
    return _back(request, instrument)


@require_POST
@page
def delete(request: HttpRequest, pk: int, outage: int) -> HttpResponse:
    instrument = get_managed_instrument(access(request), pk)
    actions.delete_outage(outage=get_outage(instrument, outage), by=person(request))
    messages.success(request, _("The outage has been deleted. Its time is free again."))
    return _back(request, instrument)


def _agreed(request: HttpRequest, hits: list[Booking]) -> bool:
    """Whether nothing is hit, or exactly what the person was shown when they pressed “displace”."""
    if not hits:
        return True
    return "displace" in request.POST and set(request.POST.getlist("hit")) == {str(each.pk) for each in hits}


def _seen(request: HttpRequest) -> int:
    """The list is the answer to the first question; to “displace” a changed list is a refusal."""
    return 409 if "displace" in request.POST else 200


def _form_of(outage: Outage) -> OutageForm:
    zone = outage.instrument.zone
    initial = {
        "start": outage.start.astimezone(zone).replace(tzinfo=None),
        "end": outage.end.astimezone(zone).replace(tzinfo=None),
        "reason": outage.reason,
        "open_ended": outage.open_ended,
        "displaces": outage.displaces,
        "sequence": outage.sequence,
    }
    return OutageForm(initial=initial, zone=zone)


def _page(
    request: HttpRequest,
    instrument: Instrument,
    form: OutageForm,
    *,
    hits: list[Booking] | None = None,
    status: int = 200,
) -> HttpResponse:
    context = {**_shared(request, instrument, form, hits), **split_outages(instrument)}
    part = bool(request.headers.get("HX-Request")) and request.method == "POST"
    return render(request, "booking/_outage_form.html" if part else "booking/outages.html", context, status=status)


def _change_page(
    request: HttpRequest,
    instrument: Instrument,
    outage: Outage,
    form: OutageForm,
    *,
    hits: list[Booking] | None = None,
    status: int = 200,
) -> HttpResponse:
    context = {
        **_shared(request, instrument, form, hits),
        "outage": outage,
        "begun": outage.start <= timezone.now(),
        "over": outage.end <= timezone.now(),
    }
    part = bool(request.headers.get("HX-Request")) and request.method == "POST"
    return render(request, "booking/_outage_form.html" if part else "booking/outage.html", context, status=status)


def _shared(
    request: HttpRequest, instrument: Instrument, form: OutageForm, hits: list[Booking] | None
) -> dict[str, Any]:
    return {
        "instrument": instrument,
        "zone": instrument.timezone,
        "form": form,
        "hits": hits or [],
        "hits_changed": bool(hits) and "displace" in request.POST,
        "drawn": _is_drawn(request),
        "tab": "outages",
    }


def _back(request: HttpRequest, instrument: Instrument) -> HttpResponse:
    return go(request, reverse("booking:outages", args=[instrument.pk]))
