"""What a booking's page says of its deadlines, of a no-show, and of other times for a time that was lost."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from backend.accounts.auth import access, page, person
from backend.core.fields import checked
from backend.core.http import go
from backend.core.periods import to_utc
from booking.actions.confirming import confirm_coming
from booking.actions.no_shows import mark_no_show
from booking.forms import ReasonForm
from booking.models import Booking, Displacement, DisplacementState, Status
from booking.queries import scope
from booking.queries.alternatives import alternatives
from booking.queries.confirming import must_confirm, of_booking
from booking.queries.no_show import CORRECTION, can_be_corrected, check_in_until, no_show_fee, no_show_from
from booking.queries.replacements import displacement_of, proposals
from booking.queries.wishes import wish_of

LOST = (Status.DISPLACED, Status.REJECTED, Status.EXPIRED, Status.WITHDRAWN)


def lab_steps(found: Booking, now: datetime) -> set[str]:
    """What only the lab can do: note a no-show once its time has come, and correct one within a day."""
    if found.status == Status.CONFIRMED and now >= check_in_until(found):
        due = no_show_from(found)
        return {"no_show"} if due is not None and due <= now else set()
    return {"finish"} if can_be_corrected(found, now) else set()


def deadlines(found: Booking, now: datetime, *, customer: bool) -> dict[str, Any]:
    """For `_next.html`; queries only for who lost a time to an outage."""
    must_check_in = found.status == Status.CONFIRMED and found.instrument.check_in
    lost = customer and found.status in LOST
    displacement = displacement_of(found)
    proposed = proposals(displacement, now) if displacement else []
    return {
        "displacement": displacement,
        "proposals": proposed,
        "check_in_until": check_in_until(found) if must_check_in else None,
        "confirm": of_booking(found) if must_confirm(found, now) else None,
        "no_show_fee": no_show_fee(found).total if found.status == Status.CONFIRMED else None,
        "correct_until": found.changed_at + CORRECTION if can_be_corrected(found, now) else None,
        "again_url": _panel_url(found) if lost else "",
        "other_times": _other_times(found, now) if lost and _searches(found, displacement) and not proposed else [],
    }


def _searches(found: Booking, displacement: Displacement | None) -> bool:
    """Whether its customer has neither another time nor said that none is wanted."""
    is_open = displacement is None or displacement.state == DisplacementState.OPEN
    return found.status == Status.DISPLACED and is_open


def _panel_url(found: Booking, **times: Any) -> str:
    """The instrument's page with the panel filled in as this booking was."""
    length = int((to_utc(found.end) - to_utc(found.start)) / timedelta(minutes=1))
    wanted: dict[str, Any] = {
        "mode": found.mode,
        "purpose": found.purpose,
        "notes": found.notes,
        "samples": found.samples,
        "organisation": found.organisation_id,
        "project": found.project_id,
        **(times or {"length": length}),
    }
    filled = {name: value for name, value in wanted.items() if value not in (None, "")}
    return f"{reverse('booking:instrument', args=[found.instrument_id])}?{urlencode(filled)}"


def _other_times(found: Booking, now: datetime) -> list[dict[str, Any]]:
    """The nearest times of the same length that every rule allows."""
    return [
        {
            "start": datetime.fromisoformat(each["start"]),
            "end": datetime.fromisoformat(each["end"]),
            "url": _panel_url(found, start=each["start"], end=each["end"]),
        }
        for each in sorted(alternatives(wish_of(found), now=now, elsewhere=False), key=lambda each: each["start"])
    ]


@require_POST
@page
def coming(request: HttpRequest, pk: int) -> HttpResponse:
    """The customer says that they will come."""
    found = scope.get_own_booking(access(request), pk)
    data = checked(ReasonForm(request.POST))
    confirm_coming(booking=found, by=person(request), version=data["version"])
    messages.success(request, _("Confirmed. The time stays yours."))
    return go(request, reverse("booking:booking", args=[found.pk]))


@require_POST
@page
def no_show(request: HttpRequest, pk: int) -> HttpResponse:
    found = scope.get_managed_booking(access(request), pk)
    data = checked(ReasonForm(request.POST))
    mark_no_show(booking=found, by=person(request), reason=data["reason"], version=data["version"])
    messages.success(request, _("Noted: nobody came. The customer has been told, and the rest of the time is free."))
    return go(request, reverse("booking:booking", args=[found.pk]))
