"""The waitlist: who is offered what becomes free, for how long, and what happens without an answer."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from backend.accounts.models import Membership, User
from backend.accounts.queries import access_of
from backend.audit.models import Entry
from backend.core.errors import Forbidden, Invalid, NotFound, Refused, Stale
from backend.outbox.models import Message
from booking.actions.changing import cancel_booking, reschedule_booking
from booking.actions.deciding import expire_holds, reject_booking
from booking.actions.offering import accept_offer, decline_offer, offer_due, tend_waitlists
from booking.actions.outages import create_outage, delete_outage
from booking.actions.policies import save_policy
from booking.actions.waiting import MOST_OPEN, join_waitlist, leave_waitlist
from booking.models import Booking, Status, Wait, WaitStatus
from booking.queries.waitlist import get_own_wait, get_wait
from instruments.models import Occupancy, OccupancyKind
from instruments.queries.free import availability
from tests.booking.lab import NOW, Lab
from tests.factories import DAY, at, make_enterprise, make_member

pytestmark = pytest.mark.django_db


def wait_for(
    lab: Lab, user: User, start: int | datetime = 9, end: int | datetime = 12, minutes: int = 180, **more: Any
) -> Wait:
    window = [at(each) if isinstance(each, int) else each for each in (start, end)]
    return join_waitlist(
        **{
            "by": user,
            "user": user,
            "organisation": user.memberships.get().organisation,
            "instrument": lab.instrument,
            "start": window[0],
            "end": window[1],
            "minutes": minutes,
            "mode": "self",
            "purpose": "Fracture surfaces",
            **more,
        }
    )


def person() -> User:
    return make_member(make_enterprise())


def codes(raised: pytest.ExceptionInfo[Any]) -> list[str]:
    return [refusal.code for refusal in raised.value.refusals]


def offers() -> list[tuple[int, datetime, datetime]]:
    rows = Wait.objects.filter(status=WaitStatus.OFFERED).order_by("offer_start")
    return [(row.user_id, row.offer_start, row.offer_end) for row in rows if row.offer_start and row.offer_end]


def told(kind: str) -> list[int]:
    return list(Message.objects.filter(kind=kind, channel="mail").values_list("recipient", flat=True))


# --- joining -------------------------------------------------------------------------------------------------------


def test_join_waitlist_for_taken_time_waits_and_takes_nothing(lab: Lab) -> None:
    lab.book()

    wait = wait_for(lab, person())

    assert (wait.status, wait.place, wait.queue) == (WaitStatus.WAITING, 1, 1)
    assert Occupancy.objects.count() == 1
    assert Entry.objects.filter(action="wait.join").count() == 1


def test_join_waitlist_where_time_is_free_is_refused_with_that_time(lab: Lab) -> None:
    lab.book(9, 10)

    with pytest.raises(Refused) as refused:
        wait_for(lab, person(), 9, 12, minutes=120)

    assert codes(refused) == ["free_now"]
    assert refused.value.refusals[0].fix == at(10)
    assert wait_for(lab, person(), 9, 12, minutes=121).status == WaitStatus.WAITING


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"start": at(12), "end": at(9)}, "end_before_start"),
        ({"start": at(9) + timedelta(seconds=1)}, "whole_minutes"),
        ({"start": NOW - timedelta(hours=5), "end": NOW, "minutes": 10}, "past"),
        ({"end": at(9) + timedelta(days=92, minutes=1)}, "too_long"),
        ({"minutes": 4}, "too_short"),
        ({"minutes": 181}, "does_not_fit"),
        ({"start": NOW - timedelta(hours=5), "end": NOW + timedelta(minutes=9), "minutes": 10}, "does_not_fit"),
    ],
)
def test_join_waitlist_with_a_window_that_is_none_is_invalid(lab: Lab, change: dict[str, Any], code: str) -> None:
    lab.book()

    with pytest.raises(Invalid) as refused:
        wait_for(lab, person(), **change)

    assert codes(refused) == [code]


def test_join_waitlist_twice_for_the_same_time_is_refused(lab: Lab) -> None:
    lab.book(9, 12)
    lab.book(13, 16)
    user = person()
    wait_for(lab, user, 9, 12)

    with pytest.raises(Refused) as refused:
        wait_for(lab, user, 11, 14, minutes=120)

    assert codes(refused) == ["already_waiting"]
    assert wait_for(lab, user, 13, 16).status == WaitStatus.WAITING


def test_join_waitlist_at_most_so_many_times(lab: Lab) -> None:
    user = person()
    for hour in range(MOST_OPEN):
        day = DAY + timedelta(days=hour)
        lab.book(9, 10, day=day)
        wait_for(lab, user, start=at(9, day=day), end=at(10, day=day), minutes=60)
    lab.book(18, 19)

    with pytest.raises(Refused) as refused:
        wait_for(lab, user, 18, 19, minutes=60)

    assert codes(refused) == ["too_many_waits"]


def test_join_waitlist_where_no_free_time_would_help_is_refused(clock: Any) -> None:
    lab = Lab(sharing="internal")

    with pytest.raises(Refused) as refused:
        wait_for(lab, person(), mode="sample")

    assert codes(refused) == ["not_shared", "mode_needs_no_time"]


# --- being offered -------------------------------------------------------------------------------------------------


def test_a_cancelled_time_is_offered_to_who_joined_first_and_held(lab: Lab) -> None:
    booking = lab.book()
    first, second = person(), person()
    wait_for(lab, first)
    later = wait_for(lab, second)
    assert (later.place, later.queue) == (2, 2)

    cancel_booking(booking=booking, by=lab.engineer)
    offer_due()

    assert offers() == [(first.pk, at(9), at(12))]
    assert told("wait_offered") == [first.pk]
    assert list(Occupancy.objects.values_list("kind", "start", "end")) == [(OccupancyKind.OFFER, at(9), at(12))]
    with pytest.raises(Refused) as refused:
        lab.book(11, 13)
    assert codes(refused) == ["taken"]
    busy = availability([lab.instrument], at(8), at(20))[0].busy
    assert [(each.start, each.end, each.kind) for each in busy] == [(at(9), at(12), "offer")]


def withdrawn(lab: Lab, booking: Booking, clock: Any) -> None:
    reject_booking(booking=booking, by=lab.manager, reason="No")


def expired(lab: Lab, booking: Booking, clock: Any) -> None:
    assert booking.hold_expires_at
    clock.move_to(booking.hold_expires_at)
    assert expire_holds() == 1


def moved(lab: Lab, booking: Booking, clock: Any) -> None:
    reschedule_booking(booking=booking, by=lab.engineer, start=at(13), end=at(16))


@pytest.mark.parametrize("free", [withdrawn, expired, moved])
def test_whatever_gives_time_back_leads_to_an_offer(free: Any, clock: Any) -> None:
    lab = Lab(approval=True)
    booking = lab.book()
    save_policy(instrument=lab.instrument, document={"rules": []}, by=lab.manager, valid_from=NOW.date())
    user = person()
    wait_for(lab, user)

    free(lab, booking, clock)
    offer_due()

    assert offers() == [(user.pk, at(9), at(12))]


def test_a_lifted_outage_leads_to_an_offer(lab: Lab) -> None:
    outage = create_outage(instrument=lab.instrument, start=at(9), end=at(12), reason="Leak", by=lab.manager)
    user = person()
    wait_for(lab, user)

    delete_outage(outage=outage, by=lab.manager)
    offer_due()

    assert offers() == [(user.pk, at(9), at(12))]


def test_nothing_free_means_no_offer_and_no_second_look_at_once(lab: Lab) -> None:
    lab.book()
    wait = wait_for(lab, person())

    assert offer_due() == 0
    Wait.objects.update(due_at=NOW)
    assert offer_due() == 0
    wait.refresh_from_db()
    assert wait.due_at > NOW


def test_a_shorter_wish_gets_the_first_free_part(lab: Lab) -> None:
    booking = lab.book(9, 12)
    first, second, third = person(), person(), person()
    wait_for(lab, first, minutes=60)
    wait_for(lab, second, minutes=90)
    wait_for(lab, third, minutes=120)

    cancel_booking(booking=booking, by=lab.engineer)
    offer_due()

    # An hour and one and a half leave half an hour: too little for the third.
    assert offers() == [(first.pk, at(9), at(10)), (second.pk, at(10), at(11, 30))]


def test_only_who_may_have_it_now_is_offered(lab: Lab) -> None:
    other = make_enterprise()
    full, second = make_member(other), person()
    booking = lab.book(9, 12)
    few = {"id": "few", "kind": "require", "that": {"organisation": second.memberships.get().organisation_id}}
    save_policy(instrument=lab.instrument, document={"rules": [few]}, by=lab.manager, valid_from=NOW.date())
    waits = [wait_for(lab, user) for user in (full, second)]

    cancel_booking(booking=booking, by=lab.engineer)
    offer_due()

    assert offers() == [(second.pk, at(9), at(12))]
    waits[0].refresh_from_db()
    assert waits[0].status == WaitStatus.WAITING


def test_who_left_the_organisation_is_not_offered(lab: Lab) -> None:
    booking = lab.book()
    gone, second = person(), person()
    wait_for(lab, gone)
    wait_for(lab, second)
    Membership.objects.filter(user=gone).update(ended_at=NOW)

    cancel_booking(booking=booking, by=lab.engineer)
    offer_due()

    assert offers() == [(second.pk, at(9), at(12))]


INSIDE_FIRST = {
    "rules": [{"id": "inside", "kind": "priority", "order": [{"audience": "internal"}], "name": "Own people first"}]
}


def test_the_rule_of_priority_decides_before_who_joined_first(lab: Lab) -> None:
    booking = lab.book()
    save_policy(instrument=lab.instrument, document=INSIDE_FIRST, by=lab.manager, valid_from=NOW.date())
    outside, inside = person(), make_member(lab.institution)
    early, late = wait_for(lab, outside), wait_for(lab, inside)
    early.refresh_from_db()
    assert (early.place, early.queue, late.place) == (2, 2, 1)

    cancel_booking(booking=booking, by=lab.engineer)
    offer_due()

    assert offers() == [(inside.pk, at(9), at(12))]


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


# --- who sees it ---------------------------------------------------------------------------------------------------


def test_get_own_wait_is_for_the_person_and_their_administrator(lab: Lab) -> None:
    lab.book()
    wait = wait_for(lab, lab.engineer, start=9, end=12)

    assert get_own_wait(access_of(lab.engineer), wait.pk) == get_own_wait(access_of(lab.boss), wait.pk) == wait
    assert get_wait(access_of(lab.manager), wait.pk) == wait
    with pytest.raises(Forbidden):
        get_own_wait(access_of(lab.manager), wait.pk)
    with pytest.raises(NotFound):
        get_wait(access_of(lab.stranger), wait.pk)


def test_two_instruments_have_lists_of_their_own(lab: Lab) -> None:
    lab.book()
    other = Lab()
    other.book()
    wait_for(lab, person())

    assert wait_for(other, person()).place == 1
