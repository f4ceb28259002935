"""Fifty people want the same gap by changing what they have, or decide about one request: one wins.

The controls run the same without lock, comparison and guards, and the same checks notice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
import time_machine

from booking.actions import lengths, transferring
from booking.actions.changing import cancel_booking, reschedule_booking
from booking.actions.deciding import approve_booking
from booking.actions.lengths import extend_booking
from booking.actions.outages import create_outage
from booking.actions.requesting import request_booking
from booking.actions.transferring import transfer_booking
from booking.models import Booking, Status
from instruments.models import Mode
from invoices.models import Charge
from tests.booking.lab import NOW, Lab
from tests.booking.test_races import no_occupancy_guards, overlaps, unguarded
from tests.factories import DAY, at, make_manager, make_member
from tests.parallel import Outcome, at_once

pytestmark = [pytest.mark.parallel, pytest.mark.usefixtures("committed")]

WRITERS = 50
Call = Callable[[], Any]


@pytest.fixture(autouse=True)
def _now() -> Iterator[None]:
    with time_machine.travel(NOW):
        yield


def refused_or_stale(outcome: Outcome) -> bool:
    """Everybody else was told why; nobody met an error of ours, and they only waited for each other."""
    told = set(outcome.error_counts()) <= {"Refused", "Stale"} and len(outcome.errors) == WRITERS - 1
    return told and outcome.queued


# --- into one gap, by extending, moving and booking -----------------------------------------------------------------


def into_the_gap(lab: Lab) -> tuple[Outcome, Booking]:
    """12:00–14:00 is free after a booking until 12:00; a third extends it, a third moves there, a third books it."""
    first = lab.book(9, 12)
    calls: list[Call] = [partial(extend_booking, booking=first, by=lab.engineer, end=at(14)) for _ in range(16)]
    for number in range(17):
        user = make_member(lab.enterprise)
        mine = lab.book(9, 11, day=DAY + timedelta(days=1 + number), user=user)
        calls.append(partial(reschedule_booking, booking=mine, by=user, start=at(12), end=at(14)))
    for _ in range(17):
        user = make_member(lab.enterprise)
        wish = {"organisation": lab.enterprise, "instrument": lab.instrument, "mode": Mode.SELF, "purpose": "Race"}
        calls.append(partial(request_booking, by=user, user=user, start=at(12), end=at(14), **wish))
    return at_once(calls), first


def open_lab() -> Lab:
    """Every day, so that each of the movers has a day of their own."""
    lab = Lab(open_on_holidays=True)
    hours = lab.instrument.opening_hours.first()
    assert hours is not None
    lab.instrument.opening_hours.exclude(pk=hours.pk).delete()
    for weekday in range(1, 8):
        hours.pk, hours.weekday, hours.opens, hours.closes = None, weekday, "00:00", "00:00"
        hours.save(force_insert=True)
    return lab


def test_fifty_writers_want_one_gap_and_one_gets_it() -> None:
    lab = open_lab()

    outcome, _first = into_the_gap(lab)

    assert len(outcome.results) == 1
    assert refused_or_stale(outcome), (outcome.error_counts(), outcome.deadlocks, outcome.stall)
    assert overlaps(lab) == 0
    there = Booking.objects.filter(instrument=lab.instrument, start__lt=at(14), end__gt=at(12))
    assert there.count() == 1
    for booking in Booking.objects.filter(instrument=lab.instrument).select_related("occupancy"):
        assert booking.occupancy is not None
        assert (booking.occupancy.start, booking.occupancy.end) == (booking.start, booking.end)


def test_negative_control_without_guards_the_gap_is_taken_more_than_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with no_occupancy_guards(monkeypatch):
        lab = open_lab()
        outcome, _ = into_the_gap(lab)
        found = overlaps(lab)

    assert len(outcome.results) > 1
    assert found > 0


# --- one booking, fifty hands ---------------------------------------------------------------------------------------


def fifty_extend(lab: Lab) -> tuple[Outcome, Booking]:
    """Each has the page open that shows version 1, and wants another end."""
    booking = lab.book(9, 10)
    calls = [
        partial(extend_booking, booking=booking, by=lab.engineer, end=at(10, minute), version=1)
        for minute in range(1, WRITERS + 1)
    ]
    return at_once(calls), booking


def fifty_approve(lab: Lab) -> tuple[Outcome, Booking]:
    booking = lab.book(9, 10)
    calls = [partial(approve_booking, booking=booking, by=make_manager(lab.institution)) for _ in range(WRITERS)]
    return at_once(calls), booking


def fifty_reschedule(lab: Lab) -> tuple[Outcome, Booking]:
    booking = lab.book(9, 10)
    calls = [
        partial(reschedule_booking, booking=booking, by=lab.engineer, start=at(12, n), end=at(13, n), version=1)
        for n in range(WRITERS)
    ]
    return at_once(calls), booking


def fifty_transfer(lab: Lab) -> tuple[Outcome, Booking]:
    booking = lab.book(9, 10)
    calls = [
        partial(transfer_booking, booking=booking, by=lab.boss, user=make_member(lab.enterprise), version=1)
        for _ in range(WRITERS)
    ]
    return at_once(calls), booking


CONTESTS: dict[str, Callable[[Lab], tuple[Outcome, Booking]]] = {
    "extend": fifty_extend,
    "approve": fifty_approve,
    "reschedule": fifty_reschedule,
    "transfer": fifty_transfer,
}


def one_won(outcome: Outcome, booking: Booking) -> bool:
    now = Booking.objects.get(pk=booking.pk)
    return len(outcome.results) == 1 and refused_or_stale(outcome) and now.version == 2


@pytest.mark.parametrize("name", CONTESTS)
def test_of_fifty_hands_on_one_booking_one_wins(name: str) -> None:
    outcome, booking = CONTESTS[name](Lab(approval=name == "approve"))

    assert one_won(outcome, booking), (outcome.error_counts(), outcome.deadlocks, outcome.stall)
    assert Booking.objects.get(pk=booking.pk).status == Status.CONFIRMED


@contextmanager
def blind(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As `unguarded`, also for what extends."""
    with unguarded(monkeypatch), monkeypatch.context() as patched:
        from booking.actions import changing  # as it is patched now

        for module in (lengths, transferring):
            patched.setattr(module, "lock_booking", changing.lock_booking)
        yield


