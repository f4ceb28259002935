"""The booking API: one journey, its errors, and who sees what."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from backend.accounts.models import Role
from booking.actions.policies import save_policy
from booking.models import Booking
from tests.booking.test_requesting import APPROVAL, book
from tests.conftest import ApiClient
from tests.factories import at, make_enterprise, make_instrument, make_manager, make_member, make_price_list

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]


@pytest.fixture
def lab() -> Any:
    instrument = make_instrument()
    make_price_list(instrument)
    return instrument


@pytest.fixture
def engineer() -> Any:
    return make_member(make_enterprise())


def wish(instrument: Any, **more: Any) -> dict[str, Any]:
    return {
        "instrument": instrument.pk,
        "start": "2026-12-01T09:00:00+08:00",
        "end": "2026-12-01T12:00:00+08:00",
        "mode": "self",
        **more,
    }


def test_journey_from_check_to_verified(lab: Any, engineer: Any, clock: Any) -> None:
    manager = make_manager(lab.institution)
    save_policy(instrument=lab, document=APPROVAL, by=manager)
    customer, desk = ApiClient(engineer), ApiClient(manager)

    check = customer.post_api("/bookings/check", wish(lab)).json()
    made = customer.post_api("/bookings", wish(lab, purpose="Alloy"))
    pk = made.json()["id"]
    approved = desk.post_api(f"/bookings/{pk}/approve", {"version": 1})
    clock.move_to(at(9))
    started = customer.post_api(f"/bookings/{pk}/start")
    clock.move_to(at(12))
    finished = customer.post_api(f"/bookings/{pk}/finish", {"comment": "fine"})
    verified = desk.post_api(f"/usage/{finished.json()['id']}/verify")
    history = customer.get_api(f"/bookings/{pk}/history").json()

    assert (check["bookable"], check["approval"]["roles"], check["quote"]["total"]) == (True, ["manager"], "300.00")
    assert (made.status_code, made.json()["status"]) == (201, "requested")
    assert [r.json()["status"] for r in (approved, started, finished, verified)] == [
        "confirmed",
        "in_use",
        "submitted",
        "verified",
    ]
    assert [row["action"] for row in history] == [
        "booking.request",
        "booking.approve",
        "booking.start",
        "booking.finish",
        "usage.verify",
    ]


def test_check_writes_nothing_and_names_every_reason(lab: Any, engineer: Any) -> None:
    book(lab)

    answer = ApiClient(engineer).post_api("/bookings/check", wish(lab)).json()

    assert answer["bookable"] is False
    assert [r["code"] for r in answer["refusals"]] == ["taken"]
    assert [a["start"] for a in answer["alternatives"]] == [
        "2026-12-01T12:00:00+08:00",
        "2026-11-30T17:00:00+08:00",
        "2026-12-02T08:00:00+08:00",
    ]
    assert Booking.objects.count() == 1


def test_taken_time_is_409_with_a_problem_document(lab: Any, engineer: Any) -> None:
    book(lab)

    response = ApiClient(engineer).post_api("/bookings", wish(lab, purpose="x"))

    assert response.status_code == 409
    assert response["Content-Type"] == "application/problem+json"
    assert response.json()["errors"][0]["code"] == "taken"


def test_member_of_several_organisations_must_name_one(lab: Any, engineer: Any) -> None:
    second = make_enterprise()
    make_member(second, user=engineer)

    unnamed = ApiClient(engineer).post_api("/bookings", wish(lab, purpose="x"))
    named = ApiClient(engineer).post_api("/bookings", wish(lab, purpose="x", organisation=second.pk))

    assert (unnamed.status_code, unnamed.json()["errors"][0]["code"]) == (422, "several")
    assert named.json()["organisation"]["id"] == second.pk


def test_foreign_organisation_project_and_colleague_are_422(lab: Any, engineer: Any) -> None:
    stranger = make_member(make_enterprise())
    client = ApiClient(engineer)

    for extra in ({"organisation": make_enterprise().pk}, {"project": 999}, {"on_behalf_of": stranger.pk}):
        response = client.post_api("/bookings", wish(lab, purpose="x", **extra))
        assert (response.status_code, response.json()["errors"][0]["field"]) == (422, next(iter(extra)))


def test_administrator_books_for_a_colleague(lab: Any) -> None:
    company = make_enterprise()
    admin, colleague = make_member(company, Role.ADMIN), make_member(company)

    made = ApiClient(admin).post_api("/bookings", wish(lab, purpose="x", on_behalf_of=colleague.pk))

    assert made.json()["user"]["id"] == colleague.pk


@pytest.mark.parametrize(
    "body",
    [
        {"start": "2026-12-01T09:00:00"},
        {"start": "yesterday"},
        {"mode": "magic"},
        {"surplus": 1},
        {"purpose": ""},
        {"purpose": "x" * 201},
        {"purpose": "a\x00b"},
        {"samples": -1},
        {"instrument": 2**70},
        {"start": "2026-12-01T12:00:00+08:00", "end": "2026-12-01T09:00:00+08:00"},
    ],
)
def test_malformed_request_is_422_and_changes_nothing(lab: Any, engineer: Any, body: dict[str, Any]) -> None:
    response = ApiClient(engineer).post_api("/bookings", {**wish(lab, purpose="x"), **body})

    assert response.status_code == 422, response.content
    assert response["Content-Type"] == "application/problem+json"
    assert not Booking.objects.exists()


def test_idempotency_key_repeats_the_answer_and_refuses_another_body(lab: Any, engineer: Any) -> None:
    client = ApiClient(engineer)
    key = {"Idempotency-Key": "abc"}

    first = client.post_api("/bookings", wish(lab, purpose="x"), **key)
    again = client.post_api("/bookings", wish(lab, purpose="x"), **key)
    other = client.post_api("/bookings", wish(lab, purpose="y"), **key)

    assert (first.status_code, again.status_code, other.status_code) == (201, 201, 422)
    assert first.json() == again.json()
    assert Booking.objects.count() == 1


def test_refused_request_does_not_use_up_its_key(lab: Any, engineer: Any) -> None:
    blocker = book(lab)
    client = ApiClient(engineer)
    refused = client.post_api("/bookings", wish(lab, purpose="x"), **{"Idempotency-Key": "k"})
    ApiClient(blocker.user).post_api(f"/bookings/{blocker.pk}/cancel")

    retried = client.post_api("/bookings", wish(lab, purpose="x"), **{"Idempotency-Key": "k"})

    assert (refused.status_code, retried.status_code) == (409, 201)


ACTIONS = ["approve", "reject", "withdraw", "cancel", "start", "finish"]


@pytest.mark.parametrize("action", ACTIONS)
def test_strangers_get_404_and_visitors_401(lab: Any, action: str) -> None:
    booking = book(lab)
    other_lab = make_instrument()
    strangers = [make_member(make_enterprise(), Role.ADMIN), make_manager(other_lab.institution)]

    statuses = [
        ApiClient(s)
        .post_api(f"/bookings/{booking.pk}/{action}", {"reason": "r"} if action != "finish" else {})
        .status_code
        for s in strangers
    ]
    visitor = ApiClient().post_api(f"/bookings/{booking.pk}/{action}").status_code

    assert statuses == [404, 404]
    assert visitor == 401


def test_colleague_without_role_does_not_see_the_booking(lab: Any) -> None:
    booking = book(lab)
    colleague = make_member(booking.organisation)
    admin = make_member(booking.organisation, Role.ADMIN)

    seen = [ApiClient(u).get_api(f"/bookings/{booking.pk}").status_code for u in (colleague, admin)]

    assert seen == [404, 200]


def test_customer_cannot_decide_and_lab_cannot_withdraw(lab: Any) -> None:
    manager = make_manager(lab.institution)
    save_policy(instrument=lab, document=APPROVAL, by=manager)
    booking = book(lab)

    approve = ApiClient(booking.user).post_api(f"/bookings/{booking.pk}/approve")
    withdraw = ApiClient(manager).post_api(f"/bookings/{booking.pk}/withdraw")

    assert (approve.status_code, withdraw.status_code) == (403, 403)


def test_manager_of_chosen_instruments_sees_only_those(lab: Any) -> None:
    booking = book(lab)
    limited = make_member(lab.institution, Role.MANAGER, all_instruments=False)
    before = ApiClient(limited).get_api(f"/bookings/{booking.pk}").status_code
    lab.managers.add(limited)
    after = ApiClient(limited).get_api(f"/bookings/{booking.pk}").status_code

    assert (before, after) == (404, 200)


def test_list_has_the_same_number_of_queries_for_1_and_30(lab: Any, engineer: Any) -> None:
    client = ApiClient(engineer)
    company = engineer.memberships.get().organisation

    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as seen:
            assert client.get_api("/bookings", limit=50).status_code == 200
        return len(seen)

    book(lab, user=engineer, organisation=company, start=at(8), end=at(8, 20))
    one = queries()
    for n in range(1, 30):
        book(lab, user=engineer, organisation=company, start=at(8, 20 * n), end=at(8, 20 * n + 20))

    assert queries() == one
    assert Booking.objects.count() == 30


def test_list_filters(lab: Any, engineer: Any) -> None:
    company = engineer.memberships.get().organisation
    first = book(lab, user=engineer, organisation=company)
    second = book(lab, at(13), at(14), user=engineer, organisation=company)
    client = ApiClient(engineer)
    client.post_api(f"/bookings/{second.pk}/cancel")

    by_status = client.get_api("/bookings", status="confirmed,in_use").json()
    by_time = client.get_api("/bookings", **{"from": "2026-12-01T04:30:00Z", "to": "2026-12-02T00:00:00Z"}).json()

    assert [row["id"] for row in by_status["items"]] == [first.pk]
    assert [row["id"] for row in by_time["items"]] == [second.pk]


def test_policy_round_trips_and_a_bad_one_is_422(lab: Any) -> None:
    client = ApiClient(make_manager(lab.institution))

    saved = client.put_api(f"/instruments/{lab.pk}/policy", {"policy": APPROVAL})
    bad = client.put_api(f"/instruments/{lab.pk}/policy", {"policy": {"rules": [{"kind": "nonsense"}]}})

    assert client.get_api(f"/instruments/{lab.pk}/policy").json() == saved.json()
    assert (saved.json()["version"], saved.json()["policy"]) == (1, APPROVAL)
    assert bad.status_code == 422


def test_policy_of_a_foreign_instrument_is_403_because_it_is_public(lab: Any) -> None:
    manager = make_manager(make_instrument().institution)

    assert ApiClient(manager).put_api(f"/instruments/{lab.pk}/policy", {"policy": APPROVAL}).status_code == 403
