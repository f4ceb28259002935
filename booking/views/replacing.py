"""Taking or declining what is proposed in the place of a displaced booking."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from backend.accounts.auth import access, page, person
from backend.core.http import go
from booking.actions import replacing
from booking.models import Status
from booking.queries.replacements import get_displacement, get_replacement
from booking.queries.scope import get_own_booking


@require_POST
@page
def accept(request: HttpRequest, pk: int, rid: int) -> HttpResponse:
    mine = access(request)
    get_own_booking(mine, pk)
    found = get_replacement(get_displacement(mine, pk), rid)
    made = replacing.accept_replacement(replacement=found, by=person(request))
    asked = made.status == Status.REQUESTED
    held = _("Your request has been sent. The time is held for you meanwhile.")
    messages.success(request, held if asked else _("Booked instead. The displaced booking costs nothing."))
    return go(request, reverse("booking:booking", args=[made.pk]))


@require_POST
@page
def decline(request: HttpRequest, pk: int) -> HttpResponse:
    mine = access(request)
    get_own_booking(mine, pk)
    replacing.decline_all(displacement=get_displacement(mine, pk), by=person(request))
    messages.success(request, _("Declined. Nothing is charged for the displaced booking."))
    return go(request, reverse("booking:booking", args=[pk]))