@pytest.mark.parametrize("name", CONTESTS)
def test_negative_control_without_lock_and_comparison_several_win(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with blind(monkeypatch):
        outcome, booking = CONTESTS[name](Lab(approval=name == "approve"))

    assert not one_won(outcome, booking)


# --- two different changes of one booking -----------------------------------------------------------------------------


def extended_into_an_outage(lab: Lab) -> Outcome:
    """Whoever draws the outage was shown that it hits nobody."""
    booking = lab.book(9, 11)
    outage = {"instrument": lab.instrument, "start": at(11), "end": at(13), "reason": "Leak", "by": lab.manager}
    return at_once(
        [
            partial(extend_booking, booking=booking, by=lab.engineer, end=at(12)),
            partial(create_outage, displace=True, expected=[], **outage),
        ]
    )


def test_a_booking_is_not_extended_into_an_outage() -> None:
    for _ in range(5):
        lab = Lab()
        outcome = extended_into_an_outage(lab)

        assert (len(outcome.results), outcome.error_counts()) == (1, {"Refused": 1})
        assert overlaps(lab) == 0


def test_negative_control_without_guards_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    with no_occupancy_guards(monkeypatch):
        lab = Lab()
        outcome = extended_into_an_outage(lab)
        found = overlaps(lab)

    assert (len(outcome.results), found) == (2, 1)


def test_what_is_handed_on_and_cancelled_at_once_ends_cancelled_and_owes_nothing() -> None:
    for _ in range(5):
        lab = Lab()
        booking, colleague = lab.book(9, 11), make_member(lab.enterprise)
        outcome = at_once(
            [
                partial(transfer_booking, booking=booking, by=lab.boss, user=colleague),
                partial(cancel_booking, booking=booking, by=lab.boss),
            ]
        )

        now = Booking.objects.get(pk=booking.pk)
        charge = Charge.objects.get(source_uid=booking.uid)
        assert outcome.error_counts() in ({}, {"Refused": 1})
        assert (now.user_id == colleague.pk) == (len(outcome.results) == 2)
        assert (now.status, now.occupancy, charge.state, charge.total) == (Status.CANCELLED, None, "released", 0)
