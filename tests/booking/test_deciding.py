"""Decisions about requests, silence, changes and cancelling."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from backend.accounts.models import Role
from backend.core.errors import Forbidden, Invalid, Refused, Stale
from backend.outbox.models import Message
from booking.actions.changing import cancel_booking, reschedule_booking, withdraw_booking
from booking.actions.deciding import approve_booking, expire_holds, reject_booking
from booking.actions.outages import create_outage
from booking.actions.policies import save_policy
from booking.models import Approval, Booking, Status
from instruments.models import Occupancy, OccupancyKind
from invoices.models import Charge, ChargeState
from tests.booking.test_requesting import APPROVAL, book
from tests.factories import (
    SIMPLE_PRICES,
    at,
    make_enterprise,
    make_instrument,
    make_manager,
    make_member,
    make_price_list,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]

LATE_FEE = {
    **SIMPLE_PRICES,
    "rules": [
        {"code": "time", "name": "Time", "kind": "price", "when": {"event": "use"}, "qty": ["booked"], "rate": 100},
        {
            "code": "late",
            "name": "Late cancellation",
            "kind": "price",
            "when": {"event": "cancel", "notice": {"<": 24}},
            "qty": ["booked"],
            "rate": 50,
        },
    ],
}


@pytest.fixture
def lab() -> Any:
    instrument = make_instrument()
    make_price_list(instrument)
    save_policy(instrument=instrument, document=APPROVAL, by=make_manager(instrument.institution))
    return instrument


@pytest.fixture
def manager(lab: Any) -> Any:
    return make_manager(lab.institution)


def test_approve_confirms_and_tells_the_customer(lab: Any, manager: Any) -> None:
    booking = approve_booking(booking=book(lab), by=manager)

    booking.refresh_from_db()
    assert (booking.status, booking.version, booking.sequence, booking.hold_expires_at) == (
        Status.CONFIRMED,
        2,
        1,
        None,
    )
    assert Occupancy.objects.get().kind == OccupancyKind.BOOKING
    assert Message.objects.filter(kind="booking_confirmed", recipient=booking.user_id).count() == 2


def test_approve_own_request_is_refused(lab: Any) -> None:
    manager = make_manager(lab.institution)
    company = make_enterprise()
    make_member(company, user=manager)
    booking = book(lab, organisation=company, user=manager)

    with pytest.raises(Refused) as refused:
        approve_booking(booking=booking, by=manager)

    assert refused.value.refusals[0].code == "own_request"


def test_approve_by_a_stranger_is_forbidden(lab: Any) -> None:
    with pytest.raises(Forbidden):
        approve_booking(booking=book(lab), by=make_manager(make_instrument().institution))


def test_approve_twice_is_refused(lab: Any, manager: Any) -> None:
    booking = approve_booking(booking=book(lab), by=manager)

    with pytest.raises(Refused) as refused:
        approve_booking(booking=booking, by=manager)

    assert refused.value.refusals[0].code == "wrong_status"


def test_approve_needs_every_role(lab: Any, manager: Any) -> None:
    both = {"rules": [*APPROVAL["rules"], {**APPROVAL["rules"][0], "id": "money", "else": "approve:finance"}]}
    save_policy(instrument=lab, document=both, by=manager)
    booking = book(lab)

    half = approve_booking(booking=booking, by=manager)
    with pytest.raises(Refused) as refused:
        approve_booking(booking=booking, by=manager)
    whole = approve_booking(booking=booking, by=make_member(lab.institution, Role.FINANCE))

    assert half.status == Status.REQUESTED
    assert refused.value.refusals[0].code == "already_agreed"
    assert whole.status == Status.CONFIRMED
    assert sorted(Approval.objects.values_list("role", flat=True)) == ["finance", "manager"]


def test_approve_with_an_old_version_is_stale(lab: Any, manager: Any) -> None:
    with pytest.raises(Stale):
        approve_booking(booking=book(lab), by=manager, version=7)


def test_approve_after_the_hold_is_refused(lab: Any, manager: Any, clock: Any) -> None:
    booking = book(lab)
    clock.shift(timedelta(hours=24))

    with pytest.raises(Refused) as refused:
        approve_booking(booking=booking, by=manager)

    assert refused.value.refusals[0].code == "hold_expired"


def test_reject_frees_time_and_charge(lab: Any, manager: Any) -> None:
    booking = reject_booking(booking=book(lab), by=manager, reason="The gun is being changed")

    assert booking.status == Status.REJECTED
    assert not Occupancy.objects.exists()
    assert Charge.objects.get().state == ChargeState.RELEASED


def test_reject_without_reason_is_invalid(lab: Any, manager: Any) -> None:
    with pytest.raises(Invalid):
        reject_booking(booking=book(lab), by=manager, reason=" ")


def test_expire_holds_catches_up_after_a_missed_tick(lab: Any, clock: Any) -> None:
    booking = book(lab)
    clock.shift(timedelta(hours=23, minutes=59))
    before = expire_holds()
    clock.shift(timedelta(days=2))
    after = expire_holds()

    booking.refresh_from_db()
    assert (before, after, booking.status) == (0, 1, Status.EXPIRED)
    assert not Occupancy.objects.exists()


def test_silence_that_consents_confirms(lab: Any, manager: Any, clock: Any) -> None:
    quiet = {"rules": [{**APPROVAL["rules"][0], "silence": "consent", "at": "made +2h"}]}
    save_policy(instrument=lab, document=quiet, by=manager)
    booking = book(lab)
    clock.shift(timedelta(days=1))

    expire_holds()

    booking.refresh_from_db()
    assert booking.status == Status.CONFIRMED


def test_withdraw_costs_nothing(lab: Any) -> None:
    booking = book(lab)

    withdraw_booking(booking=booking, by=booking.user)

    assert Booking.objects.get().status == Status.WITHDRAWN
    assert Charge.objects.get().state == ChargeState.RELEASED


@pytest.mark.parametrize(("hours_before", "fee", "state"), [(24, "0.00", "released"), (23, "150.00", "final")])
def test_cancel_charges_the_fee_of_the_list(clock: Any, hours_before: int, fee: str, state: str) -> None:
    instrument = make_instrument()
    make_price_list(instrument, LATE_FEE)
    booking = book(instrument)
    clock.move_to(at(9) - timedelta(hours=hours_before))

    cancel_booking(booking=booking, by=booking.user)

    charge = Charge.objects.get()
    assert (str(charge.total), charge.state) == (fee, state)
    assert Booking.objects.get().status == Status.CANCELLED


def test_cancel_by_the_lab_is_free_and_needs_a_reason(clock: Any) -> None:
    instrument = make_instrument()
    make_price_list(instrument, LATE_FEE)
    booking = book(instrument)
    manager = make_manager(instrument.institution)
    clock.move_to(at(8))

    with pytest.raises(Invalid):
        cancel_booking(booking=booking, by=manager, by_lab=True)
    cancel_booking(booking=booking, by=manager, by_lab=True, reason="Vacuum lost")

    assert Charge.objects.get().total == Decimal(0)


def test_cancel_is_refused_after_the_policys_cut_off(clock: Any) -> None:
    instrument = make_instrument()
    make_price_list(instrument)
    rule = {"kind": "deadline", "act": ["cancel"], "latest": "start -6h"}
    save_policy(instrument=instrument, document={"rules": [rule]}, by=make_manager(instrument.institution))
    booking = book(instrument)
    clock.move_to(at(3, 1))

    with pytest.raises(Refused) as refused:
        cancel_booking(booking=booking, by=booking.user)

    assert refused.value.refusals[0].code == "too_late"
    assert Booking.objects.get().status == Status.CONFIRMED


def test_reschedule_moves_time_price_and_sequence() -> None:
    instrument = make_instrument()
    make_price_list(instrument)
    booking = book(instrument)

    moved = reschedule_booking(booking=booking, by=booking.user, start=at(11), end=at(13))

    taken = Occupancy.objects.get()
    assert (taken.start, taken.end) == (at(11), at(13))
    assert (moved.status, moved.sequence, moved.quote["total"]) == (Status.CONFIRMED, 1, "200.00")
    assert Charge.objects.get().reserved_total == Decimal(200)


def test_reschedule_onto_taken_time_leaves_the_original() -> None:
    instrument = make_instrument()
    make_price_list(instrument)
    booking = book(instrument)
    book(instrument, at(13), at(15))

    with pytest.raises(Refused):
        reschedule_booking(booking=booking, by=booking.user, start=at(12), end=at(14))

    booking.refresh_from_db()
    assert (booking.start, booking.end, booking.version) == (at(9), at(12), 1)
    assert Occupancy.objects.filter(start=at(9), end=at(12)).count() == 1


def test_reschedule_needs_approval_again(lab: Any, manager: Any) -> None:
    booking = approve_booking(booking=book(lab), by=manager)

    moved = reschedule_booking(booking=booking, by=booking.user, start=at(14), end=at(15))

    assert moved.status == Status.REQUESTED
    assert not Approval.objects.exists()


def test_outage_names_what_it_hits_or_displaces(lab: Any, manager: Any) -> None:
    booking = book(lab)

    with pytest.raises(Refused) as refused:
        create_outage(instrument=lab, start=at(11), end=at(15), reason="Leak", by=manager)
    create_outage(instrument=lab, start=at(11), end=at(15), reason="Leak", by=manager, displace=True)

    booking.refresh_from_db()
    assert [r.params["booking"] for r in refused.value.refusals] == [booking.pk]
    assert (booking.status, booking.occupancy) == (Status.DISPLACED, None)
    assert Charge.objects.get().state == ChargeState.RELEASED
    assert Occupancy.objects.get().kind == OccupancyKind.OUTAGE
