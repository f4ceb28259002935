"""The page of one use, what corrected it, and the forms that put it right; a use without a booking."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from backend.accounts.auth import access, page, person
from backend.core.errors import NotFound
from backend.core.fields import checked
from backend.core.http import go
from booking.actions.correcting import amend_usage, correct_usage, preview_change
from booking.actions.using import record_usage
from booking.forms import RecordForm, TimesForm, UnbookedForm
from booking.models import Usage, UsageState
from booking.queries import log, scope
from booking.queries.customers import customers_of, member_who_used
from booking.queries.owed import chain_of, compared, owed_for
from instruments.models import Instrument
from instruments.queries.rights import get_managed_instrument, manages


@require_GET
@page
def record(request: HttpRequest, pk: int) -> HttpResponse:
    return _page(request, scope.get_usage(access(request), pk))


def _page(request: HttpRequest, found: Usage, **more: Any) -> HttpResponse:
    me = access(request)
    chain = chain_of(found)
    owed = owed_for([found]).get(found.pk)
    lab = manages(me, found.instrument)
    step = _step(found, chain) if lab else ""
    own = found.user_id == me.user_id
    context = {
        "usage": found,
        "instrument": found.instrument,
        "zone": found.instrument.timezone,
        "chain": chain,
        "newest": chain[-1],
        "owed": owed,
        "compared": compared(found.booking, owed),
        "lab": lab,
        "step": "own" if step and own else step,
        "can_verify": step == "amend" and not own,
        "form": _filled(found) if step else None,
        **more,
    }
    return render(request, "booking/usage_record.html", context)


def _step(found: Usage, chain: list[Usage]) -> str:
    """What a manager can do with the record."""
    if found.state == UsageState.VERIFIED:
        return "correct" if chain[-1] == found else ""
    return "amend" if found.state == UsageState.SUBMITTED else ""


def _filled(found: Usage) -> RecordForm:
    zone = found.instrument.zone
    assert found.end is not None
    initial = {
        "start": found.start.astimezone(zone).replace(tzinfo=None),
        "end": found.end.astimezone(zone).replace(tzinfo=None),
        "samples": found.samples,
        "comment": found.comment,
    }
    return RecordForm(initial=initial, zone=zone, needs_reason=found.state == UsageState.VERIFIED)


def _measured(found: Usage, data: dict[str, Any]) -> dict[str, Any]:
    """What the form says; parameters are only changed over the API, so they stay."""
    return {
        **{name: data[name] for name in ("start", "end", "samples", "comment")},
        "parameters": found.parameters,
    }


def _ask_which(request: HttpRequest, form: TimesForm) -> HttpResponse | None:
    """The question that a form on the page shows where the clock shows a time twice and nobody said which."""
    if form.is_valid() or not form.which or not request.headers.get("HX-Request"):
        return None
    answer = render(request, "booking/_which.html", {"which": form.which}, status=422)
    answer["HX-Retarget"], answer["HX-Reswap"] = "#which", "innerHTML"
    return answer


@require_POST
@page
def preview(request: HttpRequest, pk: int) -> HttpResponse:
    """The price of the changed record and what it changes; nothing is written."""
    found = scope.get_managed_usage(access(request), pk)
    if found.end is None:
        raise NotFound
    form = RecordForm(request.POST, zone=found.instrument.zone)
    asked = _ask_which(request, form)
    if asked:
        return asked
    change = preview_change(usage=found, **_measured(found, checked(form)))
    if request.headers.get("HX-Request"):
        return render(request, "booking/_correction.html", {"change": change})
    return _page(request, found, change=change, form=form)


@require_POST
@page
def amend(request: HttpRequest, pk: int) -> HttpResponse:
    found = scope.get_managed_usage(access(request), pk)
    form = RecordForm(request.POST, zone=found.instrument.zone)
    asked = _ask_which(request, form)
    if asked:
        return asked
    data = checked(form)
    amend_usage(usage=found, by=person(request), reason=data["reason"], **_measured(found, data))
    messages.success(request, _("The record has been changed. It still waits to be verified."))
    return go(request, reverse("booking:usage_record", args=[found.pk]))


@require_POST
@page
def correct(request: HttpRequest, pk: int) -> HttpResponse:
    found = scope.get_managed_usage(access(request), pk)
    form = RecordForm(request.POST, zone=found.instrument.zone, needs_reason=True)
    asked = _ask_which(request, form)
    if asked:
        return asked
    data = checked(form)
    new = correct_usage(usage=found, by=person(request), reason=data["reason"], **_measured(found, data))
    messages.success(request, _("Corrected. The charge follows the new record, and the customer has been told."))
    return go(request, reverse("booking:usage_record", args=[new.pk]))


@page
def unbooked(request: HttpRequest, pk: int) -> HttpResponse:
    """Log a use of the instrument that nobody had booked."""
    instrument = get_managed_instrument(access(request), pk)
    organisations = customers_of([instrument.institution_id])
    more: dict[str, Any] = {"organisations": organisations, "language": get_language() or "", "zone": instrument.zone}
    if request.method != "POST":
        form = UnbookedForm(initial=_usual(instrument), **more)
        return render(request, "booking/usage_new.html", {"instrument": instrument, "form": form})
    form = UnbookedForm(request.POST, **more)
    asked = _ask_which(request, form)
    if asked:
        return asked
    data = checked(form)
    member = member_who_used(instrument.institution_id, email=data["email"], organisation=data["organisation"])
    made = record_usage(
        by=person(request),
        source_ref=f"page:{data['reference']}",
        instrument=instrument,
        user=member.user,
        organisation=member.organisation,
        start=data["start"],
        end=data["end"],
        samples=data["samples"],
        comment=data["comment"],
    )
    messages.success(request, _("The use has been logged. Verify it, and its charge becomes final."))
    return go(request, reverse("booking:usage_record", args=[made.pk]))


def _usual(instrument: Instrument) -> dict[str, Any]:
    """The last full hour."""
    end = timezone.now().astimezone(instrument.zone).replace(minute=0, second=0, microsecond=0, tzinfo=None)
    return {"reference": uuid.uuid4(), "start": end - timedelta(hours=1), "end": end}


@require_GET
@page
def choose(request: HttpRequest) -> HttpResponse:
    """Which instrument a use without booking is logged for."""
    mine = log.instruments_of(access(request))
    if not mine:
        raise NotFound
    return render(request, "booking/usage_choose.html", {"instruments": mine})
