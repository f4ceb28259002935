"""Fifty at once want to displace the same booking: one comes first, and nothing is booked twice. With its control."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from functools import partial
from typing import Any

import pytest
import time_machine

from backend.accounts.models import User
from booking.actions.overtaking import book_first
from booking.actions.policies import save_policy
from booking.models import Booking, Displacement, Status
from tests.booking.lab import NOW, Lab
from tests.booking.test_overtaking import ORDER
from tests.booking.test_waitlist_races import no_occupancy_guards, overlaps
from tests.factories import at, make_member
from tests.parallel import Outcome, at_once

pytestmark = [pytest.mark.parallel, pytest.mark.usefixtures("committed")]
WRITERS = 50


@pytest.fixture(autouse=True)
def clock() -> Iterator[Any]:
    with time_machine.travel(NOW) as traveller:
        yield traveller


def race() -> tuple[Lab, Booking, Outcome]:
    lab = Lab()
    save_policy(instrument=lab.instrument, document={"rules": [ORDER]}, by=lab.manager, valid_from=date(2026, 1, 1))
    booked = lab.book()
    colleagues = [make_member(lab.institution) for _ in range(WRITERS)]
    return lab, booked, at_once([partial(take, lab, user, booked.pk) for user in colleagues])


def take(lab: Lab, user: User, booked: int) -> Booking:
    return book_first(
        by=user, user=user, organisation=lab.institution, instrument=lab.instrument, start=at(10), end=at(13),
        mode="self", purpose="Race", displaces=[booked],
    )  # fmt: skip


def test_one_displaces_and_nothing_is_booked_twice() -> None:
    lab, booked, outcome = race()

    booked.refresh_from_db()
    assert len(outcome.results) == 1
    assert outcome.error_counts() == {"Refused": WRITERS - 1}
    assert (booked.status, Displacement.objects.count()) == (Status.DISPLACED, 1)
    assert overlaps(lab) == 0


def test_control_without_the_lock_and_the_guards_it_is_booked_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    from booking.actions import overtaking

    monkeypatch.setattr(overtaking, "_make_room", lambda found, displaces: None)
    with no_occupancy_guards(monkeypatch):
        lab, _booked, outcome = race()
        assert len(outcome.results) > 1
        assert overlaps(lab) > 0
