"""Repeating a booking: the dates before they are booked, the page of a series, and its changes."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST

from backend.accounts.auth import access, page, person
from backend.accounts.queries import Access
from backend.core.db import one
from backend.core.errors import Forbidden
from backend.core.fields import checked
from backend.core.http import go
from backend.core.text import whole_number
from booking.actions.series import book_series, cancel_series, decide_series, move_series, take_up
from booking.forms import ReasonForm, wall_time
from booking.models import Booking, Series, Status
from booking.queries import pages, scope
from booking.queries import series as reading
from booking.queries import times as free
from booking.queries.alternatives import alternatives
from booking.queries.wishes import Wish
from booking.rules.recurrence import in_words, read_rule
from booking.series_forms import SeriesForm, SeriesMoveForm, SeriesPreviewForm, TakeUpForm, TogetherCancelForm
from booking.views import show
from booking.views.instrument import CHOICE, form_arguments
from booking.views.when import problems_of, reader_of
from instruments.models import Instrument, Mode
from instruments.queries.rights import get_visible_instrument, manages

USUAL_COUNT = 10


# --- booking one ----------------------------------------------------------------------------------------------------


@require_GET
@page
def new(request: HttpRequest, pk: int) -> HttpResponse:
    """The form, filled in with the time that was chosen in the panel."""
    found = get_visible_instrument(access(request), pk)
    reader = booker(request)
    chosen: dict[str, Any] = {name: request.GET[name] for name in (*CHOICE, "party") if request.GET.get(name)}
    for name in ("start", "end"):
        wall = wall_time(chosen.pop(name, ""), found.zone)
        chosen |= {name: wall} if wall else {}
    modes = pages.time_modes(found)
    initial = {"mode": next(iter(modes), ""), "count": USUAL_COUNT, "interval": 1, "on_conflict": "skip", **chosen}
    initial |= {"frequency": "WEEKLY", "ending": "count", "monthly": "date"}
    if isinstance(initial.get("start"), datetime):
        initial["days"] = [free_day(initial["start"])]
    form = SeriesForm(initial=initial, **form_arguments(request, found, reader))
    context = {
        "instrument": found,
        "form": form,
        "modes": [(mode, Mode(mode).label) for mode in modes],
        "by_sample": pages.terms_of(found, reader, timezone.now()).by_sample,
        "empty": True,
    }
    return render(request, "booking/series_new.html", context)


def free_day(wall: datetime) -> str:
    return "MO TU WE TH FR SA SU".split()[wall.weekday()]


@require_POST
@page
def preview(request: HttpRequest, pk: int) -> HttpResponse:
    """Every date with its price or what speaks against it; writes nothing."""
    found = get_visible_instrument(access(request), pk)
    reader = booker(request)
    form = SeriesPreviewForm(request.POST, **form_arguments(request, found, reader))
    context = {"instrument": found, **_planned(request, form, found)}
    return render(request, "booking/_series_dates.html", context)


def _planned(request: HttpRequest, form: SeriesPreviewForm, found: Instrument) -> dict[str, Any]:
    if not (form.data.get("start") and form.data.get("end")):
        return {"empty": True}
    if not form.is_valid():
        return {"errors": problems_of(form), "which": form.which}
    data = form.cleaned_data
    wish = _wish(request, data, found)
    rows, why_none = reading.preview_series(wish, data["rrule"], by=person(request), now=timezone.now())
    if why_none:
        return {"errors": [each.detail for each in why_none]}
    possible = sum(row.bookable for row in rows)
    all_or_none = data["on_conflict"] == "fail"
    against = sum(1 for row in rows if {each.code for each in row.refusals} - {"gap"})
    return {
        "rows": rows,
        "possible": possible,
        "left": len(rows) - possible,
        "waiting": sum(1 for row in rows if row.bookable and row.answer and row.answer.approval.roles),
        "can_book": possible and not (all_or_none and against),
        "words": in_words(read_rule(data["rrule"]), found.zone),
        "total": reading.total_of(rows),
        "currency": next((row.answer.quote.currency for row in rows if row.answer), "CNY"),
        "unknown_years": _unknown(found, rows[0].start, rows[-1].end),
    }


def _unknown(found: Instrument, first: datetime, last: datetime) -> list[int]:
    days: list[date] = [at.astimezone(found.zone).date() for at in (first, last)]
    return free.unknown_years(days[0], days[1])


@require_POST
@page
def book(request: HttpRequest, pk: int) -> HttpResponse:
    found = get_visible_instrument(access(request), pk)
    reader = booker(request)
    data = checked(SeriesForm(request.POST, **form_arguments(request, found, reader)))
    made = book_series(
        wish=_wish(request, data, found),
        rrule=data["rrule"],
        on_conflict=data["on_conflict"],
        by=person(request),
        purpose=data["purpose"],
        notes=data["notes"],
    )
    number = made.bookings.count()
    text = ngettext("%(number)s date booked.", "%(number)s dates booked.", number)
    messages.success(request, text % {"number": number})
    return go(request, reverse("booking:series", args=[made.pk]))


def booker(request: HttpRequest) -> pages.Reader:
    reader = reader_of(request)
    if not reader.may_book:
        raise Forbidden(detail=_("Your account belongs to no organisation that can book."))
    return reader


def _wish(request: HttpRequest, data: dict[str, Any], found: Instrument) -> Wish:
    return Wish(
        instrument=found,
        start=data["start"],
        end=data["end"],
        mode=data["mode"],
        organisation=data["organisation"],
        user=data["user"] or person(request),
        samples=data["samples"],
        project=data["project"],
    )


# --- the page of one ------------------------------------------------------------------------------------------------


@require_GET
@page
def series(request: HttpRequest, pk: int) -> HttpResponse:
    mine = access(request)
    found = reading.get_series(mine, pk)
    now = timezone.now()
    rows = list(reading.visible_dates(mine, found))
    customer, lab = scope.is_customer(mine, found), manages(mine, found.instrument)
    changing = {row.pk for row in reading.changeable(rows, now)} if customer or lab else set()
    asked = [row for row in rows if row.status == Status.REQUESTED]
    context = {
        "series": found,
        "instrument": found.instrument,
        "zone": found.instrument.timezone,
        "words": in_words(read_rule(found.rrule), found.instrument.zone),
        "rows": [(row, row.pk in changing) for row in rows],
        "skipped": list(reading.skipped_dates(found)) if customer or lab else [],
        "customer": customer,
        "lab": lab and not customer,
        "changing": len(changing),
        "asked": len(asked),
        "can_decide": lab and any(mine.user_id not in (row.user_id, row.made_by_id) for row in asked),
        "templates": show.reasons_to_reject(found.instrument),
        "mode": Mode(found.mode).label,
        "unknown_years": _unknown(found.instrument, rows[0].start, rows[-1].end),
        "now": now,
    }
    return render(request, "booking/series.html", context)


@require_POST
@page
def decide(request: HttpRequest, pk: int, what: str) -> HttpResponse:
    mine = access(request)
    found = reading.get_managed_series(mine, pk)
    reason = request.POST.get("reason", "")
    data = checked(ReasonForm({"reason": reason, "version": 0}))
    rows = reading.changeable(reading.visible_dates(mine, found), timezone.now())
    approve = what == "approve"
    done = decide_series(series=found, rows=rows, by=person(request), approve=approve, reason=data["reason"])
    if approve:
        text = ngettext("%(number)s request approved.", "%(number)s requests approved.", len(done))
    else:
        text = ngettext("%(number)s request rejected.", "%(number)s requests rejected.", len(done))
    messages.success(request, text % {"number": len(done)})
    return go(request, reverse("booking:series", args=[pk]))


# --- changing many dates --------------------------------------------------------------------------------------------


@require_GET
@page
def change(request: HttpRequest, pk: int) -> HttpResponse:
    """This date and the following, or all: move them, or cancel them with the fee in sight."""
    mine = access(request)
    found = reading.get_series_to_change(mine, pk)
    zone, now = found.instrument.zone, timezone.now()
    since = whole_number(request.GET.get("since", ""))
    rows = _chosen(mine, found, since)
    by_lab = scope.acts_for_lab(mine, found)
    cancelled = [row for row in rows if not by_lab or row.status == Status.CONFIRMED]
    initial: dict[str, Any] = {"since": since, "on_conflict": "fail"}
    if rows:
        initial |= {name: getattr(rows[0], name).astimezone(zone).replace(tzinfo=None) for name in ("start", "end")}
    context = {
        "series": found,
        "instrument": found.instrument,
        "rows": rows,
        "since": since,
        "by_lab": by_lab,
        "form": SeriesMoveForm(initial=initial, zone=zone),
        "cancelled": cancelled,
        "fees": None if by_lab else reading.fees_of(cancelled, now=now),
    }
    return render(request, "booking/series_change.html", context)


def _chosen(mine: Access, found: Series, since: int | None) -> list[Booking]:
    rows = reading.visible_dates(mine, found)
    first = one(rows, since) if since else None
    return reading.changeable(rows, timezone.now(), since=first.start if first else None)


@require_POST
@page
def preview_move(request: HttpRequest, pk: int) -> HttpResponse:
    mine = access(request)
    found = reading.get_series_to_change(mine, pk)
    form = SeriesMoveForm(request.POST, zone=found.instrument.zone)
    context: dict[str, Any] = {"series": found, "instrument": found.instrument}
    if not form.is_valid():
        return render(request, "booking/_series_moves.html", {**context, "errors": problems_of(form)})
    data = form.cleaned_data
    moved = _move(request, mine, found, data, only_show=True)
    rows: list[tuple[datetime, datetime, Any, Booking]] = [(row.start, row.end, (), row) for row in moved.done]
    rows += [(planned.start, planned.end, planned.refusals, row) for row, planned in moved.kept]
    context |= {
        "rows": sorted(rows, key=lambda row: row[0]),
        "possible": len(moved.done),
        "left": len(moved.kept),
        "can_move": moved.done and not (moved.kept and data["on_conflict"] == "fail"),
    }
    return render(request, "booking/_series_moves.html", context)


def _move(request: HttpRequest, mine: Access, found: Series, data: dict[str, Any], *, only_show: bool) -> Any:
    return move_series(
        series=found,
        rows=_chosen(mine, found, data["since"]),
        by=person(request),
        start=data["start"],
        end=data["end"],
        on_conflict=data["on_conflict"],
        reason=data["reason"],
        by_lab=scope.acts_for_lab(mine, found),
        only_show=only_show,
    )


@require_POST
@page
def move(request: HttpRequest, pk: int) -> HttpResponse:
    mine = access(request)
    found = reading.get_series_to_change(mine, pk)
    data = checked(SeriesMoveForm(request.POST, zone=found.instrument.zone))
    moved = _move(request, mine, found, data, only_show=False)
    text = ngettext("%(number)s date moved.", "%(number)s dates moved.", len(moved.done))
    messages.success(request, text % {"number": len(moved.done)})
    return go(request, reverse("booking:series", args=[pk]))


@require_POST
@page
def cancel(request: HttpRequest, pk: int) -> HttpResponse:
    mine = access(request)
    found = reading.get_series_to_change(mine, pk)
    data = checked(TogetherCancelForm(request.POST))
    done = cancel_series(
        series=found,
        rows=_chosen(mine, found, data["since"]),
        by=person(request),
        reason=data["reason"],
        by_lab=scope.acts_for_lab(mine, found),
        expected=data["expected"],
    )
    text = ngettext("%(number)s date cancelled.", "%(number)s dates cancelled.", len(done))
    messages.success(request, text % {"number": len(done)})
    return go(request, reverse("booking:series", args=[pk]))


# --- dates that were skipped ----------------------------------------------------------------------------------------


@require_GET
@page
def skipped(request: HttpRequest, pk: int, date: int) -> HttpResponse:
    """Other times for one skipped date."""
    found = reading.get_skipped(reading.get_own_series(access(request), pk), date)
    zone = found.series.instrument.zone
    others = [
        (start, end, show.wall(start, zone), show.wall(end, zone))
        for start, end in (
            (datetime.fromisoformat(each["start"]), datetime.fromisoformat(each["end"]))
            for each in alternatives(reading.wish_of_date(found), now=timezone.now(), elsewhere=False)
        )
    ]
    context = {"date": found, "series": found.series, "zone": zone.key, "others": others}
    return render(request, "booking/_series_others.html", context)


@require_POST
@page
def take(request: HttpRequest, pk: int, date: int) -> HttpResponse:
    found = reading.get_skipped(reading.get_own_series(access(request), pk), date)
    data = checked(TakeUpForm(request.POST, zone=found.series.instrument.zone))
    booking = take_up(date=found, by=person(request), start=data.get("start"), end=data.get("end"))
    waits = booking.status == Status.REQUESTED
    messages.success(request, _("Your request has been sent.") if waits else _("Booked. The time is yours."))
    return go(request, reverse("booking:series", args=[pk]))
