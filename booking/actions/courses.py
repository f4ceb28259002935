"""What a lab offers as trainings: courses and the dates on which they are given."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from backend.accounts.models import Organisation, User
from backend.core.db import atomic_action, read_anew
from backend.core.errors import Invalid, Refusal, Stale, invalid, refuse
from booking.actions.training_notes import note_training, session_words, tell_of_request
from booking.models import Course, HoursAllowed, RequestState, TrainingRequest, TrainingSession
from instruments.models import Instrument, InstrumentGroup

LONGEST = timedelta(days=14)
# Besides the instruments, all that can be said of a course.
FIELDS = (
    "name", "name_en", "description", "group", "level", "rank", "exam", "pass_mark", "validity_months",
    "disuse_months", "hours", "open", "active",
)  # fmt: skip


@atomic_action
def create_course(
    *, institution: Organisation, by: User, instruments: Iterable[Instrument] = (), **values: Any
) -> Course:
    """A training of the institution for instruments of its own, or for one of its groups; ``values`` are `FIELDS`."""
    course = Course(institution=institution)
    chosen = list(instruments)
    _fill(course, values, chosen)
    _save(course)
    course.instruments.set(chosen)
    note_training(course, "training.create", by=by, after=_words(course, [one.pk for one in chosen]))
    return course


@atomic_action
def change_course(
    *,
    course: Course,
    by: User,
    instruments: Iterable[Instrument] | None = None,
    version: int | None = None,
    **values: Any,
) -> Course:
    """What is left out stays. Qualifications that were given keep their level and their end."""
    fresh = Course.objects.select_for_update(of=("self",)).select_related("institution", "group").get(pk=course.pk)
    if version is not None and fresh.version != version:
        raise Stale
    had = list(fresh.instruments.order_by("pk"))
    chosen = had if instruments is None else list(instruments)
    before = _words(fresh, [one.pk for one in had])
    _fill(fresh, values, chosen)
    after = _words(fresh, sorted(one.pk for one in chosen))
    if after == before:
        return fresh
    fresh.version += 1
    _save(fresh)
    fresh.instruments.set(chosen)
    changed = {name for name in after if after[name] != before[name]}
    note_training(
        fresh, "training.change", by=by,
        before={name: before[name] for name in changed}, after={name: after[name] for name in changed},
    )  # fmt: skip
    return fresh


def _fill(course: Course, values: Mapping[str, Any], instruments: list[Instrument]) -> None:
    for name, value in values.items():
        if name not in FIELDS:
            raise TypeError(name)
        setattr(course, name, value.strip() if isinstance(value, str) else value)
    if not course.exam:
        course.pass_mark = None
    problems = list(_problems(course, instruments))
    if problems:
        raise Invalid(*problems)


def _problems(course: Course, instruments: list[Instrument]) -> Iterable[Refusal]:
    if not course.name:
        yield Refusal("required", _("Please name the training."), field="name")
    if not course.level:
        yield Refusal("required", _("Please name the level that it gives, such as A."), field="level")
    if not instruments and course.group is None:
        yield Refusal("covers_nothing", _("Choose the instruments, or a group of them."), field="instruments")
    foreign = [one for one in instruments if one.institution_id != course.institution_id]
    if foreign or (course.group is not None and course.group.institution_id != course.institution_id):
        yield Refusal("foreign", _("Only instruments of the same institution."), field="instruments")
    for name in ("validity_months", "disuse_months"):
        months = getattr(course, name)
        if months is not None and not 1 <= months <= 240:
            yield Refusal("out_of_range", _("Please give 1 to 240 months, or nothing."), field=name)
    if course.pass_mark is not None and not 0 <= course.pass_mark <= 100:
        yield Refusal("out_of_range", _("Points go from 0 to 100."), field="pass_mark")
    if not 1 <= course.rank <= 100:
        yield Refusal("out_of_range", _("The rank goes from 1 to 100."), field="rank")
    if course.hours not in HoursAllowed.values:
        yield Refusal("unknown", _("This value is not possible here."), field="hours")


def _save(course: Course) -> None:
    try:
        with transaction.atomic():
            course.save()
    except IntegrityError as error:
        raise invalid("name", _("The institution has a training of this name."), "name_taken") from error


def _words(course: Course, instruments: list[int]) -> dict[str, Any]:
    group: InstrumentGroup | None = course.group
    plain = {name: getattr(course, name) for name in FIELDS if name != "group"}
    return {**plain, "group": group.name if group else "", "instruments": sorted(instruments)}


# --- sessions --------------------------------------------------------------------------------------------------------


@atomic_action
def create_session(
    *, course: Course, by: User, start: datetime, end: datetime, places: int, place: str = "", trainer: str = ""
) -> TrainingSession:
    """A date of the training; in the future, a fortnight at most."""
    _check_times(start, end)
    _check_places(places)
    if not course.active:
        raise refuse("not_offered", _("This training is not offered any more. Offer it again first."))
    session = TrainingSession.objects.create(
        course=course, start=start, end=end, places=places, place=place.strip(), trainer=trainer.strip(),
        changed_at=timezone.now(),
    )  # fmt: skip
    note_training(course, "training.session", by=by, after=_session_words(session))
    return session


@atomic_action
def change_session(*, session: TrainingSession, by: User, version: int | None = None, **values: Any) -> TrainingSession:
    """Another time, place, trainer or number of places; whoever has a place is told. Not once it has begun."""
    fresh = lock_session(session, version=version)
    _require_ahead(fresh)
    before = _session_words(fresh)
    start, end = values.get("start") or fresh.start, values.get("end") or fresh.end
    _check_times(start, end)
    places = fresh.places if values.get("places") is None else values["places"]
    _check_places(places)
    seated = list(people_in(fresh))
    if places < len(seated):
        raise invalid("places", _("%(number)s people have a place already.") % {"number": len(seated)}, "too_few")
    fresh.start, fresh.end, fresh.places = start, end, places
    for name in ("place", "trainer"):
        if values.get(name) is not None:
            setattr(fresh, name, values[name].strip())
    after = _session_words(fresh)
    if after == before:
        return fresh
    _renumber(seated)
    _store(fresh)
    if {name: after[name] for name in ("start", "end", "place")} != {
        name: before[name] for name in ("start", "end", "place")
    }:
        was = before["when"] if before["when"] != after["when"] else ""
        for one in seated:
            one.session = fresh
            tell_of_request(one, "training_changed", to=[one.user_id], was=was, session=fresh.version)
    note_training(fresh.course, "training.session_change", by=by, before=before, after=after)
    return fresh


@atomic_action
def cancel_session(*, session: TrainingSession, by: User, reason: str, version: int | None = None) -> TrainingSession:
    """It does not take place: who had or wanted a place in it is told, and can ask for another."""
    reason = reason.strip()
    if not reason:
        raise invalid("reason", _("Please give a reason: those who had a place read it."), "reason_needed")
    fresh = lock_session(session, version=version)
    _require_ahead(fresh)
    now = timezone.now()
    fresh.cancelled_at, fresh.reason = now, reason[:200]
    hit = list(
        TrainingRequest.objects.filter(session=fresh, state__in=[RequestState.REQUESTED, RequestState.ENROLLED])
        .select_related("user", "organisation", "course")
        .order_by("pk")
    )
    _store(fresh)
    for one in hit:
        one.state, one.seat, one.changed_at, one.reason = RequestState.CANCELLED, None, now, reason[:200]
        one.session, one.version = fresh, one.version + 1
        one.save(update_fields=["state", "seat", "changed_at", "reason", "version"])
        tell_of_request(one, "training_cancelled", to=[one.user_id], path=f"/trainings/{fresh.course_id}/")
    note_training(
        fresh.course,
        "training.session_cancel",
        by=by,
        after={**_session_words(fresh), "people": len(hit)},
        reason=reason,
    )
    return fresh


def lock_session(session: TrainingSession, *, version: int | None = None) -> TrainingSession:
    """The session's row, read anew; places are counted under this lock."""
    rows = TrainingSession.objects.select_for_update(of=("self",), no_key=True)
    return read_anew(rows.select_related("course__institution", "course__group"), session, version=version)


