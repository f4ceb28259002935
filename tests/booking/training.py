"""A lab that trains people: a course with an exam, two sessions, somebody who wants to learn."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from backend.accounts.models import User
from backend.audit.models import Entry
from backend.outbox.models import Channel, Message
from booking.actions.courses import create_course, create_session
from booking.actions.training import Result, enrol, record_results, request_training
from booking.models import Course, Qualification, TrainingRequest, TrainingSession
from tests.booking.lab import Lab
from tests.factories import at, make_member

FIRST, SECOND = date(2026, 12, 3), date(2026, 12, 10)


class School(Lab):
    """At `Lab`: a training of level A with an exam from 60 points on, valid for a year."""

    def __init__(self, **fields: Any) -> None:
        super().__init__()
        usual = {
            "name": "电镜上机培训", "name_en": "SEM training", "level": "A", "exam": True, "pass_mark": 60,
            "validity_months": 12,
        }  # fmt: skip
        self.course: Course = create_course(
            institution=self.institution, by=self.manager, instruments=[self.instrument], **{**usual, **fields}
        )
        self.session = self.make_session(FIRST)

    def make_session(self, day: date = SECOND, *, places: int = 3, course: Course | None = None) -> TrainingSession:
        return create_session(
            course=course or self.course, by=self.manager, start=at(14, day=day), end=at(16, day=day), places=places,
            place="Room 101", trainer="Dr Wang",
        )  # fmt: skip

    def ask(self, user: User | None = None, session: TrainingSession | None = None) -> TrainingRequest:
        user = user or self.engineer
        return request_training(course=self.course, user=user, organisation=self.enterprise, session=session)

    def enrolled(self, user: User | None = None) -> TrainingRequest:
        return enrol(request=self.ask(user, self.session), by=self.manager)

    def learner(self) -> User:
        return make_member(self.enterprise)

    def pass_exam(self, clock: Any, request: TrainingRequest, score: int = 80) -> Qualification:
        """Moves the clock to an hour after the session."""
        assert request.session is not None
        clock.move_to(request.session.end + timedelta(hours=1))
        record_results(session=request.session, results=[Result(request, "passed", score)], by=self.manager)
        return Qualification.objects.get(request=request)


def told(kind: str) -> set[int]:
    return set(Message.objects.filter(kind=kind, channel=Channel.IN_APP).values_list("recipient", flat=True))


def acts() -> list[str]:
    rows = Entry.objects.filter(object_type__in=["training", "qualification"]).order_by("pk")
    return list(rows.values_list("action", flat=True))
