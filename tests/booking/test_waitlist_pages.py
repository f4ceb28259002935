"""The waitlist's pages and its API: two doors to the same actions."""

from __future__ import annotations

from typing import Any

import pytest

from backend.outbox.models import Message
from booking.actions.changing import cancel_booking
from booking.actions.offering import offer_due
from booking.actions.policies import save_policy
from booking.models import Booking, Status, Wait, WaitStatus
from tests.booking.lab import HTMX, NOW, Lab, browser, html, queries, wall
from tests.booking.test_mails import mail
from tests.booking.waiting import INSIDE_FIRST, person, wait_for
from tests.conftest import ApiClient
from tests.factories import at, make_enterprise, make_member

pytestmark = pytest.mark.django_db


def asked(**more: Any) -> dict[str, Any]:
    return {"start": wall(at(9)), "end": wall(at(12)), "minutes": "120", "mode": "self", "purpose": "SEM", **more}


def offered(lab: Lab, **more: Any) -> Wait:
    booking = lab.book(user=make_member(lab.enterprise))
    wait = wait_for(lab, lab.engineer, **more)
    cancel_booking(booking=booking, by=booking.user)
    offer_due()
    wait.refresh_from_db()
    return wait


# --- joining -------------------------------------------------------------------------------------------------------


def test_a_taken_time_leads_to_the_waitlist_with_the_time_filled_in(lab: Lab) -> None:
    lab.book()
    client = browser(lab.boss)
    times = {"start": wall(at(9)), "end": wall(at(12)), "mode": "self"}

    answer = html(client.post(f"/instruments/{lab.instrument.pk}/check/", times, headers=HTMX))
    page = html(client.get(f"/instruments/{lab.instrument.pk}/wait/", times))

    assert f"/instruments/{lab.instrument.pk}/wait/?start=" in answer
    assert 'value="2026-12-01T09:00"' in page
    assert 'value="180"' in page


def test_a_full_day_leads_to_the_waitlist(lab: Lab) -> None:
    lab.book(8, 20)

    page = html(browser(lab.boss).get(f"/instruments/{lab.instrument.pk}/times/?day=2026-12-01&length=60"))

    assert f"/instruments/{lab.instrument.pk}/wait/?day=2026-12-01&amp;length=60" in page
    form = html(browser(lab.boss).get(f"/instruments/{lab.instrument.pk}/wait/?day=2026-12-01&length=60"))
    assert 'value="2026-12-02T00:00"' in form


def test_the_page_joins_and_shows_the_place(lab: Lab) -> None:
    lab.book()
    wait_for(lab, person())
    client = browser(lab.engineer)

    answer = client.post(f"/instruments/{lab.instrument.pk}/wait/", asked())

    assert answer["Location"] == "/bookings/waiting/"
    assert "place 2 of 2" in html(client.get("/bookings/waiting/"))


def test_the_page_says_what_is_wrong_and_what_is_free(lab: Lab) -> None:
    client = browser(lab.engineer)
    path = f"/instruments/{lab.instrument.pk}/wait/"

    assert "This field is required" in html(client.post(path, asked(purpose=""), headers=HTMX), 422)
    assert "There is free time in it: 2026-12-01 09:00–11:00" in html(client.post(path, asked(), headers=HTMX), 409)


def test_a_visitor_is_sent_to_sign_in_and_comes_back(lab: Lab) -> None:
    path = f"/instruments/{lab.instrument.pk}/wait/?day=2026-12-01"

    assert browser().get(path)["Location"].startswith("/account/login/?next=%2Finstruments%2F")


# --- offers --------------------------------------------------------------------------------------------------------


