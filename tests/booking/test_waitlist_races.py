"""Fifty at once around the waitlist and outages: one winner, and nothing is booked twice. Each with its control."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
import time_machine
from django.test import override_settings

from backend.accounts.models import User
from backend.core import constraints
from booking.actions import offering, outages, waiting
from booking.actions.changing import cancel_booking
from booking.actions.offering import accept_offer, offer_due, offer_free_time
from booking.actions.outages import create_outage
from booking.actions.requesting import request_booking
from booking.models import OCCUPYING, Booking, Status, Wait, WaitStatus
from booking.queries import assess as assessing
from instruments.models import Occupancy, OccupancyKind, Outage
from tests.booking.lab import NOW, Lab
from tests.booking.test_contention import drop_every_guard
from tests.booking.waiting import person, wait_for
from tests.factories import at
from tests.parallel import Outcome, at_once

pytestmark = [pytest.mark.parallel, pytest.mark.usefixtures("committed")]

WRITERS = 50
Call = Callable[[], Any]


@pytest.fixture
def clock() -> Iterator[Any]:
    with time_machine.travel(NOW) as traveller:
        yield traveller


@contextmanager
def no_occupancy_guards(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Neither the database's word, nor the lock, nor a look at what is taken."""
    drop_every_guard()
    with monkeypatch.context() as patched, override_settings(BOOKING_GUARDS=False):
        patched.setattr(assessing, "_in_the_way", lambda wish, reads, own: [])
        patched.setattr(outages, "hit_bookings", lambda instrument, start, end: [])
        yield
    Wait.objects.all().delete()
    Booking.objects.all().update(occupancy=None, status=Status.CANCELLED)
    Occupancy.objects.all().delete()
    Outage.objects.all().delete()
    constraints.create_guards()


def overlaps(lab: Lab) -> int:
    rows = list(Occupancy.objects.filter(instrument=lab.instrument).order_by("start", "end"))
    return sum(1 for n, row in enumerate(rows) for other in rows[:n] if row.start < other.end and other.start < row.end)


def book(lab: Lab, user: User, start: int = 9, end: int = 12) -> Call:
    organisation = user.memberships.get().organisation
    return partial(
        request_booking, by=user, user=user, organisation=organisation, instrument=lab.instrument, start=at(start),
        end=at(end), mode="self", purpose="Race",
    )  # fmt: skip


def offered(lab: Lab) -> Wait:
    """Who waited for 9 to 12 has it offered."""
    booking = lab.book()
    wait = wait_for(lab, person())
    cancel_booking(booking=booking, by=lab.engineer)
    offer_due()
    wait.refresh_from_db()
    assert wait.status == WaitStatus.OFFERED
    return wait


def live(lab: Lab) -> list[int]:
    rows = Booking.objects.filter(instrument=lab.instrument, status__in=OCCUPYING)
    return list(rows.values_list("user", flat=True))


# --- accepting against strangers -----------------------------------------------------------------------------------


