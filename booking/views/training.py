"""Trainings as those see them who want to learn: what is offered, what they asked for, what they may do."""

from __future__ import annotations

from datetime import timedelta
from itertools import groupby
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from backend.accounts.auth import access, page, person
from backend.accounts.models import Organisation
from backend.core.errors import Forbidden
from backend.core.export import attachment
from backend.core.fields import checked
from backend.core.http import go
from backend.core.text import whole_number
from booking.actions import training as actions
from booking.feeds import render_session
from booking.models import OPEN_REQUESTS, Course, RequestState
from booking.queries import training as queries
from booking.queries.qualified import standing
from booking.rules.training import EXPIRING
from booking.training_forms import AskForm
from instruments.queries.rights import get_visible_instrument, visible_instruments

TONES = {"valid": "good", "expiring": "wait", "expired": "off", "lapsed": "off", "revoked": "bad", "replaced": "off"}
REQUEST_TONES = {
    RequestState.REQUESTED: "wait", RequestState.ENROLLED: "good", RequestState.ATTENDED: "busy",
    RequestState.PASSED: "good", RequestState.FAILED: "bad", RequestState.ABSENT: "bad", RequestState.REJECTED: "bad",
}  # fmt: skip


def standing_words() -> dict[str, str]:
    return {
        "valid": _("Valid"),
        "expiring": _("Ends soon"),
        "expired": _("Ended"),
        "lapsed": _("Lapsed for want of use"),
        "revoked": _("Withdrawn by the lab"),
        "replaced": _("Renewed"),
    }


def shown(rows: Any) -> list[dict[str, Any]]:
    """Qualifications with how they stand now; ``rows`` have ``last_used``."""
    now, words = timezone.now(), standing_words()
    out = []
    for row in rows:
        stands = standing(row, now)
        tone = TONES[stands.state]
        # The end is the first instant of the following day.
        last = (stands.until - timedelta(seconds=1)).astimezone(row.zone).date() if stands.until else None
        out.append({"row": row, "stands": stands, "word": words[stands.state], "tone": tone, "last": last})
        out[-1]["zone"] = row.zone.key
    return out


@require_GET
@page
def mine(request: HttpRequest) -> HttpResponse:
    """What the person may do, what ends soon, what they asked for."""
    user = person(request)
    rows = shown(queries.own_qualifications(user)[:200])
    asked = [
        {"row": one, "tone": REQUEST_TONES.get(RequestState(one.state), "off"), "open": one.state in OPEN_REQUESTS}
        for one in queries.own_requests(user)[:100]
    ]
    context = {
        "holding": [one for one in rows if one["stands"].holds],
        "ended": [one for one in rows if not one["stands"].holds],
        "expiring": sum(one["stands"].state == EXPIRING for one in rows),
        "requests": [one for one in asked if one["open"]],
        "past_requests": [one for one in asked if not one["open"]],
        "now": timezone.now(),
    }
    return render(request, "booking/qualifications.html", context)


@require_GET
@page
def catalogue(request: HttpRequest) -> HttpResponse:
    """The trainings on offer, by institution, each with its next session."""
    mine = access(request)
    rows = queries.offered_courses(mine)
    about = whole_number(request.GET.get("instrument", ""))
    instrument = get_visible_instrument(mine, about) if about else None
    if instrument is not None:
        rows = rows.filter(queries.of_instrument(instrument)).distinct()
    where = whole_number(request.GET.get("institution", ""))
    if where:
        rows = rows.filter(institution=where)
    text = request.GET.get("q", "").strip()[:80]
    if text:
        rows = rows.filter(queries.named_like(text))
    part = Paginator(rows.order_by("institution__name", "name", "pk"), 30).get_page(request.GET.get("page"))
    courses = list(part.object_list)
    following = _next_sessions(courses)
    listed: list[dict[str, Any]] = [{"course": one, "session": following.get(one.pk)} for one in courses]
    context = {
        "groups": [(home, list(some)) for home, some in groupby(listed, key=_home)],
        "page_obj": part,
        "instrument": instrument,
        "institutions": queries.institutions_that_train(mine),
        "institution": where,
        "q": text,
        "filtered": bool(text or where or instrument),
    }
    return render(request, "booking/trainings.html", context)


def _home(one: dict[str, Any]) -> Organisation:
    course: Course = one["course"]
    return course.institution


def _next_sessions(courses: list[Course]) -> dict[int, Any]:
    """By course, the first with a free place; one query."""
    out: dict[int, Any] = {}
    for session in queries.coming_sessions(courses, timezone.now()):
        session.left = session.places - session.taken
        if session.left > 0:
            out.setdefault(session.course_id, session)
    return out


@require_GET
@page
def course(request: HttpRequest, pk: int) -> HttpResponse:
    mine = access(request)
    found = queries.get_course(mine, pk)
    sessions = list(queries.coming_sessions([found], timezone.now()))
    for one in sessions:
        one.left = one.places - one.taken
    asked = queries.own_requests(person(request)).filter(course=found, state__in=OPEN_REQUESTS).first()
    visible = visible_instruments(mine).filter(pk__in=queries.covered_instruments(found).order_by().values("pk"))
    context = {
        "course": found,
        "sessions": sessions,
        "instruments": visible.order_by("name", "pk")[:50],
        "asked": asked,
        "tone": REQUEST_TONES.get(RequestState(asked.state), "off") if asked else "",
        "form": _form(request, sessions),
        "manages": queries.manages_course(mine, found),
        "may_ask": bool(mine.bookers()),
        "zone": found.institution.timezone,
    }
    return render(request, "booking/training.html", context)


def _form(request: HttpRequest, sessions: list[Any]) -> AskForm:
    organisations = access(request).bookers()
    return AskForm(
        request.POST or None,
        initial={"session": request.GET.get("session", "")},
        sessions=[one for one in sessions if one.taken < one.places],
        organisations=organisations,
        language=get_language() or "",
    )


@require_POST
@page
def ask(request: HttpRequest, pk: int) -> HttpResponse:
    mine = access(request)
    found = queries.get_course(mine, pk)
    if not mine.bookers():
        raise Forbidden(detail=_("Your account belongs to no organisation that can book."))
    # Full sessions are named too: the action says which other one there is.
    form = AskForm(
        request.POST,
        sessions=list(queries.coming_sessions([found], timezone.now())),
        organisations=mine.bookers(),
        language=get_language() or "",
    )
    data = checked(form)
    made = actions.request_training(
        course=found,
        user=person(request),
        organisation=data["organisation"],
        session=data["session"],
        note=data["note"],
    )
    if made.state == RequestState.ENROLLED:
        messages.success(request, _("You have a place in this training."))
    else:
        messages.success(request, _("Asked. The lab will answer."))
    return go(request, reverse("booking:qualifications"))


@require_POST
@page
def withdraw(request: HttpRequest, pk: int) -> HttpResponse:
    found = queries.get_own_request(access(request), pk)
    actions.withdraw_training(request=found, by=person(request))
    messages.success(request, _("Withdrawn."))
    return go(request, reverse("booking:qualifications"))


@require_GET
@page
def session_file(request: HttpRequest, pk: int) -> HttpResponse:
    """A session to add to a calendar by hand."""
    found = queries.get_session(access(request), pk)
    response = HttpResponse(render_session(found), content_type="text/calendar; charset=utf-8")
    response["Content-Disposition"] = attachment(f"training-{found.pk}.ics")
    return response