def test_an_offer_stands_on_top_and_is_accepted_with_one_click(lab: Lab) -> None:
    wait = offered(lab)
    client = browser(lab.engineer)
    page = html(client.get("/bookings/"))
    assert page.index("Needs your answer") < page.index(f"/bookings/waiting/{wait.pk}/accept/")

    answer = client.post(f"/bookings/waiting/{wait.pk}/accept/", {"version": wait.version})

    booking = Booking.objects.get(status=Status.CONFIRMED)
    assert answer["Location"] == f"/bookings/{booking.pk}/"
    assert f"/bookings/waiting/{wait.pk}/accept/" not in html(client.get("/bookings/"))


def test_an_offer_is_declined_and_the_waitlist_left(lab: Lab) -> None:
    wait = offered(lab)
    client = browser(lab.engineer)

    client.post(f"/bookings/waiting/{wait.pk}/decline/", {"version": wait.version})
    wait.refresh_from_db()
    assert wait.status == WaitStatus.WAITING
    client.post(f"/bookings/waiting/{wait.pk}/leave/", {"version": wait.version})

    wait.refresh_from_db()
    assert wait.status == WaitStatus.LEFT
    assert "Left the waitlist" in html(client.get("/bookings/waiting/"))


def test_the_message_leads_to_the_offer(lab: Lab) -> None:
    offered(lab)

    message = Message.objects.get(kind="wait_offered", channel="mail")

    assert message.path == "/bookings/waiting/"
    assert message.context["when"] == "2026-12-01 09:00–12:00"


def test_nothing_waited_for_says_where_to_begin(lab: Lab) -> None:
    assert "You wait for nothing" in html(browser(lab.engineer).get("/bookings/waiting/"))


@pytest.mark.parametrize("language", ["en", "zh-hans"])
@pytest.mark.parametrize(
    ("kind", "more", "said"),
    [
        ("wait_offered", {"until": "2026-11-25 09:00"}, "2026-11-25 09:00"),
        ("wait_offer_over", {}, "2026-12-01 09:00–12:00"),
        ("wait_offer_over", {"reason": "Leak & noise"}, "Leak & noise"),
        ("wait_ended", {"window": "2026-12-01 08:00–20:00"}, "2026-12-01 08:00–20:00"),
        ("replacements_proposed", {"proposals": ["SEM & EDS · 12:00"]}, "SEM & EDS · 12:00"),
        ("outage_extended", {"waiting": 3}, "3"),
        ("outage_extended", {"displaced": 4}, "4"),
    ],
)
def test_a_mail_says_what_it_is_about(kind: str, more: dict[str, Any], said: str, language: str) -> None:
    subject, body = mail(kind, language, **more)

    assert ("SEM & EDS" if language == "en" else "扫描电镜") in subject
    assert said in body
    assert "{%" not in subject + body
    assert "&amp;" not in subject + body


# --- the lab's list ------------------------------------------------------------------------------------------------


def test_the_lab_sees_the_order_and_why(lab: Lab) -> None:
    lab.book()
    save_policy(instrument=lab.instrument, document=INSIDE_FIRST, by=lab.manager, valid_from=NOW.date())
    outside, inside = person(), make_member(lab.institution)
    for user in (outside, inside):
        wait_for(lab, user)

    page = html(browser(lab.manager).get(f"/manage/instruments/{lab.instrument.pk}/waitlist/"))

    assert page.index(inside.name) < page.index(outside.name)
    assert "served first" in page
    assert "2. the others" in page


def test_an_empty_list_says_so(lab: Lab) -> None:
    assert "Nobody waits" in html(browser(lab.manager).get(f"/manage/instruments/{lab.instrument.pk}/waitlist/"))


@pytest.mark.parametrize("rules", [{"rules": []}, INSIDE_FIRST])
def test_the_number_of_queries_does_not_grow_with_the_list(lab: Lab, rules: Any) -> None:
    lab.book()
    save_policy(instrument=lab.instrument, document=rules, by=lab.manager, valid_from=NOW.date())
    client, path = browser(lab.manager), f"/manage/instruments/{lab.instrument.pk}/waitlist/"
    wait_for(lab, make_member(make_enterprise()))
    queries(client, path)
    few = queries(client, path)
    for _ in range(5):
        wait_for(lab, make_member(make_enterprise()))

    assert queries(client, path) == few


