"""The page of one booking, for its customer and for the lab, and every step that can be taken from it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from backend.accounts.auth import access, page, person
from backend.accounts.models import OrganisationKind
from backend.accounts.queries import Access
from backend.core.fields import checked
from backend.core.http import go
from booking.actions.changing import cancel_booking, withdraw_booking
from booking.actions.deciding import approve_booking, reject_booking
from booking.actions.using import EARLY, finish_booking, start_booking
from booking.feeds import render_booking
from booking.forms import FinishForm, ReasonForm
from booking.models import Booking, Status
from booking.queries import lists, scope
from booking.queries.cancellation import cancellation
from booking.queries.changes import movable
from booking.queries.colleagues import colleagues_of
from booking.queries.dossier import Ending, ending_of
from booking.queries.several import companions
from booking.views import show
from booking.views.lifecycle import deadlines, lab_steps
from booking.views.talk import talk_of
from instruments.models import Mode
from instruments.queries.rights import manages
from invoices.models import ChargeState
from invoices.queries.covering import can_cover


@require_GET
@page
def booking(request: HttpRequest, pk: int) -> HttpResponse:
    mine = access(request)
    found = scope.get_visible_booking(mine, pk)
    now = timezone.now()
    customer, lab = scope.is_customer(mine, found), manages(mine, found.instrument)
    can = steps(found, now, customer=customer, lab=lab) if customer or lab else set()
    if lab and not customer:
        can |= lab_steps(found, now)
    ending = ending_of(found)
    if found.status == Status.REQUESTED and _awaits(mine, found, ending):
        can |= {"decide"}
    history = lists.history(found)
    context = {
        "booking": found,
        "instrument": found.instrument,
        "zone": found.instrument.timezone,
        "tone": show.status_tone(found),
        "nav": "booking:mine" if customer else "booking:desk",
        "customer": customer,
        "lab": lab,
        "can": can,
        "now": now,
        "mode": Mode(found.mode).label,
        "roles": show.roles_words(found.approval_roles),
        "open_roles": show.roles_words(_open_roles(found, ending)),
        "agreements": show.agreements(found, ending),
        "lines": show.lines(found.quote),
        "quote": found.quote,
        "ending": ending,
        "voucher_url": _voucher_url(found, ending) if customer else "",
        "fee": cancellation(found, now=now) if "cancel" in can and customer else None,
        "final_lines": show.ledger_lines(ending) if _is_final(ending) else [],
        **show.quote_and_charge(found, ending),
        "story": show.story(
            history,
            found.instrument.zone,
            confirmed_at_once=_at_once(history),
            currency=found.quote.get("currency", ""),
        ),
        "templates": show.reasons_to_reject(found.instrument) if "decide" in can else [],
        "colleagues": colleagues_of(mine, found) if "transfer" in can else [],
        "finish": finish_form(found, ending, now) if "finish" in can else None,
        "talk": talk_of(mine, found) if customer or lab else None,
        "companions": companions(mine, found),
        **deadlines(found, now, customer=customer),
    }
    return render(request, "booking/booking.html", context)


def steps(found: Booking, now: datetime, *, customer: bool, lab: bool) -> set[str]:
    """What this reader can do with the booking now."""
    status = found.status
    ahead = now < found.start
    length = {"length"} if movable(found, now) else set()
    waiting = {"move"} | length | ({"withdraw", "transfer"} if customer else set())
    confirmed = {
        "move": ahead,
        "length": bool(length),
        "transfer": ahead and customer,
        "cancel": now < found.end,
        "start": found.start - EARLY <= now < found.end,
    }
    # Without check-in, the lab logs what it operated; who works alone logs it themselves.
    confirmed["finish"] = now >= found.start and (lab or found.mode == Mode.SELF)
    if status == Status.REQUESTED:
        return waiting
    if status == Status.CONFIRMED:
        return {step for step, possible in confirmed.items() if possible}
    return {"finish", "length"} if status == Status.IN_USE else set()


def finish_form(found: Booking, ending: Ending, now: datetime) -> FinishForm:
    """Filled in with what was booked, or with when the use began."""
    zone = found.instrument.zone
    begun = ending.usage.start if ending.usage else found.start
    until = min(now.replace(second=0, microsecond=0), found.end)
    if until <= begun:
        until = begun + timedelta(minutes=1)
    initial = {
        "version": found.version,
        "start": begun.astimezone(zone).replace(tzinfo=None),
        "end": until.astimezone(zone).replace(tzinfo=None),
        "samples": found.samples,
    }
    form = FinishForm(initial=initial, zone=zone, begun=found.status == Status.IN_USE)
    if found.status == Status.IN_USE:
        # While the page stays open, the end goes on with the clock until then.
        form.fields["end"].widget.attrs["data-until"] = show.wall(found.end, zone)
    return form


def _awaits(mine: Access, found: Booking, ending: Ending) -> bool:
    """Whether one of the person's roles must still agree; nobody decides about their own request."""
    if found.awaits_customer or mine.user_id in (found.user_id, found.made_by_id):
        return False
    return bool(set(_open_roles(found, ending)) & set(scope.deciding_roles(mine, found)))


