"""Which trainings, sessions, requests and qualifications a person may see or decide about. Everything else is 404."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db.models import Case, Count, Exists, OuterRef, Q, QuerySet, Subquery, Value, When
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext as _

from backend.accounts.models import Membership, Organisation, OrganisationStatus, User
from backend.accounts.queries import Access
from backend.core.db import one
from backend.core.errors import Forbidden, NotFound, invalid
from booking.models import OPEN_REQUESTS, Course, Qualification, RequestState, TrainingRequest, TrainingSession
from booking.queries.qualified import with_last_use
from booking.rules.training import SOON
from instruments.models import Instrument, InstrumentQuerySet
from instruments.queries.rights import (
    importable,
    institutions_of_desks,
    managed_instruments,
    manages_any,
    visible_instruments,
)


def covered_instruments(course: Course) -> InstrumentQuerySet:
    """Those that the training names, and all of its group."""
    rows = Q(courses=course.pk)
    if course.group_id:
        rows |= Q(group=course.group_id)
    return Instrument.objects.filter(rows).distinct().order_by("name", "pk")


def of_instrument(instrument: Instrument) -> Q:
    """Trainings that cover the instrument."""
    rows = Q(instruments=instrument.pk)
    return rows | Q(group=instrument.group_id) if instrument.group_id else rows


def _covers(instruments: QuerySet[Instrument]) -> Exists:
    return Exists(instruments.filter(Q(courses=OuterRef("pk")) | Q(group__courses=OuterRef("pk"))))


# --- trainings -------------------------------------------------------------------------------------------------------


def managed_courses(access: Access) -> QuerySet[Course]:
    """Of institutions whose every instrument the person manages; elsewhere those that cover none but theirs."""
    if not manages_any(access):
        return Course.objects.none()
    here = [each.pk for each in institutions_of_desks(access)]
    whole = importable(access)
    mine = managed_instruments(access)
    others = Instrument.objects.exclude(pk__in=mine.values("pk"))
    own = Q(institution__in=[pk for pk in here if pk not in whole]) & _covers(mine) & ~_covers(others)
    return Course.objects.filter(Q(institution__in=whole) | own).select_related("institution", "group")


def offered_courses(access: Access) -> QuerySet[Course]:
    """What the person may ask for: trainings on offer for at least one instrument that they see."""
    rows = Course.objects.filter(active=True, institution__status=OrganisationStatus.ACTIVE)
    return rows.filter(_covers(visible_instruments(access))).select_related("institution", "group")


def named_like(text: str) -> Q:
    """By a word of the name, the level, or an instrument."""
    names = Q(name__icontains=text) | Q(name_en__icontains=text) | Q(level__iexact=text)
    like = Instrument.objects.filter(Q(name__icontains=text) | Q(name_en__icontains=text))
    return names | Q(pk__in=Course.objects.filter(_covers(like)).values("pk"))


def institutions_that_train(access: Access) -> QuerySet[Organisation]:
    """Those with a training on offer for the person, by name."""
    return Organisation.objects.filter(pk__in=offered_courses(access).values("institution")).order_by("name")


def with_counts(courses: QuerySet[Course]) -> Any:
    """With ``waiting`` requests and the number of people who ``hold`` its qualification now, ended ones apart."""
    waiting = TrainingRequest.objects.filter(course=OuterRef("pk"), state=RequestState.REQUESTED).order_by()
    current = Qualification.objects.filter(course=OuterRef("pk"), revoked_at=None, replaced_at=None).order_by()
    holding = current.filter(Q(valid_until=None) | Q(valid_until__gt=timezone.now()))
    return courses.annotate(
        waiting=Coalesce(Subquery(waiting.values("course").annotate(number=Count("pk")).values("number")), 0),
        holding=Coalesce(Subquery(holding.values("course").annotate(number=Count("pk")).values("number")), 0),
    )


def get_course(access: Access, pk: int) -> Course:
    """One on offer, one that the person manages, or one that they have been to."""
    seen = Q(pk__in=offered_courses(access).values("pk")) | Q(pk__in=managed_courses(access).values("pk"))
    if access.user_id is not None:
        seen |= Q(requests__user=access.user_id) | Q(qualifications__user=access.user_id)
    return one(Course.objects.filter(seen).distinct().select_related("institution", "group"), pk)


def get_managed_course(access: Access, pk: int) -> Course:
    """403 for a training that the person only sees."""
    course = get_course(access, pk)
    if not manages_course(access, course):
        raise Forbidden
    return course


def manages_course(access: Access, course: Course) -> bool:
    return managed_courses(access).filter(pk=course.pk).exists()


def choose_instruments(access: Access, institution_id: int, ids: Iterable[int]) -> list[Instrument]:
    """Instruments of the institution that the person manages; `NotFound` for any other id."""
    wanted = set(ids)
    found = list(managed_instruments(access).filter(institution=institution_id, pk__in=wanted))
    if len(found) != len(wanted):
        raise NotFound
    return found


# --- sessions --------------------------------------------------------------------------------------------------------


def with_places(sessions: QuerySet[TrainingSession]) -> Any:
    """With ``taken``, the number of places that somebody has."""
    taken = Count("requests", filter=Q(requests__seat__isnull=False))
    return sessions.select_related("course__institution", "course__group").annotate(taken=taken)


def coming_sessions(courses: QuerySet[Course] | Iterable[Course], now: datetime) -> Any:
    """Neither begun nor cancelled, the next first, with ``taken``; one query."""
    rows = TrainingSession.objects.filter(course__in=courses, start__gt=now, cancelled_at=None)
    return with_places(rows).order_by("start", "pk")


def next_session(courses: Iterable[Course], now: datetime) -> TrainingSession | None:
    """The next one with a free place, with ``taken``; one query."""
    return next((each for each in coming_sessions(courses, now) if each.taken < each.places), None)


def sessions_without_results(access: Access, now: datetime) -> Any:
    """Of managed trainings, those that have begun and where somebody's result is not entered."""
    waits = Q(requests__state__in=[RequestState.ENROLLED, RequestState.ATTENDED])
    rows = TrainingSession.objects.filter(course__in=managed_courses(access).order_by().values("pk"), start__lte=now)
    open_ = rows.filter(cancelled_at=None).annotate(open=Count("requests", filter=waits)).filter(open__gt=0)
    return open_.select_related("course__institution").order_by("start", "pk")


