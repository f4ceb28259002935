"""Booking before training is refused with the way to the next session; after it, it goes through."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
import time_machine

from backend.core.errors import Refused
from booking.actions.policies import save_policy
from booking.actions.qualifying import grant_qualification
from tests.booking.lab import NOW, browser, html, queries, wall
from tests.booking.test_training_api import Machine
from tests.booking.training import School
from tests.factories import DAY, at

pytestmark = pytest.mark.django_db
NEEDED = {
    "rules": [
        {
            "id": "preset-training", "kind": "require", "topic": "training", "code": "training_needed",
            "if": {"mode": "self"}, "that": {"person.level": ["A", "S"]},
        }
    ]
}  # fmt: skip


@pytest.fixture(autouse=True)
def clock() -> Iterator[Any]:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


def strict(**fields: Any) -> School:
    school = School(**fields)
    save_policy(instrument=school.instrument, document=NEEDED, by=school.manager, valid_from=date(2026, 1, 1))
    return school


def refusal(school: School, day: date = DAY) -> Any:
    with pytest.raises(Refused) as caught:
        school.book(day=day)
    (only,) = caught.value.refusals
    return only


def test_booking_before_training_names_the_next_session() -> None:
    school = strict()

    told = refusal(school)

    assert told.code == "training_needed"
    assert "2026-12-03 14:00–16:00, free places: 3." in told.fix_text
    assert told.params["training"] == {
        "course": school.course.pk, "level": "A", "url": f"/trainings/{school.course.pk}/?session={school.session.pk}",
        "session": school.session.pk, "start": school.session.start.isoformat(), "free": 3,
    }  # fmt: skip


def test_without_a_session_one_can_ask(clock: Any) -> None:
    school = strict()
    clock.move_to(school.session.start)

    assert refusal(school, date(2026, 12, 8)).params["training"]["url"] == f"/trainings/{school.course.pk}/"


def test_who_has_a_place_is_told_so() -> None:
    school = strict()
    school.enrolled()

    assert "You have a place" in refusal(school).fix_text


def test_a_training_of_another_level_is_not_advised() -> None:
    school = strict(level="B")

    assert "training" not in refusal(school).params


def test_after_passing_the_booking_goes_through(clock: Any) -> None:
    school = strict()
    school.pass_exam(clock, school.enrolled())

    booking = school.book(day=date(2026, 12, 8))

    assert booking.status == "confirmed"


def test_a_qualification_must_still_hold_when_the_time_begins() -> None:
    school = strict()
    grant_qualification(
        user=school.engineer, by=school.manager, course=school.course, reason="Known", valid_until=at(9)
    )

    assert refusal(school).code == "training_needed"
    assert school.book(8, 9).status == "confirmed"


def test_the_panel_and_the_api_show_the_way() -> None:
    school = strict()
    slot = {"start": wall(at(9)), "end": wall(at(12)), "mode": "self"}

    page = html(browser(school.engineer).post(f"/instruments/{school.instrument.pk}/check/", slot))
    assert f'href="/trainings/{school.course.pk}/?session={school.session.pk}"' in page
    assert "Next training: “SEM training”" in page

    body = {"instrument": school.instrument.pk, "start": at(9).isoformat(), "end": at(12).isoformat(), "mode": "self"}
    answer = Machine(school.engineer).post("/bookings/check", body, 200)
    (told,) = [one for one in answer["refusals"] if one["code"] == "training_needed"]
    assert told["params"]["training"]["session"] == school.session.pk
    assert "free places: 3" in told["fix_text"]


def test_the_instrument_page_says_which_level_is_needed() -> None:
    school = strict()
    address = f"/instruments/{school.instrument.pk}/"

    page = html(browser(school.engineer).get(address))
    assert "Operating it yourself needs level A / S." in page
    assert "3 free places" in page
    assert "You do not have it" in page

    grant_qualification(user=school.engineer, by=school.manager, course=school.course, reason="Known")
    assert "You have level A" in html(browser(school.engineer).get(address))
    assert "You do not have it" not in html(browser().get(address))


def test_the_page_asks_the_same_with_more_trainings() -> None:
    school = strict()
    client, address = browser(school.engineer), f"/instruments/{school.instrument.pk}/"
    client.get(address)
    few = queries(client, address)

    for _ in range(5):
        school.make_session()

    assert queries(client, address) == few


def test_ended_qualifications_do_not_open_the_instrument(clock: Any) -> None:
    school = strict()
    school.pass_exam(clock, school.enrolled())
    clock.move_to(at(9, day=date(2027, 12, 5)))

    with pytest.raises(Refused) as caught:
        school.book(day=date(2027, 12, 6))

    assert "training_needed" in [one.code for one in caught.value.refusals]
