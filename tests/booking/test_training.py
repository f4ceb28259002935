"""From the wish for a training to the qualification: every step, every refusal at and just past its boundary."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
import time_machine

from backend.audit.models import Entry
from backend.core.errors import Invalid, NotFound, Refused, Stale
from backend.outbox.models import Channel, Message
from booking.actions.courses import cancel_session, change_course, change_session, create_course, create_session
from booking.actions.qualifying import grant_qualification, revoke_qualification
from booking.actions.training import (
    Result,
    enrol,
    record_results,
    reject_training,
    request_training,
    withdraw_training,
)
from booking.models import Qualification, RequestState, TrainingRequest
from tests.booking.lab import NOW
from tests.booking.training import FIRST, SECOND, School
from tests.factories import at, make_instrument, make_manager, make_member

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def clock() -> Iterator[Any]:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


def codes(caught: Any) -> list[str]:
    return [one.code for one in caught.value.refusals]


def told(kind: str) -> set[int]:
    return set(Message.objects.filter(kind=kind, channel=Channel.IN_APP).values_list("recipient", flat=True))


def acts() -> list[str]:
    rows = Entry.objects.filter(object_type__in=["training", "qualification"]).order_by("pk")
    return list(rows.values_list("action", flat=True))


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


# --- results --------------------------------------------------------------------------------------------------------


def test_passing_gives_the_qualification(clock: Any) -> None:
    school = School()

    qualification = school.pass_exam(clock, school.enrolled(), score=60)

    assert (qualification.level, qualification.user) == ("A", school.engineer)
    # The last day is 3 December 2027 in Shanghai.
    assert qualification.valid_until == at(0, day=date(2027, 12, 4))
    assert told("training_result") == {school.engineer.pk}


def test_a_point_less_does_not_pass(clock: Any) -> None:
    school = School()
    request = school.enrolled()
    clock.move_to(school.session.end)

    with pytest.raises(Refused) as caught:
        record_results(session=school.session, results=[Result(request, "passed", 59)], by=school.manager)

    assert codes(caught) == ["below_pass_mark"]
    assert not Qualification.objects.exists()


def test_points_that_pass_are_no_failure(clock: Any) -> None:
    school = School()
    request = school.enrolled()
    clock.move_to(school.session.end)

    with pytest.raises(Refused) as caught:
        record_results(session=school.session, results=[Result(request, "failed", 60)], by=school.manager)

    assert codes(caught) == ["above_pass_mark"]


def test_an_exam_needs_its_points(clock: Any) -> None:
    school = School()
    request = school.enrolled()
    clock.move_to(school.session.end)

    with pytest.raises(Refused) as caught:
        record_results(session=school.session, results=[Result(request, "passed")], by=school.manager)

    assert codes(caught) == ["score_needed"]


def test_attending_is_first_and_the_result_comes_later(clock: Any) -> None:
    school = School()
    request = school.enrolled()
    clock.move_to(school.session.end)

    (row,) = record_results(session=school.session, results=[Result(request, "attended")], by=school.manager)
    assert row.state == RequestState.ATTENDED
    (row,) = record_results(session=school.session, results=[Result(request, "failed", 30)], by=school.manager)

    assert row.state == RequestState.FAILED
    assert not Qualification.objects.exists()


def test_without_an_exam_attending_is_enough(clock: Any) -> None:
    school = School(exam=False)
    request = school.enrolled()
    clock.move_to(school.session.end)

    (row,) = record_results(session=school.session, results=[Result(request, "attended")], by=school.manager)

    assert row.state == RequestState.PASSED
    assert Qualification.objects.get().user == school.engineer


def test_one_wrong_result_and_none_is_written(clock: Any) -> None:
    school = School()
    good, bad = school.enrolled(), school.enrolled(school.learner())
    clock.move_to(school.session.end)

    with pytest.raises(Refused) as caught:
        record_results(
            session=school.session, results=[Result(good, "passed", 90), Result(bad, "passed", 10)], by=school.manager
        )

    assert codes(caught) == ["below_pass_mark"]
    assert set(TrainingRequest.objects.values_list("state", flat=True)) == {RequestState.ENROLLED}


def test_no_result_before_the_session_begins(clock: Any) -> None:
    school = School()
    request = school.enrolled()
    results = [Result(request, "absent")]
    clock.move_to(school.session.start - timedelta(minutes=1))
    with pytest.raises(Refused) as caught:
        record_results(session=school.session, results=results, by=school.manager)
    clock.move_to(school.session.start)

    assert codes(caught) == ["not_begun"]
    assert record_results(session=school.session, results=results, by=school.manager)[0].state == RequestState.ABSENT


def test_nobody_enters_their_own_result(clock: Any) -> None:
    school = School()
    request = school.enrolled(school.manager)
    clock.move_to(school.session.end)

    with pytest.raises(Refused) as caught:
        record_results(session=school.session, results=[Result(request, "passed", 90)], by=school.manager)

    assert codes(caught) == ["own_result"]


def test_a_result_is_entered_once(clock: Any) -> None:
    school = School()
    request = school.enrolled()
    school.pass_exam(clock, request)

    with pytest.raises(Refused) as caught:
        record_results(session=school.session, results=[Result(request, "failed", 1)], by=school.manager)

    assert codes(caught) == ["wrong_status"]


# --- given and taken away -------------------------------------------------------------------------------------------


def test_a_qualification_is_given_directly_with_a_reason() -> None:
    school = School()

    made = grant_qualification(
        user=school.engineer, by=school.manager, instrument=school.instrument, level="B", reason="Ten years of practice"
    )

    assert (made.level, made.valid_until, made.course) == ("B", None, None)
    assert told("qualification_granted") == {school.engineer.pk}
    assert acts()[-1] == "qualification.grant"


@pytest.mark.parametrize("fields", [{"reason": " "}, {"course": None}, {"valid_until": NOW}])
def test_giving_makes_sense(fields: dict[str, Any]) -> None:
    school = School()
    usual = {"user": school.engineer, "by": school.manager, "course": school.course, "reason": "Known"}

    with pytest.raises(Invalid):
        grant_qualification(**{**usual, **fields})


def test_nobody_gives_one_to_themselves() -> None:
    school = School()

    with pytest.raises(Refused) as caught:
        grant_qualification(user=school.manager, by=school.manager, course=school.course, reason="I can")

    assert codes(caught) == ["own_qualification"]


def test_a_newer_one_replaces_the_older(clock: Any) -> None:
    school = School()
    first = grant_qualification(user=school.engineer, by=school.manager, course=school.course, reason="Known")
    clock.shift(timedelta(days=30))

    second = grant_qualification(user=school.engineer, by=school.manager, course=school.course, reason="Again")

    first.refresh_from_db()
    assert first.replaced_at == second.granted_at
    assert second.replaced_at is None


def test_taking_away_needs_a_reason_and_works_once() -> None:
    school = School()
    made = grant_qualification(user=school.engineer, by=school.manager, course=school.course, reason="Known")
    with pytest.raises(Invalid):
        revoke_qualification(qualification=made, by=school.manager, reason="")

    gone = revoke_qualification(qualification=made, by=make_manager(school.institution), reason="Careless")

    assert gone.revoked_at == NOW
    assert told("qualification_revoked") == {school.engineer.pk}
    with pytest.raises(Refused):
        revoke_qualification(qualification=made, by=school.manager, reason="Again")


def test_named_managers_are_told_instead_of_all() -> None:
    school = School()
    named = make_member(school.institution, "manager", all_instruments=False)
    school.instrument.managers.add(named)

    school.ask()

    assert told("training_requested") == {named.pk}
