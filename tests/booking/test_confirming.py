"""Saying beforehand that one comes: the event ``unconfirmed``, its question, its button, and what follows."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from time_machine import TimeMachineFixture

from backend.core.errors import Refused
from backend.outbox.models import Message
from booking.actions.changing import reschedule_booking
from booking.actions.confirming import confirm_coming, tend_unconfirmed
from booking.actions.deciding import approve_booking
from booking.actions.policies import save_policy
from booking.models import Booking, Status, Violation
from instruments.models import Occupancy
from invoices.models import Charge, ChargeState
from tests.booking.lab import APPROVAL, NOW, Lab, browser, html
from tests.factories import DAY, at

pytestmark = pytest.mark.django_db
RULE = {
    "id": "confirm",
    "kind": "event",
    "on": "unconfirmed",
    "from": "start -1wd @16:00",
    "name": "unconfirmed",
    "with": {"forfeit": True},
}
# The booking is on DAY; the working day before ends its question at 16:00.
DUE = at(16, day=DAY - timedelta(days=1))


@pytest.fixture(autouse=True)
def clock(time_machine: TimeMachineFixture) -> None:
    time_machine.move_to(NOW, tick=False)


def make_lab(rule: dict[str, Any] = RULE, *others: dict[str, Any]) -> Lab:
    lab = Lab()
    document = {"rules": [rule, *others]}
    save_policy(instrument=lab.instrument, document=document, by=lab.manager, valid_from=date(2026, 1, 1))
    return lab


def test_the_booking_knows_until_when(time_machine: TimeMachineFixture) -> None:
    lab = make_lab()

    assert lab.book().confirm_by == DUE
    time_machine.move_to(DUE, tick=False)
    assert lab.book(13, 14).confirm_by is None


def test_without_such_a_rule_nobody_is_asked() -> None:
    assert Lab().book().confirm_by is None


def test_the_customer_is_asked_once(time_machine: TimeMachineFixture) -> None:
    lab = make_lab()
    booking = lab.book()
    time_machine.move_to(DUE - timedelta(hours=24, minutes=1), tick=False)
    tend_unconfirmed()
    assert not Message.objects.filter(kind="booking_to_confirm").exists()

    time_machine.move_to(DUE - timedelta(hours=24), tick=False)
    tend_unconfirmed()
    tend_unconfirmed()

    told = Message.objects.filter(kind="booking_to_confirm")
    assert {message.recipient for message in told} == {lab.engineer}
    assert told.count() == told.values("channel").distinct().count()
    assert told[0].context["until"] == f"{DUE:%Y-%m-%d} 16:00"
    booking.refresh_from_db()
    assert booking.confirm_asked_at is not None


def test_confirmed_a_moment_before_it_stands(time_machine: TimeMachineFixture) -> None:
    lab = make_lab()
    booking = lab.book()
    time_machine.move_to(DUE - timedelta(seconds=1), tick=False)

    confirm_coming(booking=booking, by=lab.engineer)
    time_machine.move_to(DUE + timedelta(hours=1), tick=False)
    assert tend_unconfirmed() == 0

    booking.refresh_from_db()
    assert (booking.status, booking.coming_at) == (Status.CONFIRMED, DUE - timedelta(seconds=1))
    assert not Violation.objects.exists()


def test_not_confirmed_it_is_given_away_free_of_charge(time_machine: TimeMachineFixture) -> None:
    lab = make_lab()
    booking = lab.book()
    time_machine.move_to(DUE - timedelta(seconds=1), tick=False)
    assert tend_unconfirmed() == 0
    time_machine.move_to(DUE, tick=False)
    with pytest.raises(Refused) as caught:
        confirm_coming(booking=booking, by=lab.engineer)
    assert [each.code for each in caught.value.refusals] == ["too_late_to_confirm"]

    assert tend_unconfirmed() == 1
    assert tend_unconfirmed() == 0

    booking.refresh_from_db()
    assert (booking.status, booking.occupancy) == (Status.CANCELLED, None)
    assert not Occupancy.objects.filter(instrument=lab.instrument).exists()
    assert Charge.objects.get(source_uid=booking.uid).state == ChargeState.RELEASED
    assert [(row.name, row.cause, row.at) for row in Violation.objects.all()] == [("unconfirmed", "unconfirmed", DUE)]
    assert Message.objects.filter(kind="booking_unconfirmed", recipient=lab.engineer).exists()
    assert "Not confirmed in time" in html(browser(lab.engineer).get(f"/bookings/{booking.pk}/"))


def test_without_forfeit_it_only_counts(time_machine: TimeMachineFixture) -> None:
    lab = make_lab({**RULE, "with": {}})
    booking = lab.book()
    time_machine.move_to(DUE, tick=False)

    assert tend_unconfirmed() == 0

    booking.refresh_from_db()
    assert booking.status == Status.CONFIRMED
    assert [row.name for row in Violation.objects.all()] == ["unconfirmed"]


def test_what_is_approved_after_the_moment_needs_no_word(time_machine: TimeMachineFixture) -> None:
    lab = make_lab(RULE, APPROVAL["rules"][0])
    lab.instrument.hold_hours = 24 * 30
    lab.instrument.save()
    booking = lab.book()
    time_machine.move_to(DUE + timedelta(hours=1), tick=False)
    approve_booking(booking=booking, by=lab.manager)

    assert tend_unconfirmed() == 0

    booking.refresh_from_db()
    assert booking.status == Status.CONFIRMED


def test_another_time_is_confirmed_anew(time_machine: TimeMachineFixture) -> None:
    lab = make_lab()
    booking = confirm_coming(booking=lab.book(), by=lab.engineer)
    later = DAY + timedelta(days=1)

    booking = reschedule_booking(booking=booking, by=lab.engineer, start=at(9, day=later), end=at(12, day=later))

    booking.refresh_from_db()
    assert (booking.confirm_by, booking.coming_at) == (_workday_before(later), None)


def _workday_before(day: date) -> datetime:
    before = day - timedelta(days=1)
    while before.weekday() > 4:
        before -= timedelta(days=1)
    return at(16, day=before)


def test_page_and_api_for_the_customer_only() -> None:
    lab = make_lab()
    booking = lab.book()
    page = html(browser(lab.engineer).get(f"/bookings/{booking.pk}/"))
    assert "I will come" in page
    assert "Otherwise the time is given away." in page
    assert "I will come" not in html(browser(lab.manager).get(f"/bookings/{booking.pk}/"))

    path = f"/bookings/{booking.pk}/coming/"
    assert browser(lab.stranger).post(path, {"version": booking.version}).status_code == 404
    assert browser(lab.manager).post(path, {"version": booking.version}).status_code == 403
    assert browser(lab.engineer).post(path, {"version": booking.version}).status_code == 302
    again = browser(lab.boss).post(f"/api/v1{path[:-1]}", {}, content_type="application/json")

    assert again.status_code == 409
    assert again.json()["errors"][0]["code"] == "confirmed_already"
    assert Booking.objects.get().coming_at == NOW
    assert "Confirmed" in html(browser(lab.engineer).get(f"/bookings/{booking.pk}/"))


def test_the_api_says_until_when_and_takes_the_word() -> None:
    lab = make_lab()
    booking = lab.book()
    client = browser(lab.engineer)
    assert (
        client.get(f"/api/v1/bookings/{booking.pk}").json()["confirm_by"]
        == DUE.astimezone(booking.instrument.zone).isoformat()
    )

    answer = client.post(f"/api/v1/bookings/{booking.pk}/coming", {}, content_type="application/json")

    assert answer.status_code == 200, answer.content
    assert answer.json()["coming_at"] is not None


def test_nothing_to_confirm_is_said() -> None:
    lab = Lab()

    with pytest.raises(Refused) as caught:
        confirm_coming(booking=lab.book(), by=lab.engineer)

    assert [each.code for each in caught.value.refusals] == ["nothing_to_confirm"]
