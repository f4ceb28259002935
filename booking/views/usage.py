"""The usage log: missing records first, verification, and a day booked against used."""

from __future__ import annotations

from datetime import date, timedelta

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from backend.accounts.auth import access, page, person
from backend.accounts.queries import Access
from backend.core.errors import NotFound
from booking.actions.using import verify_usage
from booking.actions.verifying import Verified, verify_many
from booking.forms import FinishForm
from booking.models import Booking, Status, Usage
from booking.queries import lists, log, scope
from booking.views import show
from instruments.queries.rights import manages_any

MOST_MISSING = 30
EARLIEST = date(2000, 1, 1)
PER_PAGE = 50


def _lab(request: HttpRequest) -> Access:
    me = access(request)
    if not manages_any(me):
        raise NotFound
    return me


@require_GET
@page
def usage(request: HttpRequest) -> HttpResponse:
    me = _lab(request)
    today = timezone.localdate()
    day = _day(request.GET.get("day", ""), today)
    missing = Paginator(lists.bookings_without_usage(me), MOST_MISSING).get_page(1)
    waiting = Paginator(lists.usage_to_verify(me), PER_PAGE).get_page(request.GET.get("page"))
    verified = log.verified_lately(me, day)
    charges = log.charges_of(verified)
    context = {
        "missing": [(row, _empty_form(row)) for row in missing.object_list],
        "missing_count": missing.paginator.count,
        "waiting": waiting,
        "log": log.log_day(me, day),
        "verified": [(row, charges.get(row.pk)) for row in verified],
        "day": day,
        "yesterday": day - timedelta(days=1),
        "tomorrow": day + timedelta(days=1) if day < today else None,
        "language": get_language(),
    }
    return render(request, "booking/usage.html", context)


def _day(text: str, today: date) -> date:
    try:
        return min(max(date.fromisoformat(text), EARLIEST), today)
    except ValueError:
        return today


def _empty_form(booking: Booking) -> FinishForm:
    """Filled in with the booked time: mostly it was used as booked. One form per row, so each has ids of its own."""
    zone = booking.instrument.zone
    initial = {
        "version": booking.version,
        "start": booking.start.astimezone(zone).replace(tzinfo=None),
        "end": booking.end.astimezone(zone).replace(tzinfo=None),
        "samples": booking.samples,
    }
    return FinishForm(initial=initial, zone=zone, begun=booking.status == Status.IN_USE, auto_id=f"id_{booking.pk}_%s")


@require_POST
@page
def verify(request: HttpRequest, pk: int) -> HttpResponse:
    """One tap; the row then shows the charge and how it differs from the quote."""
    me = access(request)
    done = verify_usage(usage=scope.get_managed_usage(me, pk), by=person(request))
    if not request.headers.get("HX-Request"):
        messages.success(request, _("Verified. The charge is final."))
        return show.go(request, reverse("booking:usage"))
    charge = log.charges_of([done]).get(done.pk)
    return render(request, "booking/_usage_row.html", {"usage": done, "charge": charge, "just_verified": True})


@require_POST
@page
def verify_selected(request: HttpRequest) -> HttpResponse:
    me = _lab(request)
    wanted = {int(text) for text in request.POST.getlist("usage") if text.isdecimal() and len(text) < 12}
    rows = scope.managed_usage(me).filter(pk__in=wanted).select_related("instrument__institution", "booking")
    found = list(rows)
    if len(found) != len(wanted):
        raise NotFound
    _report(request, verify_many(usages=found, by=person(request)))
    return show.go(request, reverse("booking:usage"))


def _report(request: HttpRequest, result: Verified) -> None:
    if result.done:
        text = ngettext("%(number)s record verified.", "%(number)s records verified.", len(result.done))
        messages.success(request, text % {"number": len(result.done)})
    for usage, error in result.refused:
        messages.error(request, _("%(record)s: %(reason)s") % {"record": _name(usage), "reason": error.detail})
    if not result.done and not result.refused:
        messages.info(request, _("Nothing was selected."))


def _name(usage: Usage) -> str:
    at = usage.start.astimezone(usage.instrument.zone)
    return f"{usage.instrument.label(get_language() or '')} {at:%m-%d %H:%M}"
