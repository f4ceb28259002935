"""Changing a booking from its pages and by dragging: what is shown before, what is done, and to whom it is open."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import pytest

from booking.actions.changing import reschedule_booking
from booking.actions.deciding import approve_booking
from booking.actions.policies import save_policy
from booking.actions.using import start_booking
from booking.models import Booking, Status
from tests.booking.lab import HTMX, Lab, browser, html, queries, wall
from tests.factories import at, make_member

pytestmark = pytest.mark.django_db


def drop(user: Any, booking: Booking, start: Any, end: Any) -> str:
    data = {"start": start.isoformat(), "end": end.isoformat()}
    return html(browser(user).post(f"/bookings/{booking.pk}/drag/", data, headers=HTMX))


def test_what_was_dropped_is_asked_before_it_is_done(lab: Lab) -> None:
    booking = lab.book(9, 11)

    page = drop(lab.engineer, booking, at(13), at(16))

    assert "¥200.00" in page
    assert "¥300.00" in page
    assert "¥100.00</span> more" in page
    assert 'name="start" value="2026-12-01T13:00"' in page
    assert "Move the booking" in page
    assert Booking.objects.get(pk=booking.pk).start == at(9)


def test_a_refused_drop_says_why_and_has_no_button_to_do_it(lab: Lab) -> None:
    booking = lab.book(9, 11)
    lab.book(13, 15, user=lab.boss)

    page = drop(lab.engineer, booking, at(14), at(16))

    assert "This time is already taken." in page
    assert "data-refused" in page
    assert "<form" not in page


@pytest.mark.parametrize(
    ("start", "end", "words"),
    [(9, 12, "Extend the booking"), (9, 10, "Shorten the booking"), (10, 12, "Move the booking")],
)
def test_an_edge_makes_it_longer_or_shorter(lab: Lab, start: int, end: int, words: str) -> None:
    assert words in drop(lab.engineer, lab.book(9, 11), at(start), at(end))


def test_the_lab_gives_a_reason_for_what_it_drags(lab: Lab) -> None:
    booking = lab.book(9, 11)

    assert 'name="reason"' in drop(lab.manager, booking, at(13), at(15))
    assert 'name="reason"' not in drop(lab.engineer, booking, at(13), at(15))


def test_agreed_on_a_calendar_the_reader_stays_there(lab: Lab) -> None:
    booking = lab.book(9, 11)
    data = {"version": 1, "start": wall(at(13)), "end": wall(at(15)), "back": "calendar"}

    answer = browser(lab.engineer).post(f"/bookings/{booking.pk}/move/", data, headers=HTMX)

    assert answer.status_code == 204
    told = json.loads(answer["HX-Trigger"])
    assert "booking-changed" in told
    assert told["toast"]["text"] == "Moved to the new time."
    assert "HX-Redirect" not in answer
    assert Booking.objects.get(pk=booking.pk).start == at(13)


def test_the_move_page_extends_and_shortens_where_the_start_stays(lab: Lab) -> None:
    booking = lab.book(9, 11)
    client = browser(lab.engineer)
    path = f"/bookings/{booking.pk}/move/"

    # Only an end: the start is what it was.
    assert client.post(path, {"version": 1, "end": wall(at(12))}, headers=HTMX).status_code == 204
    assert client.post(path, {"version": 2, "end": wall(at(10))}, headers=HTMX).status_code == 204

    now = Booking.objects.get(pk=booking.pk)
    assert (now.start, now.end, now.version) == (at(9), at(10), 3)


def test_nonsense_from_a_calendar_is_invalid(lab: Lab) -> None:
    booking = lab.book(9, 11)
    path = f"/bookings/{booking.pk}/drag/"
    client = browser(lab.engineer)

    for data in ({}, {"start": "x", "end": "y"}, {"start": at(11).isoformat(), "end": at(9).isoformat()}):
        assert client.post(path, data, headers=HTMX).status_code == 422
    far = {"start": "9999-12-31T00:00:00Z", "end": "9999-12-31T01:00:00Z"}
    assert client.post(path, far, headers=HTMX).status_code == 422


@pytest.mark.parametrize(
    ("steps", "offered"),
    [
        ((15,), "−1 hour −30 minutes +15 minutes +30 minutes +1 hour +2 hours"),
        ((30, 20), "−1 hour +1 hour +2 hours"),
        ((90,), "−1.5 hours +1.5 hours"),
    ],
)
def test_the_page_of_the_length_offers_what_the_rules_steps_allow(
    lab: Lab, steps: tuple[int, ...], offered: str
) -> None:
    rules = [{"id": f"s{step}", "kind": "length", "step": step} for step in steps]
    booking = lab.book(9, 12)
    save_policy(instrument=lab.instrument, document={"rules": rules}, by=lab.manager)

    page = html(browser(lab.engineer).get(f"/bookings/{booking.pk}/length/"))

    buttons = re.findall(r"data-fill-end=\"[^\"]+\">([^<]+)<", page)
    assert " ".join(buttons) == offered


def test_the_page_of_the_length_offers_only_later_ends_while_in_use(lab: Lab, clock: Any) -> None:
    booking = lab.book(9, 11)
    before = html(browser(lab.engineer).get(f"/bookings/{booking.pk}/length/"))
    clock.move_to(at(9))
    start_booking(booking=booking, by=lab.engineer)

    page = html(browser(lab.engineer).get(f"/bookings/{booking.pk}/length/"))
    check = browser(lab.engineer).post(f"/bookings/{booking.pk}/move/check/", {"version": 2, "end": wall(at(12))})

    assert "−30 min" in before
    assert "−" not in page
    assert "+30 min" in page
    assert "Extend the booking" in html(check)
    assert "¥100.00</span> more" in html(check)
    done = browser(lab.engineer).post(
        f"/bookings/{booking.pk}/move/", {"version": 2, "end": wall(at(12))}, headers=HTMX
    )
    assert done.status_code == 204
    now = Booking.objects.get(pk=booking.pk)
    assert (now.status, now.end) == (Status.IN_USE, at(12))


def test_what_is_over_has_nothing_to_change(lab: Lab, clock: Any) -> None:
    booking = lab.book(9, 11)
    clock.move_to(at(12))

    assert "This cannot be changed any more" in html(browser(lab.engineer).get(f"/bookings/{booking.pk}/length/"))


def test_the_live_answer_names_what_a_move_would_cost_as_a_cancellation(lab: Lab, clock: Any) -> None:
    """The page says before the last button what the action would refuse."""
    booking = lab.book(9, 11)
    clock.move_to(at(9))

    check = browser(lab.engineer).post(
        f"/bookings/{booking.pk}/move/check/", {"version": 1, "start": wall(at(13)), "end": wall(at(15))}
    )

    assert "The booked time has begun; it cannot be moved any more." in html(check)


def test_handing_over_from_the_page(lab: Lab) -> None:
    booking = lab.book(9, 11)
    colleague = make_member(lab.enterprise)
    own, boss = (html(browser(user).get(f"/bookings/{booking.pk}/")) for user in (lab.engineer, lab.boss))

    answer = browser(lab.engineer).post(
        f"/bookings/{booking.pk}/transfer/", {"version": 1, "user_email": colleague.email}, headers=HTMX
    )

    # An administrator chooses by name; others know the address of a colleague.
    assert f'<option value="{colleague.pk}">' in boss
    assert f'<option value="{colleague.pk}">' not in own
    assert 'name="user_email"' in own
    assert answer["HX-Redirect"] == "/bookings/"
    assert Booking.objects.get(pk=booking.pk).user == colleague


def test_who_handed_it_over_and_runs_the_organisation_stays_on_the_page(lab: Lab) -> None:
    booking = lab.book(9, 11)

    answer = browser(lab.boss).post(
        f"/bookings/{booking.pk}/transfer/", {"version": 1, "user": lab.boss.pk}, headers=HTMX
    )

    assert answer["HX-Redirect"] == f"/bookings/{booking.pk}/"


def test_changes_are_for_the_customer_and_the_lab(lab: Lab) -> None:
    booking = lab.book(9, 11)
    colleague = make_member(lab.enterprise)

    for user in (lab.stranger, colleague, Lab().manager):
        client = browser(user)
        assert client.get(f"/bookings/{booking.pk}/length/").status_code == 404
        for step in ("drag", "transfer", "move"):
            assert client.post(f"/bookings/{booking.pk}/{step}/", {"version": 1}).status_code == 404
    assert browser(lab.manager).post(f"/bookings/{booking.pk}/transfer/", {"version": 1}).status_code == 403


# --- the calendars --------------------------------------------------------------------------------------------------

WEEK = "start=2026-11-30T00:00:00Z&end=2026-12-05T00:00:00Z"


def test_events_say_what_can_be_dragged(lab: Lab, clock: Any) -> None:
    lab.book(9, 11)
    lab.book(13, 14)

    def found(user: Any, path: str) -> list[tuple[str, str]]:
        rows = browser(user).get(f"{path}{'&' if '?' in path else '?'}{WEEK}").json()
        return [(row["movable"], row["change"]) for row in rows if "movable" in row]

    pks = list(Booking.objects.order_by("start").values_list("pk", flat=True))
    clock.move_to(at(10))
    both = [("end", f"/bookings/{pks[0]}/drag/"), ("both", f"/bookings/{pks[1]}/drag/")]
    assert found(lab.engineer, "/calendar/events/") == both
    assert found(lab.manager, "/desk/events/") == both
    assert found(lab.engineer, f"/instruments/{lab.instrument.pk}/events/") == both
    assert found(lab.stranger, f"/instruments/{lab.instrument.pk}/events/") == []
    clock.move_to(at(10) + timedelta(days=1))
    assert found(lab.engineer, "/calendar/events/") == [("", each[1]) for each in both]


def test_calendars_read_as_much_for_many_bookings_as_for_one(lab: Lab) -> None:
    counts = []
    for hours in ((9,), (10, 11, 12, 13, 14)):
        for hour in hours:
            lab.book(hour, hour + 1)
        counts.append(
            [
                queries(browser(user), f"{path}?{WEEK}")
                for user, path in (
                    (lab.engineer, "/calendar/events/"),
                    (lab.manager, "/desk/events/"),
                    (lab.engineer, f"/instruments/{lab.instrument.pk}/events/"),
                )
            ]
        )

    assert counts[0] == counts[1]


def test_the_lab_is_not_asked_to_agree_to_its_own_move() -> None:
    lab = Lab(approval=True)
    booking = approve_booking(booking=lab.book(9, 12), by=lab.manager)
    times = {"start": at(13).isoformat(), "end": at(16).isoformat()}

    asked = html(browser(lab.manager).post(f"/bookings/{booking.pk}/drag/", times))
    by_customer = html(browser(booking.user).post(f"/bookings/{booking.pk}/drag/", times))
    moved = reschedule_booking(
        booking=booking, by=lab.manager, start=at(13), end=at(16), reason="Service before noon", by_lab=True
    )

    assert "needs approval again" not in asked
    assert "needs approval again" in by_customer
    assert (moved.status, moved.start) == (Status.CONFIRMED, at(13))


def test_what_another_role_must_agree_to_waits_for_that_role_also_after_a_move_by_the_lab() -> None:
    lab = Lab(approval=True)
    booking = approve_booking(booking=lab.book(9, 12), by=lab.manager)
    rule = {"kind": "require", "act": ["create", "change"], "that": {"audience": "internal"}, "else": "approve:finance"}
    save_policy(instrument=lab.instrument, document={"rules": [rule]}, by=lab.manager)

    moved = reschedule_booking(booking=booking, by=lab.manager, start=at(13), end=at(16), reason="Service", by_lab=True)

    assert (moved.status, moved.approval_roles) == (Status.REQUESTED, ["finance"])


def test_a_request_that_the_lab_moves_stays_a_request() -> None:
    lab = Lab(approval=True)

    moved = reschedule_booking(
        booking=lab.book(9, 12), by=lab.manager, start=at(13), end=at(16), reason="Service", by_lab=True
    )

    assert moved.status == Status.REQUESTED
