"""Out of service: whom it hits, what they are told and offered, and how it ends."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from icalendar import Calendar

from backend.accounts.queries import access_of
from backend.audit.models import Entry
from backend.core.errors import Invalid, NotFound, Refused, Stale
from backend.outbox.models import Message
from booking.actions.feeds import create_feed
from booking.actions.outages import change_outage, create_outage, delete_outage, end_outage
from booking.actions.using import start_booking
from booking.feeds import render_feed
from booking.models import Booking, Status, Usage, UsageState
from booking.queries.lists import usage_to_verify
from instruments.models import Occupancy, OccupancyKind, Outage
from invoices.models import Charge, ChargeState
from tests.booking.lab import NOW, Lab
from tests.factories import at, make_manager

pytestmark = pytest.mark.django_db


def out(lab: Lab, start: Any, end: Any, **more: Any) -> Outage:
    return create_outage(
        **{"instrument": lab.instrument, "start": start, "end": end, "reason": "Vacuum leak", "by": lab.manager, **more}
    )


def codes(refused: pytest.ExceptionInfo[Any]) -> list[str]:
    return [refusal.code for refusal in refused.value.refusals]


def told(kind: str) -> set[int]:
    return set(Message.objects.filter(kind=kind, channel="mail").values_list("recipient", flat=True))


def taken() -> list[tuple[Any, Any]]:
    return list(Occupancy.objects.filter(kind=OccupancyKind.OUTAGE).order_by("start").values_list("start", "end"))


# --- making one ----------------------------------------------------------------------------------------------------


def test_a_changed_set_of_hits_is_refused_with_the_present_list(lab: Lab) -> None:
    seen, new = lab.book(9, 10), lab.book(11, 12)

    with pytest.raises(Refused) as refused:
        out(lab, at(9), at(13), displace=True, expected=[seen.pk])

    assert codes(refused) == ["hits_changed", "hits_booking", "hits_booking"]
    assert not Outage.objects.exists()
    assert {booking.status for booking in Booking.objects.filter(pk__in=[seen.pk, new.pk])} == {Status.CONFIRMED}


def test_one_hit_fewer_than_shown_is_refused_too(lab: Lab) -> None:
    booking = lab.book(9, 10)

    with pytest.raises(Refused) as refused:
        out(lab, at(9), at(13), displace=True, expected=[booking.pk, 10**6])

    assert codes(refused) == ["hits_changed", "hits_booking"]


def test_set_up_and_cleaning_count_as_hit(clock: Any) -> None:
    lab = Lab(cleaning_minutes=30)
    lab.book(9, 10)

    with pytest.raises(Refused) as refused:
        out(lab, at(10), at(11))

    assert codes(refused) == ["hits_booking"]


def test_a_running_use_that_is_displaced_is_closed_and_never_charged(lab: Lab, clock: Any) -> None:
    booking = lab.book(9, 12)
    clock.move_to(at(9))
    start_booking(booking=booking, by=lab.engineer)
    clock.move_to(at(10))

    out(lab, at(10), at(14), displace=True)

    usage = Usage.objects.get()
    assert (usage.state, usage.end) == (UsageState.RECORDED, at(10))
    assert Charge.objects.get().state == ChargeState.RELEASED
    assert Booking.objects.get().status == Status.DISPLACED
    assert not usage_to_verify(access_of(lab.manager)).exists()


def test_the_other_managers_hear_of_it(lab: Lab) -> None:
    colleague = make_manager(lab.institution)

    outage = out(lab, at(9), at(10))
    change_outage(outage=outage, by=lab.manager, end=at(11))
    delete_outage(outage=outage, by=lab.manager)

    assert [told(f"outage_{what}") for what in ("created", "changed", "ended")] == [{colleague.pk}] * 3
    actions = Entry.objects.filter(action__startswith="outage.").order_by("sequence")
    assert list(actions.values_list("action", flat=True)) == ["outage.create", "outage.change", "outage.delete"]
    assert actions[1].before["end"] == actions[0].after["end"] != actions[1].after["end"]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"reason": "  "}, "reason_needed"),
        ({"reason": "x" * 201}, "too_long"),
        ({"start": at(11), "end": at(11)}, "end_before_start"),
        ({"end": at(9) + timedelta(days=367)}, "too_long"),
        ({"start": at(9, 0, NOW.date()) - timedelta(days=3), "end": at(9, 0, NOW.date()) - timedelta(days=2)}, "past"),
        ({"start": at(9) + timedelta(seconds=1)}, "whole_minutes"),
    ],
)
def test_what_is_no_outage_is_invalid(lab: Lab, change: dict[str, Any], expected: str) -> None:
    with pytest.raises(Invalid) as invalid:
        out(lab, **{"start": at(9), "end": at(12), **change})

    assert codes(invalid) == [expected]
    assert not Outage.objects.exists()


# --- changing and ending one ---------------------------------------------------------------------------------------


def test_a_later_end_hits_more_and_asks_again(lab: Lab) -> None:
    outage = out(lab, at(9), at(10))
    booking = lab.book(11, 12)

    with pytest.raises(Refused) as refused:
        change_outage(outage=outage, by=lab.manager, end=at(12))
    kept = taken()
    change_outage(outage=outage, by=lab.manager, end=at(12), displace=True, expected=[booking.pk])

    assert codes(refused) == ["hits_booking"]
    assert kept == [(at(9), at(10))]
    assert taken() == [(at(9), at(12))]
    booking.refresh_from_db()
    assert booking.status == Status.DISPLACED


def test_an_earlier_end_frees_time_and_tells_whom_it_displaced(lab: Lab) -> None:
    first, second = lab.book(9, 10), lab.book(14, 15)
    outage = out(lab, at(9), at(16), displace=True)

    changed = change_outage(outage=outage, by=lab.manager, end=at(12))

    assert (changed.end, changed.sequence) == (at(12), 1)
    assert taken() == [(at(9), at(12))]
    free = Message.objects.filter(kind="booking_time_free", channel="mail")
    assert [message.path for message in free] == [f"/bookings/{second.pk}/"]
    assert first.pk != second.pk
    assert lab.book(14, 15).status == Status.CONFIRMED


def test_nothing_changed_writes_nothing(lab: Lab) -> None:
    outage = out(lab, at(9), at(10))
    rows = Entry.objects.count()

    change_outage(outage=outage, by=lab.manager, end=at(10), reason="Vacuum leak")

    assert (Entry.objects.count(), Outage.objects.get().sequence) == (rows, 0)


def test_what_changed_since_is_stale(lab: Lab) -> None:
    outage = out(lab, at(9), at(10))
    change_outage(outage=outage, by=lab.manager, end=at(11), sequence=0)

    with pytest.raises(Stale):
        change_outage(outage=outage, by=lab.manager, end=at(12), sequence=0)


def test_the_start_stays_once_it_has_begun(lab: Lab, clock: Any) -> None:
    outage = out(lab, at(9), at(12))
    clock.move_to(at(10))

    for start in (at(8), at(11)):
        with pytest.raises(Refused) as refused:
            change_outage(outage=outage, by=lab.manager, start=start)
        assert codes(refused) == ["begun"]
    with pytest.raises(Refused) as refused:
        delete_outage(outage=outage, by=lab.manager)

    assert codes(refused) == ["begun"]
    assert taken() == [(at(9), at(12))]


def test_a_coming_one_cannot_begin_in_the_past(lab: Lab) -> None:
    outage = out(lab, at(9), at(12))

    with pytest.raises(Refused) as refused:
        change_outage(outage=outage, by=lab.manager, start=NOW - timedelta(hours=1))

    assert codes(refused) == ["begun"]


def test_ending_gives_the_rest_back_at_once(lab: Lab, clock: Any) -> None:
    booking = lab.book(15, 16)
    outage = out(lab, at(9), at(18), displace=True)
    with pytest.raises(Refused) as refused:
        end_outage(outage=outage, by=lab.manager)
    clock.move_to(at(10, 30) + timedelta(seconds=20))

    ended = end_outage(outage=outage, by=lab.manager)

    assert codes(refused) == ["not_begun"]
    assert (ended.end, taken()) == (at(10, 30), [(at(9), at(10, 30))])
    assert told("booking_time_free") == {booking.user_id}
    with pytest.raises(Refused) as over:
        end_outage(outage=outage, by=lab.manager)
    assert codes(over) == ["over"]


def test_deleting_a_coming_one_frees_all_of_it(lab: Lab) -> None:
    booking = lab.book(10, 11)
    outage = out(lab, at(9), at(12), displace=True)

    delete_outage(outage=outage, by=lab.manager)

    assert (taken(), Outage.objects.count()) == ([], 0)
    assert told("booking_time_free") == {booking.user_id}
    booking.refresh_from_db()
    assert booking.status == Status.DISPLACED  # it does not come back by itself
    with pytest.raises(NotFound):
        delete_outage(outage=outage, by=lab.manager)


def test_every_unit_is_out_of_service(clock: Any) -> None:
    lab = Lab(units=3)
    outage = out(lab, at(9), at(12))

    change_outage(outage=outage, by=lab.manager, end=at(13))

    assert sorted(Occupancy.objects.values_list("unit", "end")) == [(unit, at(13)) for unit in (1, 2, 3)]


def test_a_feed_keeps_the_uid_and_raises_the_sequence(lab: Lab, clock: Any) -> None:
    _, secret = create_feed(user=lab.manager, scope="instrument", instrument=lab.instrument)
    outage = out(lab, at(9), at(12))
    before = Calendar.from_ical(render_feed(secret)[0]).walk("VEVENT")[0]
    clock.shift(timedelta(hours=1))
    change_outage(outage=outage, by=lab.manager, end=at(13))

    after = Calendar.from_ical(render_feed(secret)[0]).walk("VEVENT")[0]

    assert before["UID"] == after["UID"] == str(outage.uid)
    assert (before["SEQUENCE"], after["SEQUENCE"]) == (0, 1)
    assert after["DTSTAMP"].dt - before["DTSTAMP"].dt == timedelta(hours=1)
    assert after["DTEND"].dt == at(13)
