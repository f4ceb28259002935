"""Waiting for taken time: joining, being offered, who sees it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from backend.accounts.models import Membership
from backend.accounts.queries import access_of
from backend.audit.models import Entry
from backend.core.errors import Forbidden, Invalid, NotFound, Refused
from booking.actions.changing import cancel_booking, reschedule_booking
from booking.actions.deciding import expire_holds, reject_booking
from booking.actions.offering import offer_due
from booking.actions.outages import create_outage, delete_outage
from booking.actions.policies import save_policy
from booking.actions.waiting import MOST_OPEN
from booking.models import Booking, Wait, WaitStatus
from booking.queries.waitlist import get_own_wait, get_wait
from instruments.models import Occupancy, OccupancyKind
from instruments.queries.free import availability
from tests.booking.lab import NOW, Lab, codes
from tests.booking.waiting import INSIDE_FIRST, offers, person, told, wait_for
from tests.factories import DAY, at, make_enterprise, make_member

pytestmark = pytest.mark.django_db


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
