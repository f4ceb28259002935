"""Rules for the acts ``train`` and ``qualify``: asked when somebody wants a training, and when they have passed."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from time_machine import TimeMachineFixture

from backend.core.errors import Refused
from booking.actions.appealing import record_violation
from booking.actions.policies import save_policy
from booking.actions.qualifying import grant_qualification
from booking.actions.training import Result, record_results
from booking.models import Qualification, TrainingRequest
from tests.booking.lab import NOW, browser, html
from tests.booking.training import School

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def clock(time_machine: TimeMachineFixture) -> TimeMachineFixture:
    time_machine.move_to(NOW, tick=False)
    return time_machine


def make_school(*rules: dict[str, Any], **fields: Any) -> School:
    school = School(**fields)
    document = {"rules": list(rules)}
    save_policy(instrument=school.instrument, document=document, by=school.manager, valid_from=date(2026, 1, 1))
    return school


NEEDS_B = {
    "id": "a",
    "kind": "require",
    "act": ["qualify"],
    "if": {"level": "A"},
    "that": {"person.level": "B"},
    "code": "level_needs",
}
CONTRACT = {
    "id": "contract",
    "kind": "require",
    "act": ["train"],
    "that": {"organisation.agreement": True},
    "code": "no_contract",
    "fix": "Sign the contract first.",
}


def refused(school: School) -> list[str]:
    with pytest.raises(Refused) as caught:
        school.ask()
    assert not TrainingRequest.objects.exists()
    return [each.code for each in caught.value.refusals]


def test_both_acts_are_asked_and_every_reason_is_said() -> None:
    assert refused(make_school(NEEDS_B, CONTRACT)) == ["no_contract", "level_needs"]


def test_another_level_is_not_concerned() -> None:
    assert make_school(NEEDS_B, level="B").ask().pk


def test_who_has_the_level_may_ask() -> None:
    school = make_school(NEEDS_B)
    grant_qualification(
        user=school.engineer, by=school.manager, reason="Known", instrument=school.instrument, level="B"
    )

    assert school.ask().pk


def test_rules_of_booking_say_nothing_to_a_training() -> None:
    assert make_school({"kind": "require", "that": {"audience": "internal"}}).ask().pk


def test_a_suspension_from_training_stands(clock: TimeMachineFixture) -> None:
    ladder = {
        "id": "clean",
        "kind": "ladder",
        "count": ["*"],
        "steps": [{"at": 1, "do": {"do": "suspend", "for": "7d", "act": ["qualify"], "on": {"level": "A"}}}],
    }
    school = make_school(ladder)
    record_violation(
        by=school.manager,
        name="untidy",
        reason="Left dirty",
        person=school.engineer,
        organisation=school.enterprise,
        instrument=school.instrument,
    )

    assert refused(school) == ["suspend"]
    clock.shift(7 * 24 * 3600)
    assert school.ask().pk


def test_passing_is_refused_where_the_rules_say_so(clock: TimeMachineFixture) -> None:
    school = make_school()
    request = school.enrolled()
    save_policy(
        instrument=school.instrument, document={"rules": [NEEDS_B]}, by=school.manager, valid_from=date(2026, 11, 24)
    )
    assert request.session is not None
    clock.move_to(request.session.end, tick=False)

    with pytest.raises(Refused) as caught:
        record_results(session=request.session, results=[Result(request, "passed", 80)], by=school.manager)
    assert [each.code for each in caught.value.refusals] == ["level_needs"]
    assert not Qualification.objects.exists()

    record_results(session=request.session, results=[Result(request, "failed", 30)], by=school.manager)
    request.refresh_from_db()
    assert request.state == "failed"


def test_page_and_api_say_why() -> None:
    school = make_school(CONTRACT)
    body = {"training": school.course.pk, "organisation": school.enterprise.pk}
    client = browser(school.engineer)

    answer = client.post("/api/v1/training-requests", body, content_type="application/json")

    assert answer.status_code == 409, answer.content
    assert answer.json()["errors"][0]["code"] == "no_contract"
    page = html(client.post(f"/trainings/{school.course.pk}/request/", body), 409)
    assert "Sign the contract first." in page
