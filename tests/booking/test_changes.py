"""Extending, shortening and handing over: what changes, every refusal at its boundary, and nothing changed by it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from backend.accounts.actions import create_token
from backend.accounts.models import Membership, Role
from backend.audit.models import Entry
from backend.core.errors import Invalid, Refused, Stale
from backend.outbox.models import Message
from booking.actions.changing import cancel_booking, reschedule_booking
from booking.actions.deciding import approve_booking
from booking.actions.lengths import extend_booking, shorten_booking
from booking.actions.policies import save_policy
from booking.actions.transferring import transfer_booking
from booking.actions.using import start_booking
from booking.models import Booking, Status
from instruments.models import Mode, OccupancyKind
from invoices.models import Charge
from tests.booking.lab import NOW, Lab, browser
from tests.factories import DAY, at, make_manager, make_member, make_price_list

pytestmark = pytest.mark.django_db

YESTERDAY = DAY - timedelta(days=1)
LATE_FEE = {
    "name": "With a fee",
    "currency": "CNY",
    "rules": [
        {"code": "time", "name": "Time", "kind": "price", "qty": ["booked"], "rate": 100, "when": {"event": "use"}},
        {"code": "late", "name": "Late", "kind": "price", "rate": 80, "when": {"event": "cancel", "notice": {"<": 24}}},
    ],
}


def rule(**parts: Any) -> dict[str, Any]:
    return {"rules": [{"id": "rule", **parts}]}


def policy(lab: Lab, **parts: Any) -> None:
    save_policy(instrument=lab.instrument, document=rule(**parts), by=lab.manager, valid_from=date(2026, 1, 1))


def codes(refused: pytest.ExceptionInfo[Refused]) -> list[str]:
    return [refusal.code for refusal in refused.value.refusals]


def unchanged(booking: Booking) -> bool:
    """Time, unit, person, price, charge, record and messages are what they were."""
    now = Booking.objects.select_related("occupancy").get(pk=booking.pk)
    names = ("version", "status", "start", "end", "unit", "user_id", "quote", "approval_roles", "hold_expires_at")
    charge = Charge.objects.get(source_uid=booking.uid)
    assert now.occupancy is not None
    return (
        all(getattr(now, name) == getattr(booking, name) for name in names)
        and (now.occupancy.start, now.occupancy.end) == (booking.start, booking.end)
        and str(charge.total) == booking.quote["total"]
        and charge.user_id == booking.user_id
        and not Entry.objects.filter(object_id=str(booking.pk), action__in=CHANGES).exists()
        and not Message.objects.filter(
            kind__in=("booking_resized", "booking_transferred"), path=f"/bookings/{booking.pk}/"
        ).exists()
    )


CHANGES = ("booking.extend", "booking.shorten", "booking.transfer", "booking.reschedule")


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