def test_the_number_of_queries_of_ones_own_does_not_grow_either(lab: Lab) -> None:
    client = browser(lab.engineer)
    lab.book(9, 20)
    wait_for(lab, lab.engineer, 9, 10, minutes=60)
    queries(client, "/bookings/waiting/")
    few = queries(client, "/bookings/waiting/")
    for hour in range(11, 15):
        wait_for(lab, lab.engineer, hour, hour + 1, minutes=60)

    assert queries(client, "/bookings/waiting/") == few


# --- API -----------------------------------------------------------------------------------------------------------


def body(lab: Lab, **more: Any) -> dict[str, Any]:
    window = {"from": at(9).isoformat(), "to": at(12).isoformat()}
    return {"instrument": lab.instrument.pk, **window, "duration_minutes": 180, "mode": "self", **more}


def test_api_joins_lists_accepts(lab: Lab, api: type[ApiClient]) -> None:
    booking = lab.book(user=make_member(lab.enterprise))
    mine = api(lab.engineer)
    made = mine.post_api("/waitlist", body(lab))
    assert made.status_code == 201, made.json()
    wait = made.json()
    assert (wait["status"], wait["place"], wait["queue"], wait["offer"]) == ("waiting", 1, 1, None)
    assert wait["from"] == "2026-12-01T09:00:00+08:00"
    cancel_booking(booking=booking, by=booking.user)
    offer_due()

    (listed,) = mine.get_api("/waitlist", status="offered").json()["items"]
    assert listed["offer"]["start"] == "2026-12-01T09:00:00+08:00"
    assert api(lab.manager).post_api(f"/waitlist/{wait['id']}/accept").status_code == 403
    assert api(lab.stranger).post_api(f"/waitlist/{wait['id']}/accept").status_code == 404
    accepted = mine.post_api(f"/waitlist/{wait['id']}/accept", {"version": listed["version"]})

    assert accepted.status_code == 201
    assert accepted.json()["status"] == "confirmed"
    assert mine.post_api(f"/waitlist/{wait['id']}/accept").json()["errors"][0]["code"] == "wrong_status"
    assert mine.get_api(f"/waitlist/{wait['id']}").json()["booking"] == accepted.json()["id"]


def test_api_declines_and_leaves(lab: Lab, api: type[ApiClient]) -> None:
    wait = offered(lab)
    mine = api(lab.engineer)

    assert mine.post_api(f"/waitlist/{wait.pk}/decline", {"version": 99}).status_code == 412
    assert mine.post_api(f"/waitlist/{wait.pk}/decline").json()["status"] == "waiting"
    assert mine.post_api(f"/waitlist/{wait.pk}/leave").json()["status"] == "left"


def test_api_says_what_is_wrong(lab: Lab, api: type[ApiClient]) -> None:
    lab.book()
    mine = api(lab.engineer)

    assert mine.post_api("/waitlist", body(lab, duration_minutes=181)).status_code == 422
    assert mine.post_api("/waitlist", body(lab, instrument=10**9)).status_code == 404
    free = mine.post_api("/waitlist", body(lab, to=at(14).isoformat(), duration_minutes=60))
    assert (free.status_code, free.json()["errors"][0]["code"]) == (409, "free_now")


def test_api_shows_the_lab_the_order(lab: Lab, api: type[ApiClient]) -> None:
    lab.book()
    save_policy(instrument=lab.instrument, document=INSIDE_FIRST, by=lab.manager, valid_from=NOW.date())
    wait_for(lab, person())

    rows = api(lab.manager).get_api(f"/instruments/{lab.instrument.pk}/waitlist").json()

    assert [row["why"] for row in rows] == [["2. the others"]]
    assert api(lab.engineer).get_api(f"/instruments/{lab.instrument.pk}/waitlist").status_code == 403