def _open_roles(found: Booking, ending: Ending) -> list[str]:
    given = {approval.role for approval in ending.approvals}
    return [role for role in found.approval_roles if role not in given]


def _voucher_url(found: Booking, ending: Ending) -> str:
    """Where an enterprise chooses a voucher for what the booking costs, until that is invoiced."""
    enterprise = found.organisation.kind == OrganisationKind.ENTERPRISE
    if ending.charge is None or not enterprise or not can_cover(ending.charge):
        return ""
    return reverse("invoices:voucher_charge", args=[ending.charge.pk])


def _is_final(ending: Ending) -> bool:
    return ending.charge is not None and ending.charge.state in (ChargeState.FINAL, ChargeState.INVOICED)


def _at_once(history: list[dict[str, Any]]) -> bool:
    asked = next((row for row in history if row["action"] == "booking.request"), None)
    return asked is not None and asked["after"].get("status") == Status.CONFIRMED


def _there(request: HttpRequest, found: Booking, text: str) -> HttpResponse:
    """Back to where the step was taken, with what was done."""
    messages.success(request, text)
    return go(request, reverse("booking:booking", args=[found.pk]))


@require_POST
@page
def withdraw(request: HttpRequest, pk: int) -> HttpResponse:
    found = scope.get_own_booking(access(request), pk)
    data = checked(ReasonForm(request.POST))
    withdraw_booking(booking=found, by=person(request), reason=data["reason"], version=data["version"])
    return _there(request, found, _("The request has been withdrawn. Nothing is charged."))


@require_POST
@page
def cancel(request: HttpRequest, pk: int) -> HttpResponse:
    mine = access(request)
    found = scope.get_booking(mine, pk)
    data = checked(ReasonForm(request.POST))
    by_lab = "by_lab" in request.POST and scope.acts_for_lab(mine, found)
    if not by_lab:
        found = scope.get_own_booking(mine, pk)
    cancel_booking(booking=found, by=person(request), reason=data["reason"], version=data["version"], by_lab=by_lab)
    return _there(request, found, _("The booking has been cancelled."))


@require_POST
@page
def approve(request: HttpRequest, pk: int) -> HttpResponse:
    found = scope.get_booking_to_decide(access(request), pk)
    data = checked(ReasonForm(request.POST))
    done = approve_booking(booking=found, by=person(request), reason=data["reason"], version=data["version"])
    waits = done.status == Status.REQUESTED
    return _there(request, found, _("You have agreed. Another role must agree too.") if waits else _("Approved."))


@require_POST
@page
def reject(request: HttpRequest, pk: int) -> HttpResponse:
    found = scope.get_booking_to_decide(access(request), pk)
    data = checked(ReasonForm(request.POST))
    reject_booking(booking=found, by=person(request), reason=data["reason"], version=data["version"])
    return _there(request, found, _("Rejected. The customer has been told why."))


@require_POST
@page
def start(request: HttpRequest, pk: int) -> HttpResponse:
    found = scope.get_booking(access(request), pk)
    data = checked(ReasonForm(request.POST))
    start_booking(booking=found, by=person(request), version=data["version"])
    return _there(request, found, _("The use has started."))


@require_POST
@page
def finish(request: HttpRequest, pk: int) -> HttpResponse:
    mine = access(request)
    found = scope.get_booking(mine, pk)
    begun = found.status == Status.IN_USE
    data = checked(FinishForm(request.POST, zone=found.instrument.zone, begun=begun))
    finish_booking(
        booking=found,
        by=person(request),
        start=None if begun else data["start"],
        end=data["end"],
        samples=data["samples"],
        comment=data["comment"],
        version=data["version"],
        by_lab=scope.acts_for_lab(mine, found),
    )
    text = _("The use has been logged. The lab verifies it next.")
    if request.POST.get("back") == "usage":
        messages.success(request, text)
        return go(request, reverse("booking:usage"))
    return _there(request, found, text)


@require_GET
@page
def calendar_file(request: HttpRequest, pk: int) -> HttpResponse:
    """The one event, to add to a calendar by hand."""
    found = scope.get_visible_booking(access(request), pk)
    headers = {"Content-Disposition": f'attachment; filename="booking-{found.pk}.ics"', "Cache-Control": "private"}
    return HttpResponse(render_booking(found), content_type="text/calendar; charset=utf-8", headers=headers)
