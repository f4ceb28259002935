"""Trainings as the lab runs them: courses, sessions, who wants a place, who came and with what result."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from backend.accounts.auth import access, page, person
from backend.accounts.models import Organisation
from backend.core.errors import NotFound, invalid
from backend.core.fields import checked
from backend.core.http import go
from backend.core.text import whole_number
from booking.actions import courses as course_actions
from booking.actions import training as actions
from booking.models import RequestState, TrainingRequest, TrainingSession
from booking.queries import training as queries
from booking.training_forms import CourseForm, PlaceForm, SayForm, SessionForm
from booking.views.training import REQUEST_TONES
from instruments.queries.groups import groups_to_run
from instruments.queries.rights import (
    institution_to_manage,
    institutions_of_desks,
    managed_instruments,
    manages_any,
)


def desk_tabs(request: HttpRequest, tab: str) -> dict[str, Any]:
    """What every page of the trainings' desk shows; `NotFound` for who has no desk."""
    mine = access(request)
    if not manages_any(mine):
        raise NotFound
    return {"tab": tab, "waiting": queries.requests_to_decide(mine).count()}


@require_GET
@page
def trainings(request: HttpRequest) -> HttpResponse:
    """The courses that the person runs, and what comes next."""
    tabs = desk_tabs(request, "trainings")
    mine = access(request)
    desks = institutions_of_desks(mine)
    courses = queries.managed_courses(mine).order_by("-active", "institution__name", "name", "pk")
    part = Paginator(queries.with_counts(courses), 30).get_page(request.GET.get("page"))
    now = timezone.now()
    coming = list(queries.coming_sessions(queries.managed_courses(mine).order_by(), now)[:20])
    context = {
        **tabs,
        "courses": part.object_list,
        "page_obj": part,
        "coming": coming,
        "open_results": list(queries.sessions_without_results(mine, now)[:20]),
        "institutions": desks,
        "several": len(desks) > 1,
    }
    return render(request, "booking/teaching.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@page
def create(request: HttpRequest) -> HttpResponse:
    desk_tabs(request, "trainings")
    chosen = whole_number(request.GET.get("institution", ""))
    institution = institution_to_manage(access(request), chosen)
    form = _course_form(request, institution, {"rank": 1, "active": True, "hours": "any"})
    if request.method == "POST" and form.is_valid():
        data = _course_values(form)
        made = course_actions.create_course(institution=institution, by=person(request), **data)
        messages.success(request, _("The training is there. Now give it a date."))
        return redirect("booking:teaching_course", made.pk)
    context = {"form": form, "institution": institution}
    return render(request, "booking/teaching_course.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@page
def course(request: HttpRequest, pk: int) -> HttpResponse:
    found = queries.get_managed_course(access(request), pk)
    initial = {name: getattr(found, name) for name in course_actions.FIELDS if name != "group"}
    initial |= {
        "group": found.group_id,
        "version": found.version,
        "instruments": [str(one) for one in found.instruments.values_list("pk", flat=True)],
    }
    form = _course_form(request, found.institution, initial)
    if request.method == "POST" and form.is_valid():
        course_actions.change_course(
            course=found, by=person(request), version=form.cleaned_data["version"], **_course_values(form)
        )
        messages.success(request, _("Saved."))
        return redirect("booking:teaching_course", found.pk)
    sessions = queries.with_places(found.sessions.order_by("-start", "-pk"))
    part = Paginator(sessions, 20).get_page(request.GET.get("page"))
    context = {
        "course": found,
        "institution": found.institution,
        "form": form,
        "sessions": part.object_list,
        "page_obj": part,
        "zone": found.institution.timezone,
        "now": timezone.now(),
    }
    return render(request, "booking/teaching_course.html", context, status=422 if form.errors else 200)


def _course_form(request: HttpRequest, institution: Organisation, initial: dict[str, Any]) -> CourseForm:
    mine = access(request)
    return CourseForm(
        request.POST or None,
        initial=initial,
        instruments=managed_instruments(mine).filter(institution=institution).order_by("name", "pk"),
        groups=groups_to_run(mine).filter(institution=institution),
        language=get_language() or "",
    )


def _course_values(form: CourseForm) -> dict[str, Any]:
    return {name: form.cleaned_data[name] for name in (*course_actions.FIELDS, "instruments")}


# --- sessions --------------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
@page
def new_session(request: HttpRequest, pk: int) -> HttpResponse:
    found = queries.get_managed_course(access(request), pk)
    zone = TrainingSession(course=found).zone
    form = SessionForm(request.POST or None, zone=zone, initial={"places": 6, "trainer": person(request).name})
    if request.method == "POST" and form.is_valid():
        made = course_actions.create_session(course=found, by=person(request), **_session_values(form))
        messages.success(request, _("The session is there and can be asked for."))
        return redirect("booking:teaching_session", made.pk)
    context = {"form": form, "course": found, "zone": found.institution.timezone}
    return render(request, "booking/teaching_session_form.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@page
def edit_session(request: HttpRequest, pk: int) -> HttpResponse:
    found = queries.get_managed_session(access(request), pk)
    initial = {
        "start": found.start.astimezone(found.zone).replace(tzinfo=None),
        "end": found.end.astimezone(found.zone).replace(tzinfo=None),
        **{name: getattr(found, name) for name in ("place", "trainer", "places", "version")},
    }
    form = SessionForm(request.POST or None, zone=found.zone, initial=initial)
    if request.method == "POST" and form.is_valid():
        course_actions.change_session(
            session=found, by=person(request), version=form.cleaned_data["version"], **_session_values(form)
        )
        messages.success(request, _("Saved. Whoever has a place has been told of another time or place."))
        return redirect("booking:teaching_session", found.pk)
    context = {"form": form, "course": found.course, "session": found, "zone": found.zone.key}
    return render(request, "booking/teaching_session_form.html", context, status=422 if form.errors else 200)


def _session_values(form: SessionForm) -> dict[str, Any]:
    return {name: form.cleaned_data[name] for name in ("start", "end", "place", "trainer", "places")}


@require_GET
@page
def session(request: HttpRequest, pk: int) -> HttpResponse:
    """Who has a place, who waits for one, and once it has begun: who came and with what result."""
    found = queries.get_managed_session(access(request), pk)
    rows = list(queries.people_of(found))
    now = timezone.now()
    context = {
        "session": found,
        "course": found.course,
        "zone": found.zone.key,
        "participants": [_shown(one) for one in rows if one.seat],
        "waiting": [one for one in rows if one.state == RequestState.REQUESTED],
        "gone": [_shown(one) for one in rows if not one.seat and one.state != RequestState.REQUESTED],
        "begun": found.start <= now,
        "left": found.places - found.taken,
        "to_enter": [one for one in rows if one.state in (RequestState.ENROLLED, RequestState.ATTENDED)],
        "outcomes": [(value, RequestState(value).label) for value in actions.OUTCOMES],
        "cancel_form": SayForm(initial={"version": found.version}),
    }
    return render(request, "booking/teaching_session.html", context)


def _shown(one: TrainingRequest) -> dict[str, Any]:
    state = RequestState(one.state)
    return {"row": one, "tone": REQUEST_TONES.get(state, "off"), "open": state in ("enrolled", "attended")}


@require_POST
@page
def cancel_session(request: HttpRequest, pk: int) -> HttpResponse:
    found = queries.get_managed_session(access(request), pk)
    data = checked(SayForm(request.POST))
    course_actions.cancel_session(session=found, by=person(request), reason=data["reason"], version=data["version"])
    messages.success(request, _("The session is cancelled. Everybody who had or wanted a place has been told."))
    return go(request, reverse("booking:teaching_session", args=[found.pk]))


@require_POST
@page
def results(request: HttpRequest, pk: int) -> HttpResponse:
    """Results of several people at once; rows without a chosen result stay as they are."""
    found = queries.get_managed_session(access(request), pk)
    entered = [
        _result(request.POST, row)
        for row in queries.people_of(found)
        if request.POST.get(f"outcome-{row.pk}", "") in actions.OUTCOMES
    ]
    if not entered:
        raise invalid("outcome", _("Please choose the result of at least one person."), "required")
    actions.record_results(session=found, results=entered, by=person(request))
    messages.success(request, _("Entered. Those who have a result have been told."))
    return go(request, reverse("booking:teaching_session", args=[found.pk]))


def _result(data: QueryDict, row: TrainingRequest) -> actions.Result:
    text = data.get(f"score-{row.pk}", "").strip()
    score = whole_number(text, digits=3)
    if text and (score is None or score > 100):
        raise invalid("score", _("%(person)s: points go from 0 to 100.") % {"person": row.user.name}, "out_of_range")
    return actions.Result(row, data.get(f"outcome-{row.pk}", ""), score, data.get(f"reason-{row.pk}", "")[:200])


# --- requests --------------------------------------------------------------------------------------------------------


@require_GET
@page
def requests(request: HttpRequest) -> HttpResponse:
    """Who waits for a place, the longest waiting first, each with the sessions that have one."""
    tabs = desk_tabs(request, "requests")
    mine = access(request)
    part = Paginator(queries.requests_to_decide(mine), 30).get_page(request.GET.get("page"))
    rows = list(part.object_list)
    sessions: dict[int, list[Any]] = {}
    for one in queries.coming_sessions([row.course for row in rows], timezone.now()) if rows else ():
        if one.taken < one.places:
            sessions.setdefault(one.course_id, []).append(one)
    listed = [
        {"row": row, "form": PlaceForm(
            initial={"session": row.session_id, "version": row.version}, sessions=sessions.get(row.course_id, []),
            auto_id=f"id_{row.pk}_%s",
        ), "sessions": sessions.get(row.course_id, [])}
        for row in rows
    ]  # fmt: skip
    return render(request, "booking/teaching_requests.html", {**tabs, "rows": listed, "page_obj": part})


@require_POST
@page
def enrol(request: HttpRequest, pk: int) -> HttpResponse:
    found = queries.get_managed_request(access(request), pk)
    data = checked(PlaceForm(request.POST, sessions=queries.coming_sessions([found.course], timezone.now())))
    actions.enrol(request=found, by=person(request), session=data["session"], version=data["version"])
    messages.success(request, _("%(person)s has a place and has been told.") % {"person": found.user.name})
    return go(request, _back(request))


@require_POST
@page
def reject(request: HttpRequest, pk: int) -> HttpResponse:
    found = queries.get_managed_request(access(request), pk)
    data = checked(SayForm(request.POST))
    actions.reject_training(request=found, by=person(request), reason=data["reason"], version=data["version"])
    messages.success(request, _("Rejected. The person has been told why."))
    return go(request, _back(request))


def _back(request: HttpRequest) -> str:
    """To the session where the button was, else to the list."""
    pk = whole_number(request.POST.get("back", ""))
    if pk:
        return reverse("booking:teaching_session", args=[pk])
    return reverse("booking:teaching_requests")
