"""A lab under the rules of its platform, and people who break them."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from django.utils import timezone

from backend.accounts.models import Role
from backend.core.errors import Refused
from booking.actions.no_shows import mark_no_shows
from booking.actions.policies import save_rules
from booking.actions.using import finish_booking, start_booking
from booking.models import Booking
from booking.queries.holders import of_institution
from booking.queries.standing import Standings, standing_of
from booking.rules.platform import platform_rules
from tests.booking.lab import Lab
from tests.factories import at, make_member

START = date(2026, 11, 30)


def make_strict_lab() -> Lab:
    """The rules of the institution hold on its instrument, where check-in is on."""
    lab = Lab(check_in=True, no_show_grace=30)
    admin = make_member(lab.institution, Role.ADMIN)
    holder = of_institution(lab.institution)
    save_rules(holder=holder, document=platform_rules(), by=admin, valid_from=date(2026, 1, 1))
    return lab


def book(lab: Lab, day: date = START, start: int = 10, end: int = 14) -> Booking:
    return lab.book(start, end, day=day)


def miss(lab: Lab, clock: Any, times: int, first: date = START) -> None:
    """So many bookings, a day each, to which nobody comes."""
    for number in range(times):
        day = first + timedelta(days=number)
        clock.move_to(at(9, day=day - timedelta(days=4)))
        book(lab, day)
        clock.move_to(at(10, 31, day=day))
        assert mark_no_shows() == 1


def late(lab: Lab, clock: Any, times: int) -> None:
    for number in range(times):
        day = START + timedelta(days=number)
        clock.move_to(at(9, day=day - timedelta(days=4)))
        booking = book(lab, day)
        clock.move_to(at(10, 29, day=day))
        start_booking(booking=booking, by=lab.engineer)
        clock.move_to(at(14, day=day))
        finish_booking(booking=booking, by=lab.engineer)


def stands(lab: Lab) -> Standings:
    return standing_of(lab.engineer, [lab.enterprise.pk], timezone.now())


def code_of(refused: pytest.ExceptionInfo[Refused]) -> str:
    return refused.value.refusals[0].code
