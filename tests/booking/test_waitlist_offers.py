"""Offers of time that became free: how long they last, accepting, declining, letting go."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from backend.accounts.models import User
from backend.core.errors import Refused, Stale
from booking.actions.changing import cancel_booking
from booking.actions.deciding import reject_booking
from booking.actions.offering import accept_offer, decline_offer, offer_due, tend_waitlists
from booking.actions.outages import create_outage, delete_outage
from booking.actions.policies import save_policy
from booking.actions.waiting import leave_waitlist
from booking.models import Booking, Status, Wait, WaitStatus
from instruments.models import Occupancy, OccupancyKind
from tests.booking.lab import NOW, Lab, codes
from tests.booking.waiting import offers, person, told, wait_for
from tests.factories import at

pytestmark = pytest.mark.django_db


# --- how long, and without an answer -------------------------------------------------------------------------------


def offered(lab: Lab, *users: User, **more: Any) -> list[Wait]:
    """Each waits for 9 to 12; the first has it offered."""
    booking = lab.book()
    waits = [wait_for(lab, user, **more) for user in users]
    cancel_booking(booking=booking, by=lab.engineer)
    offer_due()
    for wait in waits:
        wait.refresh_from_db()
    return waits


def test_an_offer_lasts_as_long_as_the_instrument_says(clock: Any) -> None:
    lab = Lab(offer_minutes=45)

    (wait,) = offered(lab, person())

    assert wait.offer_until == NOW + timedelta(minutes=45)


@pytest.mark.parametrize(("before", "lasts"), [(60, 30), (20, 10), (10, 5), (7, 5)])
def test_an_offer_near_the_start_is_shorter_and_never_past_it(lab: Lab, clock: Any, before: int, lasts: int) -> None:
    booking = lab.book()
    user = person()
    wait_for(lab, user)
    clock.move_to(at(9) - timedelta(minutes=before))
    cancel_booking(booking=booking, by=lab.engineer)
    offer_due()

    wait = Wait.objects.get()
    assert wait.offer_until == at(9) - timedelta(minutes=before - lasts)


def test_nobody_is_offered_what_begins_at_once(lab: Lab, clock: Any) -> None:
    booking = lab.book()
    wait_for(lab, person())
    clock.move_to(at(9) - timedelta(minutes=5))
    cancel_booking(booking=booking, by=lab.engineer)

    assert offer_due() == 0


def test_an_offer_without_answer_passes_on_and_is_not_made_again(lab: Lab, clock: Any) -> None:
    first, second = offered(lab, person(), person())
    assert first.offer_until
    clock.move_to(first.offer_until - timedelta(seconds=1))
    tend_waitlists()
    assert offers() == [(first.user_id, at(9), at(12))]

    clock.move_to(first.offer_until)
    tend_waitlists()

    assert offers() == [(second.user_id, at(9), at(12))]
    assert told("wait_offer_over") == [first.user_id]
    first.refresh_from_db()
    assert (first.status, [why for *_, why in first.passed]) == (WaitStatus.WAITING, ["expired"])
    clock.shift(timedelta(hours=3))
    tend_waitlists()
    assert offers() == []
    Wait.objects.update(due_at=NOW)
    tend_waitlists()
    assert offers() == []


def test_decline_offer_passes_it_on_and_keeps_waiting_for_other_times(lab: Lab) -> None:
    later = lab.book(12, 15)
    first, second = offered(lab, person(), person(), end=15)

    decline_offer(wait=first, by=first.user, version=first.version)
    offer_due()
    assert offers() == [(second.user_id, at(9), at(12))]
    cancel_booking(booking=later, by=lab.engineer)
    offer_due()

    assert offers() == [(second.user_id, at(9), at(12)), (first.user_id, at(12), at(15))]


def test_leave_waitlist_with_an_offer_passes_it_on(lab: Lab) -> None:
    first, second = offered(lab, person(), person())

    leave_waitlist(wait=first, by=first.user)
    offer_due()

    assert offers() == [(second.user_id, at(9), at(12))]
    with pytest.raises(Refused) as refused:
        leave_waitlist(wait=first, by=first.user)
    assert codes(refused) == ["wrong_status"]


def test_a_wait_whose_window_is_over_ends_with_a_message(lab: Lab, clock: Any) -> None:
    lab.book()
    wait = wait_for(lab, person(), minutes=60)
    clock.move_to(at(11))
    tend_waitlists()
    wait.refresh_from_db()
    assert wait.status == WaitStatus.WAITING

    clock.move_to(at(11) + timedelta(minutes=1))
    tend_waitlists()

    wait.refresh_from_db()
    assert wait.status == WaitStatus.ENDED
    assert told("wait_ended") == [wait.user_id]


# --- accepting -----------------------------------------------------------------------------------------------------


def test_accept_offer_books_the_held_time(lab: Lab) -> None:
    (wait,) = offered(lab, person())
    held = Occupancy.objects.get()

    booking = accept_offer(wait=wait, by=wait.user, version=wait.version)

    wait.refresh_from_db()
    assert (booking.status, booking.user_id, booking.start, booking.end) == (
        Status.CONFIRMED, wait.user_id, at(9), at(12),
    )  # fmt: skip
    assert (wait.status, wait.booking_id, wait.occupancy_id) == (WaitStatus.ACCEPTED, booking.pk, None)
    assert (Occupancy.objects.get().pk, Occupancy.objects.get().kind) == (held.pk, OccupancyKind.BOOKING)


def test_accept_offer_where_approval_is_needed_asks_for_it(clock: Any) -> None:
    lab = Lab(approval=True)
    (wait,) = offered_after_withdrawal(lab, person())

    booking = accept_offer(wait=wait, by=wait.user)

    assert booking.status == Status.REQUESTED
    assert Occupancy.objects.get().kind == OccupancyKind.HOLD


def offered_after_withdrawal(lab: Lab, user: User) -> list[Wait]:
    booking = lab.book()
    wait = wait_for(lab, user)
    reject_booking(booking=booking, by=lab.manager, reason="No")
    offer_due()
    wait.refresh_from_db()
    return [wait]


def test_accept_offer_when_it_is_over_is_refused(lab: Lab, clock: Any) -> None:
    (wait,) = offered(lab, person())
    assert wait.offer_until
    clock.move_to(wait.offer_until)

    with pytest.raises(Refused) as refused:
        accept_offer(wait=wait, by=wait.user)

    assert codes(refused) == ["offer_over"]
    assert not Booking.objects.filter(status=Status.CONFIRMED).exists()
    clock.move_to(wait.offer_until - timedelta(seconds=1))
    assert accept_offer(wait=wait, by=wait.user).status == Status.CONFIRMED


def test_accept_offer_that_another_version_saw_is_stale(lab: Lab) -> None:
    (wait,) = offered(lab, person())

    with pytest.raises(Stale):
        accept_offer(wait=wait, by=wait.user, version=wait.version - 1)


def test_accept_offer_against_a_rule_that_changed_meanwhile_is_refused_and_kept(lab: Lab) -> None:
    (wait,) = offered(lab, person())
    document = {"rules": [{"id": "inside", "kind": "require", "that": {"audience": "internal"}}]}
    save_policy(instrument=lab.instrument, document=document, by=lab.manager, valid_from=NOW.date())

    with pytest.raises(Refused):
        accept_offer(wait=wait, by=wait.user)

    wait.refresh_from_db()
    assert wait.status == WaitStatus.OFFERED
    assert Occupancy.objects.get().kind == OccupancyKind.OFFER


def test_an_outage_takes_the_offer_back_and_says_so(lab: Lab) -> None:
    (wait,) = offered(lab, person())

    outage = create_outage(instrument=lab.instrument, start=at(10), end=at(11), reason="Leak", by=lab.manager)

    wait.refresh_from_db()
    assert (wait.status, wait.passed) == (WaitStatus.WAITING, [])
    assert told("wait_offer_over") == [wait.user_id]
    delete_outage(outage=outage, by=lab.manager)
    offer_due()
    assert offers() == [(wait.user_id, at(9), at(12))]
