"""Fifty people want the last places of a session at the same moment: as many get one as there are places."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import time_machine
from django.db import connection

from booking.actions import training
from booking.actions.training import enrol, request_training, withdraw_training
from booking.models import TrainingRequest, TrainingSession
from tests.booking.lab import NOW
from tests.booking.training import School
from tests.parallel import Outcome, at_once

pytestmark = [pytest.mark.parallel, pytest.mark.usefixtures("committed")]
WRITERS, PLACES = 50, 3


def race(school: School) -> Outcome:
    people = [school.learner() for _ in range(WRITERS)]
    asking = [
        partial(
            request_training, course=school.course, user=one, organisation=school.enterprise, session=school.session
        )
        for one in people
    ]
    with time_machine.travel(NOW):
        return at_once(asking)


def judge(session: TrainingSession, outcome: Outcome) -> list[str]:
    """What is wrong; nothing if all is well."""
    wrong = []
    seats = list(TrainingRequest.objects.filter(session=session, seat__isnull=False).values_list("seat", flat=True))
    if sorted(seats) != list(range(1, PLACES + 1)):
        wrong.append(f"places given: {sorted(seats)}")
    told = outcome.error_counts()
    # A machine that is too busy answers 503 with Retry-After to who waited three seconds for the lock.
    if set(told) - {"Refused", "Busy"} or sum(told.values()) != WRITERS - PLACES:
        wrong.append(f"told: {told}")
    return wrong


@pytest.fixture
def school() -> School:
    with time_machine.travel(NOW, tick=False):
        return School(open=True)


def test_no_more_get_a_place_than_there_are(school: School) -> None:
    assert judge(school.session, race(school)) == []


def test_the_lab_gives_no_more_either(school: School) -> None:
    with time_machine.travel(NOW, tick=False):
        type(school.course).objects.filter(pk=school.course.pk).update(open=False)
        school.course.refresh_from_db()
        waiting = [school.ask(school.learner(), school.session) for _ in range(WRITERS)]
    with time_machine.travel(NOW):
        outcome = at_once([partial(enrol, request=one, by=school.manager) for one in waiting])

    assert judge(school.session, outcome) == []


def test_one_person_asks_at_many_desks_and_has_one_request(school: School) -> None:
    calls: list[Callable[[], Any]] = [
        partial(request_training, course=school.course, user=school.engineer, organisation=school.enterprise)
        for _ in range(20)
    ]
    with time_machine.travel(NOW):
        outcome = at_once(calls)

    assert len(outcome.results) == 1
    assert outcome.error_counts() == {"Refused": 19}


def test_giving_up_and_taking_a_place_at_once_leaves_no_gap(school: School) -> None:
    with time_machine.travel(NOW, tick=False):
        held = [school.ask(school.learner(), school.session) for _ in range(PLACES)]
        others = [school.learner() for _ in range(10)]
    calls: list[Callable[[], Any]] = [partial(withdraw_training, request=held[0], by=held[0].user)]
    calls += [
        partial(
            request_training, course=school.course, user=one, organisation=school.enterprise, session=school.session
        )
        for one in others
    ]
    with time_machine.travel(NOW):
        at_once(calls)

    seats = TrainingRequest.objects.filter(session=school.session, seat__isnull=False)
    assert seats.count() in (PLACES - 1, PLACES)
    assert seats.values("seat").distinct().count() == seats.count()


def test_negative_control_without_guards_places_are_given_twice(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everybody counts before anybody has written, and the database does not say no."""
    monkeypatch.setattr(training, "taken_seats", lambda session: set())
    monkeypatch.setattr(training, "lock_session", lambda session, version=None: session)
    index = (
        "CREATE UNIQUE INDEX training_seat_once ON booking_trainingrequest (session_id, seat) WHERE seat IS NOT NULL"
    )
    with connection.cursor() as cursor:
        cursor.execute("DROP INDEX training_seat_once")
    try:
        wrong = judge(school.session, race(school))
    finally:
        TrainingRequest.objects.all().delete()
        with connection.cursor() as cursor:
            cursor.execute(index)

    assert wrong[0].startswith("places given: [1, 1")
    assert wrong[1] == "told: {}"


def test_negative_control_the_database_itself_refuses_a_second_seat(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "taken_seats", lambda session: set())
    monkeypatch.setattr(training, "lock_session", lambda session, version=None: session)

    outcome = race(school)

    assert TrainingRequest.objects.filter(seat__isnull=False).count() == 1
    assert outcome.error_counts() == {"IntegrityError": WRITERS - 1}
