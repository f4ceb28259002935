"""The pages of trainings and qualifications: for who learns, and for the lab."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine

from booking.actions.qualifying import grant_qualification
from booking.models import Course, Qualification, RequestState, TrainingRequest, TrainingSession
from tests.booking.lab import NOW, browser, html, queries, wall
from tests.booking.training import SECOND, School
from tests.factories import at, make_instrument, make_manager, make_member

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def clock() -> Iterator[Any]:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


def test_the_catalogue_leads_to_the_next_session() -> None:
    school = School()

    page = html(browser(school.engineer).get("/trainings/"))

    assert "SEM training" in page
    assert f"/trainings/{school.course.pk}/?session={school.session.pk}" in page
    assert "3 free places" in page


def test_the_catalogue_is_filtered_by_instrument_and_words() -> None:
    school, other = School(), School()
    client = browser(school.engineer)

    for query in (f"instrument={school.instrument.pk}", f"institution={school.institution.pk}"):
        page = html(client.get(f"/trainings/?{query}"))
        assert f"/trainings/{school.course.pk}/" in page
        assert f"/trainings/{other.course.pk}/" not in page
    assert "No training fits" in html(client.get("/trainings/?q=nothing"))
    assert "SEM training" in html(client.get(f"/trainings/?q={school.instrument.name}"))


def test_asking_on_the_page_and_withdrawing_again() -> None:
    school = School()
    client = browser(school.engineer)
    page = html(client.get(f"/trainings/{school.course.pk}/?session={school.session.pk}"))
    assert "Ask for a place" in page

    client.post(f"/trainings/{school.course.pk}/request/", {"session": school.session.pk, "note": "Beginner"})
    request = TrainingRequest.objects.get()
    assert (request.state, request.note, request.organisation) == ("requested", "Beginner", school.enterprise)
    assert "Waiting for a place" in html(client.get("/account/qualifications/"))
    assert "Your request" in html(client.get(f"/trainings/{school.course.pk}/"))

    client.post(f"/account/qualifications/requests/{request.pk}/withdraw/")
    request.refresh_from_db()
    assert request.state == RequestState.WITHDRAWN


def test_a_full_session_is_refused_with_the_way_to_another() -> None:
    school = School(open=True)
    school.make_session()
    for _ in range(3):
        school.ask(school.learner(), school.session)

    response = browser(school.engineer).post(
        f"/trainings/{school.course.pk}/request/", {"session": school.session.pk}, headers={"HX-Request": "true"}
    )

    assert "Next session: 2026-12-10 14:00–16:00, free places: 3." in html(response, 409)


def test_a_stranger_without_an_organisation_asks_for_nothing() -> None:
    school = School()
    nobody = make_member(school.enterprise)
    nobody.memberships.update(ended_at=NOW)

    assert browser(nobody).post(f"/trainings/{school.course.pk}/request/").status_code == 403


def test_the_lab_makes_a_training_and_a_session() -> None:
    school = School()
    client = browser(school.manager)
    values = {"name": "XRD", "level": "B", "rank": 2, "hours": "business", "active": "on", "exam": "on"}

    client.post("/manage/trainings/new/", {**values, "instruments": [school.instrument.pk], "pass_mark": 70})
    course = Course.objects.get(name="XRD")
    assert (course.level, course.rank, course.pass_mark, course.hours) == ("B", 2, 70, "business")
    client.post(
        f"/manage/trainings/{course.pk}/sessions/new/",
        {"start": wall(at(9, day=SECOND)), "end": wall(at(11, day=SECOND)), "places": 4, "place": "Lab 2"},
    )

    session = TrainingSession.objects.get(course=course)
    assert (session.start, session.places, session.place) == (at(9, day=SECOND), 4, "Lab 2")
    page = html(client.get("/manage/trainings/"))
    assert "XRD" in page
    assert "0 / 4" in page


def test_a_form_says_what_is_missing() -> None:
    school = School()

    page = html(browser(school.manager).post("/manage/trainings/new/", {"name": "X", "hours": "any"}), 422)

    assert "This field is required." in page


def test_a_training_that_covers_nothing_is_refused() -> None:
    school = School()
    values = {"name": "X", "level": "B", "rank": 1, "hours": "any"}

    page = html(browser(school.manager).post("/manage/trainings/new/", values), 422)

    assert "Choose the instruments, or a group of them." in page


def test_the_lab_edits_a_training_and_its_session() -> None:
    school = School()
    client = browser(school.manager)
    values = {"name": "SEM 2", "level": "A", "rank": 1, "hours": "any", "instruments": [school.instrument.pk]}

    client.post(f"/manage/trainings/{school.course.pk}/", {**values, "version": 1})
    client.post(
        f"/manage/trainings/sessions/{school.session.pk}/edit/",
        {"start": wall(at(9, day=SECOND)), "end": wall(at(11, day=SECOND)), "places": 5, "version": 1},
    )

    school.course.refresh_from_db()
    school.session.refresh_from_db()
    assert (school.course.name, school.course.active) == ("SEM 2", False)
    assert (school.session.start, school.session.places) == (at(9, day=SECOND), 5)
    stale = client.post(f"/manage/trainings/{school.course.pk}/", {**values, "name": "Old", "version": 1})
    assert stale.status_code == 412


def test_requests_are_decided_from_the_list() -> None:
    school = School()
    first, second = school.ask(session=school.session), school.ask(school.learner())
    client = browser(school.manager)
    page = html(client.get("/manage/trainings/requests/"))
    assert page.count("Give a place") == 2

    client.post(f"/manage/trainings/requests/{first.pk}/enrol/", {"session": school.session.pk, "version": 1})
    client.post(f"/manage/trainings/requests/{second.pk}/reject/", {"reason": "Not now", "version": 1})

    assert set(TrainingRequest.objects.values_list("state", flat=True)) == {"enrolled", "rejected"}
    assert "Nobody waits for a place" in html(client.get("/manage/trainings/requests/"))


def test_results_of_many_are_entered_at_once(clock: Any) -> None:
    school = School()
    good, bad, late = (school.enrolled(school.learner()) for _ in range(3))
    client = browser(school.manager)
    address = f"/manage/trainings/sessions/{school.session.pk}/"
    assert "Enter the results" not in html(client.get(address))
    clock.move_to(school.session.end + timedelta(hours=1))
    client = browser(school.manager)
    assert "Enter the results" in html(client.get(address))
    assert "Enter 3 results" in html(client.get("/manage/trainings/"))

    client.post(
        f"{address}results/",
        {
            f"outcome-{good.pk}": "passed", f"score-{good.pk}": "88",
            f"outcome-{bad.pk}": "failed", f"score-{bad.pk}": "12", f"reason-{bad.pk}": "Lens",
            f"outcome-{late.pk}": "",
        },
    )  # fmt: skip

    states = dict(TrainingRequest.objects.values_list("pk", "state"))
    assert states == {good.pk: "passed", bad.pk: "failed", late.pk: "enrolled"}
    assert Qualification.objects.get().user == good.user
    assert "Valid" in html(browser(good.user).get("/account/qualifications/"))


@pytest.mark.parametrize("data", [{}, {"score": "101"}, {"score": "x"}])
def test_results_make_sense(clock: Any, data: dict[str, str]) -> None:
    school = School()
    request = school.enrolled()
    clock.move_to(school.session.end)
    entered = {f"{name}-{request.pk}": value for name, value in data.items()}
    if data:
        entered[f"outcome-{request.pk}"] = "passed"

    response = browser(school.manager).post(f"/manage/trainings/sessions/{school.session.pk}/results/", entered)

    assert response.status_code == 422
    assert not Qualification.objects.exists()


def test_a_session_is_cancelled_with_its_reason() -> None:
    school = School()
    school.enrolled()
    client = browser(school.manager)

    client.post(f"/manage/trainings/sessions/{school.session.pk}/cancel/", {"reason": "Trainer ill", "version": 1})

    assert "Cancelled: Trainer ill" in html(client.get(f"/manage/trainings/sessions/{school.session.pk}/"))
    assert TrainingRequest.objects.get().state == RequestState.CANCELLED


def test_a_session_comes_as_a_calendar_file() -> None:
    school = School()

    response = browser(school.engineer).get(f"/trainings/sessions/{school.session.pk}/session.ics")
    text = response.content.decode().replace("\r\n ", "")

    assert response["Content-Type"].startswith("text/calendar")
    assert "SUMMARY:SEM training" in text
    assert "DTSTART;TZID=Asia/Shanghai:20261203T140000" in text
    assert "LOCATION:Room 101" in text


def test_giving_directly_and_withdrawing_on_the_page() -> None:
    school = School()
    client = browser(school.manager)
    assert "Nobody is qualified yet" in html(client.get("/manage/qualifications/"))

    wrong = client.post(
        "/manage/qualifications/grant/",
        {"email": "nobody@example.org", "what": f"course:{school.course.pk}", "reason": "Known"},
    )
    assert wrong.status_code == 422
    client.post(
        "/manage/qualifications/grant/",
        {
            "email": school.engineer.email, "what": f"instrument:{school.instrument.pk}", "level": "B",
            "valid_until": "2027-03-31", "reason": "Ten years of practice",
        },
    )  # fmt: skip
    made = Qualification.objects.get()
    assert (made.level, made.valid_until) == ("B", at(24, day=SECOND.replace(year=2027, month=3, day=31)))
    page = html(client.get("/manage/qualifications/"))
    assert school.engineer.name in page

    client.post(f"/manage/qualifications/{made.pk}/revoke/", {"reason": "Careless", "version": 1})
    assert "Nobody is qualified yet" in html(client.get("/manage/qualifications/"))
    assert "Careless" in html(client.get("/manage/qualifications/?state=all"))
    assert "Careless" in html(browser(school.engineer).get("/account/qualifications/"))


def test_the_list_is_filtered_and_exported() -> None:
    school = School()
    grant_qualification(user=school.engineer, by=school.manager, course=school.course, reason="Known")
    other = make_instrument(school.institution)
    client = browser(school.manager)

    assert school.engineer.email in html(client.get(f"/manage/qualifications/?instrument={school.instrument.pk}"))
    assert "Nobody fits" in html(client.get(f"/manage/qualifications/?instrument={other.pk}"))
    assert "Nobody fits" in html(client.get("/manage/qualifications/?state=ending"))
    table = b"".join(client.get(f"/manage/qualifications/export.csv?course={school.course.pk}").streaming_content)
    assert school.engineer.email in table.decode("utf-8-sig")
    workbook = client.get("/manage/qualifications/export.xlsx")
    assert b"".join(workbook.streaming_content).startswith(b"PK")
    assert client.get("/manage/qualifications/export.pdf").status_code == 404


def test_managers_of_chosen_instruments_run_trainings_of_theirs_alone() -> None:
    school = School()
    chosen = make_member(school.institution, "manager", all_instruments=False)
    mine = make_instrument(school.institution)
    mine.managers.add(chosen)
    client = browser(chosen)

    assert client.get(f"/manage/trainings/{school.course.pk}/").status_code == 403
    client.post(
        "/manage/trainings/new/",
        {"name": "Mine", "level": "A", "rank": 1, "hours": "any", "active": "on", "instruments": [mine.pk]},
    )
    assert client.get(f"/manage/trainings/{Course.objects.get(name='Mine').pk}/").status_code == 200


def test_a_training_of_hidden_instruments_is_absent_for_strangers() -> None:
    school = School()
    type(school.instrument).objects.filter(pk=school.instrument.pk).update(sharing="internal")

    assert browser(school.engineer).get(f"/trainings/{school.course.pk}/").status_code == 404
    assert "SEM training" not in html(browser(school.engineer).get("/trainings/"))
    assert browser(make_member(school.institution)).get(f"/trainings/{school.course.pk}/").status_code == 200


def test_another_persons_request_is_absent() -> None:
    school = School()
    request = school.ask(session=school.session)

    assert browser(school.boss).post(f"/account/qualifications/requests/{request.pk}/withdraw/").status_code == 404
    for step in ("enrol", "reject"):
        address = f"/manage/trainings/requests/{request.pk}/{step}/"
        assert browser(school.engineer).post(address, {"reason": "x"}).status_code == 403
        assert browser(make_manager(make_instrument().institution)).post(address).status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/trainings/",
        "/account/qualifications/",
        "/manage/trainings/",
        "/manage/trainings/requests/",
        "/manage/qualifications/",
    ],
)
def test_lists_ask_the_same_whatever_their_length(path: str) -> None:
    school = School()
    client = browser(school.engineer if "manage" not in path else school.manager)
    _more(school, 1)
    client.get(path)
    few = queries(client, path)

    _more(school, 6)

    assert queries(client, path) == few


def _more(school: School, number: int) -> None:
    from booking.actions.courses import create_course
    from booking.actions.training import request_training

    for _ in range(number):
        name = f"Training {Course.objects.count()}"
        course = create_course(
            institution=school.institution, by=school.manager, instruments=[school.instrument], name=name, level="A"
        )
        school.make_session(course=course)
        for user in (school.engineer, school.learner()):
            grant_qualification(user=user, by=school.manager, course=course, reason="Known")
            request_training(course=course, user=user, organisation=school.enterprise)
