"""Giving and taking away qualifications, and telling people before theirs end."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.core.cache import cache
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from backend.accounts.models import User
from backend.core.db import atomic_action, read_anew
from backend.core.errors import invalid, refuse
from booking.actions.training_notes import last_day, note_qualification, tell_of_qualification
from booking.models import Course, HoursAllowed, Qualification, TrainingRequest
from booking.queries.training import with_qualification_names
from booking.rules.training import REMIND_DAYS, months_later, standing_of
from instruments.models import Instrument

log = logging.getLogger(__name__)


@atomic_action
def grant_qualification(
    *,
    user: User,
    by: User,
    reason: str,
    course: Course | None = None,
    instrument: Instrument | None = None,
    level: str = "",
    valid_until: datetime | None = None,
) -> Qualification:
    """The lab gives a qualification without a training, with a reason: of a course, or for a single instrument.

    What the course says of level, hours and validity holds unless something else is given.
    """
    reason = reason.strip()
    if not reason:
        raise invalid("reason", _("Please say why, for the record."), "reason_needed")
    if (course is None) == (instrument is None):
        raise invalid("course", _("Choose either a training or an instrument."), "one_of_two")
    if course is None and not level.strip():
        raise invalid("level", _("Please name the level, such as A."), "required")
    if valid_until is not None and valid_until <= timezone.now():
        raise invalid("valid_until", _("This date lies in the past."), "past")
    if user.pk == by.pk:
        raise refuse("own_qualification", _("Nobody gives a qualification to themselves. Please ask a colleague."))
    User.objects.select_for_update(no_key=True).get(pk=user.pk)
    made = grant(
        user=user,
        by=by,
        course=course,
        instrument=instrument,
        level=level.strip(),
        valid_until=valid_until,
        reason=reason,
    )
    tell_of_qualification(made, "qualification_granted", key="granted")
    note_qualification(made, "qualification.grant", by=by, valid_until=made.valid_until)
    return made


def grant(
    *,
    user: User,
    by: User,
    course: Course | None = None,
    instrument: Instrument | None = None,
    request: TrainingRequest | None = None,
    level: str = "",
    valid_until: datetime | None = None,
    reason: str = "",
) -> Qualification:
    """Within the caller's transaction: the new qualification; the one that it renews is replaced."""
    now = timezone.now()
    current = Qualification.objects.filter(
        user=user, course=course, instrument=instrument, revoked_at=None, replaced_at=None
    )
    current.update(replaced_at=now)
    institution = course.institution if course is not None else instrument.institution if instrument else None
    assert institution is not None
    made = Qualification(
        institution=institution, user=user, course=course, instrument=instrument, request=request, granted_by=by,
        granted_at=now, level=level[:20], valid_until=valid_until, reason=reason[:200], hours=HoursAllowed.ANY,
    )  # fmt: skip
    if course is not None:
        made.level = made.level or course.level
        made.rank, made.hours, made.disuse_months = course.rank, course.hours, course.disuse_months
        if valid_until is None and course.validity_months:
            made.valid_until = months_later(now, course.validity_months, made.zone)
    made.save()
    return made


@atomic_action
def revoke_qualification(
    *, qualification: Qualification, by: User, reason: str, version: int | None = None
) -> Qualification:
    """Taken away, with a reason that the person reads. What is booked already stays; the rules ask again then."""
    reason = reason.strip()
    if not reason:
        raise invalid("reason", _("Please give a reason: the person reads it."), "reason_needed")
    rows = Qualification.objects.select_for_update(of=("self",), no_key=True)
    related = rows.select_related("institution", "course", "instrument", "user")
    fresh = read_anew(related, qualification, version=version)
    if fresh.revoked_at or fresh.replaced_at:
        raise refuse("ended_already", _("This qualification does not hold any more."))
    fresh.revoked_at, fresh.revoked_by, fresh.reason = timezone.now(), by, reason[:200]
    fresh.version += 1
    fresh.save(update_fields=["revoked_at", "revoked_by", "reason", "version"])
    tell_of_qualification(fresh, "qualification_revoked", key="revoked")
    note_qualification(fresh, "qualification.revoke", by=by)
    return fresh


# --- reminders -------------------------------------------------------------------------------------------------------


def remind_of_qualifications() -> int:
    """Once an hour: who must renew a qualification within 30 and within 7 days, and whose lapses for want of use."""
    if not cache.add("qualifications-reminded", True, timeout=3600):
        return 0
    return remind_due(now=timezone.now())


def remind_due(*, now: datetime) -> int:
    """Every reminder that is due and was not sent; how many were. Each has a transaction of its own."""
    current = Q(revoked_at=None, replaced_at=None, user__is_active=True)
    ending = Q(valid_until__gt=now, valid_until__lte=now + timedelta(days=max(REMIND_DAYS)))
    rows = Qualification.objects.filter(current).filter(ending | Q(disuse_months__isnull=False))
    told = 0
    for qualification in with_qualification_names(rows.order_by("pk")).iterator(chunk_size=500):
        try:
            told += _remind(qualification, now)
        except Exception:
            # One that cannot be told must not hold up the others; the next hour tries again.
            log.exception("the owner of qualification %s could not be reminded", qualification.pk)
    return told


def _remind(qualification: Qualification, now: datetime) -> int:
    last_used = getattr(qualification, "last_used", None)
    standing = standing_of(qualification, last_used, now)
    if not standing.holds or standing.until is None:
        return 0
    if standing.by_disuse:
        since = max(qualification.granted_at, last_used or qualification.granted_at)
        if standing.until - now > timedelta(days=max(REMIND_DAYS)) or (qualification.warned_at or since) > since:
            return 0
        return warn_of_disuse(qualification=qualification, until=standing.until, now=now)
    days = next((each for each in sorted(REMIND_DAYS) if standing.until - now <= timedelta(days=each)), None)
    if days is None or (qualification.reminded_days or days + 1) <= days:
        return 0
    return remind_of_end(qualification=qualification, days=days)


@atomic_action
def remind_of_end(*, qualification: Qualification, days: int) -> int:
    """Tell of an end within so many days, once: 0 where it was told already."""
    rows = Qualification.objects.filter(pk=qualification.pk, revoked_at=None, replaced_at=None)
    if not rows.filter(Q(reminded_days=None) | Q(reminded_days__gt=days)).update(reminded_days=days):
        return 0
    tell_of_qualification(qualification, "qualification_expiring", key=str(days), course=qualification.course_id)
    return 1


@atomic_action
def warn_of_disuse(*, qualification: Qualification, until: datetime, now: datetime) -> int:
    """Tell that it lapses if nothing is used until then; again only after a use in between."""
    rows = Qualification.objects.filter(pk=qualification.pk, revoked_at=None, replaced_at=None)
    if not rows.filter(warned_at=qualification.warned_at).update(warned_at=now):
        return 0
    lapses = last_day(until, qualification.zone)
    tell_of_qualification(qualification, "qualification_disuse", key=f"{now:%Y%m%d}", until=lapses)
    return 1
