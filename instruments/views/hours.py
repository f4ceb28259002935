"""Opening hours and special days of an instrument."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from backend.accounts.auth import access, page, person
from instruments.actions.hours import set_opening_hours, set_special_days
from instruments.forms.hours import HoursForm, SpecialDaysForm
from instruments.models import Instrument
from instruments.queries.free import bookings_outside_hours
from instruments.queries.rights import get_managed_instrument
from instruments.views.manage import saved, shown

# So many are named; the calendar shows them all.
MOST_OUTSIDE = 20


@page
@require_http_methods(["GET", "HEAD", "POST"])
def hours(request: HttpRequest, pk: int) -> HttpResponse:
    """The week. A button that rearranges the grid sends ``do`` and saves nothing."""
    instrument = get_managed_instrument(access(request), pk)
    form = HoursForm.sent(request.POST) if request.method == "POST" else HoursForm.of(instrument)
    refused = False
    if "do" in request.POST:
        form.rearrange(request.POST["do"])
    elif request.method == "POST":
        refused = not form.is_valid()
        if not refused:
            changed = set_opening_hours(
                instrument=instrument,
                by=person(request),
                hours=form.hours,
                open_on_holidays=form.open_on_holidays,
            )
            _tell(request, changed)
            return saved(request, "instruments:hours", instrument)
    context = _context(instrument, form, SpecialDaysForm.of(instrument))
    return shown(request, "instruments/hours.html", "instruments/_week.html", context, refused)


@page
@require_http_methods(["GET", "HEAD", "POST"])
def special_days(request: HttpRequest, pk: int) -> HttpResponse:
    """They have no page of their own: who comes back to the address of the form sees the hours."""
    instrument = get_managed_instrument(access(request), pk)
    if request.method != "POST":
        return redirect("instruments:hours", instrument.pk)
    days = SpecialDaysForm.sent(request.POST)
    refused = False
    if "do" in request.POST:
        days.rearrange(request.POST["do"])
    else:
        refused = not days.is_valid()
        if not refused:
            set_special_days(instrument=instrument, by=person(request), days=days.days)
            _tell(request, instrument)
            return saved(request, "instruments:hours", instrument)
    context = _context(instrument, HoursForm.of(instrument), days)
    return shown(request, "instruments/hours.html", "instruments/_special_days.html", context, refused)


def _context(instrument: Instrument, form: HoursForm, days: SpecialDaysForm) -> dict[str, Any]:
    """``outside``: bookings that stand although the instrument is closed then, until somebody moves them."""
    outside = bookings_outside_hours(instrument)
    return {
        "form": form,
        "days": days,
        "instrument": instrument,
        "tab": "hours",
        "outside": outside[:MOST_OUTSIDE],
        "outside_count": len(outside),
        "outside_more": max(0, len(outside) - MOST_OUTSIDE),
    }


def _tell(request: HttpRequest, instrument: Instrument) -> None:
    """Saved; and how many bookings now lie outside: the page names their times."""
    messages.success(request, _("Saved."))
    outside = len(bookings_outside_hours(instrument))
    if outside:
        text = ngettext(
            "%(count)s booking now lies outside the opening hours. It stands; move or cancel it if it must not.",
            "%(count)s bookings now lie outside the opening hours. They stand; move or cancel them if they must not.",
            outside,
        )
        messages.warning(request, text % {"count": outside})
