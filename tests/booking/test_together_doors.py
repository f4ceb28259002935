"""The API and the pages of series and of several at once: who sees what, one journey each."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from django.urls import reverse

from booking.models import Booking, Bundle, Series, Status
from tests.booking.lab import Lab, browser, html, queries, wall
from tests.conftest import ApiClient
from tests.factories import at, make_instrument, make_price_list

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]


@pytest.fixture
def lab() -> Lab:
    return Lab()


def asked(lab: Lab, **more: Any) -> dict[str, Any]:
    return {
        "instrument": lab.instrument.pk,
        "start": "2026-12-01T09:00:00+08:00",
        "end": "2026-12-01T12:00:00+08:00",
        "mode": "self",
        "rrule": "FREQ=WEEKLY;COUNT=4",
        **more,
    }


def make(lab: Lab, **more: Any) -> dict[str, Any]:
    made = ApiClient(lab.engineer).post_api("/bookings/series", asked(lab, on_conflict="skip", **more))
    assert made.status_code == 201, made.json()
    return dict(made.json())


# --- the API: series --------------------------------------------------------------------------------------------------


def test_preview_says_all_and_writes_nothing(lab: Lab) -> None:
    lab.book(10, 11, day=date(2026, 12, 8))

    shown = ApiClient(lab.engineer).post_api("/bookings/series/preview", asked(lab)).json()

    assert [(row["start"], row["bookable"]) for row in shown["dates"]] == [
        ("2026-12-01T09:00:00+08:00", True),
        ("2026-12-08T09:00:00+08:00", False),
        ("2026-12-15T09:00:00+08:00", True),
        ("2026-12-22T09:00:00+08:00", True),
    ]
    assert shown["dates"][1]["refusals"][0]["code"] == "taken"
    assert (shown["bookable"], shown["total"], shown["currency"]) == (3, "900.00", "CNY")
    assert shown["words"] == "Every week, 4 times"
    assert not Series.objects.exists()


def test_a_series_into_an_unannounced_year_warns(lab: Lab) -> None:
    shown = ApiClient(lab.engineer).post_api("/bookings/series/preview", asked(lab, rrule="FREQ=WEEKLY;COUNT=6"))

    assert shown.json()["unknown_years"] == [2027]
    assert shown.json()["bookable"] == 6


def test_skip_answers_with_what_was_made_and_what_was_skipped(lab: Lab) -> None:
    lab.book(10, 11, day=date(2026, 12, 8))

    made = make(lab, purpose="Fatigue")

    assert [row["status"] for row in made["created"]] == ["confirmed"] * 3
    assert [(row["start"], row["end"], row["refusals"][0]["code"]) for row in made["skipped"]] == [
        ("2026-12-08T09:00:00+08:00", "2026-12-08T12:00:00+08:00", "taken")
    ]
    assert made["series"]["cancelling"] == {"count": 3, "total": "0.00", "currency": "CNY", "refusals": []}


def test_fail_is_409_with_every_date(lab: Lab) -> None:
    lab.book(10, 11, day=date(2026, 12, 8))

    answer = ApiClient(lab.engineer).post_api("/bookings/series", asked(lab))

    assert (answer.status_code, [error["code"] for error in answer.json()["errors"]]) == (409, ["taken"])
    assert answer.json()["errors"][0]["params"]["date"] == "2026-12-08T09:00:00+08:00"


@pytest.mark.parametrize("rule", ["FREQ=HOURLY;COUNT=2", "FREQ=WEEKLY", "FREQ=DAILY;COUNT=101", "nonsense"])
def test_a_bad_rule_is_422_at_its_field(lab: Lab, rule: str) -> None:
    for path in ("/bookings/series", "/bookings/series/preview"):
        answer = ApiClient(lab.engineer).post_api(path, asked(lab, rrule=rule))
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "rrule")


def test_the_same_key_books_once(lab: Lab) -> None:
    client = ApiClient(lab.engineer)

    first, again = (client.post_api("/bookings/series", asked(lab), **{"Idempotency-Key": "k"}) for _ in range(2))

    assert (first.status_code, again.json()) == (201, first.json())
    assert Series.objects.count() == 1


def test_cancel_and_reschedule_from_one_date_on(lab: Lab) -> None:
    client = ApiClient(lab.engineer)
    made = make(lab)
    pk, rows = made["series"]["id"], made["created"]
    times = {"start": "2026-12-15T14:00:00+08:00", "end": "2026-12-15T15:00:00+08:00"}

    shown = client.post_api(f"/bookings/series/{pk}/reschedule/preview", {"from": rows[2]["id"], **times}).json()
    moved = client.post_api(f"/bookings/series/{pk}/reschedule", {"from": rows[2]["id"], **times}).json()
    left = client.post_api(f"/bookings/series/{pk}/cancel", {"from": rows[1]["id"], "expected_fee": "0.00"}).json()

    assert shown["moved"][0]["start"] == moved["moved"][0]["start"] == "2026-12-15T14:00:00+08:00"
    assert [row["version"] for row in moved["moved"]] == [2, 2]
    assert [row["status"] for row in left["bookings"]] == ["confirmed", "cancelled", "cancelled", "cancelled"]
    assert client.post_api(f"/bookings/series/{pk}/cancel", {"from": 10**9}).status_code == 404


def test_a_skipped_date_is_taken_up_with_alternatives_offered(lab: Lab) -> None:
    lab.book(10, 11, day=date(2026, 12, 8))
    client = ApiClient(lab.engineer)
    made = make(lab)
    path = f"/bookings/series/{made['series']['id']}/skipped/{made['skipped'][0]['id']}"

    others = client.get_api(f"{path}/alternatives").json()["alternatives"]
    still = client.post_api(f"{path}/take-up", {})
    taken = client.post_api(f"{path}/take-up", {"start": others[0]["start"], "end": others[0]["end"]})
    shown = client.get_api(f"/bookings/series/{made['series']['id']}").json()

    assert others[0]["start"].startswith("2026-12-08")
    assert (still.status_code, taken.status_code) == (409, 201)
    assert shown["skipped"][0]["booking"] == taken.json()["id"]
    assert len(shown["bookings"]) == 4


def test_strangers_find_nothing_and_the_lab_decides() -> None:
    lab = Lab(approval=True)
    made = make(lab)
    pk = made["series"]["id"]
    stranger, desk, customer = (ApiClient(who) for who in (lab.stranger, lab.manager, lab.engineer))
    paths = [f"/bookings/series/{pk}{rest}" for rest in ("/cancel", "/approve", "/reject")]

    assert stranger.get_api(f"/bookings/series/{pk}").status_code == 404
    assert {stranger.post_api(path, {}).status_code for path in paths} == {404}
    assert customer.post_api(f"/bookings/series/{pk}/approve", {}).status_code == 403
    approved = desk.post_api(f"/bookings/series/{pk}/approve", {}).json()
    assert {row["status"] for row in approved["bookings"]} == {"confirmed"}
    refused = desk.post_api(f"/bookings/series/{pk}/cancel", {})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "reason")
    assert desk.post_api(f"/bookings/series/{pk}/cancel", {"reason": "Leak"}).status_code == 200


# --- the API: several -------------------------------------------------------------------------------------------------


def items(lab: Lab) -> list[dict[str, Any]]:
    other = make_instrument()
    make_price_list(other)
    first = {"start": "2026-12-01T09:00:00+08:00", "end": "2026-12-01T10:00:00+08:00", "mode": "self"}
    return [
        {"instrument": lab.instrument.pk, **first},
        {**first, "instrument": other.pk, "start": first["end"], "end": "2026-12-01T12:00:00+08:00"},
    ]


def test_several_are_checked_booked_shown_and_cancelled(lab: Lab) -> None:
    client, wanted = ApiClient(lab.engineer), items(lab)

    check = client.post_api("/bookings/several/check", {"items": wanted}).json()
    made = client.post_api("/bookings/several", {"purpose": "Alloy", "items": wanted})
    again = client.post_api("/bookings/several", {"purpose": "Alloy", "items": wanted})
    shown = client.get_api(f"/bookings/several/{made.json()['id']}").json()
    for_lab = ApiClient(lab.manager).get_api(f"/bookings/several/{made.json()['id']}").json()
    by_lab = ApiClient(lab.manager).post_api(f"/bookings/several/{made.json()['id']}/cancel", {})
    gone = client.post_api(f"/bookings/several/{made.json()['id']}/cancel", {"expected_fee": "0.00"}).json()

    assert (check["bookable"], check["total"]) == (True, "300.00")
    assert made.status_code == 201
    assert [(error["field"], error["code"]) for error in again.json()["errors"]] == [
        ("items.0", "taken"),
        ("items.1", "taken"),
    ]
    assert (shown["total"], len(shown["bookings"]), len(for_lab["bookings"])) == ("300.00", 2, 1)
    assert by_lab.status_code == 403
    assert {row["status"] for row in gone["bookings"]} == {"cancelled"}
    assert ApiClient(lab.stranger).get_api(f"/bookings/several/{made.json()['id']}").status_code == 404


def test_the_first_time_that_fits_all(lab: Lab) -> None:
    lab.book(9, 12, day=date(2026, 11, 24))
    lengths = [{"instrument": item["instrument"], "minutes": 60, "mode": "self"} for item in items(lab)]

    found = ApiClient(lab.engineer).post_api("/bookings/several/find", {"items": lengths, "gap_minutes": 30}).json()

    assert [item["start"] for item in found["items"]] == ["2026-11-24T12:00:00+08:00", "2026-11-24T13:30:00+08:00"]


# --- the pages --------------------------------------------------------------------------------------------------------


def typed(**more: Any) -> dict[str, Any]:
    return {
        "start": wall(at(9)),
        "end": wall(at(12)),
        "mode": "self",
        "frequency": "WEEKLY",
        "days": ["TU"],
        "interval": "1",
        "ending": "count",
        "count": "4",
        "on_conflict": "skip",
        "purpose": "Fatigue",
        **more,
    }


def test_the_panel_leads_to_the_form_with_what_was_chosen(lab: Lab) -> None:
    client = browser(lab.engineer)

    panel = html(client.post(reverse("booking:check", args=[lab.instrument.pk]), typed()))
    page = html(client.get(f"/instruments/{lab.instrument.pk}/series/?start=2026-12-01T09:00&end=2026-12-01T12:00"))

    assert f"/instruments/{lab.instrument.pk}/series/?start=2026-12-01T09%3A00" in panel
    assert 'value="2026-12-01T09:00"' in page
    assert 'value="TU" class="form-check-input" id="id_days_1" checked' in page or "checked" in page


@pytest.mark.parametrize(
    ("more", "rule"),
    [
        ({}, "FREQ=WEEKLY;BYDAY=TU;COUNT=4"),
        ({"days": []}, "FREQ=WEEKLY;COUNT=4"),
        ({"frequency": "DAILY", "interval": "2", "count": "3"}, "FREQ=DAILY;INTERVAL=2;COUNT=3"),
        ({"ending": "until", "until": "2026-12-20"}, "FREQ=WEEKLY;BYDAY=TU;UNTIL=20261220"),
        ({"frequency": "MONTHLY", "monthly": "date", "count": "2"}, "FREQ=MONTHLY;COUNT=2"),
        ({"frequency": "MONTHLY", "monthly": "weekday", "count": "2"}, "FREQ=MONTHLY;BYDAY=1TU;COUNT=2"),
        (
            {
                "frequency": "MONTHLY",
                "monthly": "weekday",
                "count": "2",
                "start": "2026-12-29T09:00",
                "end": "2026-12-29T10:00",
            },
            "FREQ=MONTHLY;BYDAY=-1TU;COUNT=2",
        ),
    ],
)
def test_the_server_builds_the_rule(lab: Lab, more: dict[str, Any], rule: str) -> None:
    response = browser(lab.engineer).post(f"/instruments/{lab.instrument.pk}/series/book/", typed(**more))

    made = Series.objects.get()
    assert response.status_code == 302
    assert (made.rrule, made.purpose, made.user) == (rule, "Fatigue", lab.engineer)


def test_the_preview_lists_dates_reasons_and_the_total(lab: Lab) -> None:
    lab.book(10, 11, day=date(2026, 12, 8))
    path = f"/instruments/{lab.instrument.pk}/series/preview/"

    shown = html(browser(lab.engineer).post(path, typed(purpose="", count="6")))
    strict = html(browser(lab.engineer).post(path, typed(on_conflict="fail")))
    unready = html(browser(lab.engineer).post(path, typed(count="")))
    wrong = html(browser(lab.engineer).post(path, typed(frequency="DAILY", count="3", end="2026-12-02T10:00")))

    assert "5 of 6 dates are possible." in shown
    assert "Book 5 dates, keep 1 for later" in shown
    assert "This time is already taken." in shown
    assert "1,500.00" in shown
    assert "2027" in shown
    assert "disabled" in strict
    assert "Say how many dates." in unready
    assert "overlap" in wrong


def test_the_page_of_a_series_for_customer_lab_and_stranger() -> None:
    lab = Lab(approval=True)
    made = make(lab)
    path = f"/bookings/series/{made['series']['id']}/"

    mine, desk = html(browser(lab.engineer).get(path)), html(browser(lab.manager).get(path))

    assert "This and following" in mine
    assert "Approve all" not in mine
    assert "Approve all" in desk
    assert browser(lab.stranger).get(path).status_code == 404
    assert browser(lab.manager).post(f"{path}approve/").status_code == 302
    assert {row.status for row in Booking.objects.all()} == {Status.CONFIRMED}


def test_the_page_asks_as_many_queries_for_many_dates_as_for_few(lab: Lab) -> None:
    few = make(lab, rrule="FREQ=WEEKLY;COUNT=2")["series"]["id"]
    start, end = "2026-12-01T13:00:00+08:00", "2026-12-01T14:00:00+08:00"
    many = make(lab, rrule="FREQ=WEEKLY;COUNT=20", start=start, end=end)["series"]["id"]
    client = browser(lab.engineer)

    assert queries(client, f"/bookings/series/{few}/") == queries(client, f"/bookings/series/{many}/")


def test_moving_and_cancelling_on_the_pages(lab: Lab) -> None:
    made = make(lab)
    rows, path = made["created"], f"/bookings/series/{made['series']['id']}/"
    client = browser(lab.engineer)
    new = {"since": rows[1]["id"], "start": "2026-12-08T14:00", "end": "2026-12-08T15:00", "on_conflict": "fail"}

    page = html(client.get(f"{path}change/?since={rows[1]['id']}"))
    preview = html(client.post(f"{path}move/preview/", new))
    moved = client.post(f"{path}move/", new)
    cancelled = client.post(f"{path}cancel/", {"since": rows[2]["id"], "expected": "0.00"})

    assert "the first of these 3 dates" in page
    assert "Cancel 3 bookings" in page
    assert "Move 3 dates" in preview
    assert (moved.status_code, cancelled.status_code) == (302, 302)
    states = list(Booking.objects.order_by("start").values_list("status", flat=True))
    assert states == ["confirmed", "confirmed", "cancelled", "cancelled"]


def test_taking_up_on_the_page(lab: Lab) -> None:
    lab.book(10, 11, day=date(2026, 12, 8))
    made = make(lab)
    path = f"/bookings/series/{made['series']['id']}/skipped/{made['skipped'][0]['id']}/"
    client = browser(lab.engineer)

    others = html(client.get(path))
    taken = client.post(f"{path}take-up/", {"start": "2026-12-08T13:00", "end": "2026-12-08T16:00"})

    assert 'name="start" value="2026-12-08T' in others
    assert taken.status_code == 302
    assert browser(lab.manager).get(path).status_code == 403
    assert "Taken up" in html(client.get(f"/bookings/series/{made['series']['id']}/"))


def test_an_experiment_is_collected_found_checked_and_booked(lab: Lab) -> None:
    other = make_instrument()
    make_price_list(other)
    client = browser(lab.engineer)
    for pk in (lab.instrument.pk, other.pk):
        client.post(f"/instruments/{pk}/together/")
    form = {"arrangement": "chain", "gap": "30", "minutes-0": "60", "minutes-1": "120"}

    found = client.post("/bookings/together/", {**form, "do": "find"})
    page = html(client.get(found["Location"]))
    turned = client.post("/bookings/together/", {**form, "do": "down-0"})
    chosen = {**form, "minutes-0": "120", "minutes-1": "60", "start": "2026-12-01T09:00"}
    shown = html(client.post("/bookings/together/check/", chosen))
    booked = client.post("/bookings/together/book/", {**chosen, "purpose": "Alloy"})

    assert "start=2026-11-24T09%3A30" in found["Location"]
    assert 'value="2026-11-24T09:30"' in page
    assert turned.status_code == 302
    assert "300.00" in shown
    bundle = Bundle.objects.get()
    assert booked["Location"] == f"/bookings/together/{bundle.pk}/"
    assert [(row.instrument_id, row.start) for row in bundle.bookings.order_by("start")] == [
        (other.pk, at(9)),
        (lab.instrument.pk, at(11, 30)),
    ]
    assert "No instrument yet" in html(client.get("/bookings/together/"))


def test_the_booking_names_its_companions_and_all_are_cancelled_at_once(lab: Lab) -> None:
    client = browser(lab.engineer)
    made = ApiClient(lab.engineer).post_api("/bookings/several", {"purpose": "Alloy", "items": items(lab)}).json()
    first, path = made["bookings"][0]["id"], f"/bookings/together/{made['id']}/"

    booking, page = html(client.get(f"/bookings/{first}/")), html(client.get(path))

    assert "Booked together with" in booking
    assert made["bookings"][1]["instrument"]["name"] in booking or "microscope" in booking
    assert "Cancel 2 bookings" in page
    assert browser(lab.manager).get(path).status_code == 200
    assert browser(lab.manager).post(f"{path}cancel/").status_code == 403
    assert browser(lab.stranger).get(path).status_code == 404
    assert client.post(f"{path}cancel/", {"expected": "0.00"}).status_code == 302
    assert {row.status for row in Booking.objects.all()} == {Status.CANCELLED}