def people_in(session: TrainingSession) -> Iterable[TrainingRequest]:
    """Those who have a place, by its number."""
    rows = TrainingRequest.objects.filter(session=session, seat__isnull=False)
    return rows.select_related("user", "organisation", "course__institution").order_by("seat")


def _renumber(seated: list[TrainingRequest]) -> None:
    """Places from 1 on without gaps, so that fewer of them hold the same people. Upwards, so that none is taken."""
    for number, one in enumerate(seated, 1):
        if one.seat != number:
            one.seat = number
            one.save(update_fields=["seat"])


def _require_ahead(session: TrainingSession) -> None:
    if session.cancelled_at:
        raise refuse("session_cancelled", _("This session is cancelled."))
    if session.start <= timezone.now():
        raise refuse("session_begun", _("This session has begun and does not change any more."))


def _check_times(start: datetime, end: datetime) -> None:
    if end <= start:
        raise invalid("end", _("The end must be after the start."), "end_before_start")
    if end - start > LONGEST:
        raise invalid("end", _("A session lasts at most 14 days."), "too_long")
    if start <= timezone.now():
        raise invalid("start", _("The start lies in the past."), "past")


def _check_places(places: int) -> None:
    if not 1 <= places <= 500:
        raise invalid("places", _("Please give 1 to 500 places."), "out_of_range")


def _store(session: TrainingSession) -> None:
    session.version += 1
    session.changed_at = timezone.now()
    session.save()


def _session_words(session: TrainingSession) -> dict[str, Any]:
    return {
        "session": session.pk,
        "when": session_words(session),
        "start": session.start,
        "end": session.end,
        "place": session.place,
        "trainer": session.trainer,
        "places": session.places,
    }
