"""A booking becomes longer: each success, each refusal at its boundary."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from backend.audit.models import Entry
from backend.core.errors import Invalid, Refused, Stale
from backend.outbox.models import Message
from booking.actions.changing import cancel_booking
from booking.actions.deciding import approve_booking
from booking.actions.lengths import extend_booking, shorten_booking
from booking.actions.transferring import transfer_booking
from booking.actions.using import start_booking
from booking.models import Booking, Status
from instruments.models import Mode, OccupancyKind
from invoices.models import Charge
from tests.booking.changes import YESTERDAY, policy, unchanged
from tests.booking.lab import Lab, codes
from tests.factories import at

pytestmark = pytest.mark.django_db


# --- extending ------------------------------------------------------------------------------------------------------


def test_extending_takes_the_time_costs_more_and_tells_both_sides(lab: Lab) -> None:
    booking = lab.book(9, 11)

    extend_booking(booking=booking, by=lab.engineer, end=at(12))

    now = Booking.objects.select_related("occupancy").get(pk=booking.pk)
    assert (now.end, now.status, now.quote["total"]) == (at(12), Status.CONFIRMED, "300.00")
    assert now.occupancy is not None
    assert (now.occupancy.start, now.occupancy.end) == (at(9), at(12))
    assert str(Charge.objects.get(source_uid=booking.uid).total) == "300.00"
    told = Message.objects.filter(kind="booking_resized", channel="mail")
    assert {message.recipient_id for message in told} == {lab.engineer.pk, lab.manager.pk}
    row = Entry.objects.get(action="booking.extend")
    assert [datetime.fromisoformat(row.after[name]) for name in ("was_end", "end")] == [at(11), at(12)]


def test_extending_while_in_use_keeps_status_and_unit(clock: Any) -> None:
    lab = Lab(units=2)
    first, second = lab.book(9, 11), lab.book(9, 11, user=lab.boss)
    assert (first.unit, second.unit) == (1, 2)
    clock.move_to(at(9))
    start_booking(booking=second, by=lab.boss)
    cancel_booking(booking=first, by=lab.engineer)
    clock.move_to(at(10, 30))

    extended = extend_booking(booking=second, by=lab.boss, end=at(12))

    assert (extended.status, extended.unit, extended.end) == (Status.IN_USE, 2, at(12))


def test_extending_while_in_use_is_refused_when_only_another_unit_is_free(clock: Any) -> None:
    lab = Lab(units=2)
    first, second = lab.book(9, 11), lab.book(9, 11, user=lab.boss)
    after = lab.book(11, 12)
    assert (first.unit, after.unit) == (1, 1)
    clock.move_to(at(9))
    running = start_booking(booking=first, by=lab.engineer)

    with pytest.raises(Refused) as refused:
        extend_booking(booking=first, by=lab.engineer, end=at(12))

    assert codes(refused) == ["taken"]
    assert unchanged(running)
    assert extend_booking(booking=second, by=lab.boss, end=at(12)).unit == 2


def test_extending_up_to_the_next_booking_and_not_a_minute_into_it(lab: Lab) -> None:
    booking = lab.book(9, 11)
    lab.book(12, 13, user=lab.boss)

    with pytest.raises(Refused) as refused:
        extend_booking(booking=booking, by=lab.engineer, end=at(12, 1))

    assert "taken" in codes(refused)
    assert unchanged(booking)
    assert extend_booking(booking=booking, by=lab.engineer, end=at(12)).end == at(12)


def test_extending_is_checked_in_full(lab: Lab) -> None:
    policy(lab, kind="length", max=180)
    booking = lab.book(9, 11)

    with pytest.raises(Refused) as refused:
        extend_booking(booking=booking, by=lab.engineer, end=at(12, 1))

    assert codes(refused) == ["too_long"]
    assert unchanged(booking)
    assert extend_booking(booking=booking, by=lab.engineer, end=at(12)).end == at(12)


def test_a_rule_for_extending_alone_speaks_only_then(lab: Lab) -> None:
    policy(lab, kind="length", max=120, act=["extend"])
    booking = lab.book(9, 12)

    with pytest.raises(Refused) as refused:
        extend_booking(booking=booking, by=lab.engineer, end=at(13))

    assert codes(refused) == ["too_long"]


def test_a_lead_time_counts_before_the_start_and_not_while_in_use(lab: Lab, clock: Any) -> None:
    policy(lab, kind="deadline", latest="start -24h")
    booking = lab.book(9, 11)
    clock.move_to(at(9, 1, day=YESTERDAY))
    with pytest.raises(Refused) as refused:
        extend_booking(booking=booking, by=lab.engineer, end=at(12))
    assert codes(refused) == ["too_late"]
    clock.move_to(at(9))
    running = start_booking(booking=booking, by=lab.engineer)

    assert extend_booking(booking=running, by=lab.engineer, end=at(12)).end == at(12)


def test_a_deadline_for_extending_holds_while_in_use(lab: Lab, clock: Any) -> None:
    policy(lab, kind="deadline", latest="start +1h", act=["extend"])
    booking = lab.book(9, 11)
    clock.move_to(at(9))
    running = start_booking(booking=booking, by=lab.engineer)
    clock.move_to(at(10) + timedelta(minutes=1))

    with pytest.raises(Refused) as refused:
        extend_booking(booking=running, by=lab.engineer, end=at(12))

    assert codes(refused) == ["too_late"]
    clock.move_to(at(10))
    assert extend_booking(booking=running, by=lab.engineer, end=at(12)).end == at(12)


def test_quotas_count_the_longer_booking(lab: Lab) -> None:
    policy(lab, kind="quota", measure="hours", over="week", max=4, per=["person"])
    lab.book(14, 16)
    booking = lab.book(9, 10)

    with pytest.raises(Refused):
        extend_booking(booking=booking, by=lab.engineer, end=at(11, 30))

    assert unchanged(booking)
    assert extend_booking(booking=booking, by=lab.engineer, end=at(11)).end == at(11)


def test_where_rules_want_approval_a_longer_booking_asks_again_before_the_start(clock: Any) -> None:
    lab = Lab(approval=True)
    booking = approve_booking(booking=lab.book(9, 11), by=lab.manager)

    extended = extend_booking(booking=booking, by=lab.engineer, end=at(12))

    assert (extended.status, extended.end) == (Status.REQUESTED, at(12))
    assert extended.occupancy is not None
    assert extended.occupancy.kind == OccupancyKind.HOLD


def test_what_runs_needs_the_labs_agreement_at_once(clock: Any) -> None:
    lab = Lab(approval=True)
    booking = approve_booking(booking=lab.book(9, 11), by=lab.manager)
    clock.move_to(at(9))
    running = start_booking(booking=booking, by=lab.engineer)

    with pytest.raises(Refused) as refused:
        extend_booking(booking=running, by=lab.engineer, end=at(12))

    assert codes(refused) == ["needs_approval"]
    assert unchanged(running)
    extended = extend_booking(booking=running, by=lab.manager, end=at(12), reason="Agreed", by_lab=True)
    assert (extended.status, extended.end) == (Status.IN_USE, at(12))


def test_the_lab_extends_what_runs_or_what_it_operates_and_says_why(lab: Lab, clock: Any) -> None:
    booking = lab.book(9, 11)

    with pytest.raises(Refused) as refused:
        extend_booking(booking=booking, by=lab.manager, end=at(12), reason="Slow", by_lab=True)
    assert codes(refused) == ["longer"]
    clock.move_to(at(9))
    running = start_booking(booking=booking, by=lab.engineer)
    with pytest.raises(Invalid):
        extend_booking(booking=running, by=lab.manager, end=at(12), by_lab=True)
    assert unchanged(running)
    assert extend_booking(booking=running, by=lab.manager, end=at(12), reason="Slow", by_lab=True).end == at(12)
    operated = lab.book(14, 15)
    Booking.objects.filter(pk=operated.pk).update(mode=Mode.OPERATOR)
    assert extend_booking(booking=operated, by=lab.manager, end=at(16), reason="Slow", by_lab=True).end == at(16)


@pytest.mark.parametrize(("minute", "code"), [(0, "not_longer"), (-30, "not_longer")])
def test_extending_needs_a_later_end(lab: Lab, minute: int, code: str) -> None:
    booking = lab.book(9, 11)

    with pytest.raises(Refused) as refused:
        extend_booking(booking=booking, by=lab.engineer, end=at(11) + timedelta(minutes=minute))

    assert codes(refused) == [code]


def test_what_is_over_cannot_be_extended_but_an_overrun_can(lab: Lab, clock: Any) -> None:
    missed, used = lab.book(9, 10), lab.book(11, 12)
    clock.move_to(at(10))
    with pytest.raises(Refused) as refused:
        extend_booking(booking=missed, by=lab.engineer, end=at(10, 30))
    assert codes(refused) == ["over"]
    clock.move_to(at(11))
    running = start_booking(booking=used, by=lab.engineer)
    clock.move_to(at(12, 10))
    with pytest.raises(Refused) as refused:
        extend_booking(booking=running, by=lab.engineer, end=at(12, 10))
    assert codes(refused) == ["past"]
    assert extend_booking(booking=running, by=lab.engineer, end=at(12, 30)).end == at(12, 30)


def test_an_old_version_is_stale(lab: Lab) -> None:
    booking = lab.book(9, 11)
    extend_booking(booking=booking, by=lab.engineer, end=at(11, 30), version=1)

    for change in (extend_booking, shorten_booking):
        with pytest.raises(Stale):
            change(booking=booking, by=lab.engineer, end=at(12), version=1)
    with pytest.raises(Stale):
        transfer_booking(booking=booking, by=lab.engineer, user=lab.boss, version=1)
