"""Check-in, check-out, verification, and the charge that follows."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from backend.core.errors import Invalid, Refused
from booking.actions.using import finish_booking, record_usage, start_booking, verify_usage
from booking.models import Status, Usage, UsageState
from instruments.models import Occupancy
from invoices.models import Charge, ChargeState
from tests.booking.test_requesting import book
from tests.factories import at, make_enterprise, make_instrument, make_manager, make_member, make_price_list

pytestmark = [pytest.mark.django_db]

USED_PRICES = {
    "currency": "CNY",
    "rules": [
        {"code": "setup", "name": "Set-up", "kind": "price", "rate": 50},
        {
            "code": "time",
            "name": "Time",
            "kind": "price",
            "required": True,
            "rate": 100,
            "qty": [{"of": "used", "min": 0.5, "step": 0.5}],
        },
    ],
}


@pytest.fixture
def booking(clock: Any) -> Any:
    instrument = make_instrument()
    make_price_list(instrument, USED_PRICES)
    return book(instrument)


def test_start_is_possible_from_a_quarter_of_an_hour_before(booking: Any, clock: Any) -> None:
    clock.move_to(at(8, 44))
    with pytest.raises(Refused) as refused:
        start_booking(booking=booking, by=booking.user)
    clock.move_to(at(8, 45))
    started = start_booking(booking=booking, by=booking.user)

    assert refused.value.refusals[0].until == at(8, 45)
    assert started.status == Status.IN_USE
    assert Usage.objects.get().state == UsageState.RECORDED


def test_start_after_the_end_is_refused(booking: Any, clock: Any) -> None:
    clock.move_to(at(12))

    with pytest.raises(Refused) as refused:
        start_booking(booking=booking, by=booking.user)

    assert refused.value.refusals[0].code == "too_late_to_start"


def test_finish_early_gives_the_rest_back(booking: Any, clock: Any) -> None:
    clock.move_to(at(9))
    start_booking(booking=booking, by=booking.user)
    clock.move_to(at(10, 20))

    usage = finish_booking(booking=booking, by=booking.user)

    booking.refresh_from_db()
    assert (usage.start, usage.end, usage.state) == (at(9), at(10, 20), UsageState.SUBMITTED)
    assert booking.status == Status.COMPLETED
    assert not Occupancy.objects.exists()


def test_finish_without_check_in_logs_the_booked_time(booking: Any, clock: Any) -> None:
    clock.move_to(at(15))

    usage = finish_booking(booking=booking, by=make_manager(booking.instrument.institution))

    assert (usage.start, usage.end) == (at(9), at(12))


def test_finish_in_the_future_is_invalid(booking: Any, clock: Any) -> None:
    clock.move_to(at(10))

    with pytest.raises(Invalid) as invalid:
        finish_booking(booking=booking, by=booking.user, end=at(11))

    assert invalid.value.refusals[0].code == "in_future"
    booking.refresh_from_db()
    assert booking.status == Status.CONFIRMED


def test_verify_makes_the_charge_final_as_quoted(booking: Any, clock: Any) -> None:
    clock.move_to(at(12))
    usage = finish_booking(booking=booking, by=booking.user)

    verify_usage(usage=usage, by=make_manager(booking.instrument.institution))

    charge = Charge.objects.get()
    assert (charge.state, charge.total, charge.differences) == (ChargeState.FINAL, Decimal(350), [])


def test_verify_names_each_difference_from_the_quote(booking: Any, clock: Any) -> None:
    clock.move_to(at(9))
    start_booking(booking=booking, by=booking.user)
    clock.move_to(at(13, 10))
    usage = finish_booking(booking=booking, by=booking.user, end=at(13, 10))

    verify_usage(usage=usage, by=make_manager(booking.instrument.institution))

    charge = Charge.objects.get()
    assert (charge.reserved_total, charge.total) == (Decimal(350), Decimal(500))
    assert charge.differences == [
        "Used 4.17 h instead of the booked 3 h.",
        "Time: 450.00 instead of 300.00.",
    ]


def test_verify_twice_is_refused(booking: Any, clock: Any) -> None:
    clock.move_to(at(12))
    manager = make_manager(booking.instrument.institution)
    usage = verify_usage(usage=finish_booking(booking=booking, by=booking.user), by=manager)

    with pytest.raises(Refused):
        verify_usage(usage=usage, by=manager)


def test_verified_usage_is_immutable_on_the_databases_word(booking: Any, clock: Any) -> None:
    clock.move_to(at(12))
    usage = finish_booking(booking=booking, by=booking.user)
    verify_usage(usage=usage, by=make_manager(booking.instrument.institution))

    for change in (lambda: Usage.objects.update(end=at(20)), lambda: Usage.objects.all().delete()):
        with pytest.raises(IntegrityError, match="immutable"), transaction.atomic():
            change()


def test_record_usage_twice_returns_the_first(booking: Any, clock: Any) -> None:
    company = make_enterprise()
    fields: dict[str, Any] = {
        "by": make_manager(booking.instrument.institution),
        "source_ref": "agent-7/42",
        "instrument": booking.instrument,
        "user": make_member(company),
        "organisation": company,
        "start": at(9, day=date(2026, 11, 23)),
        "end": at(10, day=date(2026, 11, 23)),
    }

    first, second = record_usage(**fields), record_usage(**fields)

    assert first.pk == second.pk
    verified = verify_usage(usage=first, by=fields["by"])
    assert Charge.objects.get(source="usage", source_uid=verified.uid).total == Decimal(150)


def test_overlong_usage_is_invalid(booking: Any, clock: Any) -> None:
    clock.move_to(at(12))

    with pytest.raises(Invalid):
        finish_booking(booking=booking, by=booking.user, start=at(9) - timedelta(days=93))
