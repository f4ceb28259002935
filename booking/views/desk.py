"""The manager's desk: requests by urgency, what to know about each, and the week of the lab's instruments."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from backend.accounts.auth import access, page, person
from backend.accounts.queries import Access
from backend.core.errors import NotFound
from backend.core.fields import checked
from backend.core.http import go
from backend.core.text import whole_number
from booking.actions.deciding import approve_booking, reject_booking
from booking.forms import ReasonForm
from booking.models import Booking, Status
from booking.queries import events as calendar
from booking.queries import lists, scope
from booking.queries.conversation import with_talk
from booking.queries.dossier import dossier_of, ending_of
from booking.views import show
from instruments.models import Mode
from instruments.queries.rights import managed_instruments

MOST_REQUESTS = 100
MOST_ROWS = 60


def _lab(request: HttpRequest) -> Access:
    """Who manages instruments, and who is asked to agree in another role; for others there is no such page."""
    me = access(request)
    if not scope.decides_any(me):
        raise NotFound
    return me


@require_GET
@page
def desk(request: HttpRequest) -> HttpResponse:
    me = _lab(request)
    chosen = request.GET.get("request", "")
    context = _requests(me, whole_number(chosen))
    if request.headers.get("HX-Request"):
        return render(request, "booking/_desk.html", context)
    language = get_language() or ""
    rows = managed_instruments(me).order_by("name", "pk")[:MOST_ROWS]
    context["resources"] = [{"id": row.pk, "title": row.label(language)} for row in rows]
    return render(request, "booking/desk.html", context)


def _requests(me: Access, chosen: int | None, *, place: int = 0) -> dict[str, Any]:
    """The list and the chosen request, or the one that now stands at ``place``; eight queries at most."""
    rows = list(with_talk(lists.requests_to_decide(me))[: MOST_REQUESTS + 1])
    more = len(rows) > MOST_REQUESTS
    rows = rows[:MOST_REQUESTS]
    found = next((number for number, row in enumerate(rows) if row.pk == chosen), min(place, len(rows) - 1))
    if not rows:
        return {"requests": [], "booking": None}
    booking = rows[found]
    now = timezone.now()
    return {
        "requests": rows,
        "more": more,
        "booking": booking,
        "instrument": booking.instrument,
        "previous": rows[found - 1] if found > 0 else None,
        "following": rows[found + 1] if found + 1 < len(rows) else None,
        "dossier": dossier_of(me, booking, now),
        "lines": show.lines(booking.quote),
        "quote": booking.quote,
        "mode": Mode(booking.mode).label,
        "roles": show.roles_words(booking.approval_roles),
        "zone": booking.instrument.timezone,
        "agreements": show.agreements(booking, ending_of(booking)) if len(booking.approval_roles) > 1 else [],
        "templates": show.reasons_to_reject(),
        "at_desk": True,
        "soon": {
            row.pk for row in rows if row.hold_expires_at and (row.hold_expires_at - now).total_seconds() < 4 * 3600
        },
    }


@require_POST
@page
def decide(request: HttpRequest, pk: int, what: str) -> HttpResponse:
    """Approve or reject; the next request takes the decided one's place."""
    me = _lab(request)
    found = scope.get_booking_to_decide(me, pk)
    if found.status != Status.REQUESTED and request.headers.get("HX-Request"):
        messages.info(request, _faster(found))
        return _next(request, me, 0)
    place = _place(me, found)
    data = checked(ReasonForm(request.POST))
    if what == "approve":
        done = approve_booking(booking=found, by=person(request), reason=data["reason"], version=data["version"])
        waits = done.status == Status.REQUESTED
        messages.success(request, _("You have agreed. Another role must agree too.") if waits else _("Approved."))
    else:
        reject_booking(booking=found, by=person(request), reason=data["reason"], version=data["version"])
        messages.success(request, _("Rejected. The customer has been told why."))
    if not request.headers.get("HX-Request"):
        return go(request, reverse("booking:desk"))
    return _next(request, me, place)


def _next(request: HttpRequest, me: Access, place: int) -> HttpResponse:
    context = _requests(me, None, place=place) | {"decided": True}
    response = render(request, "booking/_desk.html", context)
    response["HX-Trigger"] = "desk-changed"
    return response


def _faster(found: Booking) -> str:
    """Who changed the request while it was still on the screen."""
    steps = [row["by"] for row in lists.history(found) if (row["after"] or {}).get("status") == found.status]
    told = {"state": found.get_status_display(), "who": steps[-1] if steps else None}
    if told["who"]:
        return _("%(who)s was faster: this request is “%(state)s” by now.") % told
    return _("This request is “%(state)s” by now.") % told


def _place(me: Access, found: Booking) -> int:
    """Where the request stands in the list."""
    waiting = lists.requests_to_decide(me)
    return next((number for number, pk in enumerate(waiting.values_list("pk", flat=True)) if pk == found.pk), 0)


@require_GET
@page
def desk_events(request: HttpRequest) -> JsonResponse:
    me = _lab(request)
    rows = calendar.desk_events(me, *calendar.asked_range(request.GET), language=get_language() or "")
    return JsonResponse(rows, safe=False)
