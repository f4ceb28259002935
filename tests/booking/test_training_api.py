"""Trainings, requests, results and qualifications over the API, as on the pages."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client

from backend.accounts.actions import create_token
from backend.accounts.models import User
from booking.models import Qualification, TrainingRequest
from tests.booking.lab import NOW
from tests.booking.training import School
from tests.factories import make_instrument

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def clock() -> Iterator[Any]:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


class Machine:
    def __init__(self, user: User) -> None:
        self.client = Client(headers={"accept-language": "en"})
        self.headers = {"Authorization": f"Bearer {create_token(user=user, name='test')[1]}"}

    def get(self, path: str, status: int = 200) -> Any:
        response = self.client.get(f"/api/v1{path}", headers=self.headers)
        assert response.status_code == status, response.content
        return response.json()

    def post(self, path: str, body: Any, status: int = 201, method: str = "post") -> Any:
        call = getattr(self.client, method)
        response = call(f"/api/v1{path}", body, content_type="application/json", headers=self.headers)
        assert response.status_code == status, response.content
        return response.json()


def test_the_whole_way_over_the_api(clock: Any) -> None:
    school = School()
    lab, learner = Machine(school.manager), Machine(school.engineer)
    course = lab.post(
        "/trainings",
        {"name": "XRD", "level": "B", "instruments": [school.instrument.pk], "exam": True, "pass_mark": 50},
    )
    session = lab.post(
        "/training-sessions",
        {
            "training": course["id"],
            "start": "2026-12-03T14:00:00+08:00",
            "end": "2026-12-03T16:00:00+08:00",
            "places": 1,
        },
    )
    assert [one["id"] for one in learner.get(f"/trainings?instrument={school.instrument.pk}")["items"]] == [
        course["id"],
        school.course.pk,
    ]
    assert learner.get(f"/training-sessions?training={course['id']}")["items"][0]["free"] == 1

    asked = learner.post("/training-requests", {"training": course["id"], "session": session["id"], "note": "Hello"})
    assert asked["state"] == "requested"
    given = lab.post(f"/training-requests/{asked['id']}/enrol", {"version": 1}, 200)
    assert (given["state"], given["seat"]) == ("enrolled", 1)
    assert learner.get(f"/training-sessions/{session['id']}")["free"] == 0

    clock.move_to(NOW + timedelta(days=10))
    results = [{"request": asked["id"], "outcome": "passed", "score": 49}]
    refused = lab.post(f"/training-sessions/{session['id']}/results", {"results": results}, 409)
    assert refused["errors"][0]["code"] == "below_pass_mark"
    results[0]["score"] = 50
    assert lab.post(f"/training-sessions/{session['id']}/results", {"results": results}, 200)[0]["state"] == "passed"

    (mine,) = learner.get("/qualifications?mine=true")["items"]
    assert (mine["level"], mine["status"], mine["valid_until"]) == ("B", "valid", None)
    gone = lab.post(f"/qualifications/{mine['id']}/revoke", {"reason": "Careless", "version": 1}, 200)
    assert gone["status"] == "revoked"
    assert learner.get("/qualifications")["count"] == 0
    assert learner.get("/qualifications?ended=true")["count"] == 1


def test_asking_twice_is_refused_as_on_the_page() -> None:
    school = School()
    learner = Machine(school.engineer)
    learner.post("/training-requests", {"training": school.course.pk})

    refused = learner.post("/training-requests", {"training": school.course.pk}, 409)

    assert refused["errors"][0]["code"] == "asked_already"


def test_withdrawing_and_rejecting() -> None:
    school = School()
    lab, learner = Machine(school.manager), Machine(school.engineer)
    asked = learner.post("/training-requests", {"training": school.course.pk})["id"]
    assert learner.post(f"/training-requests/{asked}/withdraw", {}, 200)["state"] == "withdrawn"
    asked = learner.post("/training-requests", {"training": school.course.pk})["id"]

    assert lab.post(f"/training-requests/{asked}/reject", {"reason": "Full"}, 200)["reason"] == "Full"
    assert lab.post(f"/training-requests/{asked}/reject", {"reason": ""}, 422)["errors"][0]["field"] == "reason"
    assert {one["state"] for one in lab.get("/training-requests")["items"]} == {"withdrawn", "rejected"}


def test_changing_a_training_leaves_what_is_left_out() -> None:
    school = School()
    lab = Machine(school.manager)

    changed = lab.post(f"/trainings/{school.course.pk}", {"validity_months": None, "level": "C"}, 200, "patch")

    assert (changed["level"], changed["validity_months"], changed["pass_mark"]) == ("C", None, 60)
    stale = lab.post(f"/trainings/{school.course.pk}", {"level": "D", "version": 1}, 412, "patch")
    assert stale["code"] == "stale"


def test_changing_and_cancelling_a_session() -> None:
    school = School()
    lab, address = Machine(school.manager), f"/training-sessions/{school.session.pk}"

    assert lab.post(address, {"places": 9}, 200, "patch")["free"] == 9
    cancelled = lab.post(f"{address}/cancel", {"reason": "Trainer ill"}, 200)
    assert (cancelled["status"], cancelled["reason"]) == ("cancelled", "Trainer ill")
    assert lab.get("/training-sessions")["count"] == 0
    assert lab.get("/training-sessions?cancelled=true")["count"] == 1


def test_giving_one_directly() -> None:
    school = School()
    lab = Machine(school.manager)
    about = {"email": school.engineer.email, "reason": "Known"}

    made = lab.post(
        "/qualifications", {**about, "instrument": school.instrument.pk, "level": "B", "valid_until": "2026-12-31"}
    )

    assert (made["level"], made["valid_until"], made["status"]) == ("B", "2027-01-01T00:00:00+08:00", "valid")
    assert lab.post("/qualifications", about, 422)["errors"][0]["code"] == "one_of_two"
    assert Qualification.objects.count() == 1


def test_foreign_objects_are_absent() -> None:
    school, stranger = School(), Machine(School().manager)
    request = school.ask()

    assert stranger.post(f"/training-requests/{request.pk}/reject", {"reason": "x"}, 404)["code"] == "not_found"
    assert stranger.get("/training-requests")["count"] == 0
    other = make_instrument()
    assert stranger.post("/trainings", {"name": "X", "level": "A", "instruments": [other.pk]}, 404)
    assert TrainingRequest.objects.get().state == "requested"


def test_the_table_is_exported() -> None:
    school = School()
    lab = Machine(school.manager)
    lab.post("/qualifications", {"email": school.engineer.email, "training": school.course.pk, "reason": "Known"})

    response = lab.client.get("/api/v1/exports/qualifications.csv", headers=lab.headers)

    assert school.engineer.email in b"".join(response.streaming_content).decode("utf-8-sig")
    assert Machine(school.engineer).get("/exports/qualifications.csv", 403)["code"] == "forbidden"
