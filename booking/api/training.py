"""Trainings, their sessions, who wants a place, and what people are qualified for."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from ninja import Query, Router, Status

from backend.accounts.auth import access, person, signed_in
from backend.core.api import page_of
from backend.core.db import one
from backend.core.export import Format
from booking import exports
from booking import training_schemas as shapes
from booking.actions import courses, qualifying, training
from booking.api.bookings import choose_organisation
from booking.api.exports import TABLE
from booking.api.training_shapes import course_out, qualification_out, request_out, session_out
from booking.queries import training as queries
from booking.training_forms import end_of_day
from instruments.models import InstrumentGroup
from instruments.queries.groups import get_group_to_run
from instruments.queries.rights import get_managed_instrument, get_visible_instrument, institution_to_manage

router = Router(auth=signed_in, tags=["trainings"])


# --- trainings -------------------------------------------------------------------------------------------------------


@router.get("/trainings", response=shapes.TrainingPage, summary="Trainings on offer, or those that you run")
def list_trainings(request: HttpRequest, filters: Query[shapes.TrainingFilter]) -> dict[str, Any]:
    mine = access(request)
    rows = queries.managed_courses(mine) if filters.managed else queries.offered_courses(mine)
    if filters.instrument:
        rows = rows.filter(queries.of_instrument(get_visible_instrument(mine, filters.instrument))).distinct()
    if filters.institution:
        rows = rows.filter(institution=filters.institution)
    return page_of(rows.prefetch_related("instruments").order_by("name", "pk"), filters, course_out)


@router.post("/trainings", response={201: shapes.TrainingOut}, summary="Offer a training")
def create_training(request: HttpRequest, body: shapes.NewTraining) -> Status[dict[str, Any]]:
    mine = access(request)
    institution = institution_to_manage(mine, body.institution)
    made = courses.create_course(
        institution=institution,
        by=person(request),
        instruments=queries.choose_instruments(mine, institution.pk, body.instruments),
        group=_group(request, body.group),
        **body.model_dump(exclude={"institution", "instruments", "group"}),
    )
    return Status(201, course_out(made))


@router.get("/trainings/{int:pk}", response=shapes.TrainingOut, summary="One training")
def get_training(request: HttpRequest, pk: int) -> dict[str, Any]:
    return course_out(queries.get_course(access(request), pk))


@router.patch("/trainings/{int:pk}", response=shapes.TrainingOut, summary="Change a training")
def change_training(request: HttpRequest, pk: int, body: shapes.TrainingChange) -> dict[str, Any]:
    mine = access(request)
    found = queries.get_managed_course(mine, pk)
    values = body.model_dump(exclude_unset=True, exclude={"instruments", "group", "version"})
    # null means none for what may be empty, and is left out for the rest.
    empty = ("pass_mark", "validity_months", "disuse_months")
    values = {name: value for name, value in values.items() if value is not None or name in empty}
    if "group" in body.model_fields_set:
        values["group"] = _group(request, body.group)
    chosen = None
    if body.instruments is not None:
        chosen = queries.choose_instruments(mine, found.institution_id, body.instruments)
    changed = courses.change_course(
        course=found, by=person(request), instruments=chosen, version=body.version, **values
    )
    return course_out(changed)


def _group(request: HttpRequest, pk: int | None) -> InstrumentGroup | None:
    return get_group_to_run(access(request), pk) if pk is not None else None


# --- sessions --------------------------------------------------------------------------------------------------------


@router.get("/training-sessions", response=shapes.SessionPage, summary="Coming sessions, the next first")
def list_sessions(request: HttpRequest, filters: Query[shapes.SessionFilter]) -> dict[str, Any]:
    rows = queries.visible_sessions(access(request)).filter(start__gte=filters.start or timezone.now())
    if filters.training:
        rows = rows.filter(course=filters.training)
    if not filters.cancelled:
        rows = rows.filter(cancelled_at=None)
    return page_of(rows.order_by("start", "pk"), filters, session_out)


@router.post("/training-sessions", response={201: shapes.SessionOut}, summary="A date for a training")
def create_session(request: HttpRequest, body: shapes.NewTrainingSession) -> Status[dict[str, Any]]:
    course = queries.get_managed_course(access(request), body.training)
    made = courses.create_session(course=course, by=person(request), **body.model_dump(exclude={"training"}))
    return Status(201, session_out(made))


@router.get("/training-sessions/{int:pk}", response=shapes.SessionOut, summary="One session")
def get_session(request: HttpRequest, pk: int) -> dict[str, Any]:
    return session_out(queries.get_session(access(request), pk))


@router.patch("/training-sessions/{int:pk}", response=shapes.SessionOut, summary="Another time, place or number")
def change_session(request: HttpRequest, pk: int, body: shapes.TrainingSessionChange) -> dict[str, Any]:
    found = queries.get_managed_session(access(request), pk)
    courses.change_session(session=found, by=person(request), **body.model_dump(exclude_unset=True))
    return session_out(queries.get_session(access(request), pk))


@router.post("/training-sessions/{int:pk}/cancel", response=shapes.SessionOut, summary="It does not take place")
def cancel_session(request: HttpRequest, pk: int, body: shapes.TrainingReason) -> dict[str, Any]:
    found = queries.get_managed_session(access(request), pk)
    courses.cancel_session(session=found, by=person(request), reason=body.reason, version=body.version)
    return session_out(queries.get_session(access(request), pk))


@router.post(
    "/training-sessions/{int:pk}/results",
    response=list[shapes.TrainingRequestOut],
    summary="Who came and with what result, for one or many",
)
def enter_results(request: HttpRequest, pk: int, body: shapes.ResultsIn) -> list[dict[str, Any]]:
    found = queries.get_managed_session(access(request), pk)
    people = queries.people_of(found)
    entered = [
        training.Result(one(people, each.request), each.outcome, each.score, each.reason) for each in body.results
    ]
    return [request_out(row) for row in training.record_results(session=found, results=entered, by=person(request))]


# --- requests --------------------------------------------------------------------------------------------------------


@router.get("/training-requests", response=shapes.TrainingRequestPage, summary="Your requests, and those of your lab")
def list_requests(request: HttpRequest, filters: Query[shapes.TrainingRequestFilter]) -> dict[str, Any]:
    rows = queries.visible_requests(access(request))
    wanted = {"course": filters.training, "session": filters.session, "state": filters.state}
    rows = rows.filter(**{name: value for name, value in wanted.items() if value is not None})
    if filters.mine:
        rows = rows.filter(user=person(request))
    return page_of(rows.order_by("-requested_at", "-pk"), filters, request_out)


@router.post("/training-requests", response={201: shapes.TrainingRequestOut}, summary="Ask for a training")
def ask(request: HttpRequest, body: shapes.NewTrainingRequest) -> Status[dict[str, Any]]:
    mine = access(request)
    course = queries.get_course(mine, body.training)
    made = training.request_training(
        course=course,
        user=person(request),
        organisation=choose_organisation(mine, body.organisation),
        session=queries.session_of(course, body.session),
        note=body.note,
    )
    return Status(201, request_out(made))


@router.get("/training-requests/{int:pk}", response=shapes.TrainingRequestOut, summary="One request")
def get_request(request: HttpRequest, pk: int) -> dict[str, Any]:
    return request_out(queries.get_request(access(request), pk))


@router.post("/training-requests/{int:pk}/withdraw", response=shapes.TrainingRequestOut, summary="You do not come")
def withdraw(request: HttpRequest, pk: int, body: shapes.Seen) -> dict[str, Any]:
    found = queries.get_own_request(access(request), pk)
    return request_out(training.withdraw_training(request=found, by=person(request), version=body.version))


@router.post("/training-requests/{int:pk}/enrol", response=shapes.TrainingRequestOut, summary="Give a place")
def enrol(request: HttpRequest, pk: int, body: shapes.GivePlace) -> dict[str, Any]:
    found = queries.get_managed_request(access(request), pk)
    session = queries.session_of(found.course, body.session)
    return request_out(training.enrol(request=found, by=person(request), session=session, version=body.version))


@router.post("/training-requests/{int:pk}/reject", response=shapes.TrainingRequestOut, summary="Say no, with a reason")
def reject(request: HttpRequest, pk: int, body: shapes.TrainingReason) -> dict[str, Any]:
    found = queries.get_managed_request(access(request), pk)
    return request_out(
        training.reject_training(request=found, by=person(request), reason=body.reason, version=body.version)
    )


# --- qualifications --------------------------------------------------------------------------------------------------


@router.get("/qualifications", response=shapes.QualificationPage, summary="Yours, and those that your lab has given")
def list_qualifications(request: HttpRequest, filters: Query[shapes.QualificationFilter]) -> dict[str, Any]:
    mine = access(request)
    rows = queries.visible_qualifications(mine)
    if filters.instrument:
        rows = rows.filter(queries.about_instrument(get_managed_instrument(mine, filters.instrument)))
    if filters.training:
        rows = rows.filter(course=filters.training)
    if filters.mine:
        rows = rows.filter(user=person(request))
    if not filters.ended:
        rows = rows.filter(revoked_at=None, replaced_at=None)
    return page_of(rows.order_by("-granted_at", "-pk"), filters, qualification_out)


@router.post("/qualifications", response={201: shapes.QualificationOut}, summary="Give one without a training")
def grant(request: HttpRequest, body: shapes.NewQualification) -> Status[dict[str, Any]]:
    mine = access(request)
    course = queries.get_managed_course(mine, body.training) if body.training is not None else None
    instrument = get_managed_instrument(mine, body.instrument) if body.instrument is not None else None
    home = course.institution if course else instrument.institution if instrument else None
    made = qualifying.grant_qualification(
        user=queries.person_by_email(body.email),
        by=person(request),
        course=course,
        instrument=instrument,
        level=body.level,
        valid_until=end_of_day(body.valid_until, home.timezone) if body.valid_until and home else None,
        reason=body.reason,
    )
    return Status(201, qualification_out(queries.get_managed_qualification(mine, made.pk)))


@router.post("/qualifications/{int:pk}/revoke", response=shapes.QualificationOut, summary="Take it away, with a reason")
def revoke(request: HttpRequest, pk: int, body: shapes.TrainingReason) -> dict[str, Any]:
    mine = access(request)
    found = queries.get_managed_qualification(mine, pk)
    qualifying.revoke_qualification(qualification=found, by=person(request), reason=body.reason, version=body.version)
    return qualification_out(queries.get_managed_qualification(mine, pk))


@router.get("/exports/qualifications.{form}", summary="Qualified people as a table", openapi_extra=TABLE)
def export_qualifications(
    request: HttpRequest, form: Format, filters: Query[shapes.QualificationTable]
) -> exports.Download:
    mine = access(request)
    rows = queries.filtered_qualifications(
        queries.with_desk(mine),
        instrument=get_managed_instrument(mine, filters.instrument) if filters.instrument else None,
        course=filters.training,
        ended=filters.ended,
    )
    return exports.export_qualifications(rows, form)
