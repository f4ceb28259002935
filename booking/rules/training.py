"""Pure decisions about trainings: how long a qualification holds, and whether a result passes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from backend.core.errors import Refusal
from backend.core.periods import local_boundary
from booking.models import Course, HoursAllowed, Qualification, RequestState
from booking.rules.calendar import add_months

# Told so many days before the end, once each.
REMIND_DAYS = (30, 7)
SOON = timedelta(days=REMIND_DAYS[0])

VALID, EXPIRING, EXPIRED, LAPSED, REVOKED, REPLACED = "valid", "expiring", "expired", "lapsed", "revoked", "replaced"
HOLDING = (VALID, EXPIRING)


def months_later(instant: datetime, months: int, zone: ZoneInfo) -> datetime:
    """The end of the day so many months later, on the clock of the zone: the last day still counts."""
    day = add_months(instant.astimezone(zone).date(), months)
    return local_boundary(day + timedelta(days=1), time(0), zone)


@dataclass(frozen=True, slots=True)
class Standing:
    """How a qualification stands at an instant. ``until`` is when it ends by itself, ``by_disuse`` for want of use."""

    state: str
    until: datetime | None
    by_disuse: bool = False

    @property
    def holds(self) -> bool:
        return self.state in HOLDING


def standing_of(qualification: Qualification, last_used: datetime | None, now: datetime) -> Standing:
    """``last_used`` is the latest use of what it covers; the time since then counts from the grant at the earliest."""
    lapses = None
    if qualification.disuse_months:
        since = max(qualification.granted_at, last_used or qualification.granted_at)
        lapses = months_later(since, qualification.disuse_months, qualification.zone)
    ends = qualification.valid_until
    by_disuse = lapses is not None and (ends is None or lapses < ends)
    until = lapses if by_disuse else ends
    if qualification.revoked_at:
        return Standing(REVOKED, qualification.revoked_at)
    if qualification.replaced_at:
        return Standing(REPLACED, qualification.replaced_at)
    if until is not None and until <= now:
        return Standing(LAPSED if by_disuse else EXPIRED, until, by_disuse)
    return Standing(EXPIRING if until is not None and until - now <= SOON else VALID, until, by_disuse)


def best_of(held: Iterable[Qualification]) -> Qualification | None:
    """Of the highest rank; of equal ones the newest."""
    return max(held, key=lambda one: (one.rank, one.granted_at, one.pk), default=None)


def widest_hours(held: Iterable[Qualification]) -> str | None:
    """The least narrow of what they allow; None without any."""
    found = {one.hours for one in held}
    return next((hours for hours in (HoursAllowed.ANY.value, HoursAllowed.BUSINESS.value) if hours in found), None)


def result_refusals(course: Course, outcome: str, score: int | None) -> Iterator[Refusal]:
    """Why a result cannot be entered as it is: the points must fit the pass mark."""
    if outcome == RequestState.PASSED and course.exam and course.pass_mark is not None:
        if score is None:
            yield Refusal("score_needed", _("Please enter the points of the exam."), field="score")
        elif score < course.pass_mark:
            yield Refusal(
                "below_pass_mark",
                _("%(score)s points do not pass: %(mark)s are needed.") % {"score": score, "mark": course.pass_mark},
                field="score",
                params={"score": score, "pass_mark": course.pass_mark},
            )
    if (
        outcome == RequestState.FAILED
        and course.pass_mark is not None
        and score is not None
        and score >= course.pass_mark
    ):
        yield Refusal(
            "above_pass_mark",
            _("%(score)s points pass: %(mark)s are needed.") % {"score": score, "mark": course.pass_mark},
            field="score",
            params={"score": score, "pass_mark": course.pass_mark},
        )
