"""Two absences noted at the same moment lead to the ladder's step once: neither twice nor never."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import date
from functools import partial
from typing import Any

import pytest
import time_machine
from django.db import connection

from backend.accounts.models import Role
from backend.outbox.models import Message
from booking.actions import consequences, no_shows
from booking.actions.appealing import appeal_violation, decide_appeal
from booking.actions.no_shows import mark_no_show
from booking.actions.policies import save_rules
from booking.models import Appeal, Booking, Reached, Violation
from booking.queries.holders import of_institution
from tests.booking.lab import NOW, Lab
from tests.booking.test_requesting import book
from tests.factories import at, make_instrument, make_manager, make_member, make_price_list
from tests.parallel import Outcome, at_once

pytestmark = [pytest.mark.parallel, pytest.mark.usefixtures("committed")]

ROUNDS, MANAGERS = 3, 5
START = date(2026, 11, 30)
RULES: dict[str, Any] = {
    "rules": [
        {"id": "never", "kind": "event", "on": ["never"], "after": "start +30min", "name": "no_show"},
        {
            "id": "absences", "kind": "ladder", "count": ["no_show"], "window": "12mo",
            "steps": [{"at": 2, "do": {"do": "suspend", "for": "1mo"}}],
        },
    ]
}  # fmt: skip


@pytest.fixture
def clock() -> Iterator[Any]:
    with time_machine.travel(NOW) as traveller:
        yield traveller


def two_absences(clock: Any) -> tuple[Lab, list[Booking]]:
    """The same person on two instruments of a house whose rules count both."""
    clock.move_to(NOW)
    lab = Lab()
    second = make_instrument(lab.institution)
    make_price_list(second)
    admin = make_member(lab.institution, Role.ADMIN)
    save_rules(holder=of_institution(lab.institution), document=RULES, by=admin, valid_from=date(2026, 1, 1))
    common = {"user": lab.engineer, "organisation": lab.enterprise}
    times = at(10, day=START), at(12, day=START)
    bookings = [book(instrument, *times, **common) for instrument in (lab.instrument, second)]
    clock.move_to(at(10, 31, day=START))
    return lab, bookings


def note_at_once(lab: Lab, bookings: list[Booking], managers: int) -> Outcome:
    calls = [
        partial(mark_no_show, booking=booking, by=make_manager(lab.institution))
        for booking in bookings
        for _number in range(managers)
    ]
    return at_once(calls)


def steps(lab: Lab) -> tuple[int, int, int]:
    """Entries, steps reached, mails about it to the person."""
    mails = Message.objects.filter(kind="standing_changed", channel="mail", recipient=lab.engineer)
    entries = Violation.objects.filter(person=lab.engineer)
    return entries.count(), Reached.objects.filter(violation__in=entries).count(), mails.count()


def test_two_absences_at_once_reach_the_step_once(clock: Any) -> None:
    for _round in range(ROUNDS):
        lab, bookings = two_absences(clock)

        outcome = note_at_once(lab, bookings, MANAGERS)

        assert (len(outcome.results), set(outcome.error_counts())) == (2, {"Refused"})
        assert steps(lab) == (2, 1, 1)


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite writes one after the other anyhow")
def test_without_locking_the_person_the_step_is_missed(clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: each writer sees its own absence only.

    The ledger writes its row of the house's audit chain before, which would hold them apart too, so it is left out.
    """
    lab, bookings = two_absences(clock)
    together, counted = threading.Barrier(2), consequences.reached_by

    def count_together(*args: Any) -> Any:
        found = counted(*args)
        with suppress(threading.BrokenBarrierError):
            together.wait(5)
        return found

    monkeypatch.setattr(no_shows, "lock_to_record", lambda *args: None)
    monkeypatch.setattr(no_shows, "release_charges", lambda **of: None)
    monkeypatch.setattr(consequences, "reached_by", count_together)

    note_at_once(lab, bookings, 1)

    assert steps(lab) != (2, 1, 1)


def test_an_appeal_is_made_once_and_decided_once(clock: Any) -> None:
    lab, bookings = two_absences(clock)
    mark_no_show(booking=bookings[0], by=lab.manager)
    entry = Violation.objects.get(booking=bookings[0])

    made = at_once([partial(appeal_violation, violation=entry, by=lab.engineer, reason="Ill.")] * 10)
    calls = [
        partial(decide_appeal, violation=entry, by=make_manager(lab.institution), upheld=number % 2 == 0, answer="So.")
        for number in range(10)
    ]
    decided = at_once(calls)

    assert (len(made.results), made.error_counts()) == (1, {"Refused": 9})
    assert (len(decided.results), decided.error_counts()) == (1, {"Refused": 9})
    assert Appeal.objects.filter(violation=entry).count() == 1