def people_of(session: TrainingSession) -> QuerySet[TrainingRequest]:
    """Everybody who had or wanted a place in it, by the place."""
    return with_request_names(session.requests.order_by("seat", "requested_at", "pk"))


def visible_sessions(access: Access) -> Any:
    """Of trainings on offer or managed, and those that the person was given a place in."""
    courses = Q(course__in=offered_courses(access).values("pk")) | Q(course__in=managed_courses(access).values("pk"))
    mine = TrainingRequest.objects.filter(user=access.user_id or 0, session=OuterRef("pk"))
    return with_places(TrainingSession.objects.filter(courses | Exists(mine)))


def get_session(access: Access, pk: int) -> Any:
    return one(visible_sessions(access), pk)


def get_managed_session(access: Access, pk: int) -> Any:
    found = get_session(access, pk)
    if not manages_course(access, found.course):
        raise Forbidden
    return found


def session_of(course: Course, pk: int | None) -> TrainingSession | None:
    """The session of this training; `Invalid` for another's."""
    if pk is None:
        return None
    found = TrainingSession.objects.filter(course=course, pk=pk).first()
    if found is None:
        raise invalid("session", _("This training has no such session."), "foreign")
    return found


# --- requests --------------------------------------------------------------------------------------------------------


def with_request_names(rows: QuerySet[TrainingRequest]) -> QuerySet[TrainingRequest]:
    return rows.select_related("course__institution", "session", "user", "organisation", "decided_by")


def own_requests(user: User) -> QuerySet[TrainingRequest]:
    """Open ones first, then the latest."""
    done = Case(When(state__in=OPEN_REQUESTS, then=Value(0)), default=Value(1))
    return with_request_names(user.training_requests.order_by(done, "-requested_at", "-pk"))


def managed_requests(access: Access) -> QuerySet[TrainingRequest]:
    return TrainingRequest.objects.filter(course__in=managed_courses(access).values("pk"))


