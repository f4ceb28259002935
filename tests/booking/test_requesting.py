"""Asking for time: what is written, and every reason to refuse."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine

from backend.accounts.models import Agreement, Role
from backend.audit.models import Entry
from backend.core.errors import Invalid, Refused
from backend.outbox.models import Message
from booking.actions.policies import save_policy
from booking.actions.requesting import request_booking
from booking.models import Booking, Status
from instruments.models import Condition, Occupancy, OccupancyKind, OpeningHours, Sharing, SpecialDay
from invoices.models import Charge, ChargeState
from tests.factories import at, make_enterprise, make_instrument, make_manager, make_member, make_price_list

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("_now")]

APPROVAL = {
    "rules": [
        {
            "id": "approval",
            "kind": "require",
            "if": {"audience": {"not": "internal"}},
            "that": {"audience": "internal"},
            "else": "approve:manager",
        }
    ]
}


@pytest.fixture
def _now() -> Any:
    with time_machine.travel(at(9, day=date(2026, 11, 24)), tick=False):
        yield


@pytest.fixture
def lab() -> Any:
    instrument = make_instrument()
    make_price_list(instrument)
    return instrument


def book(instrument: Any, start: Any = None, end: Any = None, **fields: Any) -> Booking:
    company = fields.pop("organisation", None) or make_enterprise()
    user = fields.pop("user", None) or make_member(company)
    return request_booking(
        by=user,
        user=user,
        organisation=company,
        instrument=instrument,
        start=start or at(9),
        end=end or at(12),
        **{"mode": "self", "purpose": "Test of a batch", **fields},
    )


def codes(refused: pytest.ExceptionInfo[Refused]) -> list[str]:
    return [refusal.code for refusal in refused.value.refusals]


def test_request_booking_without_approval_confirms_and_takes_the_time(lab: Any) -> None:
    booking = book(lab)

    assert booking.status == Status.CONFIRMED
    taken = Occupancy.objects.get()
    assert (taken.start, taken.end, taken.unit, taken.kind) == (at(9), at(12), 1, OccupancyKind.BOOKING)
    assert booking.occupancy == taken
    assert booking.hold_expires_at is None


def test_request_booking_keeps_quote_and_reserves_the_charge(lab: Any) -> None:
    booking = book(lab)

    assert booking.quote["total"] == "300.00"
    assert [line["amount"] for line in booking.quote["lines"]] == ["300.00"]
    charge = Charge.objects.get()
    assert (charge.state, charge.reserved_total, charge.source_uid) == (ChargeState.RESERVED, Decimal(300), booking.uid)


def test_request_booking_writes_audit_and_one_message_per_channel(lab: Any) -> None:
    booking = book(lab)

    assert Entry.objects.filter(object_type="booking", object_id=str(booking.pk)).count() == 1
    messages = Message.objects.filter(kind="booking_confirmed").values_list("recipient", "channel")
    assert sorted(messages) == [(booking.user_id, "in_app"), (booking.user_id, "mail")]


def test_request_booking_with_approval_holds_the_time(lab: Any) -> None:
    manager = make_manager(lab.institution)
    save_policy(instrument=lab, document=APPROVAL, by=manager)

    booking = book(lab)

    assert booking.status == Status.REQUESTED
    assert booking.approval_roles == ["manager"]
    assert booking.hold_expires_at == at(9, day=date(2026, 11, 25))
    assert Occupancy.objects.get().kind == OccupancyKind.HOLD
    assert Message.objects.filter(kind="booking_requested", recipient=manager).count() == 2


def test_request_booking_hold_never_outlasts_the_start(lab: Any) -> None:
    save_policy(instrument=lab, document=APPROVAL, by=make_manager(lab.institution))

    booking = book(lab, at(14, day=date(2026, 11, 24)), at(15, day=date(2026, 11, 24)))

    assert booking.hold_expires_at == at(14, day=date(2026, 11, 24))


def test_request_booking_includes_set_up_and_cleaning_in_the_occupancy() -> None:
    instrument = make_instrument(setup_minutes=15, cleaning_minutes=30)
    make_price_list(instrument)

    book(instrument)

    taken = Occupancy.objects.get()
    assert (taken.start, taken.end) == (at(8, 45), at(12, 30))


def test_request_booking_refuses_neighbours_whose_buffers_meet() -> None:
    instrument = make_instrument(setup_minutes=15, cleaning_minutes=30)
    make_price_list(instrument)
    book(instrument)

    with pytest.raises(Refused) as refused:
        book(instrument, at(12, 44), at(13, 44))
    book(instrument, at(12, 45), at(13, 45))

    assert codes(refused) == ["taken"]


def test_request_booking_fills_every_unit_then_refuses() -> None:
    instrument = make_instrument(units=3)
    make_price_list(instrument)

    units = [book(instrument).unit for _ in range(3)]
    with pytest.raises(Refused) as refused:
        book(instrument)

    assert units == [1, 2, 3]
    assert codes(refused) == ["taken"]


@pytest.mark.parametrize(
    ("start", "end", "code"),
    [
        (at(7, 59), at(9), "closed"),
        (at(19), at(20, 1), "closed"),
        (at(8, day=date(2026, 11, 24)), at(9, day=date(2026, 11, 24)), "past"),
        (at(9, day=date(2030, 1, 1)), at(10, day=date(2030, 1, 1)), "too_far"),
    ],
)
def test_request_booking_refuses_times_outside(lab: Any, start: Any, end: Any, code: str) -> None:
    with pytest.raises(Refused) as refused:
        book(lab, start, end)

    assert codes(refused) == [code]
    assert not Booking.objects.exists()
    assert not Occupancy.objects.exists()


def test_request_booking_accepts_the_whole_opening_time(lab: Any) -> None:
    assert book(lab, at(8), at(20)).status == Status.CONFIRMED


def test_closed_refusal_proposes_the_next_opening(lab: Any) -> None:
    SpecialDay.objects.create(instrument=lab, day=date(2026, 12, 1))

    with pytest.raises(Refused) as refused:
        book(lab)

    assert refused.value.refusals[0].fix == at(8, day=date(2026, 12, 2))


@pytest.mark.parametrize(
    ("start", "end", "code"),
    [
        (at(12), at(12), "end_before_start"),
        (at(12), at(9), "end_before_start"),
        (at(9), at(9) + timedelta(days=93), "too_long"),
        (at(9) + timedelta(seconds=30), at(12), "whole_minutes"),
    ],
)
def test_request_booking_refuses_what_is_no_time(lab: Any, start: Any, end: Any, code: str) -> None:
    with pytest.raises(Invalid) as invalid:
        book(lab, start, end)

    assert invalid.value.refusals[0].code == code


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"sharing": Sharing.NONE}, "not_shared"),
        ({"sharing": Sharing.INTERNAL}, "not_shared"),
        ({"condition": Condition.REPAIR}, "out_of_order"),
        ({"mode_self": False}, "mode_not_offered"),
    ],
)
def test_request_booking_refuses_what_is_not_offered(fields: dict[str, Any], code: str) -> None:
    instrument = make_instrument(**fields)
    make_price_list(instrument)

    with pytest.raises(Refused) as refused:
        book(instrument)

    assert codes(refused) == [code]


def test_internal_instrument_is_open_to_its_own_institution() -> None:
    instrument = make_instrument(sharing=Sharing.INTERNAL)
    make_price_list(instrument)

    booking = book(instrument, organisation=instrument.institution)

    assert booking.audience == "internal"


def test_agreement_in_force_decides_the_audience(lab: Any) -> None:
    company = make_enterprise()
    Agreement.objects.create(
        institution=lab.institution,
        customer=company,
        number="A1",
        audience="partner",
        valid_from=date(2026, 1, 1),
        valid_to=date(2026, 12, 1),
    )

    on_last_day = book(lab, organisation=company)
    after = book(lab, at(9, day=date(2026, 12, 2)), at(10, day=date(2026, 12, 2)), organisation=company)

    assert (on_last_day.audience, after.audience) == ("partner", "enterprise")


def test_request_booking_refuses_without_a_price() -> None:
    with pytest.raises(Refused) as refused:
        book(make_instrument())

    assert codes(refused) == ["no_price"]


def test_request_booking_names_every_reason_at_once(lab: Any) -> None:
    OpeningHours.objects.filter(instrument=lab).delete()
    document = {"rules": [{"kind": "length", "max": 60}, {"kind": "deadline", "latest": "start -30d"}]}
    save_policy(instrument=lab, document=document, by=make_manager(lab.institution))

    with pytest.raises(Refused) as refused:
        book(lab, mode="operator")

    assert codes(refused) == ["closed", "too_long", "too_late"]


def test_request_booking_keeps_the_price_version_of_its_date(lab: Any) -> None:
    cheaper = {
        "currency": "CNY",
        "rules": [{"code": "time", "name": "Time", "kind": "price", "qty": ["booked"], "rate": 1}],
    }
    make_price_list(lab, cheaper, valid_from=date(2026, 12, 2))

    booking = book(lab)

    assert booking.quote["total"] == "300.00"
    assert booking.price_list is not None
    assert booking.price_list.version == 1


def test_quota_counts_other_bookings_of_the_same_person(lab: Any) -> None:
    document = {"rules": [{"kind": "quota", "measure": "hours", "over": "week", "max": 5, "per": ["person"]}]}
    save_policy(instrument=lab, document=document, by=make_manager(lab.institution))
    company = make_enterprise()
    user = make_member(company)
    book(lab, organisation=company, user=user)

    with pytest.raises(Refused) as refused:
        book(lab, at(13), at(16), organisation=company, user=user)
    exactly = book(lab, at(13), at(15), organisation=company, user=user)

    assert codes(refused) == ["quota"]
    assert exactly.status == Status.CONFIRMED


def test_policy_of_the_institution_holds_beneath_the_instruments_own(lab: Any) -> None:
    from booking.models import Layer, Policy  # only this test makes a layer by hand

    Policy.objects.create(
        layer=Layer.INSTITUTION,
        organisation=lab.institution,
        version=1,
        valid_from=date(2026, 1, 1),
        document={"rules": [{"id": "len", "kind": "length", "max": 60}]},
    )
    with pytest.raises(Refused) as refused:
        book(lab)
    save_policy(
        instrument=lab,
        document={"rules": [{"id": "len", "kind": "length", "max": 240}]},
        by=make_member(lab.institution, Role.MANAGER),
    )

    assert codes(refused) == ["too_long"]
    assert book(lab).status == Status.CONFIRMED
