"""Violations as the lab sees them: entries, appeals to decide, who is suspended; operators of the network read."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from backend.accounts.auth import access, page, person
from backend.accounts.models import Role
from backend.accounts.queries import Access
from backend.core.errors import NotFound
from backend.core.export import Format
from backend.core.fields import checked
from backend.core.http import go
from backend.core.periods import local_boundary
from backend.core.text import whole_number
from booking.actions import appealing as actions
from booking.exports import export_violations
from booking.models import Violation
from booking.queries import violations as queries
from booking.queries.standing import desk_standing
from booking.queries.violations import with_desk
from booking.rules.violation_names import USUAL, violation_label
from booking.views.record import barred_line, shown
from booking.violation_forms import DecideForm, LiftForm, ReasonForm, RecordForm
from instruments.queries.rights import institutions_of_desks, managed_instruments, manages_any


@require_GET
@page
def violations(request: HttpRequest) -> HttpResponse:
    """Who is suspended now, and every entry by filters."""
    mine = with_desk(access(request))
    now, filters, every = timezone.now(), _filters(request), queries.desk_violations(mine)
    part = Paginator(queries.filtered(every, **filters), 50).get_page(request.GET.get("page"))
    context = {
        **filters,
        "entries": shown(part.object_list, now),
        "page_obj": part,
        "barred": [barred_line(each) for each in desk_standing(mine, now)],
        "waiting": queries.open_appeals(mine),
        "lifts": manages_any(mine),
        "network": mine.is_operator,
        "instruments": managed_instruments(mine).order_by("name", "pk"),
        "organisations": queries.organisations_in(every),
        "names": [(name, violation_label(name)) for name in queries.names_in(every)],
        "states": [
            ("", _("All")),
            ("counting", _("Counting")),
            ("appealed", _("Contested, to decide")),
            ("struck", _("Struck out")),
        ],
        "filtered": any(filters.values()),
        "query": request.GET.urlencode(),
        "credit_of": _credit_pages(mine),
    }
    return render(request, "booking/violations.html", context)


def _credit_pages(mine: Access) -> list[tuple[str, str]]:
    """Whose counting of credit the person may edit: address and name."""
    own = [one for one in institutions_of_desks(mine) if mine.has(one.pk, Role.ADMIN)]
    pages = [(reverse("booking:credit", args=[one.pk]), str(one)) for one in own]
    return [*pages, *([(reverse("booking:network_credit"), _("Network"))] if mine.is_operator else [])]


def _filters(request: HttpRequest) -> dict[str, Any]:
    state = request.GET.get("state", "")
    return {
        "person": request.GET.get("person", "").strip()[:80],
        "organisation": whole_number(request.GET.get("organisation", "")),
        "instrument": whole_number(request.GET.get("instrument", "")),
        "name": request.GET.get("name", "")[:80],
        "state": state if state in queries.STATES else "",
    }


@require_GET
@page
def export(request: HttpRequest, form: Format) -> HttpResponseBase:
    """The list as it is filtered."""
    mine = with_desk(access(request))
    if form not in ("csv", "xlsx"):
        raise NotFound
    return export_violations(queries.filtered(queries.desk_violations(mine), **_filters(request)), form)


@require_GET
@page
def violation(request: HttpRequest, pk: int) -> HttpResponse:
    """One entry with its appeal; the acts for who runs the instrument."""
    mine = access(request)
    found = queries.get_violation(mine, pk)
    context = {
        "entry": shown([found], timezone.now())[0],
        "runs": queries.runs(mine, found) and not queries.is_own(mine, found),
        "own": queries.is_own(mine, found),
        "form": DecideForm(),
    }
    return render(request, "booking/violation.html", context)


@require_POST
@page
def decide(request: HttpRequest, pk: int) -> HttpResponse:
    found = queries.get_violation_to_run(access(request), pk)
    data = checked(DecideForm(request.POST))
    upheld = data["decision"] == "uphold"
    actions.decide_appeal(violation=found, by=person(request), upheld=upheld, answer=data["answer"])
    messages.success(request, _("Decided. The person has been told."))
    return go(request, reverse("booking:violation", args=[pk]))


@require_POST
@page
def strike_out(request: HttpRequest, pk: int) -> HttpResponse:
    found = queries.get_violation_to_run(access(request), pk)
    data = checked(ReasonForm(request.POST))
    actions.strike_out_violation(violation=found, by=person(request), reason=data["reason"])
    messages.success(request, _("Struck out. The person has been told."))
    return go(request, reverse("booking:violation", args=[pk]))


@require_POST
@page
def lift(request: HttpRequest) -> HttpResponse:
    mine = with_desk(access(request))
    data = checked(LiftForm(request.POST))
    party = {name: data[name] for name in ("person", "organisation") if data[name]}
    institution = queries.house_to_lift(mine, data["institution"])
    actions.lift_standing(
        by=person(request), institution=institution, party=party, rule=data["rule"], reason=data["reason"]
    )
    messages.success(request, _("Lifted. The person has been told."))
    return go(request, reverse("booking:violations"))


@require_http_methods(["GET", "HEAD", "POST"])
@page
def create(request: HttpRequest) -> HttpResponse:
    """By hand, with a reason."""
    mine = access(request)
    if not manages_any(mine):
        raise NotFound
    form = RecordForm(
        request.POST or None,
        initial={"booking": whole_number(request.GET.get("booking", ""))},
        instruments=managed_instruments(mine).order_by("name", "pk"),
        language=get_language() or "",
    )
    if request.method == "POST" and form.is_valid():
        made = _record(request, form)
        messages.success(request, _("On record. The person has been told."))
        return redirect("booking:violation", made.pk)
    context = {"form": form, "names": [violation_label(name) for name in USUAL]}
    return render(request, "booking/violation_new.html", context, status=422 if form.errors else 200)


def _record(request: HttpRequest, form: RecordForm) -> Violation:
    data = form.cleaned_data
    booking = queries.booking_to_note(access(request), data["booking"]) if data["booking"] else None
    instrument = booking.instrument if booking else form.instruments.get(data["instrument"])
    party = None
    if data["email"] and booking is None and instrument is not None:
        party = queries.person_to_note(access(request), instrument, data["email"])
    wall = data["at"]
    return actions.record_violation(
        by=person(request),
        name=data["name"],
        reason=data["reason"],
        at=local_boundary(wall.date(), wall.time(), instrument.zone) if wall and instrument else None,
        booking=booking,
        person=party.user if party else None,
        organisation=party.organisation if party else None,
        instrument=instrument,
    )
