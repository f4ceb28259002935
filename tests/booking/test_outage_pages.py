"""The pages and the API of outages, and what a displaced customer is offered."""

from __future__ import annotations

import json
from typing import Any

import pytest

from booking.models import Status
from instruments.models import Outage
from tests.booking.lab import HTMX, Lab, browser, html, queries
from tests.booking.test_outages import out, taken
from tests.conftest import ApiClient
from tests.factories import at

pytestmark = pytest.mark.django_db


# --- the page ------------------------------------------------------------------------------------------------------


def page_of(lab: Lab) -> str:
    return f"/manage/instruments/{lab.instrument.pk}/outages/"


FORM = {"start": "2026-12-01T09:00", "end": "2026-12-01T12:00", "reason": "Vacuum leak"}


def test_the_page_makes_an_outage_that_hits_nobody(lab: Lab) -> None:
    client = browser(lab.manager)
    empty = html(client.get(page_of(lab)))

    answer = client.post(page_of(lab), FORM)

    assert answer.status_code == 302
    assert "No outage is running or planned." in empty
    assert "Vacuum leak" in html(client.get(page_of(lab)))
    assert (Outage.objects.get().start, Outage.objects.get().end) == (at(9), at(12))


def test_the_page_lists_who_is_hit_before_it_displaces(lab: Lab) -> None:
    booking = lab.book(10, 11)
    client = browser(lab.manager)

    shown = client.post(page_of(lab), FORM, headers=HTMX)
    text = html(shown)

    assert "It hits 1 booking" in text
    assert booking.user.name in text
    assert "Example Materials" in text
    assert f"mailto:{booking.user.email}" in text
    assert "<html" not in text
    assert "Displace 1 booking?" in text
    assert not Outage.objects.exists()

    done = client.post(page_of(lab), {**FORM, "displace": "1", "hit": [booking.pk]}, headers=HTMX)
    assert (done.status_code, done["HX-Redirect"]) == (204, page_of(lab))
    booking.refresh_from_db()
    assert booking.status == Status.DISPLACED


def test_the_page_shows_a_changed_list_again(lab: Lab) -> None:
    seen = lab.book(10, 11)
    client = browser(lab.manager)
    lab.book(11, 12)

    text = html(client.post(page_of(lab), {**FORM, "displace": "1", "hit": [seen.pk]}), 409)

    assert "The list has changed since you looked at it." in text
    assert "It hits 2 bookings" in text
    assert not Outage.objects.exists()


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"reason": ""}, "This field is required."),
        ({"end": "2026-12-01T08:00"}, "The end must be after the start."),
        ({"start": "yesterday"}, "Please give a date and a time."),
    ],
)
def test_the_form_says_what_is_wrong(lab: Lab, wrong: dict[str, str], sentence: str) -> None:
    assert sentence in html(browser(lab.manager).post(page_of(lab), {**FORM, **wrong}), 422)


def test_the_page_changes_ends_and_deletes(lab: Lab, clock: Any) -> None:
    running, coming = out(lab, at(9), at(12)), out(lab, at(14), at(15))
    client = browser(lab.manager)
    clock.move_to(at(10))

    one = f"{page_of(lab)}{running.pk}/"
    assert "only its end and its reason can change" in html(client.get(one))
    body = {**FORM, "end": "2026-12-01T13:00", "sequence": "0"}
    assert client.post(one, body).status_code == 302
    assert client.post(one, {**body, "end": "2026-12-01T13:30"}).status_code == 412
    assert client.post(f"{one}end/").status_code == 302
    assert client.post(f"{page_of(lab)}{coming.pk}/delete/").status_code == 302
    assert "is over and does not change any more" in html(client.get(one))

    assert taken() == [(at(9), at(10))]
    assert "Past outages" in html(client.get(page_of(lab)))


def test_outages_are_the_labs_alone(lab: Lab) -> None:
    outage = out(lab, at(9), at(12))
    one = f"{page_of(lab)}{outage.pk}/"
    api = f"/instruments/{lab.instrument.pk}/outages"
    other = Lab()

    for user in (lab.engineer, lab.boss, other.manager):
        assert browser(user).get(page_of(lab)).status_code == 403
        assert browser(user).post(f"{one}delete/").status_code == 403
        assert ApiClient(user).get_api(api).status_code == 403
        assert ApiClient(user).delete(f"/api/v1{api}/{outage.pk}").status_code == 403
    # Under an instrument of one's own, another's outage is not there.
    assert browser(other.manager).post(f"{page_of(other)}{outage.pk}/delete/").status_code == 404
    mine = f"/instruments/{other.instrument.pk}/outages/{outage.pk}"
    assert ApiClient(other.manager).patch_api(mine, {"reason": "Mine"}).status_code == 404
    assert ApiClient(other.manager).delete(f"/api/v1{mine}").status_code == 404
    assert Outage.objects.filter(reason="Vacuum leak").count() == 1


def test_the_number_of_queries_does_not_grow_with_the_list(lab: Lab) -> None:
    client = browser(lab.manager)
    out(lab, at(8), at(9))
    html(client.get(page_of(lab)))
    few = queries(client, page_of(lab))
    for hour in range(9, 19):
        out(lab, at(hour), at(hour + 1))

    assert queries(client, page_of(lab)) == few


