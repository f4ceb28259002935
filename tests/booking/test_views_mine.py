"""A person's bookings and the calendar."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
import time_machine

from booking.actions.using import finish_booking, verify_usage
from booking.models import Booking
from tests.booking.lab import NOW, Lab, browser, html, queries
from tests.factories import at

pytestmark = pytest.mark.django_db

WEEK = "?start=2026-11-30T16:00:00Z&end=2026-12-07T16:00:00Z"


@pytest.fixture(autouse=True)
def clock() -> Iterator[Any]:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.mark.parametrize("path", ["/bookings/", "/bookings/past/", "/calendar/", "/calendar/events/"])
def test_a_visitor_is_sent_to_sign_in(path: str) -> None:
    assert browser().get(path)["Location"] == f"/account/login/?next={path.replace('/', '%2F')}"


def test_nothing_booked_leads_to_the_catalogue() -> None:
    lab = Lab()

    page = html(browser(lab.engineer).get("/bookings/"))

    assert "Nothing booked" in page
    assert 'href="/instruments/"' in page


def test_upcoming_stands_by_day_and_only_ones_own() -> None:
    lab = Lab()
    lab.book(9, 10)
    lab.book(11, 12, day=date(2026, 12, 2))
    lab.book(13, 14, user=lab.boss)

    page = html(browser(lab.engineer).get("/bookings/"))

    assert page.count("booking-row") == 2
    assert "Tue, Dec 1" in page
    assert "Wed, Dec 2" in page
    assert "Whole organisation" not in page


def test_an_administrator_sees_the_whole_organisation_on_demand() -> None:
    lab = Lab()
    lab.book(9, 10)
    lab.book(11, 12, user=lab.boss)

    assert html(browser(lab.boss).get("/bookings/")).count("booking-row") == 1
    assert html(browser(lab.boss).get("/bookings/?who=all")).count("booking-row") == 2
    assert html(browser(lab.engineer).get("/bookings/?who=all")).count("booking-row") == 1
    assert "Nothing booked" in html(browser(lab.manager).get("/bookings/?who=all"))


def used(lab: Lab, hours: Any, clock: Any) -> list[Booking]:
    out = [lab.book(hour, hour + 1) for hour in hours]
    clock.move_to(at(21))
    for booking in out:
        usage = finish_booking(booking=booking, by=lab.manager, start=booking.start, end=booking.end)
        verify_usage(usage=usage, by=lab.manager)
    return out


def test_past_shows_use_and_charge_and_filters_by_the_address(clock: Any) -> None:
    lab = Lab()
    used(lab, [9, 11], clock)
    client = browser(lab.engineer)

    page = html(client.get("/bookings/past/"))

    assert page.count("¥100.00") == 2
    assert page.count("Verified") == 2
    assert html(client.get("/bookings/past/?status=completed")).count("row-link") == 2
    assert "No booking matches" in html(client.get("/bookings/past/?status=cancelled"))
    assert "No booking matches" in html(client.get("/bookings/past/?from=2026-12-02"))
    assert html(client.get(f"/bookings/past/?instrument={lab.instrument.pk}&to=2026-12-01")).count("row-link") == 2
    for query in (
        "?status=x&instrument=y&from=z&page=q",
        "?instrument=99999999999999999999",
        "?from=%00",
        "?to=9999-12-31",
        "?from=0001-01-01",
    ):
        assert client.get(f"/bookings/past/{query}").status_code == 200


def test_query_counts_are_equal_for_one_row_and_thirty(clock: Any) -> None:
    lab = Lab()
    first = lab.book(8, 9)
    client = browser(lab.boss)
    paths = ["/bookings/?who=all", f"/calendar/events/{WEEK}&show=organisation"]
    one = [queries(client, path) for path in paths]
    for day in range(2, 12):
        for hour in (8, 10, 12):
            lab.book(hour, hour + 1, day=date(2026, 12, day))
    many = [queries(client, path) for path in paths]
    clock.move_to(at(21))
    finish_booking(booking=first, by=lab.manager, start=first.start, end=first.end)
    past_one = queries(browser(lab.boss), "/bookings/past/?who=all")
    clock.move_to(at(21, day=date(2026, 12, 12)))
    for booking in Booking.objects.filter(status="confirmed"):
        finish_booking(booking=booking, by=lab.manager, start=booking.start, end=booking.end)

    assert one == many
    assert queries(browser(lab.boss), "/bookings/past/?who=all") == past_one


def test_the_calendar_offers_what_the_person_may_see() -> None:
    lab = Lab()
    lab.book(9, 10)
    lab.book(11, 12, user=lab.boss)

    def titles(user: Any, show: str) -> list[str]:
        return sorted(
            row["title"] for row in json.loads(browser(user).get(f"/calendar/events/{WEEK}&show={show}").content)
        )

    assert len(titles(lab.engineer, "mine")) == len(titles(lab.engineer, "organisation")) == 1
    assert len(titles(lab.boss, "organisation")) == 2
    assert titles(lab.engineer, "instruments") == titles(lab.stranger, "organisation") == []
    assert all("Example Materials" in title for title in titles(lab.manager, "instruments"))
    assert "My instruments" in html(browser(lab.manager).get("/calendar/"))
    assert "My instruments" not in html(browser(lab.engineer).get("/calendar/"))


@pytest.mark.parametrize("query", ["", "?start=x&end=y", "?start=2026-12-01T00:00:00Z&end=2020-01-01T00:00:00Z"])
def test_a_calendar_answers_any_question(query: str) -> None:
    lab = Lab()

    assert browser(lab.engineer).get(f"/calendar/events/{query}").json() == []


def test_an_unlogged_use_stands_first_and_not_among_the_past() -> None:
    lab = Lab()
    booking = lab.book(9, 12)

    with time_machine.travel(booking.end + timedelta(days=2), tick=False):
        client = browser(lab.engineer)
        upcoming, past = html(client.get("/bookings/")), html(client.get("/bookings/past/"))
        home = html(client.get("/"))

    assert "Waiting for the use to be logged" in upcoming
    assert f"/bookings/{booking.pk}/" in upcoming
    assert f"/bookings/{booking.pk}/" not in past
    assert "Waiting for the use to be logged" in home


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("0001-01-01T00:00:00%2B14:00", "0001-01-02T00:00:00%2B14:00"),
        ("0001-01-01T00:00:00Z", "0001-01-02T00:00:00Z"),
        ("9999-12-30T00:00:00Z", "9999-12-31T00:00:00Z"),
    ],
)
def test_a_range_outside_the_calendar_is_answered_with_this_week(start: str, end: str) -> None:
    lab = Lab()
    asked = f"?start={start}&end={end}"

    assert browser().get(f"/instruments/{lab.instrument.pk}/events/{asked}").status_code == 200
    assert browser(lab.engineer).get(f"/calendar/events/{asked}").status_code == 200
    assert browser(lab.manager).get(f"/desk/events/{asked}").status_code == 200
