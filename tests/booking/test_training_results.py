"""Results of trainings, and qualifications that are given and taken away."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from backend.core.errors import Invalid, Refused
from booking.actions.qualifying import grant_qualification, revoke_qualification
from booking.actions.training import (
    Result,
    record_results,
)
from booking.models import Qualification, RequestState, TrainingRequest
from tests.booking.lab import NOW, codes
from tests.booking.training import School, acts, told
from tests.factories import at, make_manager, make_member

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]


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
