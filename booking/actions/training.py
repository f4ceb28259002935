"""A person's way through a training: asking, a place, the result."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext as _

from backend.accounts.models import Organisation, User
from backend.core.db import atomic_action, read_anew
from backend.core.errors import NotFound, Refusal, Refused, Stale, invalid, refuse
from booking.actions.courses import lock_session
from booking.actions.qualifying import grant
from booking.actions.training_notes import last_day, note_training, session_words, tell_of_request, trainers
from booking.models import OPEN_REQUESTS, Course, RequestState, TrainingRequest, TrainingSession
from booking.queries.taught import QUALIFY, TRAIN, training_refusals
from booking.queries.training import next_session
from booking.rules.training import result_refusals

DESK = "/manage/trainings/requests/"
OUTCOMES = (RequestState.ATTENDED, RequestState.PASSED, RequestState.FAILED, RequestState.ABSENT)


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one participant. ``score`` are points from 0 to 100."""

    request: TrainingRequest
    outcome: str
    score: int | None = None
    reason: str = ""


@atomic_action
def request_training(
    *, course: Course, user: User, organisation: Organisation, session: TrainingSession | None = None, note: str = ""
) -> TrainingRequest:
    """Ask for a training, at a session or at any. Where places are given at once, a free one is taken now."""
    User.objects.select_for_update(no_key=True).get(pk=user.pk)
    locked = lock_session(session) if session is not None else None
    _refuse_asking(course, user, locked)
    against = training_refusals(course, user, organisation, acts=(TRAIN, QUALIFY), now=timezone.now(), session=locked)
    if against:
        raise Refused(*against)
    seat = free_seat(locked) if locked is not None and course.open else None
    now = timezone.now()
    request = TrainingRequest.objects.create(
        course=course,
        session=locked,
        seat=seat,
        user=user,
        organisation=organisation,
        state=RequestState.ENROLLED if seat else RequestState.REQUESTED,
        note=note.strip()[:200],
        requested_at=now,
        changed_at=now,
    )
    if seat:
        tell_of_request(request, "training_enrolled", to=[user.pk])
    else:
        tell_of_request(request, "training_requested", to=trainers(course) - {user.pk}, path=DESK)
    _note(request, "training.request", by=user)
    return request


def _refuse_asking(course: Course, user: User, session: TrainingSession | None) -> None:
    if not course.active:
        raise refuse("not_offered", _("This training is not offered at the moment."))
    known = TrainingRequest.objects.filter(course=course, user=user, state__in=OPEN_REQUESTS).first()
    if known is not None:
        raise refuse(
            "asked_already",
            _("You have asked for this training already: %(state)s.") % {"state": known.get_state_display()},
            params={"request": known.pk},
            fix_text=_("Withdraw the earlier request first if you want another session."),
        )
    if session is not None:
        _refuse_session(session, course)


def _refuse_session(session: TrainingSession, course: Course) -> None:
    if session.course_id != course.pk:
        raise NotFound
    if session.cancelled_at:
        raise refuse("session_cancelled", _("This session is cancelled."), fix_text=_advice(session))
    if session.start <= timezone.now():
        raise refuse("session_begun", _("This session has begun already."), fix_text=_advice(session))
    if len(taken_seats(session)) >= session.places:
        raise _full(session)


def _full(session: TrainingSession) -> Refused:
    return refuse(
        "full",
        _("All %(places)s places of this session are taken.") % {"places": session.places},
        params={"places": session.places, "session": session.pk},
        fix_text=_advice(session),
    )


def _advice(session: TrainingSession) -> str:
    other = next_session([session.course], timezone.now())
    if other is None:
        return _("Ask without a date: the lab tells you when there is a place.")
    left = other.places - getattr(other, "taken", 0)
    return _("Next session: %(when)s, free places: %(left)s.") % {"when": session_words(other), "left": left}


def taken_seats(session: TrainingSession) -> set[int]:
    rows = TrainingRequest.objects.filter(session=session, seat__isnull=False)
    return {seat for seat in rows.values_list("seat", flat=True) if seat}


def free_seat(session: TrainingSession) -> int:
    """The first free place of a locked session; `Refused` when all are taken."""
    taken = taken_seats(session)
    found = next((seat for seat in range(1, session.places + 1) if seat not in taken), None)
    if found is None:
        raise _full(session)
    return found


@atomic_action
def withdraw_training(*, request: TrainingRequest, by: User, version: int | None = None) -> TrainingRequest:
    """The person does not come; their place is free again. Not once the session has begun."""
    fresh = _lock(request, [RequestState.REQUESTED, RequestState.ENROLLED], version=version)
    if fresh.session and fresh.state == RequestState.ENROLLED and fresh.session.start <= timezone.now():
        raise refuse("session_begun", _("The session has begun: only the lab can still change this."))
    before = fresh.state
    _move(fresh, RequestState.WITHDRAWN, seat=None)
    tell_of_request(fresh, "training_withdrawn", to=trainers(fresh.course) - {by.pk}, path=DESK)
    _note(fresh, "training.withdraw", by=by, before=before)
    return fresh


@atomic_action
def enrol(
    *, request: TrainingRequest, by: User, session: TrainingSession | None = None, version: int | None = None
) -> TrainingRequest:
    """The lab gives a place, in ``session`` or in the one that was asked for; also to who has one elsewhere."""
    wanted = session or request.session
    if wanted is None:
        raise invalid("session", _("Please choose a session."), "required")
    locked = lock_session(wanted)
    fresh = _lock(request, [RequestState.REQUESTED, RequestState.ENROLLED], version=version)
    if fresh.state == RequestState.ENROLLED and fresh.session_id == locked.pk:
        raise refuse("enrolled_already", _("This person has a place in this session already."))
    _refuse_session(locked, fresh.course)
    before = fresh.state
    _move(fresh, RequestState.ENROLLED, seat=free_seat(locked), session=locked, decided_by=by)
    tell_of_request(fresh, "training_enrolled", to=[fresh.user_id])
    _note(fresh, "training.enrol", by=by, before=before)
    return fresh


