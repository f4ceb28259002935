"""A reminder before each booking: once, in time, and not to who has just booked."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import override_settings

from backend.outbox.models import Message
from backend.web.actions import EVERY_MINUTE
from booking.actions import reminding
from booking.actions.changing import cancel_booking, reschedule_booking
from booking.actions.deciding import approve_booking
from booking.actions.reminding import remind
from booking.models import Booking
from tests.booking.lab import Lab
from tests.factories import at

pytestmark = pytest.mark.django_db


def reminders() -> list[int]:
    return list(Message.objects.filter(kind="booking_reminder", channel="mail").values_list("recipient", flat=True))


def test_reminding_is_part_of_the_minute() -> None:
    assert remind in EVERY_MINUTE


def test_a_customer_is_reminded_a_day_before_and_only_once(clock: Any) -> None:
    lab = Lab()
    booking = lab.book()
    clock.move_to(at(9) - timedelta(hours=24, minutes=1))
    early = remind()
    clock.move_to(at(9) - timedelta(hours=24))
    first, second = remind(), remind()

    booking.refresh_from_db()
    assert (early, first, second) == (0, 1, 0)
    assert reminders() == [lab.engineer.pk]
    assert Message.objects.filter(kind="booking_reminder", channel="in_app").count() == 1
    assert booking.reminded_at == at(9) - timedelta(hours=24)
    assert booking.version == 1  # a reminder changes nothing that anybody could have read


def test_missed_ticks_are_caught_up_while_the_start_lies_ahead(clock: Any) -> None:
    lab = Lab()
    lab.book(9, 10)
    lab.book(13, 14)
    clock.move_to(at(10, 30))

    assert remind() == 1


@pytest.mark.parametrize("hours", [23, 1])
def test_who_booked_shortly_before_is_not_reminded(clock: Any, hours: int) -> None:
    lab = Lab()
    clock.move_to(at(9) - timedelta(hours=hours))
    lab.book()
    clock.shift(timedelta(minutes=30))

    assert remind() == 0


def test_who_was_confirmed_or_moved_shortly_before_is_not_reminded(clock: Any) -> None:
    lab = Lab(approval=True, hold_hours=400)
    booking = lab.book()
    other = Lab()
    moved = other.book()
    clock.move_to(at(9) - timedelta(hours=20))
    approve_booking(booking=booking, by=lab.manager)
    reschedule_booking(booking=moved, by=other.engineer, start=at(10), end=at(11))
    clock.shift(timedelta(hours=1))

    assert remind() == 0


def test_a_move_to_a_later_day_is_reminded_again(clock: Any) -> None:
    lab = Lab()
    booking = lab.book()
    clock.move_to(at(9) - timedelta(hours=24))
    remind()
    later = at(9) + timedelta(days=3)
    moved = reschedule_booking(booking=booking, by=lab.engineer, start=later, end=later + timedelta(hours=1))
    cleared = moved.reminded_at
    clock.move_to(later - timedelta(hours=24))

    assert (cleared, remind(), len(reminders())) == (None, 1, 2)


def test_requests_and_cancelled_bookings_are_not_reminded(clock: Any) -> None:
    Lab(approval=True, hold_hours=400).book()
    lab = Lab()
    cancel_booking(booking=lab.book(), by=lab.engineer)
    clock.move_to(at(9) - timedelta(hours=20))

    assert remind() == 0


@override_settings(REMINDER_HOURS=0)
def test_no_hours_mean_no_reminders(clock: Any) -> None:
    Lab().book()
    clock.move_to(at(8))

    assert remind() == 0


@override_settings(REMINDER_HOURS=48)
def test_the_hours_are_a_setting(clock: Any) -> None:
    Lab().book()
    clock.move_to(at(9) - timedelta(hours=47))

    assert remind() == 1


def test_the_reminder_names_the_check_in(clock: Any) -> None:
    Lab(check_in=True, no_show_grace=15).book()
    clock.move_to(at(9) - timedelta(hours=20))
    remind()

    assert Message.objects.filter(kind="booking_reminder").first().context["check_in"] == "09:15"  # type: ignore[union-attr]


def test_one_that_fails_does_not_hold_up_the_others(clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    lab = Lab()
    first, second = lab.book(9, 10), lab.book(10, 11)
    clock.move_to(at(9) - timedelta(hours=20))
    real = reminding.tell

    def fails_for_the_first(booking: Booking, *args: Any, **more: Any) -> None:
        if booking.pk == first.pk:
            raise RuntimeError("no address")
        real(booking, *args, **more)

    monkeypatch.setattr(reminding, "tell", fails_for_the_first)

    assert remind() == 1
    first.refresh_from_db()
    second.refresh_from_db()
    assert first.reminded_at is None
    assert second.reminded_at is not None
