"""Trainings and qualifications as the API shows them; instants with the offset of the institution."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.utils import timezone

from booking.api.shapes import named
from booking.models import Course, Qualification, TrainingRequest, TrainingSession
from booking.queries.qualified import standing


def _iso(instant: datetime | None, zone: ZoneInfo) -> str | None:
    return instant.astimezone(zone).isoformat() if instant else None


def course_out(course: Course) -> dict[str, Any]:
    plain = (
        "name", "name_en", "description", "level", "rank", "exam", "pass_mark", "validity_months", "disuse_months",
        "hours", "open", "active", "version",
    )  # fmt: skip
    return {
        "id": course.pk,
        "institution": named(course.institution),
        "instruments": [named(one) for one in course.instruments.all()],
        "group": named(course.group) if course.group else None,
        **{name: getattr(course, name) for name in plain},
    }


def session_out(session: TrainingSession) -> dict[str, Any]:
    return {
        "id": session.pk,
        "uid": str(session.uid),
        "version": session.version,
        "status": session.status,
        "training": named(session.course),
        "start": _iso(session.start, session.zone),
        "end": _iso(session.end, session.zone),
        "timezone": session.zone.key,
        "place": session.place,
        "trainer": session.trainer,
        "places": session.places,
        "free": max(session.places - getattr(session, "taken", 0), 0),
        "reason": session.reason,
    }


def request_out(row: TrainingRequest) -> dict[str, Any]:
    zone = ZoneInfo(row.course.institution.timezone)
    return {
        "id": row.pk,
        "version": row.version,
        "state": str(row.state),
        "training": named(row.course),
        "session": row.session_id,
        "seat": row.seat,
        "user": named(row.user),
        "organisation": named(row.organisation),
        "note": row.note,
        "score": row.score,
        "reason": row.reason,
        "requested_at": _iso(row.requested_at, zone),
        "changed_at": _iso(row.changed_at, zone),
    }


def qualification_out(row: Qualification) -> dict[str, Any]:
    """Of a row with ``last_used``."""
    stands, zone = standing(row, timezone.now()), row.zone
    return {
        "id": row.pk,
        "version": row.version,
        "user": named(row.user),
        "institution": named(row.institution),
        "training": named(row.course) if row.course else None,
        "instrument": named(row.instrument) if row.instrument else None,
        "level": row.level,
        "rank": row.rank,
        "hours": row.hours,
        "status": stands.state,
        "granted_at": _iso(row.granted_at, zone),
        "granted_by": row.granted_by.name,
        "valid_until": _iso(row.valid_until, zone),
        "ends_at": _iso(stands.until, zone),
        "last_used": _iso(getattr(row, "last_used", None), zone),
        "reason": row.reason,
    }
