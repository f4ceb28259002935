"""The manager's desk: requests by urgency, what to know about each, and the lab's instruments as a timeline."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from backend.accounts.auth import access, page, person
from backend.accounts.queries import Access
from backend.core.errors import NotFound
from backend.core.fields import checked
from backend.core.http import go
from backend.core.text import whole_number
from booking.actions import deciding_several as several
from booking.actions.deciding import approve_booking, reject_booking
from booking.forms import InstantsForm, OutageForm, ReasonForm, SeveralForm
from booking.models import Booking, Status
from booking.queries import events as calendar
from booking.queries import lists, scope
from booking.queries.conversation import with_talk
from booking.queries.dossier import dossier_of, ending_of
from booking.queries.outages import hit_bookings
from booking.views import show
from instruments.models import Mode
from instruments.queries.rights import get_managed_instrument, institutions_of_desks, managed_instruments

MOST_REQUESTS = 100
MOST_ROWS = 60
# A hold that ends within so many hours is shown in red.
SOON_HOURS = 4


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
    chosen = whole_number(request.GET.get("request", ""))
    picks = request.GET.getlist("pick")
    context = _requests(me, chosen, picked=None if "all" in picks else _picked(picks))
    context["opened"] = chosen is not None and "list" not in request.GET
    if request.headers.get("HX-Request"):
        return render(request, "booking/_desk.html", context)
    language = get_language() or ""
    rows = managed_instruments(me).order_by("name", "pk")[:MOST_ROWS]
    context["resources"] = [{"id": row.pk, "title": row.label(language)} for row in rows]
    context["institutions"] = institutions_of_desks(me)
    return render(request, "booking/desk.html", context)


def _picked(sent: Iterable[str]) -> set[int]:
    return {pk for pk in map(whole_number, sent) if pk is not None}


def _requests(me: Access, chosen: int | None, *, place: int = 0, picked: Iterable[int] | None = ()) -> dict[str, Any]:
    """The list and the chosen request, or the one that now stands at ``place``; a constant number of queries.

    ``picked`` are the marked ones, None marks all.
    """
    rows = list(with_talk(lists.requests_to_decide(me))[: MOST_REQUESTS + 1])
    more = len(rows) > MOST_REQUESTS
    rows = rows[:MOST_REQUESTS]
    found = next((number for number, row in enumerate(rows) if row.pk == chosen), min(place, len(rows) - 1))
    if not rows:
        return {"requests": [], "booking": None}
    booking = rows[found]
    now = timezone.now()
    marked = rows if picked is None else [row for row in rows if row.pk in set(picked)]
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
        "templates": show.reasons_to_reject(booking.instrument),
        "at_desk": True,
        "marked": marked,
        "picked": {row.pk for row in marked},
        "soon": {row.pk for row in rows if _is_soon(row, now)},
    }


def _is_soon(row: Booking, now: Any) -> bool:
    return row.hold_expires_at is not None and (row.hold_expires_at - now).total_seconds() < SOON_HOURS * 3600


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


@require_POST
@page
def decide_several(request: HttpRequest) -> HttpResponse:
    """The same for all that were marked; what failed is named and stays marked."""
    me = _lab(request)
    data = checked(SeveralForm(request.POST))
    seen = {pk: version for pk, _colon, version in (each.partition(":") for each in request.POST.getlist("marked"))}
    versions = {int(pk): int(version) for pk, version in seen.items() if _both_whole(pk, version)}
    done = several.decide_several(
        access=me,
        by=person(request),
        decision=data["decision"],
        pks=list(versions)[:MOST_REQUESTS],
        reason=data["reason"],
        versions=versions,
    )
    good = [each for each in done if each.error is None]
    failed = [each for each in done if each.error is not None]
    if good:
        messages.success(request, _told(data["decision"], len(good)))
    if not request.headers.get("HX-Request"):
        for each in failed:
            messages.error(request, f"{each.booking or each.pk}: {each.error.detail if each.error else ''}")
        return go(request, reverse("booking:desk"))
    return _next(request, me, 0, failed=failed, picked=[each.pk for each in failed])


def _both_whole(pk: str, version: str) -> bool:
    return whole_number(pk) is not None and whole_number(version) is not None


def _told(decision: str, number: int) -> str:
    if decision == several.APPROVE:
        words = ngettext("%(number)s request approved.", "%(number)s requests approved.", number)
    else:
        words = ngettext("%(number)s request rejected.", "%(number)s requests rejected.", number)
    return words % {"number": number}


def _next(
    request: HttpRequest, me: Access, place: int, *, failed: Iterable[several.Decided] = (), picked: Iterable[int] = ()
) -> HttpResponse:
    context = _requests(me, None, place=place, picked=picked) | {"decided": True, "failed": list(failed)}
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


@require_GET
@page
def draw_outage(request: HttpRequest) -> HttpResponse:
    """The form of an outage for the stretch that was drawn on the timeline, with the bookings that it hits."""
    instrument = get_managed_instrument(access(request), whole_number(request.GET.get("instrument", "")) or 0)
    drawn = checked(InstantsForm(request.GET))
    start, end = (drawn[name].astimezone(instrument.zone) for name in ("start", "end"))
    initial = {"start": start.replace(tzinfo=None), "end": end.replace(tzinfo=None)}
    context = {
        "instrument": instrument,
        "zone": instrument.timezone,
        "form": OutageForm(initial=initial, zone=instrument.zone),
        "hits": list(hit_bookings(instrument, start, end)),
        "drawn": True,
    }
    return render(request, "booking/_draw_outage.html", context)
