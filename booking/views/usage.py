"""The usage log: missing records first, verification, and a day booked against used."""

from __future__ import annotations

from datetime import date, timedelta
from urllib.parse import urlencode

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from backend.accounts.auth import access, page, person
from backend.accounts.queries import Access
from backend.core.errors import NotFound
from backend.core.http import go
from backend.core.text import whole_number
from booking import exports
from booking.actions.using import verify_usage
from booking.actions.verifying import Verified, verify_many
from booking.forms import FinishForm
from booking.models import Booking, Status, Usage
from booking.queries import lists, log, scope
from booking.queries.owed import owed_for
from booking.queries.reports import Wanted, reported_usage
from booking.rules.reporting import is_period, quarter_of
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
    day, instruments = _day(request.GET.get("day", ""), today), log.instruments_of(me)
    asked = whole_number(request.GET.get("instrument", ""))
    instrument = asked if asked in {one.pk for one in instruments} else None
    unlogged, submitted = lists.bookings_without_usage(me), lists.usage_to_verify(me)
    if instrument:
        unlogged, submitted = unlogged.filter(instrument=instrument), submitted.filter(instrument=instrument)
    missing = Paginator(unlogged, MOST_MISSING).get_page(1)
    context = {
        "missing": [(row, _empty_form(row)) for row in missing.object_list],
        "missing_count": missing.paginator.count,
        "waiting": Paginator(submitted, PER_PAGE).get_page(request.GET.get("page")),
        "log": log.log_day(me, day, instrument),
        "instruments": instruments,
        "instrument": instrument,
        "day": day,
        "today": today,
        "yesterday": day - timedelta(days=1),
        "tomorrow": day + timedelta(days=1) if day < today else None,
        "exports": _exports(day, instrument),
        "language": get_language(),
    }
    return render(request, "booking/usage.html", context)


def _day(text: str, today: date) -> date:
    try:
        return min(max(date.fromisoformat(text), EARLIEST), today)
    except ValueError:
        return today


def _exports(day: date, instrument: int | None) -> list[tuple[str, str]]:
    """What can be downloaded from here: as seen, and the report that the day falls into; without the ending."""
    chosen: dict[str, object] = {"instrument": instrument} if instrument else {}
    month, quarter = f"{day:%Y-%m}", quarter_of(day)
    offered: list[tuple[str, str, dict[str, object]]] = [
        (_("This day"), "usage", {"day": day}),
        (_("The month %(month)s") % {"month": month}, "usage", {"period": month}),
        (_("Service records %(quarter)s") % {"quarter": quarter}, "service-records", {"period": quarter}),
    ]
    return [
        (
            _("%(first)s, %(second)s") % {"first": words, "second": label},
            f"{reverse('booking:usage_export', args=[kind, form])}?{urlencode({**query, **chosen})}",
        )
        for words, kind, query in offered
        for form, label in (("xlsx", "Excel"), ("csv", "CSV"))
    ]


@require_GET
@page
def export(request: HttpRequest, kind: str, form: str) -> exports.Download:
    """The page's day, or a month or quarter, as a table; the filters are kept."""
    makers = {"usage": exports.export_usage, "service-records": exports.export_service_records}
    if kind not in makers or form not in ("csv", "xlsx"):
        raise NotFound
    day, period = request.GET.get("day", ""), request.GET.get("period", "")
    wanted = Wanted(
        period=period if is_period(period) else "",
        day=_day(day, timezone.localdate()) if day else None,
        instrument=whole_number(request.GET.get("instrument", "")),
    )
    rows = reported_usage(access(request), wanted)
    return makers[kind](rows, "xlsx" if form == "xlsx" else "csv", "-".join(filter(None, [kind, day or wanted.period])))


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
    """One tap; the row then shows the charge and how it differs from the quote, or the day its verified bar."""
    me = access(request)
    done = verify_usage(usage=scope.get_managed_usage(me, pk), by=person(request))
    day = request.POST.get("day", "")
    if not request.headers.get("HX-Request"):
        messages.success(request, _("Verified. The charge is final."))
        if request.POST.get("back") == "record":
            return redirect("booking:usage_record", done.pk)
        return go(request, reverse("booking:usage") + (f"?{urlencode({'day': day})}" if day else ""))
    if day:
        return _lane(request, me, done, _day(day, timezone.localdate()))
    return render(request, "booking/_usage_row.html", {"usage": done, "owed": owed_for([done]).get(done.pk)})


def _lane(request: HttpRequest, me: Access, done: Usage, day: date) -> HttpResponse:
    """The lane in which it was tapped, on the scale of the page."""
    drawn = log.log_day(me, day, done.instrument_id)
    lanes = [lane for lane in drawn.lanes if any(entry.usage == done for entry in lane.entries)]
    scale = request.POST.get("scale", "")
    context = {"lane": lanes[0] if lanes else None, "day": day, "view_box": log.scale_of(scale) or drawn.view_box}
    return render(request, "booking/_log_lane.html", context)


@require_POST
@page
def verify_selected(request: HttpRequest) -> HttpResponse:
    me = _lab(request)
    wanted = {pk for text in request.POST.getlist("usage") if (pk := whole_number(text)) is not None}
    rows = scope.managed_usage(me).filter(pk__in=wanted).select_related("instrument__institution", "booking")
    found = list(rows)
    if len(found) != len(wanted):
        raise NotFound
    _report(request, verify_many(usages=found, by=person(request)))
    return go(request, reverse("booking:usage"))


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
