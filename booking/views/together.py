"""Several instruments for one experiment: collect them, find a time that fits all, book all or none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from backend.accounts.auth import access, page, person
from backend.accounts.models import Project
from backend.core.errors import refuse
from backend.core.fields import checked
from backend.core.http import go
from backend.core.text import whole_number
from booking.actions.several import book_several, cancel_bundle
from booking.forms import WALL, wall_time
from booking.models import Status
from booking.queries import several as reading
from booking.queries.pages import Reader, time_modes
from booking.queries.series import changeable, fees_of, total_of
from booking.queries.several import Piece, arranged, at_time, first_fit, plan_several
from booking.queries.wishes import Wish
from booking.series_forms import TogetherCancelForm, TogetherForm
from booking.views.series import booker
from booking.views.when import problems_of
from instruments.models import Instrument, Mode
from instruments.queries.rights import get_visible_instrument, visible_instruments

KEPT, TYPED = "experiment", "experiment_typed"
MOST = 10
USUAL_MINUTES = 60
MOST_MINUTES = 14 * 24 * 60
LENGTHS = (30, 60, 90, 120, 180, 240, 360, 480)


@dataclass(frozen=True, slots=True)
class Row:
    """One collected instrument as the session keeps it."""

    instrument: Instrument
    minutes: int
    mode: str


@require_POST
@page
def add(request: HttpRequest, pk: int) -> HttpResponse:
    """Put the instrument on the list, with the length and mode chosen on its page; the first says when it begins."""
    found = get_visible_instrument(access(request), pk)
    booker(request)
    modes = time_modes(found)
    kept = _kept(request)
    if not modes:
        raise refuse("no_time", _("This instrument is not booked by time."))
    if len(kept) >= MOST:
        raise refuse("too_many", _("An experiment has at most %(most)s instruments.") % {"most": MOST})
    start, end = (wall_time(request.POST.get(name, ""), found.zone) for name in ("start", "end"))
    minutes = int((end - start) / timedelta(minutes=1)) if start and end else 0
    mode = request.POST.get("mode", "")
    _keep(
        request,
        [
            *kept,
            {
                "instrument": pk,
                "minutes": minutes if 5 <= minutes <= MOST_MINUTES else USUAL_MINUTES,
                "mode": mode if mode in modes else next(iter(modes)),
            },
        ],
    )
    messages.success(request, _("Added to your experiment."))
    options = str(request.session.get(TYPED, "")) if kept else _options(request.POST)
    request.session[TYPED] = options
    return go(request, f"{reverse('booking:together')}?{options}")


@page
def plan(request: HttpRequest) -> HttpResponse:
    """The list with lengths and order; buttons change it, or look for the first time that fits all."""
    reader = booker(request)
    if request.method == "POST":
        _take_over(request)
        do, _dash, number = request.POST.get("do", "").partition("-")
        _rearrange(request, do, whole_number(number))
        if do == "find":
            return go(request, f"{reverse('booking:together')}?{_found(request, reader)}")
        options = request.session[TYPED] = _options(request.POST)
        return go(request, f"{reverse('booking:together')}?{options}")
    rows = _rows(request)
    form = TogetherForm(
        initial={"arrangement": "chain", "gap": 0, **{name: request.GET[name] for name in request.GET}},
        **_choices(request, reader),
    )
    context = {
        "rows": [(row, [(mode, Mode(mode).label) for mode in time_modes(row.instrument)]) for row in rows],
        "lengths": [(each, timedelta(minutes=each)) for each in LENGTHS],
        "form": form,
        "zone": _zone(rows),
        "nothing_found": request.GET.get("found") == "none",
        "empty": True,
    }
    return render(request, "booking/together.html", context)


@require_POST
@page
def check(request: HttpRequest) -> HttpResponse:
    """Every item with its time, price and what speaks against it; writes nothing."""
    reader = booker(request)
    _take_over(request)
    rows = _rows(request)
    form = TogetherForm(request.POST, complete=False, zone=_zone(rows), **_choices(request, reader))
    if not form.data.get("start"):
        return render(request, "booking/_together_items.html", {"empty": True})
    if not form.is_valid() or not rows:
        return render(request, "booking/_together_items.html", {"errors": problems_of(form)})
    planned = plan_several(_wishes(request, reader, rows, form.cleaned_data), by=person(request), now=timezone.now())
    context = {
        "items": planned,
        "against": sum(len(each.refusals) for each in planned),
        "waiting": any(each.answer and each.answer.approval.roles for each in planned),
        "total": total_of(planned),
        "currency": next((each.answer.quote.currency for each in planned if each.answer), "CNY"),
    }
    return render(request, "booking/_together_items.html", context)


@require_POST
@page
def book(request: HttpRequest) -> HttpResponse:
    reader = booker(request)
    _take_over(request)
    rows = _rows(request)
    if not rows:
        raise refuse("empty", _("No instrument has been chosen yet."))
    data = checked(TogetherForm(request.POST, zone=_zone(rows), **_choices(request, reader)))
    wishes = _wishes(request, reader, rows, data)
    made = book_several(wishes=wishes, by=person(request), purpose=data["purpose"], notes=data["notes"])
    _keep(request, [])
    waits = any(each.status == Status.REQUESTED for each in made.bookings.all())
    asked = _("Everything is reserved for you; what needs approval waits for the lab.")
    messages.success(request, asked if waits else _("Everything has been booked."))
    return go(request, reverse("booking:bundle", args=[made.pk]))


@require_GET
@page
def bundle(request: HttpRequest, pk: int) -> HttpResponse:
    mine = access(request)
    found = reading.get_bundle(mine, pk)
    rows = list(reading.visible_items(mine, found))
    now = timezone.now()
    left = changeable(rows, now) if reading.is_whole_customer(mine, rows) else []
    context = {
        "bundle": found,
        "rows": rows,
        "customer": reading.is_whole_customer(mine, rows),
        "total": sum((Decimal(row.quote.get("total", "0")) for row in rows), Decimal("0.00")),
        "currency": rows[0].quote.get("currency", "CNY"),
        "left": left,
        "fees": fees_of(left, now=now) if left else None,
    }
    return render(request, "booking/bundle.html", context)


@require_POST
@page
def cancel(request: HttpRequest, pk: int) -> HttpResponse:
    mine = access(request)
    found = reading.get_own_bundle(mine, pk)
    data = checked(TogetherCancelForm(request.POST))
    rows = changeable(reading.visible_items(mine, found), timezone.now())
    cancel_bundle(bundle=found, rows=rows, by=person(request), reason=data["reason"], expected=data["expected"])
    messages.success(request, _("Everything has been cancelled."))
    return go(request, reverse("booking:bundle", args=[pk]))


# --- the list in the session ----------------------------------------------------------------------------------------


def _kept(request: HttpRequest) -> list[dict[str, Any]]:
    return list(request.session.get(KEPT, []))


def _keep(request: HttpRequest, rows: list[dict[str, Any]]) -> None:
    request.session[KEPT] = rows


def _rows(request: HttpRequest) -> list[Row]:
    """Those that the person may still see and book by time, in their order."""
    kept = _kept(request)
    wanted = [each["instrument"] for each in kept]
    found = visible_instruments(access(request)).filter(pk__in=wanted).select_related("institution")
    known = {one.pk: one for one in found}
    rows = []
    for each in kept:
        instrument = known.get(each["instrument"])
        modes = time_modes(instrument) if instrument else []
        if instrument and modes:
            rows.append(Row(instrument, each["minutes"], each["mode"] if each["mode"] in modes else modes[0]))
    return rows


def _take_over(request: HttpRequest) -> None:
    """Lengths and modes as they were typed."""
    kept = _kept(request)
    for number, row in enumerate(kept):
        minutes = whole_number(request.POST.get(f"minutes-{number}", ""))
        if minutes and 5 <= minutes <= MOST_MINUTES:
            row["minutes"] = minutes
        if request.POST.get(f"mode-{number}") in Mode.values:
            row["mode"] = request.POST[f"mode-{number}"]
    _keep(request, kept)


def _rearrange(request: HttpRequest, do: str, number: int | None) -> None:
    kept = _kept(request)
    if number is None or not 0 <= number < len(kept):
        return
    if do == "remove":
        kept.pop(number)
    other = {"up": number - 1, "down": number + 1}.get(do, -1)
    if 0 <= other < len(kept):
        kept[number], kept[other] = kept[other], kept[number]
    _keep(request, kept)


# --- from the form to wishes ----------------------------------------------------------------------------------------

OPTIONS = ("start", "arrangement", "gap", "organisation", "project", "purpose", "notes")


def _options(data: QueryDict, **changed: str) -> str:
    query = QueryDict(mutable=True)
    for name in OPTIONS:
        if data.get(name):
            query[name] = str(data[name])
    for name, value in changed.items():
        query[name] = value
    return query.urlencode()


def _choices(request: HttpRequest, reader: Reader) -> dict[str, Any]:
    organisations = sorted(access(request).bookers(), key=lambda one: one.pk != reader.organisation.pk)
    projects = Project.objects.filter(organisation__in=[one.pk for one in organisations], active=True)
    return {"organisations": organisations, "projects": list(projects), "language": get_language() or ""}


def _zone(rows: Sequence[Row]) -> ZoneInfo:
    """The clock of the first instrument: an experiment begins there."""
    return rows[0].instrument.zone if rows else timezone.get_default_timezone()


def _pieces(request: HttpRequest, reader: Reader, rows: Sequence[Row], data: dict[str, Any]) -> list[Piece]:
    begin = timezone.now()
    wishes = [
        Wish(
            instrument=row.instrument,
            start=begin,
            end=begin + timedelta(minutes=row.minutes),
            mode=row.mode,
            organisation=data.get("organisation") or reader.organisation,
            user=person(request),
            project=data.get("project"),
        )
        for row in rows
    ]
    gap = timedelta(minutes=data.get("gap") or 0)
    return arranged(wishes, chain=data.get("arrangement") != "together", gap=gap)


def _wishes(request: HttpRequest, reader: Reader, rows: Sequence[Row], data: dict[str, Any]) -> list[Wish]:
    return at_time(_pieces(request, reader, rows, data), data["start"])


def _found(request: HttpRequest, reader: Reader) -> str:
    """The address with the first time that fits all, or with the news that there is none."""
    rows = _rows(request)
    if not rows:
        raise refuse("empty", _("No instrument has been chosen yet."))
    form = TogetherForm(request.POST, complete=False, zone=_zone(rows), **_choices(request, reader))
    data = checked(form)
    # Who has named a start looks on from there; it may fit itself.
    since: datetime | None = data["start"] - timedelta(minutes=1) if data.get("start") else None
    planned = first_fit(_pieces(request, reader, rows, data), by=person(request), now=timezone.now(), since=since)
    if not planned:
        return _options(request.POST, found="none")
    return _options(request.POST, start=planned[0].start.astimezone(_zone(rows)).strftime(WALL))
