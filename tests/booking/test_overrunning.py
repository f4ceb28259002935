"""Overtime: noted while it lasts, kept when the booked end is logged, struck out where the lab knows better."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from backend.audit.models import Entry
from booking.actions.overrunning import note_overruns
from booking.actions.policies import save_policy
from booking.actions.using import finish_booking, start_booking
from booking.models import Booking, Violation
from tests.booking.lab import Lab
from tests.factories import at

pytestmark = pytest.mark.django_db
RULES = [
    {"id": "over", "kind": "event", "on": "checkout", "after": "end +15min", "name": "overtime"},
    {"id": "early", "kind": "event", "on": "checkout", "before": "end -1h", "name": "early_leave"},
]


@pytest.fixture
def lab(clock: Any) -> Lab:
    lab = Lab(check_in=True)
    save_policy(instrument=lab.instrument, document={"rules": RULES}, by=lab.manager, valid_from=date(2026, 1, 1))
    return lab


def running(lab: Lab, clock: Any) -> Booking:
    """From 09:00, booked until 12:00."""
    booking = lab.book()
    clock.move_to(at(9))
    return start_booking(booking=booking, by=lab.engineer)


def stored() -> list[tuple[str, Any]]:
    return [(row.name, row.at) for row in Violation.objects.filter(struck_out_at=None)]


def test_it_is_noted_just_past_the_rule_and_once(lab: Lab, clock: Any) -> None:
    running(lab, clock)
    clock.move_to(at(12, 15))
    assert note_overruns() == 0
    clock.move_to(at(12, 16))

    assert (note_overruns(), note_overruns()) == (1, 0)

    assert stored() == [("overtime", at(12, 16))]
    assert Entry.objects.filter(action="booking.overrun").count() == 1


def test_logging_the_booked_end_takes_nothing_back(lab: Lab, clock: Any) -> None:
    booking = running(lab, clock)
    clock.move_to(at(12, 40))

    finish_booking(booking=booking, by=lab.engineer, end=at(12))

    assert stored() == [("overtime", at(12, 40))]


def test_the_lab_knows_better(lab: Lab, clock: Any) -> None:
    booking = running(lab, clock)
    clock.move_to(at(12, 40))
    note_overruns()

    finish_booking(booking=booking, by=lab.manager, end=at(12), by_lab=True)

    assert stored() == []


def test_the_lab_confirms_it(lab: Lab, clock: Any) -> None:
    booking = running(lab, clock)
    clock.move_to(at(12, 40))
    note_overruns()

    finish_booking(booking=booking, by=lab.manager, end=at(12, 30), by_lab=True)

    assert stored() == [("overtime", at(12, 40))]


def test_leaving_early_counts_by_the_log(lab: Lab, clock: Any) -> None:
    booking = running(lab, clock)
    clock.move_to(at(10, 30))

    finish_booking(booking=booking, by=lab.engineer)

    assert stored() == [("early_leave", at(10, 30))]


def test_what_the_lab_operates_is_no_overtime_of_the_customer(lab: Lab, clock: Any) -> None:
    booking = running(lab, clock)
    Booking.objects.filter(pk=booking.pk).update(mode="operator")
    clock.move_to(at(12, 40))

    assert note_overruns() == 0


def test_nothing_is_looked_for_after_two_days(lab: Lab, clock: Any) -> None:
    running(lab, clock)
    clock.move_to(at(12) + timedelta(days=2))

    assert note_overruns() == 0