def accept_and_book(lab: Lab) -> tuple[Outcome, Wait]:
    wait = offered(lab)
    strangers = [book(lab, person()) for _ in range(WRITERS - 1)]
    calls = [*strangers[: WRITERS // 2], partial(accept_offer, wait=wait, by=wait.user), *strangers[WRITERS // 2 :]]
    return at_once(calls), wait


def test_who_has_the_offer_gets_the_time_against_forty_nine_strangers(clock: Any) -> None:
    lab = Lab()

    outcome, wait = accept_and_book(lab)

    assert outcome.error_counts() == {"Refused": WRITERS - 1}
    assert live(lab) == [wait.user_id]
    assert Occupancy.objects.get().kind == OccupancyKind.BOOKING


def test_negative_control_without_guards_strangers_book_the_offered_time(
    clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with no_occupancy_guards(monkeypatch):
        lab = Lab()
        outcome, _wait = accept_and_book(lab)
        found = len(live(lab))

    assert len(outcome.results) == found > 1


# --- accepting fifty times -----------------------------------------------------------------------------------------


def accept_fifty_times(lab: Lab) -> Outcome:
    wait = offered(lab)
    return at_once([partial(accept_offer, wait=wait, by=wait.user) for _ in range(WRITERS)])


def test_fifty_accept_one_offer_and_one_books(clock: Any) -> None:
    lab = Lab()

    outcome = accept_fifty_times(lab)

    assert (len(outcome.results), outcome.error_counts()) == (1, {"Refused": WRITERS - 1})
    assert len(live(lab)) == Occupancy.objects.count() == 1
    assert Wait.objects.get().booking == outcome.results[0]


@contextmanager
def believing(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Actions believe what was shown: no fresh read under the lock, and no comparison."""

    def as_shown(wait: Wait, *, version: int | None = None) -> Wait:
        return Wait(**{f.attname: getattr(wait, f.attname) for f in Wait._meta.concrete_fields})

    def overwrite(wait: Wait, to: str, at: Any, **changes: Any) -> Wait:
        Wait.objects.filter(pk=wait.pk).update(status=to, changed_at=at, **changes)
        wait.status = to
        for name, value in changes.items():
            setattr(wait, name, value)
        return wait

    with monkeypatch.context() as patched:
        for module in (offering, waiting):
            patched.setattr(module, "lock_wait", as_shown)
            patched.setattr(module, "change", overwrite)
        yield


def test_negative_control_without_a_fresh_read_one_offer_books_more_than_once(
    clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with no_occupancy_guards(monkeypatch), believing(monkeypatch):
        lab = Lab()
        outcome = accept_fifty_times(lab)
        # The one row of the offer cannot belong to two bookings, so all but the first get no time of their own.
        made = Booking.objects.filter(instrument=lab.instrument).exclude(status=Status.CANCELLED).count()

    assert outcome.error_counts().get("Refused", 0) == 0
    assert (made, outcome.error_counts()) != (1, {"Refused": WRITERS - 1})


# --- two times become free, one waits ------------------------------------------------------------------------------


def two_cancel(lab: Lab) -> Wait:
    """Two times that both fit one wait become free at once, while everybody looks for somebody to offer them to."""
    first, second = lab.book(9, 10), lab.book(11, 12)
    lab.book(10, 11)
    wait = wait_for(lab, person(), 9, 12, minutes=60)
    calls: list[Call] = [partial(cancel_booking, booking=each, by=lab.engineer) for each in (first, second)]
    look = partial(offer_free_time, instrument=lab.instrument)
    at_once([*calls, *[look] * (WRITERS - 2)])
    at_once([look] * 5)
    return wait


def held(lab: Lab) -> int:
    return Occupancy.objects.filter(instrument=lab.instrument, kind=OccupancyKind.OFFER).count()


def test_two_freed_times_and_one_who_waits_make_one_offer(clock: Any) -> None:
    lab = Lab()

    wait = two_cancel(lab)

    wait.refresh_from_db()
    assert wait.status == WaitStatus.OFFERED
    assert held(lab) == 1


def test_negative_control_without_a_fresh_read_both_times_are_held_for_one(
    clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = Lab()
    first, second = lab.book(9, 10), lab.book(11, 12)
    lab.book(10, 11)
    wait_for(lab, person(), 9, 12, minutes=60)
    shown = list(Wait.objects.select_related("organisation", "user", "instrument"))

    class Shown(list[Wait]):
        def filter(self, **_: Any) -> Shown:
            return self

    with believing(monkeypatch), monkeypatch.context() as patched:
        patched.setattr(offering, "open_waits", lambda instrument: Shown(copy.deepcopy(shown)))
        patched.setattr(offering, "renumber", lambda *_: None)
        for each in (first, second):
            cancel_booking(booking=each, by=lab.engineer)
        at_once([partial(offer_free_time, instrument=lab.instrument)] * 10)

    assert held(lab) == 2


# --- an outage against bookings ------------------------------------------------------------------------------------


def outage_and_bookings(lab: Lab) -> Outcome:
    hours = [book(lab, person(), 8 + n % 11, 9 + n % 11) for n in range(WRITERS - 1)]
    outage = partial(
        create_outage, instrument=lab.instrument, start=at(9), end=at(15), reason="Leak", by=lab.manager, displace=True
    )
    return at_once([*hours[:25], outage, *hours[25:]])


def test_an_outage_among_forty_nine_bookings_overlaps_none(clock: Any) -> None:
    lab = Lab()

    outcome = outage_and_bookings(lab)

    assert set(outcome.error_counts()) <= {"Refused"}
    assert overlaps(lab) == 0
    assert Occupancy.objects.filter(kind=OccupancyKind.OUTAGE).count() == 1
    left = Booking.objects.filter(status__in=OCCUPYING)
    assert not left.filter(start__lt=at(15), end__gt=at(9)).exists()
    assert set(Booking.objects.values_list("status", flat=True)) <= {Status.CONFIRMED, Status.DISPLACED}


def test_negative_control_without_guards_the_outage_overlaps_bookings(
    clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with no_occupancy_guards(monkeypatch):
        lab = Lab()
        outage_and_bookings(lab)
        found = overlaps(lab)

    assert found > 0
