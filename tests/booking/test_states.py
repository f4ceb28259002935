"""The whole table: what each status allows; everything else is refused and leaves no trace."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest

from backend.audit.models import Entry
from backend.core.errors import Refused
from backend.outbox.models import Message
from booking.actions.changing import cancel_booking, reschedule_booking, withdraw_booking
from booking.actions.deciding import approve_booking, expire_hold, reject_booking
from booking.actions.displacing import displace_booking
from booking.actions.no_shows import mark_no_show, miss_booking
from booking.actions.using import finish_booking, start_booking
from booking.models import OCCUPYING, Booking, Status, Usage
from instruments.models import Occupancy
from invoices.models import Charge, ChargeLine
from tests.booking.lab import NOW, Lab
from tests.factories import at

pytestmark = pytest.mark.django_db

BEFORE, RUNNING, LATER = at(9, day=date(2026, 11, 25)), at(9, 40), at(12, 30)


# How a booking comes to each status, by the real actions; the clock is moved where an action needs its time.
def _requested(lab: Lab, clock: Any) -> Booking:
    return lab.book()


def _confirmed(lab: Lab, clock: Any) -> Booking:
    return approve_booking(booking=lab.book(), by=lab.manager)


def _in_use(lab: Lab, clock: Any) -> Booking:
    booking = _confirmed(lab, clock)
    clock.move_to(at(9))
    return start_booking(booking=booking, by=lab.engineer)


def _completed(lab: Lab, clock: Any) -> Booking:
    booking = _in_use(lab, clock)
    clock.move_to(at(9, 30))
    finish_booking(booking=booking, by=lab.engineer)
    return booking


def _rejected(lab: Lab, clock: Any) -> Booking:
    return reject_booking(booking=lab.book(), by=lab.manager, reason="No")


def _withdrawn(lab: Lab, clock: Any) -> Booking:
    return withdraw_booking(booking=lab.book(), by=lab.engineer)


def _expired(lab: Lab, clock: Any) -> Booking:
    booking = lab.book()
    clock.shift(timedelta(days=2))
    return expire_hold(booking=booking)


def _cancelled(lab: Lab, clock: Any) -> Booking:
    return cancel_booking(booking=_confirmed(lab, clock), by=lab.engineer)


def _no_show(lab: Lab, clock: Any) -> Booking:
    booking = _confirmed(lab, clock)
    clock.move_to(at(9, 30))
    return mark_no_show(booking=booking, by=lab.manager)


def _displaced(lab: Lab, clock: Any) -> Booking:
    return displace_booking(booking=_confirmed(lab, clock), by=lab.manager, reason="Leak")


MAKE: dict[str, Callable[[Lab, Any], Booking]] = {
    Status.REQUESTED: _requested,
    Status.CONFIRMED: _confirmed,
    Status.IN_USE: _in_use,
    Status.COMPLETED: _completed,
    Status.REJECTED: _rejected,
    Status.WITHDRAWN: _withdrawn,
    Status.EXPIRED: _expired,
    Status.CANCELLED: _cancelled,
    Status.NO_SHOW: _no_show,
    Status.DISPLACED: _displaced,
}

# The moment at which nothing but the status could stand in the way, and the act.
ACTS: dict[str, tuple[Any, Callable[[Booking, Lab], Any]]] = {
    "approve": (NOW, lambda booking, lab: approve_booking(booking=booking, by=lab.manager)),
    "reject": (NOW, lambda booking, lab: reject_booking(booking=booking, by=lab.manager, reason="No")),
    "withdraw": (NOW, lambda booking, lab: withdraw_booking(booking=booking, by=lab.engineer)),
    "cancel": (BEFORE, lambda booking, lab: cancel_booking(booking=booking, by=lab.engineer)),
    "reschedule": (
        NOW,
        lambda booking, lab: reschedule_booking(booking=booking, by=lab.engineer, start=at(14), end=at(15)),
    ),
    "start": (at(9), lambda booking, lab: start_booking(booking=booking, by=lab.engineer)),
    "finish": (RUNNING, lambda booking, lab: finish_booking(booking=booking, by=lab.engineer)),
    "correct": (RUNNING, lambda booking, lab: finish_booking(booking=booking, by=lab.manager, by_lab=True)),
    "no_show": (RUNNING, lambda booking, lab: mark_no_show(booking=booking, by=lab.manager)),
    "displace": (BEFORE, lambda booking, lab: displace_booking(booking=booking, by=lab.manager, reason="Leak")),
}

# Status → act → what becomes of it. What is not named is refused.
ALLOWED: dict[str, dict[str, str]] = {
    Status.REQUESTED: {
        "approve": Status.CONFIRMED,
        "reject": Status.REJECTED,
        "withdraw": Status.WITHDRAWN,
        "reschedule": Status.REQUESTED,
        "displace": Status.DISPLACED,
    },
    Status.CONFIRMED: {
        "cancel": Status.CANCELLED,
        "reschedule": Status.REQUESTED,  # this lab's rules want approval again
        "start": Status.IN_USE,
        "finish": Status.COMPLETED,
        "correct": Status.COMPLETED,
        "no_show": Status.NO_SHOW,
        "displace": Status.DISPLACED,
    },
    Status.IN_USE: {"finish": Status.COMPLETED, "correct": Status.COMPLETED, "displace": Status.DISPLACED},
    Status.NO_SHOW: {"correct": Status.COMPLETED},
}


def trace() -> list[Any]:
    """Everything that an act could leave behind."""
    return [
        list(Booking.objects.order_by("pk").values()),
        list(Occupancy.objects.order_by("pk").values()),
        list(Usage.objects.order_by("pk").values()),
        list(Charge.objects.order_by("pk").values()),
        list(ChargeLine.objects.order_by("pk").values()),
        Entry.objects.count(),
        Message.objects.count(),
    ]


def test_the_table_names_every_status() -> None:
    assert set(MAKE) == set(Status.values)


@pytest.mark.parametrize("act", ACTS)
@pytest.mark.parametrize("status", MAKE)
def test_each_status_allows_exactly_its_acts(status: str, act: str, clock: Any) -> None:
    lab = Lab(approval=True)
    booking = MAKE[status](lab, clock)
    moment, do = ACTS[act]
    clock.move_to(moment)
    version, before = booking.version, trace()
    assert Booking.objects.get().status == status

    target = ALLOWED.get(status, {}).get(act)
    if target is None:
        with pytest.raises(Refused) as refused:
            do(booking, lab)
        assert [refusal.code for refusal in refused.value.refusals] == ["wrong_status"]
        assert refused.value.refusals[0].params == {"status": status}
        assert trace() == before
        return

    do(booking, lab)

    now = Booking.objects.get()
    assert (now.status, now.version) == (target, version + 1)
    assert (now.occupancy is not None) == (target in OCCUPYING) == Occupancy.objects.exists()
    assert Entry.objects.filter(object_type="booking").order_by("sequence").last().before == {"status": status}  # type: ignore[union-attr]


@pytest.mark.parametrize("status", MAKE)
def test_the_system_expires_only_requests_and_misses_only_confirmed_bookings(status: str, clock: Any) -> None:
    """The worker asks of every booking again; what has changed meanwhile stays as it is."""
    for act, moment, lasting in (
        (expire_hold, NOW + timedelta(days=3), Status.REQUESTED),
        (miss_booking, LATER, Status.CONFIRMED),
    ):
        clock.move_to(NOW)
        lab = Lab(approval=True, check_in=True)
        booking = MAKE[status](lab, clock)
        clock.move_to(moment)
        before = trace()

        act(booking=booking)

        assert (trace() == before) == (status != lasting), act.__name__


def test_a_customer_cannot_log_a_use_in_place_of_a_no_show(clock: Any) -> None:
    lab = Lab(approval=True)
    booking = _no_show(lab, clock)

    with pytest.raises(Refused) as refused:
        finish_booking(booking=booking, by=lab.engineer)

    assert refused.value.refusals[0].code == "wrong_status"
