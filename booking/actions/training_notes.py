"""What every step of a training shares: who is told, and the audit row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from backend.accounts.models import Membership, Role, User
from backend.accounts.queries import people_with
from backend.audit.actions import record
from backend.core.periods import clock_words
from backend.outbox.actions import post
from booking.models import Course, Qualification, TrainingRequest, TrainingSession
from booking.queries.training import covered_instruments


def trainers(course: Course) -> set[int]:
    """Who hears of requests: managers whom the covered instruments name, else all of the institution's."""
    at_work = Membership.objects.current().filter(organisation=course.institution_id, role=Role.MANAGER)
    ids = covered_instruments(course).order_by().values("pk")
    named = set(at_work.filter(user__managed_instruments__in=ids).values_list("user_id", flat=True))
    everywhere = set(at_work.filter(all_instruments=True).values_list("user_id", flat=True)) if not named else set()
    return named or everywhere or set(people_with(course.institution_id, [Role.ADMIN]))


def session_words(session: TrainingSession | None) -> str:
    return clock_words(session.start, session.end, session.zone) if session else ""


def last_day(instant: datetime | None, zone: ZoneInfo) -> str:
    """The last day that still counts, for an instant at which something ends."""
    return f"{(instant - timedelta(seconds=1)).astimezone(zone):%Y-%m-%d}" if instant else ""


def tell_of_request(request: TrainingRequest, kind: str, *, to: Iterable[int], path: str = "", **more: Any) -> None:
    """A message about somebody's training; one per event, because the version is part of its key."""
    course, session = request.course, request.session
    post(
        key=f"{kind}:{request.pk}:{request.version}",
        kind=kind,
        recipients=set(to),
        context={
            **course_words(course),
            "person": request.user.name,
            "organisation": request.organisation.name,
            "when": session_words(session),
            "place": session.place if session else "",
            "note": request.note,
            "reason": request.reason,
            **more,
        },
        path=path or "/account/qualifications/",
    )


def course_words(course: Course) -> dict[str, str]:
    return {"training": course.name, "training_en": course.name_en or course.name}


def qualification_words(qualification: Qualification) -> dict[str, str]:
    """By the training, else by the instrument."""
    if qualification.course is not None:
        return course_words(qualification.course)
    assert qualification.instrument is not None
    instrument = qualification.instrument
    return {"training": instrument.name, "training_en": instrument.name_en or instrument.name}


def tell_of_qualification(qualification: Qualification, kind: str, *, key: str, **more: Any) -> None:
    post(
        key=f"{kind}:{qualification.pk}:{key}",
        kind=kind,
        recipients=[qualification.user_id],
        context={
            **qualification_words(qualification),
            "level": qualification.level,
            "until": last_day(qualification.valid_until, qualification.zone),
            "reason": qualification.reason,
            **more,
        },
        path="/account/qualifications/",
    )


def note_training(
    course: Course,
    action: str,
    *,
    by: User | None,
    of: object = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    reason: str = "",
) -> None:
    """The audit row, in the institution's chain; ``of`` is the id of what changed, by default the training's."""
    record(
        organisation_id=course.institution_id,
        actor_id=by.pk if by else None,
        action=action,
        object_type="training",
        object_id=of or course.pk,
        before=before,
        after={"training": course.pk, **(after or {})},
        reason=reason,
    )


def note_qualification(
    qualification: Qualification, action: str, *, by: User | None, before: Mapping[str, Any] | None = None, **after: Any
) -> None:
    record(
        organisation_id=qualification.institution_id,
        actor_id=by.pk if by else None,
        action=action,
        object_type="qualification",
        object_id=qualification.pk,
        before=before,
        after={"person": qualification.user_id, "level": qualification.level, **after},
        reason=qualification.reason,
    )