@atomic_action
def reject_training(*, request: TrainingRequest, by: User, reason: str, version: int | None = None) -> TrainingRequest:
    """The lab says no, with a reason that the person reads."""
    reason = reason.strip()
    if not reason:
        raise invalid("reason", _("Please give a reason: the person reads it."), "reason_needed")
    fresh = _lock(request, [RequestState.REQUESTED, RequestState.ENROLLED], version=version)
    before = fresh.state
    _move(fresh, RequestState.REJECTED, seat=None, decided_by=by, reason=reason[:200])
    tell_of_request(fresh, "training_rejected", to=[fresh.user_id])
    _note(fresh, "training.reject", by=by, before=before)
    return fresh


@atomic_action
def record_results(*, session: TrainingSession, results: Collection[Result], by: User) -> list[TrainingRequest]:
    """Who came and with what result, for one or many at once: all or none. Passing gives the qualification.

    Possible from the start of the session on. Nobody enters their own result.
    """
    locked = lock_session(session)
    if locked.cancelled_at:
        raise refuse("session_cancelled", _("This session is cancelled."))
    if locked.start > timezone.now():
        raise refuse("not_begun", _("The session has not begun yet."), until=locked.start)
    by_id = {result.request.pk: result for result in results}
    rows = _rows().filter(pk__in=by_id, session=locked).order_by("user_id", "pk")
    found = list(rows)
    if len(found) != len(by_id):
        raise NotFound
    refusals = [one for row in found for one in _unfit(row, by_id[row.pk], by)]
    if refusals:
        raise Refused(*refusals)
    for row in found:
        _conclude(row, by_id[row.pk], by)
    return found


def _unfit(row: TrainingRequest, result: Result, by: User) -> Iterable[Refusal]:
    who = {"person": row.user.name}
    if result.outcome not in OUTCOMES:
        yield Refusal("unknown_outcome", _("%(person)s: this is no result.") % who, params={"request": row.pk})
    elif row.state not in (RequestState.ENROLLED, RequestState.ATTENDED):
        yield Refusal(
            "wrong_status",
            _("%(person)s: the result is entered already.") % who,
            params={"request": row.pk, "status": row.state},
        )
    elif row.user_id == by.pk:
        yield Refusal("own_result", _("Nobody enters a result of their own. Please ask a colleague."))
    if result.outcome == RequestState.PASSED or (result.outcome == RequestState.ATTENDED and not row.course.exam):
        for each in training_refusals(row.course, row.user, row.organisation, acts=(QUALIFY,), now=timezone.now()):
            told = f"{row.user.name}{_(': ')}{each.detail}"
            yield Refusal(each.code, told, params={**each.params, "request": row.pk}, until=each.until)
    for one in result_refusals(row.course, result.outcome, result.score):
        told = f"{row.user.name}{_(': ')}{one.detail}"
        yield Refusal(one.code, told, field=one.field, params={**one.params, "request": row.pk})


def _conclude(row: TrainingRequest, result: Result, by: User) -> None:
    before, course = row.state, row.course
    outcome = result.outcome
    if outcome == RequestState.ATTENDED and not course.exam:
        # Without an exam, having been there is all that is needed.
        outcome = RequestState.PASSED
    _move(row, outcome, score=result.score, reason=result.reason.strip()[:200], decided_by=by)
    qualification = None
    if outcome == RequestState.PASSED:
        qualification = grant(user=row.user, by=by, course=course, request=row)
    if outcome in (RequestState.PASSED, RequestState.FAILED):
        until = last_day(qualification.valid_until, qualification.zone) if qualification else ""
        told: dict[str, Any] = {
            "passed": bool(qualification),
            "level": course.level,
            "until": until,
            "score": row.score,
        }
        tell_of_request(row, "training_result", to=[row.user_id], **told)
    _note(row, "training.result", by=by, before=before, score=row.score)


def _rows() -> models.QuerySet[TrainingRequest]:
    related = ("course__institution", "course__group", "session__course__institution", "user", "organisation")
    return TrainingRequest.objects.select_for_update(of=("self",), no_key=True).select_related(*related)


def _lock(request: TrainingRequest, allowed: Collection[str], *, version: int | None) -> TrainingRequest:
    fresh = read_anew(_rows(), request, version=version)
    if fresh.state not in allowed:
        raise refuse(
            "wrong_status",
            _("This is not possible any more: the request is “%(status)s”.") % {"status": fresh.get_state_display()},
            params={"status": fresh.state},
        )
    return fresh


def _move(request: TrainingRequest, to: str, **changes: Any) -> None:
    """Compare-and-swap to another state."""
    changes |= {"state": to, "changed_at": timezone.now()}
    rows = TrainingRequest.objects.filter(pk=request.pk, state=request.state, version=request.version)
    if not rows.update(version=models.F("version") + 1, **changes):
        raise Stale
    request.version += 1
    for name, value in changes.items():
        setattr(request, name, value)


def _note(request: TrainingRequest, action: str, *, by: User | None, before: str = "", **after: Any) -> None:
    note_training(
        request.course,
        action,
        by=by,
        of=request.pk,
        before={"status": before} if before else {},
        after={
            "status": request.state,
            "person": request.user_id,
            "session": request.session_id,
            "organisation": request.organisation_id,
            **after,
        },
        reason=request.reason,
    )