# --- whose booking it was ------------------------------------------------------------------------------------------


def test_a_displaced_customer_reads_why_and_is_offered_other_times(lab: Lab, clock: Any) -> None:
    booking = lab.book(9, 12)
    out(lab, at(8), at(20), displace=True)
    client = browser(lab.engineer)

    text = html(client.get(f"/bookings/{booking.pk}/"))

    assert "The instrument is out of service at this time" in text
    assert "Vacuum leak" in text
    assert "Free at these times:" in text
    again = f"/instruments/{lab.instrument.pk}/?mode=self&amp;purpose=Fracture+surfaces"
    assert f"{again}&amp;organisation={lab.enterprise.pk}&amp;length=180" in text
    start = text.split('other-times d-flex flex-wrap gap-2 mb-2"> <a class="btn btn-primary" href="')[1].split('"')[0]
    panel = html(client.get(start.replace("&amp;", "&")))
    assert 'value="Fracture surfaces"' in panel
    assert "Estimated total" in panel
    assert "300.00" in panel


def test_the_lab_is_not_offered_to_book_for_the_customer(lab: Lab) -> None:
    booking = lab.book(9, 12)
    out(lab, at(8), at(20), displace=True)

    assert "Free at these times:" not in html(browser(lab.manager).get(f"/bookings/{booking.pk}/"))


# --- the API -------------------------------------------------------------------------------------------------------


def test_api_lists_changes_ends_and_deletes(lab: Lab, clock: Any) -> None:
    client = ApiClient(lab.manager)
    path = f"/instruments/{lab.instrument.pk}/outages"
    body = {"start": "2026-12-01T09:00:00+08:00", "end": "2026-12-01T12:00:00+08:00", "reason": "Leak"}
    made = client.post_api(path, body).json()
    second = client.post_api(path, {**body, "start": "2026-12-02T09:00:00+08:00", "end": "2026-12-02T10:00:00+08:00"})

    listed = client.get_api(path).json()
    assert (listed["count"], [row["id"] for row in listed["items"]]) == (2, [second.json()["id"], made["id"]])
    changed = client.patch_api(f"{path}/{made['id']}", {"end": "2026-12-01T13:00:00+08:00", "sequence": 0})
    assert (changed.status_code, changed.json()["end"], changed.json()["sequence"]) == (
        200,
        "2026-12-01T13:00:00+08:00",
        1,
    )
    assert changed.json()["uid"] == made["uid"]
    assert client.patch_api(f"{path}/{made['id']}", {"reason": "Other", "sequence": 0}).status_code == 412
    assert client.post_api(f"{path}/{made['id']}/end").json()["errors"][0]["code"] == "not_begun"
    assert client.delete(f"/api/v1{path}/{second.json()['id']}").status_code == 204
    clock.move_to(at(10))
    assert client.post_api(f"{path}/{made['id']}/end").json()["end"] == "2026-12-01T10:00:00+08:00"
    assert client.get_api(path).json()["count"] == 1


def test_api_displaces_only_the_hits_that_were_named(lab: Lab) -> None:
    booking = lab.book(9, 10)
    client = ApiClient(lab.manager)
    path = f"/instruments/{lab.instrument.pk}/outages"
    body = {"start": "2026-12-01T09:00:00+08:00", "end": "2026-12-01T12:00:00+08:00", "reason": "Leak"}

    first = client.post_api(path, body)
    wrong = client.post_api(path, {**body, "displace": True, "hits": []})
    right = client.post_api(path, {**body, "displace": True, "hits": [booking.pk]})

    assert (first.status_code, first.json()["errors"][0]["params"]["booking"]) == (409, booking.pk)
    assert [entry["code"] for entry in wrong.json()["errors"]] == ["hits_changed", "hits_booking"]
    assert right.status_code == 201


# --- drawn on the desk ---------------------------------------------------------------------------------------------


def test_an_outage_drawn_on_the_desk_leaves_the_reader_there(lab: Lab) -> None:
    client = browser(lab.manager)
    drawn = {"instrument": lab.instrument.pk, "start": at(9).isoformat(), "end": at(12).isoformat()}

    form = html(client.get("/desk/outage/", drawn))
    done = client.post(page_of(lab), {**FORM, "back": "calendar"}, headers=HTMX)

    assert '<input type="hidden" name="back" value="calendar">' in form
    assert (done.status_code, "HX-Redirect" in done) == (204, False)
    told = json.loads(done["HX-Trigger"])
    assert "booking-changed" in told
    assert told["toast"]["text"] == "The instrument is out of service at this time. No booking was hit."


def test_the_dialog_of_a_drawn_outage_lists_who_is_hit_and_stays_a_dialog(lab: Lab) -> None:
    booking = lab.book(10, 11)
    client = browser(lab.manager)

    shown = html(client.post(page_of(lab), {**FORM, "back": "calendar"}, headers=HTMX))
    done = client.post(page_of(lab), {**FORM, "back": "calendar", "displace": "1", "hit": [booking.pk]}, headers=HTMX)

    assert "It hits 1 booking" in shown
    assert '<input type="hidden" name="back" value="calendar">' in shown
    assert "1 booking was displaced, and its customer was told." in json.loads(done["HX-Trigger"])["toast"]["text"]
    booking.refresh_from_db()
    assert booking.status == Status.DISPLACED
