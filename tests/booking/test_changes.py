"""A booking becomes shorter or goes to a colleague: each refusal at its boundary; one that fails writes nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from backend.accounts.actions import create_token
from backend.accounts.models import Membership, Role
from backend.audit.models import Entry
from backend.core.errors import Invalid, Refused
from backend.outbox.models import Message
from booking.actions.changing import reschedule_booking
from booking.actions.deciding import approve_booking
from booking.actions.lengths import extend_booking, shorten_booking
from booking.actions.transferring import transfer_booking
from booking.models import Booking, Status
from invoices.models import Charge
from tests.booking.changes import YESTERDAY, policy, unchanged
from tests.booking.lab import NOW, Lab, browser, codes
from tests.factories import at, make_manager, make_member, make_price_list

pytestmark = pytest.mark.django_db


LATE_FEE = {
    "name": "With a fee",
    "currency": "CNY",
    "rules": [
        {"code": "time", "name": "Time", "kind": "price", "qty": ["booked"], "rate": 100, "when": {"event": "use"}},
        {"code": "late", "name": "Late", "kind": "price", "rate": 80, "when": {"event": "cancel", "notice": {"<": 24}}},
    ],
}


# --- shortening -----------------------------------------------------------------------------------------------------


def test_shortening_frees_the_rest_and_costs_less(lab: Lab) -> None:
    booking = lab.book(9, 12)

    shorten_booking(booking=booking, by=lab.engineer, end=at(10))

    now = Booking.objects.get(pk=booking.pk)
    assert (now.end, now.quote["total"], now.status) == (at(10), "100.00", Status.CONFIRMED)
    assert str(Charge.objects.get(source_uid=booking.uid).total) == "100.00"
    assert lab.book(10, 12, user=lab.boss).status == Status.CONFIRMED
    assert Entry.objects.filter(action="booking.shorten").count() == 1


def test_a_smaller_booking_needs_no_new_approval_and_keeps_the_given_one(clock: Any) -> None:
    lab = Lab(approval=True)
    booking = approve_booking(booking=lab.book(9, 12), by=lab.manager)

    shortened = shorten_booking(booking=booking, by=lab.engineer, end=at(10))

    assert (shortened.status, shortened.approval_roles) == (Status.CONFIRMED, ["manager"])
    assert shortened.approvals.count() == 1


def test_shortening_brings_back_no_old_reason_but_new_ones_count(lab: Lab) -> None:
    booking = lab.book(9, 12)
    policy(lab, kind="length", min=120, max=150)

    assert shorten_booking(booking=booking, by=lab.engineer, end=at(11, 45)).end == at(11, 45)
    with pytest.raises(Refused) as refused:
        shorten_booking(booking=booking, by=lab.engineer, end=at(10, 59))
    assert codes(refused) == ["too_short"]
    assert shorten_booking(booking=booking, by=lab.engineer, end=at(11)).end == at(11)


def test_shortening_is_no_way_round_a_fee(lab: Lab, clock: Any) -> None:
    make_price_list(lab.instrument, LATE_FEE)
    booking = lab.book(9, 12)
    clock.move_to(at(9, 1, day=YESTERDAY))

    with pytest.raises(Refused) as refused:
        shorten_booking(booking=booking, by=lab.engineer, end=at(10))

    assert codes(refused) == ["fee_period"]
    assert unchanged(booking)
    clock.move_to(at(9, day=YESTERDAY))
    assert shorten_booking(booking=booking, by=lab.engineer, end=at(10)).end == at(10)


def test_what_has_begun_is_finished_not_shortened(lab: Lab, clock: Any) -> None:
    booking = lab.book(9, 12)
    clock.move_to(at(9))

    with pytest.raises(Refused) as refused:
        shorten_booking(booking=booking, by=lab.engineer, end=at(10))

    assert codes(refused) == ["begun"]
    clock.move_to(at(8, 59))
    assert shorten_booking(booking=booking, by=lab.engineer, end=at(10)).end == at(10)


def test_shortening_needs_an_earlier_end_after_the_start(lab: Lab) -> None:
    booking = lab.book(9, 12)

    with pytest.raises(Refused) as refused:
        shorten_booking(booking=booking, by=lab.engineer, end=at(12))
    assert codes(refused) == ["not_shorter"]
    with pytest.raises(Invalid):
        shorten_booking(booking=booking, by=lab.engineer, end=at(9))
    assert unchanged(booking)


def test_the_lab_shortens_with_a_reason(lab: Lab) -> None:
    booking = lab.book(9, 12)

    with pytest.raises(Invalid):
        shorten_booking(booking=booking, by=lab.manager, end=at(11), by_lab=True)
    assert unchanged(booking)
    assert shorten_booking(booking=booking, by=lab.manager, end=at(11), by_lab=True, reason="Repair").end == at(11)


# --- handing over ---------------------------------------------------------------------------------------------------


def test_handing_over_changes_the_person_and_tells_both(lab: Lab) -> None:
    booking = lab.book(9, 12)
    colleague = make_member(lab.enterprise)

    transfer_booking(booking=booking, by=lab.engineer, user=colleague)

    now = Booking.objects.get(pk=booking.pk)
    assert (now.user_id, now.made_by_id, now.start, now.status) == (colleague.pk, colleague.pk, at(9), "confirmed")
    assert Charge.objects.get(source_uid=booking.uid).user_id == colleague.pk
    told = Message.objects.filter(kind="booking_transferred", channel="mail")
    assert {message.recipient_id for message in told} == {lab.engineer.pk, colleague.pk, lab.manager.pk}
    row = Entry.objects.get(action="booking.transfer")
    assert (row.after["user"], row.after["was_user"]) == (colleague.pk, lab.engineer.pk)


def test_only_a_colleague_takes_over(lab: Lab) -> None:
    booking = lab.book(9, 12)
    left = make_member(lab.enterprise)
    Membership.objects.filter(user=left).update(ended_at=NOW)

    for user in (lab.stranger, lab.manager, left):
        with pytest.raises(Invalid) as wrong:
            transfer_booking(booking=booking, by=lab.engineer, user=user)
        assert wrong.value.refusals[0].code == "foreign"
    with pytest.raises(Refused) as refused:
        transfer_booking(booking=booking, by=lab.engineer, user=lab.engineer)
    assert codes(refused) == ["same_user"]
    assert unchanged(booking)


def test_the_rules_are_asked_for_the_new_person(lab: Lab) -> None:
    policy(lab, kind="quota", measure="hours", over="week", max=4, per=["person"])
    booking = lab.book(9, 12)
    busy, idle = make_member(lab.enterprise), make_member(lab.enterprise)
    lab.book(14, 16, user=busy)

    with pytest.raises(Refused):
        transfer_booking(booking=booking, by=lab.engineer, user=busy)

    assert unchanged(booking)
    assert transfer_booking(booking=booking, by=lab.engineer, user=idle).user_id == idle.pk


def test_handing_over_needs_no_lead_time_unless_a_rule_says_so(lab: Lab, clock: Any) -> None:
    policy(lab, kind="deadline", latest="start -24h")
    booking = lab.book(9, 12)
    clock.move_to(at(8))
    assert transfer_booking(booking=booking, by=lab.engineer, user=lab.boss).user_id == lab.boss.pk
    clock.move_to(NOW)
    named = Lab()
    policy(named, kind="deadline", latest="start -24h", act=["create", "transfer"])
    other = named.book(14, 15)
    clock.move_to(at(14, 1, day=YESTERDAY))

    with pytest.raises(Refused) as refused:
        transfer_booking(booking=other, by=named.engineer, user=named.boss)

    assert codes(refused) == ["too_late"]
    assert unchanged(other)


def test_handing_over_asks_for_approval_again(clock: Any) -> None:
    lab = Lab(approval=True)
    booking = approve_booking(booking=lab.book(9, 12), by=lab.manager)

    handed = transfer_booking(booking=booking, by=lab.engineer, user=lab.boss)

    assert (handed.status, handed.user_id) == (Status.REQUESTED, lab.boss.pk)
    assert handed.approvals.count() == 0


def test_what_has_begun_cannot_be_handed_over(lab: Lab, clock: Any) -> None:
    booking = lab.book(9, 12)
    clock.move_to(at(9))

    with pytest.raises(Refused) as refused:
        transfer_booking(booking=booking, by=lab.engineer, user=lab.boss)

    assert codes(refused) == ["begun"]
    assert unchanged(booking)


# --- a change that fails leaves the booking alone -------------------------------------------------------------------

FAILING: dict[str, Callable[[Lab, Booking], Any]] = {
    "extend into the closed evening": lambda lab, b: extend_booking(
        booking=b, by=lab.engineer, end=at(9) + timedelta(days=60)
    ),
    "reschedule into another booking": lambda lab, b: reschedule_booking(
        booking=b, by=lab.engineer, start=at(14), end=at(16)
    ),
    "shorten to less than nothing": lambda lab, b: shorten_booking(booking=b, by=lab.engineer, end=at(8)),
    "hand to a stranger": lambda lab, b: transfer_booking(booking=b, by=lab.engineer, user=lab.stranger),
}


@pytest.mark.parametrize("name", FAILING)
def test_a_failed_change_leaves_everything_as_it_was(name: str, lab: Lab) -> None:
    booking = lab.book(9, 12)
    lab.book(13, 15, user=lab.boss)

    with pytest.raises((Refused, Invalid)):
        FAILING[name](lab, booking)

    assert unchanged(booking)


# --- the API --------------------------------------------------------------------------------------------------------


def call(who: Any, booking: Booking, act: str, **body: Any) -> Any:
    headers = {"Authorization": f"Bearer {create_token(user=who, name='t')[1]}", "accept-language": "en"}
    path = f"/api/v1/bookings/{booking.pk}/{act}"
    return browser().post(path, body, content_type="application/json", headers=headers)


def test_the_api_extends_shortens_and_hands_over(lab: Lab) -> None:
    booking = lab.book(9, 11)

    extended = call(lab.engineer, booking, "extend", end=at(12).isoformat(), version=1)
    shortened = call(lab.engineer, booking, "shorten", end=at(10).isoformat(), version=2)
    handed = call(lab.engineer, booking, "transfer", user=lab.boss.pk)

    assert extended.json()["end"] == "2026-12-01T12:00:00+08:00"
    assert shortened.json()["quote"]["total"] == "100.00"
    assert handed.json()["user"]["id"] == lab.boss.pk
    # It is not theirs any more.
    assert call(lab.engineer, booking, "transfer", user=lab.engineer.pk).status_code == 404
    back = call(lab.boss, booking, "transfer", user_email=lab.engineer.email.upper())
    assert back.json()["user"]["id"] == lab.engineer.pk


def test_the_api_says_why_not(lab: Lab) -> None:
    booking = lab.book(9, 11)

    longer = call(lab.engineer, booking, "extend", end=at(10).isoformat())
    nobody = call(lab.engineer, booking, "transfer")
    stranger = call(lab.engineer, booking, "transfer", user=lab.stranger.pk)
    absent = call(lab.engineer, booking, "transfer", user=10**9)
    foreign = call(lab.stranger, booking, "extend", end=at(12).isoformat())
    lab_hands = call(lab.manager, booking, "transfer", user=lab.boss.pk)
    no_reason = call(lab.manager, booking, "shorten", end=at(10).isoformat())

    assert (longer.status_code, longer.json()["errors"][0]["code"]) == (409, "not_longer")
    assert (nobody.status_code, nobody.json()["errors"][0]["code"]) == (422, "required")
    assert stranger.status_code == absent.status_code == 422
    assert stranger.json()["errors"] == absent.json()["errors"]
    assert (foreign.status_code, lab_hands.status_code) == (404, 403)
    assert (no_reason.status_code, no_reason.json()["errors"][0]["code"]) == (422, "reason_needed")


def test_a_colleague_is_no_customer(lab: Lab) -> None:
    booking = lab.book(9, 11)
    colleague = make_member(lab.enterprise, Role.MEMBER)
    foreign = make_manager(Lab().institution)

    for user in (colleague, foreign):
        for act, body in (("extend", {"end": at(12).isoformat()}), ("transfer", {"user": user.pk})):
            assert call(user, booking, act, **body).status_code == 404