def requests_to_decide(access: Access) -> QuerySet[TrainingRequest]:
    """Who waits for a place, the longest waiting first."""
    return with_request_names(managed_requests(access).filter(state=RequestState.REQUESTED))


def visible_requests(access: Access) -> QuerySet[TrainingRequest]:
    mine = Q(user=access.user_id or 0) | Q(course__in=managed_courses(access).values("pk"))
    return with_request_names(TrainingRequest.objects.filter(mine))


def get_request(access: Access, pk: int) -> TrainingRequest:
    return one(visible_requests(access), pk)


def get_own_request(access: Access, pk: int) -> TrainingRequest:
    """403 for the lab, which sees it."""
    found = get_request(access, pk)
    if found.user_id != access.user_id:
        raise Forbidden
    return found


def get_managed_request(access: Access, pk: int) -> TrainingRequest:
    """403 for the person who asked."""
    found = get_request(access, pk)
    if not manages_course(access, found.course):
        raise Forbidden
    return found


# --- qualifications --------------------------------------------------------------------------------------------------


def with_qualification_names(rows: QuerySet[Qualification]) -> Any:
    """With all that a row names, and ``last_used``."""
    related = ("institution", "course", "instrument", "user", "granted_by", "revoked_by")
    return with_last_use(rows.select_related(*related))


def own_qualifications(user: User) -> Any:
    return with_qualification_names(user.qualifications.order_by("-granted_at", "-pk"))


def managed_qualifications(access: Access) -> QuerySet[Qualification]:
    """Of the institutions whose every instrument the person manages; elsewhere of their trainings and instruments."""
    if not manages_any(access):
        return Qualification.objects.none()
    mine = Q(instrument__in=managed_instruments(access).values("pk"))
    return Qualification.objects.filter(
        Q(institution__in=importable(access)) | Q(course__in=managed_courses(access).values("pk")) | mine
    )


def visible_qualifications(access: Access) -> Any:
    rows = Q(user=access.user_id or 0) | Q(pk__in=managed_qualifications(access).values("pk"))
    return with_qualification_names(Qualification.objects.filter(rows))


def get_managed_qualification(access: Access, pk: int) -> Any:
    """403 for the person whose it is."""
    found = one(visible_qualifications(access), pk)
    if not managed_qualifications(access).filter(pk=pk).exists():
        raise Forbidden
    return found


def filtered_qualifications(
    access: Access,
    *,
    instrument: Instrument | None = None,
    course: int | None = None,
    text: str = "",
    ended: bool = False,
    ending_by: datetime | None = None,
) -> Any:
    """Of those that the person manages; without ``ended`` neither revoked nor replaced ones.

    ``ending_by``: those alone whose date lies between now and then.
    """
    rows = managed_qualifications(access)
    if instrument is not None:
        rows = rows.filter(about_instrument(instrument))
    if course is not None:
        rows = rows.filter(course=course)
    if text:
        rows = rows.filter(Q(user__name__icontains=text) | Q(user__email__icontains=text) | Q(level__iexact=text))
    if not ended:
        rows = rows.filter(revoked_at=None, replaced_at=None)
    if ending_by is not None:
        rows = rows.filter(valid_until__gt=timezone.now(), valid_until__lte=ending_by)
    return with_qualification_names(rows).order_by("user__name", "pk")


def about_instrument(instrument: Instrument) -> Q:
    """Qualifications that speak of the instrument, without joins."""
    courses = Course.objects.filter(of_instrument(instrument))
    return Q(instrument=instrument.pk) | Q(course__in=courses.values("pk"))


def with_desk(access: Access) -> Access:
    """The same; `Forbidden` for who manages no instruments."""
    if not manages_any(access):
        raise Forbidden
    return access


def soon(now: datetime) -> datetime:
    """Until when something that ends counts as ending soon."""
    return now + SOON


def person_by_email(email: str) -> User:
    """The account with exactly this address, if the person belongs to an organisation; `Invalid` otherwise."""
    belongs = Membership.objects.current().filter(user=OuterRef("pk"))
    found = User.objects.filter(Exists(belongs), email=email.strip().lower(), is_active=True).first()
    if found is None:
        raise invalid("email", _("Nobody with this address belongs to an organisation here."), "unknown")
    return found
