"""What somebody might try in order to pay less, skip approval, or charge others."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
import time_machine

from backend.accounts.models import Agreement, Membership
from backend.audit.models import Entry
from backend.core.errors import Invalid, Refused
from booking.actions.changing import cancel_booking, reschedule_booking
from booking.actions.deciding import approve_booking, expire_holds
from booking.actions.outages import create_outage
from booking.actions.policies import save_policy
from booking.actions.requesting import request_booking
from booking.actions.using import finish_booking, record_usage, start_booking, verify_usage
from booking.models import Booking, Status, Usage
from booking.rules.presets import Answers, apply_presets
from invoices.models import Charge
from tests.booking.test_deciding import LATE_FEE
from tests.booking.test_requesting import APPROVAL, book
from tests.conftest import ApiClient
from tests.factories import at, make_enterprise, make_instrument, make_manager, make_member, make_price_list
from tests.parallel import at_once


@pytest.fixture
def clock(db: None) -> Any:
    with time_machine.travel(at(9, day=date(2026, 11, 24)), tick=False) as traveller:
        yield traveller


@pytest.fixture
def lab(clock: Any) -> Any:
    instrument = make_instrument()
    make_price_list(instrument)
    return instrument


def codes(error: pytest.ExceptionInfo[Any]) -> list[str]:
    return [refusal.code for refusal in error.value.refusals]


@pytest.mark.parametrize(
    "name", ["history", "used", "event", "audience", "person.trained", "approved_in_advance", "free"]
)
def test_facts_that_nobody_asked_for_are_refused(lab: Any, name: str) -> None:
    with pytest.raises(Refused) as refused:
        book(lab, parameters={name: True})

    assert codes(refused) == ["unknown_parameter"]


def test_parameters_that_the_price_list_asks_for_are_priced(clock: Any) -> None:
    instrument = make_instrument()
    rule = {
        "code": "points",
        "name": "Points",
        "kind": "price",
        "when": {"event": "use"},
        "qty": ["points"],
        "rate": 10,
    }
    make_price_list(instrument, {"currency": "CNY", "rules": [rule]})

    assert book(instrument, parameters={"points": 4}).quote["total"] == "40.00"
    with pytest.raises(Refused) as refused:
        book(instrument, at(13), at(14), parameters={"points": -4})
    assert codes(refused) == ["negative"]


def test_approval_of_every_booking_cannot_be_claimed_in_advance(lab: Any) -> None:
    save_policy(
        instrument=lab, document=apply_presets({}, Answers(approval="everybody")), by=make_manager(lab.institution)
    )

    assert book(lab).status == Status.REQUESTED


def test_a_request_does_not_approve_itself_by_shrinking(lab: Any) -> None:
    save_policy(instrument=lab, document=APPROVAL, by=make_manager(lab.institution))
    booking = book(lab)

    moved = reschedule_booking(booking=booking, by=booking.user, start=at(9), end=at(11, 30))

    assert (moved.status, moved.approval_roles) == (Status.REQUESTED, ["manager"])


def test_moving_a_request_does_not_hold_it_longer(lab: Any, clock: Any) -> None:
    save_policy(instrument=lab, document=APPROVAL, by=make_manager(lab.institution))
    booking = book(lab)
    held = booking.hold_expires_at
    clock.shift(timedelta(hours=5))

    moved = reschedule_booking(booking=booking, by=booking.user, start=at(10), end=at(13))

    assert moved.hold_expires_at == held


def test_what_has_begun_is_neither_moved_nor_after_its_end_cancelled(lab: Any, clock: Any) -> None:
    booking = book(lab)
    clock.move_to(at(9))
    with pytest.raises(Refused) as moved:
        reschedule_booking(booking=booking, by=booking.user, start=at(14), end=at(15))
    clock.move_to(at(12))
    with pytest.raises(Refused) as cancelled:
        cancel_booking(booking=booking, by=booking.user)

    assert (codes(moved), codes(cancelled)) == (["begun"], ["over"])


def test_moving_away_from_a_late_fee_is_refused(clock: Any) -> None:
    instrument = make_instrument()
    make_price_list(instrument, LATE_FEE)
    booking = book(instrument)
    clock.move_to(at(9) - timedelta(hours=23))

    with pytest.raises(Refused) as refused:
        reschedule_booking(
            booking=booking, by=booking.user, start=at(9, day=date(2026, 12, 9)), end=at(10, day=date(2026, 12, 9))
        )

    assert codes(refused) == ["fee_period"]


def test_lab_moves_with_a_reason_and_makes_nothing_longer(lab: Any) -> None:
    booking = book(lab)
    manager = make_manager(lab.institution)
    move = partial(reschedule_booking, booking=booking, by=manager, by_lab=True)

    with pytest.raises(Invalid):
        move(start=at(13), end=at(16))
    with pytest.raises(Refused) as longer:
        move(start=at(13), end=at(17), reason="Service visit")
    moved = move(start=at(13), end=at(16), reason="Service visit")

    assert codes(longer) == ["longer", "dearer"]
    assert moved.start == at(13)


def test_move_across_an_agreement_quotes_and_charges_the_same(lab: Any, clock: Any) -> None:
    rows = [{"when": {"audience": "partner"}, "rate": 30}, {"rate": 100}]
    rule = {"code": "t", "name": "Time", "kind": "price", "when": {"event": "use"}, "qty": ["booked"], "rows": rows}
    make_price_list(lab, {"currency": "CNY", "rules": [rule]})
    company = make_enterprise()
    Agreement.objects.create(
        institution=lab.institution, customer=company, number="A", audience="partner", valid_from=date(2026, 12, 5)
    )
    booking = book(lab, organisation=company)
    there = date(2026, 12, 7)

    moved = reschedule_booking(booking=booking, by=booking.user, start=at(9, day=there), end=at(12, day=there))
    clock.move_to(at(12, day=there))
    verify_usage(usage=finish_booking(booking=moved, by=booking.user), by=make_manager(lab.institution))

    assert (moved.audience, moved.quote["total"], Charge.objects.get().total) == ("partner", "90.00", Decimal(90))


@pytest.mark.parametrize(
    ("now", "start", "end", "code"),
    [
        (at(8, 44), None, None, "not_begun"),
        (at(12), at(9) - timedelta(days=1, minutes=1), at(11), "far_from_booking"),
        (at(13, day=date(2026, 12, 3)), at(9), at(12, 1, day=date(2026, 12, 2)), "far_from_booking"),
        (at(12), at(9) + timedelta(seconds=1), at(11), "whole_minutes"),
    ],
)
def test_use_belongs_to_its_booking(lab: Any, clock: Any, now: Any, start: Any, end: Any, code: str) -> None:
    booking = book(lab)
    clock.move_to(now)

    with pytest.raises((Refused, Invalid)) as error:
        finish_booking(booking=booking, by=booking.user, start=start, end=end)

    assert codes(error) == [code]
    assert not Usage.objects.exists()


def test_use_that_could_not_be_charged_is_refused_when_it_is_logged(lab: Any, clock: Any) -> None:
    booking = book(lab)
    clock.move_to(at(12))

    with pytest.raises(Refused) as refused:
        finish_booking(booking=booking, by=booking.user, parameters={"at_all": 1})

    assert codes(refused) == ["unknown_parameter"]
    booking.refresh_from_db()
    assert booking.status == Status.CONFIRMED


def test_nobody_verifies_their_own_use(lab: Any, clock: Any) -> None:
    manager = make_manager(lab.institution)
    booking = book(lab, organisation=lab.institution, user=manager)
    clock.move_to(at(12))
    usage = finish_booking(booking=booking, by=manager)

    with pytest.raises(Refused) as refused:
        verify_usage(usage=usage, by=manager)

    assert codes(refused) == ["own_use"]


def test_start_waits_for_whoever_is_still_using_the_unit(lab: Any, clock: Any) -> None:
    first, second = book(lab, at(9), at(10)), book(lab, at(10), at(11))
    clock.move_to(at(9))
    start_booking(booking=first, by=first.user)
    clock.move_to(at(9, 50))

    with pytest.raises(Refused) as refused:
        start_booking(booking=second, by=second.user)

    assert codes(refused) == ["still_in_use"]


USE = {"source_ref": "d1", "start": "2026-11-23T09:00:00+08:00", "end": "2026-11-23T10:00:00+08:00"}


def test_lab_cannot_charge_people_who_are_no_customers_of_it(lab: Any) -> None:
    client = ApiClient(make_manager(lab.institution))
    stranger = make_member(make_enterprise())
    former = make_member(make_enterprise())
    book(lab, user=former, organisation=former.memberships.get().organisation)
    Membership.objects.filter(user=former).update(ended_at=at(1, day=date(2026, 11, 1)))

    answers = [
        client.post_api("/usage", {**USE, "instrument": lab.pk, "user": pk}) for pk in (stranger.pk, former.pk, 10**9)
    ]

    assert [answer.status_code for answer in answers] == [422] * 3
    assert len({answer.json()["detail"] for answer in answers}) == 1


def test_device_may_send_the_use_of_a_booking_twice(lab: Any, clock: Any) -> None:
    booking = book(lab)
    clock.move_to(at(13))
    client = ApiClient(make_manager(lab.institution))
    body = {
        "source_ref": "dev-1", "instrument": lab.pk, "booking": booking.pk,
        "start": "2026-12-01T09:00:00+08:00", "end": "2026-12-01T12:00:00+08:00",
    }  # fmt: skip

    first, again = client.post_api("/usage", body), client.post_api("/usage", body)
    other = client.post_api("/usage", {**body, "end": "2026-12-01T11:00:00+08:00"})
    wrong = client.post_api("/usage", {**body, "instrument": make_instrument(lab.institution).pk})

    assert (first.status_code, again.json()) == (201, first.json())
    assert (other.status_code, wrong.status_code) == (422, 422)


def test_our_own_references_are_reserved(lab: Any) -> None:
    company = make_enterprise()

    with pytest.raises(Invalid) as invalid:
        record_usage(
            by=make_manager(lab.institution), source_ref="booking:x", instrument=lab, user=make_member(company),
            organisation=company, start=at(9, day=date(2026, 11, 23)), end=at(10, day=date(2026, 11, 23)),
        )  # fmt: skip

    assert codes(invalid) == ["reserved"]


def test_use_is_dated_by_the_use_and_audited_with_who_verified(lab: Any, clock: Any) -> None:
    booking = book(lab)
    clock.move_to(at(12))
    manager = make_manager(lab.institution)
    usage = finish_booking(booking=booking, by=booking.user, start=at(23, day=date(2026, 11, 30)), end=at(9))

    verify_usage(usage=usage, by=manager)

    assert Charge.objects.get().service_date == date(2026, 11, 30)
    assert Entry.objects.get(action="charge.finalised").actor == manager


def test_silence_never_consents_to_a_time_that_has_begun(lab: Any, clock: Any) -> None:
    quiet = {"rules": [{**APPROVAL["rules"][0], "silence": "consent", "at": "made +2h"}]}
    save_policy(instrument=lab, document=quiet, by=make_manager(lab.institution))
    booking = book(lab)
    clock.move_to(at(10))

    expire_holds()

    booking.refresh_from_db()
    assert booking.status == Status.EXPIRED


def test_outage_in_the_past_or_twice_is_refused(lab: Any) -> None:
    manager = make_manager(lab.institution)
    create_outage(instrument=lab, start=at(9), end=at(12), reason="Pump", by=manager)

    with pytest.raises(Invalid):
        create_outage(
            instrument=lab, start=at(1, day=date(2020, 1, 1)), end=at(2, day=date(2020, 1, 1)), reason="x", by=manager
        )
    with pytest.raises(Refused) as refused:
        create_outage(instrument=lab, start=at(11), end=at(13), reason="x", by=manager, displace=True)

    assert codes(refused) == ["outage_known"]


def test_rules_do_not_begin_in_the_past_nor_hold_control_characters(lab: Any) -> None:
    manager = make_manager(lab.institution)
    save_policy(instrument=lab, document=APPROVAL, by=manager)

    for document, day in (
        (APPROVAL, date(2020, 1, 1)),
        ({"rules": [{"id": "a\x00", "kind": "length", "max": 5}]}, None),
    ):
        with pytest.raises(Invalid):
            save_policy(instrument=lab, document=document, by=manager, valid_from=day)


def test_cancelling_by_the_lab_is_not_a_way_out_of_ones_own_fee(clock: Any) -> None:
    instrument = make_instrument()
    make_price_list(instrument, LATE_FEE)
    manager = make_manager(instrument.institution)
    booking = book(instrument, organisation=instrument.institution, user=manager)
    clock.move_to(at(8))

    ApiClient(manager).post_api(f"/bookings/{booking.pk}/cancel", {"reason": "lab"})

    assert Charge.objects.get().total == Decimal(150)


@pytest.mark.parallel
def test_person_quota_holds_under_parallel_bookings_without_deadlocks(committed: None) -> None:
    instruments = [make_instrument() for _ in range(8)]
    for instrument in instruments:
        make_price_list(instrument)
        rule = {"kind": "quota", "measure": "hours", "over": "week", "max": 9, "per": ["person"]}
        save_policy(instrument=instrument, document={"rules": [rule]}, by=make_manager(instrument.institution))
    company = make_enterprise()
    user = make_member(company)
    start = at(9, day=date.today() + timedelta(days=30))

    outcome = at_once(
        [
            partial(
                request_booking, by=user, user=user, organisation=company, instrument=instrument,
                start=start, end=start + timedelta(hours=3), mode="self", purpose="x",
            )
            for instrument in instruments
        ]
    )  # fmt: skip

    assert len(outcome.results) == 3
    assert outcome.error_counts() == {"Refused": 5}
    assert Booking.objects.count() == 3


@pytest.mark.parallel
def test_two_managers_decide_at_once_and_one_wins(committed: None) -> None:
    instrument = make_instrument()
    make_price_list(instrument)
    managers = [make_manager(instrument.institution) for _ in range(10)]
    save_policy(instrument=instrument, document=APPROVAL, by=managers[0])
    start = at(9, day=date.today() + timedelta(days=30))
    booking = book(instrument, start, start + timedelta(hours=1))

    outcome = at_once([partial(approve_booking, booking=booking, by=manager) for manager in managers])

    assert len(outcome.results) == 1
    assert outcome.error_counts() == {"Refused": 9}
