"""The way to a training for who may not use an instrument yet: the next session, and what a refusal says of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from backend.accounts.models import User
from backend.core.errors import Refusal
from backend.core.memo import once
from backend.core.periods import clock_words
from booking.models import OPEN_REQUESTS, Course, RequestState, TrainingRequest, TrainingSession
from booking.queries.qualified import FACTS
from booking.queries.training import coming_sessions, of_instrument
from booking.rules.kinds.require import Require
from booking.rules.model import Policy as Rules
from instruments.models import Instrument

CODE = "training_needed"


@dataclass(frozen=True, slots=True)
class Way:
    """A training of an instrument, with its next session that has free places, and what the person asked for."""

    course: Course
    session: TrainingSession | None
    free: int
    request: TrainingRequest | None = None

    @property
    def url(self) -> str:
        chosen = f"?session={self.session.pk}" if self.session else ""
        return f"/trainings/{self.course.pk}/{chosen}"

    @property
    def has_place(self) -> bool:
        return self.request is not None and self.request.state != RequestState.REQUESTED


def ways_to(instrument: Instrument, user: User | None, now: datetime) -> list[Way]:
    """The trainings on offer for an instrument, the lowest rank first; three queries."""
    rows = Course.objects.filter(of_instrument(instrument), active=True).select_related("institution").distinct()
    courses = list(rows.order_by("rank", "name"))
    if not courses:
        return []
    following: dict[int, Any] = {}
    for session in coming_sessions(courses, now):
        if session.taken < session.places:
            following.setdefault(session.course_id, session)
    asked = TrainingRequest.objects.filter(user=user.pk if user else None, course__in=courses, state__in=OPEN_REQUESTS)
    mine = {one.course_id: one for one in asked.select_related("session__course__institution")}
    return [
        Way(
            course=course,
            session=following.get(course.pk),
            free=following[course.pk].places - following[course.pk].taken if course.pk in following else 0,
            request=mine.get(course.pk),
        )
        for course in courses
    ]


def is_about_training(refusal: Refusal) -> bool:
    """Whether a training would help: by its code, or because a rule asks for a fact that trainings give."""
    failed = refusal.params.get("failed")
    return refusal.code == CODE or (isinstance(failed, Sequence) and bool(FACTS & set(map(str, failed))))


def advised(refusals: Iterable[Refusal], instrument: Instrument, user: User | None, now: datetime) -> list[Refusal]:
    """The same refusals; those for want of a training name the way to it. No query where there is none of them."""
    return [_advise(one, instrument, user, now) if is_about_training(one) else one for one in refusals]


def _advise(refusal: Refusal, instrument: Instrument, user: User | None, now: datetime) -> Refusal:
    found = once(f"training:{instrument.pk}:{user.pk if user else 0}", lambda: ways_to(instrument, user, now))
    needed = _levels(refusal.params.get("need"))
    way = next((one for one in found if not needed or one.course.level in needed), None)
    if way is None:
        return refusal
    text = " ".join(filter(None, [str(refusal.fix_text), sentence(way)]))
    return replace(refusal, fix_text=text, params={**refusal.params, "training": _params(way)})


def _params(way: Way) -> dict[str, Any]:
    out: dict[str, Any] = {"course": way.course.pk, "level": way.course.level, "url": way.url}
    if way.session is not None:
        out |= {"session": way.session.pk, "start": way.session.start.isoformat(), "free": way.free}
    return out


def sentence(way: Way) -> str:
    """What to do next, for the reader."""
    name = way.course.label(get_language() or "")
    if way.has_place and way.request and way.request.session:
        return _("You have a place in the training “%(training)s”: %(when)s.") % {
            "training": name,
            "when": _when(way.request.session),
        }
    if way.request is not None:
        return _("You have asked for the training “%(training)s”: the lab will answer.") % {"training": name}
    if way.session is None:
        return _("Ask for the training “%(training)s”: the lab tells you when there is a date.") % {"training": name}
    return _("Next training: “%(training)s”, %(when)s, free places: %(left)s.") % {
        "training": name,
        "when": _when(way.session),
        "left": way.free,
    }


def _when(session: TrainingSession) -> str:
    return clock_words(session.start, session.end, session.zone)


def _levels(need: Any) -> list[str]:
    if not isinstance(need, Mapping):
        return []
    wanted = need.get("person.level", need.get("person.levels"))
    return [str(one) for one in (wanted if isinstance(wanted, list) else [wanted]) if one is not None]


def needed_levels(rules: Rules) -> list[str]:
    """The levels that the rules always ask of who operates an instrument; none where they do not ask.

    Rules for some hours or some people only are left to their own sentences.
    """
    found: list[str] = []
    for rule in rules.of_kind("require"):
        if rule.applies_to("create") and {test.key for test in rule.condition.tests} <= {"mode"}:
            for case in rule.cases:
                if isinstance(case.parameters, Require) and not case.condition.tests:
                    found += _levels({test.key: test.need for test in case.parameters.that.tests})
    return list(dict.fromkeys(found))
