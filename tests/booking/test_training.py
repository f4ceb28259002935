"""Trainings: asking for a place, and sessions."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from backend.core.errors import Invalid, NotFound, Refused, Stale
from booking.actions.courses import cancel_session, change_course, change_session, create_course, create_session
from booking.actions.training import (
    enrol,
    reject_training,
    request_training,
    withdraw_training,
)
from booking.models import RequestState, TrainingRequest
from tests.booking.lab import NOW, codes
from tests.booking.training import FIRST, SECOND, School, acts, told
from tests.factories import at, make_instrument

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]


# --- asking and places ----------------------------------------------------------------------------------------------


def test_a_request_waits_and_the_lab_is_told() -> None:
    school = School()

    request = school.ask(session=school.session)

    assert (request.state, request.seat) == (RequestState.REQUESTED, None)
    assert told("training_requested") == {school.manager.pk}
    assert acts()[-1] == "training.request"


def test_where_places_are_given_at_once_the_request_has_one() -> None:
    school = School(open=True)

    request = school.ask(session=school.session)

    assert (request.state, request.seat) == (RequestState.ENROLLED, 1)
    assert told("training_enrolled") == {school.engineer.pk}


def test_the_last_place_is_given_and_no_more() -> None:
    school = School(open=True)
    school.make_session()
    seats = [school.ask(school.learner(), school.session).seat for _ in range(3)]

    with pytest.raises(Refused) as caught:
        school.ask(session=school.session)

    assert seats == [1, 2, 3]
    assert codes(caught) == ["full"]
    assert caught.value.refusals[0].fix_text == "Next session: 2026-12-10 14:00–16:00, free places: 3."


def test_a_place_that_was_given_back_is_given_again() -> None:
    school = School(open=True)
    first, *_others = [school.ask(school.learner(), school.session) for _ in range(3)]

    withdraw_training(request=first, by=first.user)

    assert school.ask(session=school.session).seat == 1


def test_nobody_asks_twice() -> None:
    school = School()
    school.ask()

    with pytest.raises(Refused) as caught:
        school.ask(session=school.session)

    assert codes(caught) == ["asked_already"]


def test_after_a_rejection_one_can_ask_again() -> None:
    school = School()
    reject_training(request=school.ask(), by=school.manager, reason="Full this month")

    assert school.ask().state == RequestState.REQUESTED
    assert told("training_rejected") == {school.engineer.pk}


def test_a_session_that_has_begun_takes_nobody(clock: Any) -> None:
    school = School(open=True)
    clock.move_to(school.session.start - timedelta(minutes=1))
    assert school.ask(school.learner(), school.session).seat == 1
    clock.move_to(school.session.start)

    with pytest.raises(Refused) as caught:
        school.ask(session=school.session)

    assert codes(caught) == ["session_begun"]


def test_a_training_that_is_not_offered_takes_nobody() -> None:
    school = School()
    change_course(course=school.course, by=school.manager, active=False)
    school.course.refresh_from_db()

    with pytest.raises(Refused) as caught:
        school.ask()

    assert codes(caught) == ["not_offered"]


def test_the_session_of_another_training_is_absent() -> None:
    school, other = School(), School()

    with pytest.raises(NotFound):
        request_training(
            course=school.course, user=school.engineer, organisation=school.enterprise, session=other.session
        )


def test_enrolling_moves_a_person_to_another_session() -> None:
    school = School()
    request, later = school.enrolled(), school.make_session()

    moved = enrol(request=request, by=school.manager, session=later)

    assert (moved.session, moved.seat) == (later, 1)
    with pytest.raises(Refused) as caught:
        enrol(request=moved, by=school.manager, session=later)
    assert codes(caught) == ["enrolled_already"]


def test_enrolling_without_a_session_needs_one() -> None:
    school = School()

    with pytest.raises(Invalid):
        enrol(request=school.ask(), by=school.manager)


def test_a_stale_decision_is_told_so() -> None:
    school = School()
    request = school.ask(session=school.session)
    enrol(request=request, by=school.manager)

    with pytest.raises(Stale):
        reject_training(request=request, by=school.manager, reason="No", version=1)


def test_rejecting_needs_a_reason() -> None:
    school = School()

    with pytest.raises(Invalid):
        reject_training(request=school.ask(), by=school.manager, reason=" ")


def test_nobody_withdraws_once_the_session_has_begun(clock: Any) -> None:
    school = School()
    request = school.enrolled()
    clock.move_to(school.session.start)

    with pytest.raises(Refused) as caught:
        withdraw_training(request=request, by=school.engineer)

    assert codes(caught) == ["session_begun"]


# --- sessions -------------------------------------------------------------------------------------------------------


def test_a_changed_time_is_told_to_those_who_have_a_place() -> None:
    school = School()
    school.enrolled()
    school.ask(school.learner())

    changed = change_session(session=school.session, by=school.manager, start=at(9, day=SECOND), end=at(11, day=SECOND))

    assert changed.start == at(9, day=SECOND)
    assert told("training_changed") == {school.engineer.pk}


def test_another_trainer_is_told_to_nobody() -> None:
    school = School()
    school.enrolled()

    change_session(session=school.session, by=school.manager, trainer="Dr Li")

    assert told("training_changed") == set()


def test_places_do_not_become_fewer_than_the_people_in_them() -> None:
    school = School(open=True)
    first, *_ = [school.ask(school.learner(), school.session) for _ in range(3)]
    withdraw_training(request=first, by=first.user)

    assert change_session(session=school.session, by=school.manager, places=2).places == 2
    assert set(TrainingRequest.objects.filter(seat__isnull=False).values_list("seat", flat=True)) == {1, 2}
    with pytest.raises(Invalid) as caught:
        change_session(session=school.session, by=school.manager, places=1)
    assert codes(caught) == ["too_few"]


def test_a_cancelled_session_frees_and_tells_everybody() -> None:
    school = School()
    enrolled, waiting = school.enrolled(), school.ask(school.learner(), school.session)

    cancel_session(session=school.session, by=school.manager, reason="Trainer ill")

    assert {one.state for one in TrainingRequest.objects.all()} == {RequestState.CANCELLED}
    assert told("training_cancelled") == {enrolled.user_id, waiting.user_id}
    with pytest.raises(Refused):
        cancel_session(session=school.session, by=school.manager, reason="Again")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"end": at(14, day=FIRST)}, "end_before_start"),
        ({"start": NOW, "end": at(16, day=FIRST)}, "past"),
        ({"end": at(14, day=FIRST) + timedelta(days=14, minutes=1)}, "too_long"),
        ({"places": 0}, "out_of_range"),
        ({"places": 501}, "out_of_range"),
    ],
)
def test_a_session_makes_sense(changes: dict[str, Any], code: str) -> None:
    school = School()
    usual = {"start": at(14, day=FIRST), "end": at(16, day=FIRST), "places": 3}

    with pytest.raises(Invalid) as caught:
        create_session(course=school.course, by=school.manager, **{**usual, **changes})

    assert codes(caught) == [code]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"name": " "}, "required"),
        ({"level": ""}, "required"),
        ({"validity_months": 0}, "out_of_range"),
        ({"validity_months": 241}, "out_of_range"),
        ({"pass_mark": 101}, "out_of_range"),
        ({"instruments": []}, "covers_nothing"),
    ],
)
def test_a_training_makes_sense(changes: dict[str, Any], code: str) -> None:
    school = School()

    with pytest.raises(Invalid) as caught:
        change_course(course=school.course, by=school.manager, **changes)

    assert codes(caught) == [code]


def test_a_training_covers_instruments_of_its_own_institution_only() -> None:
    school = School()

    with pytest.raises(Invalid) as caught:
        change_course(course=school.course, by=school.manager, instruments=[make_instrument()])

    assert codes(caught) == ["foreign"]


def test_the_name_of_a_training_is_there_once() -> None:
    school = School()

    with pytest.raises(Invalid) as caught:
        create_course(
            institution=school.institution, by=school.manager, instruments=[school.instrument], name="电镜上机培训",
            level="B",
        )  # fmt: skip

    assert codes(caught) == ["name_taken"]
