"""Changing a booking from its page or by dragging it on a calendar: another time, another length, another person."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from backend.accounts.auth import access, page, person
from backend.accounts.models import Role
from backend.core.fields import checked
from backend.core.http import go
from backend.core.periods import to_utc
from booking.actions.lengths import change_times
from booking.actions.transferring import transfer_booking
from booking.forms import InstantsForm, MoveForm, TransferForm
from booking.models import Booking, Status
from booking.queries import scope
from booking.queries.changes import movable
from booking.queries.colleagues import colleague_to_take_over
from booking.queries.facts import rules_in_force
from booking.views import show
from booking.views.when import moved, proposal, when

# Quick choices on the page of the length, in minutes.
STEPS = (-60, -30, 15, 30, 60, 120)


@page
@require_http_methods(["GET", "HEAD", "POST"])
def move(request: HttpRequest, pk: int) -> HttpResponse:
    """Another time: the same days, times and live answer as on the instrument's page."""
    mine = access(request)
    found = scope.get_booking(mine, pk)
    if request.method == "POST":
        return _change(request, found, by_lab=scope.acts_for_lab(mine, found))
    length = int((to_utc(found.end) - to_utc(found.start)) / timedelta(minutes=1))
    chosen = {"length": str(length), "mode": found.mode, "day": _day_of(found), "moving": found}
    context = {
        "booking": found,
        "instrument": found.instrument,
        "answer": {"empty": True},
        "by_lab": scope.acts_for_lab(mine, found),
        "form": MoveForm(initial={"version": found.version}, zone=found.instrument.zone),
        **when(request, found.instrument, found.mode, chosen),
    }
    return render(request, "booking/move.html", context)


def _day_of(found: Booking) -> date:
    """The page opens on the booking's own day: mostly the new time lies near it."""
    return found.start.astimezone(found.instrument.zone).date()


def _change(request: HttpRequest, found: Booking, *, by_lab: bool) -> HttpResponse:
    """Extend, shorten or move; back on a calendar the reader stays where they are."""
    data = checked(MoveForm(_with_start(request.POST, found), zone=found.instrument.zone))
    done = change_times(
        booking=found,
        by=person(request),
        start=data["start"],
        end=data["end"],
        reason=data["reason"],
        version=data["version"],
        by_lab=by_lab,
    )
    text = _done(found, done)
    if request.POST.get("back") == "calendar" and request.headers.get("HX-Request"):
        return show.done_in_place(text)
    messages.success(request, text)
    return go(request, reverse("booking:booking", args=[found.pk]))


def _done(was: Booking, now: Booking) -> str:
    if now.start != was.start:
        done = _("Moved to the new time.")
    else:
        done = (
            _("The booking lasts longer now.") if now.end > was.end else _("Shortened. The rest of the time is free.")
        )
    if now.status != Status.REQUESTED:
        return done
    waits = _("It still waits for approval.") if was.status == Status.REQUESTED else _("It needs approval again.")
    return f"{done} {waits}"


@require_POST
@page
def check_move(request: HttpRequest, pk: int) -> HttpResponse:
    """What another time, or only another end, would mean; writes nothing."""
    mine = access(request)
    found = scope.get_booking(mine, pk)
    form = MoveForm(_with_start(request.POST, found), zone=found.instrument.zone)
    answer = moved(form, found, timezone.now(), by_lab=scope.acts_for_lab(mine, found), mover=mine)
    context = {
        "booking": found,
        "instrument": found.instrument,
        "answer": answer,
        "only_end": not request.POST.get("start"),
        "oob": True,
    }
    return render(request, "booking/_answer.html", context)


def _with_start(sent: QueryDict, found: Booking) -> QueryDict:
    """Who names only an end keeps the start."""
    if sent.get("start"):
        return sent
    filled = sent.copy()
    start = found.start.astimezone(found.instrument.zone)
    filled["start"], filled["start_fold"] = show.wall(start, found.instrument.zone), str(start.fold)
    return filled


@require_GET
@page
def length(request: HttpRequest, pk: int) -> HttpResponse:
    """Another end only, also while it is in use."""
    mine = access(request)
    found = scope.get_booking(mine, pk)
    zone, now = found.instrument.zone, timezone.now()
    context = {
        "booking": found,
        "instrument": found.instrument,
        "answer": {"empty": True},
        "only_end": True,
        "by_lab": scope.acts_for_lab(mine, found),
        "possible": bool(movable(found, now)),
        "begun": now >= found.start,
        "form": MoveForm(
            initial={"version": found.version, "end": found.end.astimezone(zone).replace(tzinfo=None)}, zone=zone
        ),
        "choices": list(_choices(found, now)),
        "same_start": show.wall(found.start, zone),
    }
    return render(request, "booking/length.html", context)


def _choices(found: Booking, now: datetime) -> Any:
    """Ends within reach: how much more or less, and the wall time; only lengths that the rules' steps allow."""
    step = rules_in_force([found.instrument], now)[found.instrument_id].book.length_step
    for minutes in [each for each in STEPS if each % step == 0] or [-step, step]:
        end = found.end + timedelta(minutes=minutes)
        if minutes < 0 and (now >= found.start or end <= found.start):
            continue
        if end > now:
            yield timedelta(minutes=abs(minutes)), minutes > 0, show.wall(end, found.instrument.zone)


@require_POST
@page
def drag(request: HttpRequest, pk: int) -> HttpResponse:
    """What was dropped on a calendar, asked before it is done: old and new time, price, reasons against it."""
    mine = access(request)
    found = scope.get_booking(mine, pk)
    data = checked(InstantsForm(request.POST))
    by_lab = scope.acts_for_lab(mine, found)
    zone = found.instrument.zone
    start, end = data["start"].astimezone(zone), data["end"].astimezone(zone)
    context = {
        "booking": found,
        "instrument": found.instrument,
        "by_lab": by_lab,
        "answer": proposal(found, data["start"], data["end"], timezone.now(), by_lab=by_lab, mover=mine),
        "wall_start": show.wall(start, zone),
        "wall_end": show.wall(end, zone),
        "start_fold": start.fold,
        "end_fold": end.fold,
    }
    return render(request, "booking/_drag.html", context)


@require_POST
@page
def transfer(request: HttpRequest, pk: int) -> HttpResponse:
    """To a colleague, chosen by the organisation's administrator or named by e-mail address."""
    mine = access(request)
    found = scope.get_own_booking(mine, pk)
    data = checked(TransferForm(request.POST))
    user = colleague_to_take_over(found, pk=data["user"], email=data["user_email"])
    done = transfer_booking(
        booking=found, by=person(request), user=user, reason=data["reason"], version=data["version"]
    )
    waits = done.status == Status.REQUESTED
    text = _("Handed to %(person)s; it needs approval again.") if waits else _("Handed to %(person)s.")
    messages.success(request, text % {"person": user.name})
    stays = mine.has(found.organisation_id, Role.ADMIN) or user.pk == mine.user_id
    return go(request, reverse("booking:booking", args=[pk]) if stays else reverse("booking:mine"))
