"""The end of a month: minimum and monthly fees, once for each party, corrected when more becomes known."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine

from backend.accounts.models import Agreement
from backend.core.errors import Invalid
from booking.actions.closing import close_months, close_period
from booking.actions.correcting import correct_usage
from booking.models import PeriodClosing
from instruments.actions.agreed_prices import save_agreed_prices
from invoices.actions.running import close_month
from invoices.models import Charge, ChargeState
from tests.booking.lab import NOW, Lab
from tests.booking.test_period_prices import MONTH, PLAIN, days, document, priced, used, verify
from tests.factories import at

END = {"event": "period_end"}
LEAST = {
    "code": "least", "name": "Monthly minimum", "kind": "limit", "limit": "min", "rate": 500, "on": ["time"],
    "scope": MONTH, "when": END,
}  # fmt: skip
FEE = {"code": "fee", "name": "Monthly fee", "kind": "price", "rate": 90, "when": END, "scope": MONTH}
JANUARY = at(9, day=date(2027, 1, 5))


@pytest.fixture
def clock(db: None) -> Iterator[Any]:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def lab(clock: Any) -> Lab:
    return Lab()


def fees() -> list[Decimal]:
    return [charge.total for charge in Charge.objects.filter(source="period").order_by("pk")]


def test_a_minimum_is_made_up_at_the_end_of_the_month_once(lab: Lab, clock: Any) -> None:
    priced(lab, PLAIN, LEAST)
    used(lab, lab.book(9, 12), clock)
    clock.move_to(JANUARY)

    for _again in range(2):
        close_period(institution=lab.institution, period="2026-12")

    charge = Charge.objects.get(source="period")
    assert (charge.total, charge.state, charge.service_date) == (
        Decimal("200.00"), ChargeState.FINAL, date(2026, 12, 31),
    )  # fmt: skip
    assert charge.customer == lab.enterprise
    assert PeriodClosing.objects.count() == 1


def test_a_month_that_runs_is_not_closed(lab: Lab, clock: Any) -> None:
    priced(lab, PLAIN, LEAST)
    used(lab, lab.book(9, 12), clock)

    clock.move_to(at(23, 59, day=date(2026, 12, 31)))
    assert close_period(institution=lab.institution, period="2026-12") == []
    clock.move_to(at(0, 0, day=date(2027, 1, 1)))
    assert len(close_period(institution=lab.institution, period="2026-12")) == 1


def test_who_used_nothing_owes_nothing(lab: Lab, clock: Any) -> None:
    priced(lab, PLAIN, LEAST, FEE)
    clock.move_to(JANUARY)

    assert close_period(institution=lab.institution, period="2026-12") == []


def test_what_comes_late_is_taken_off_the_minimum(lab: Lab, clock: Any) -> None:
    priced(lab, PLAIN, LEAST)
    used(lab, lab.book(9, 12), clock)
    late = used(lab, lab.book(13, 14, day=days(3)[2]), clock, verified=False)
    clock.move_to(JANUARY)
    close_period(institution=lab.institution, period="2026-12")
    assert fees() == [Decimal("200.00")]

    verify(lab, late, clock)

    assert fees() == [Decimal("100.00")]


def test_a_minimum_that_was_reached_is_asked_for_after_a_correction(lab: Lab, clock: Any) -> None:
    priced(lab, PLAIN, LEAST)
    usage = used(lab, lab.book(9, 15), clock)
    clock.move_to(JANUARY)
    close_period(institution=lab.institution, period="2026-12")
    assert fees() == []

    correct_usage(
        usage=usage, by=lab.manager, start=usage.start, end=usage.start + timedelta(hours=4), samples=None,
        parameters={}, reason="The clock of the instrument was wrong.",
    )  # fmt: skip

    assert fees() == [Decimal("100.00")]


def test_what_is_invoiced_is_corrected_by_a_charge_of_its_own(lab: Lab, clock: Any) -> None:
    priced(lab, PLAIN, LEAST)
    used(lab, lab.book(9, 12), clock)
    late = used(lab, lab.book(13, 14, day=days(3)[2]), clock, verified=False)
    clock.move_to(JANUARY)
    close_period(institution=lab.institution, period="2026-12")
    Charge.objects.filter(source="period").update(state=ChargeState.INVOICED)

    verify(lab, late, clock)

    first = Charge.objects.get(source="period")
    assert (first.total, Charge.objects.get(original=first).total) == (Decimal("200.00"), Decimal("-100.00"))


def test_an_agreement_asks_its_monthly_fee_without_any_use(lab: Lab, clock: Any) -> None:
    agreement = Agreement.objects.create(
        institution=lab.institution, customer=lab.enterprise, number="A1", valid_from=date(2026, 1, 1)
    )
    save_agreed_prices(agreement=agreement, by=lab.manager, document=document(PLAIN, FEE), valid_from=date(2026, 1, 1))
    clock.move_to(JANUARY)

    close_period(institution=lab.institution, period="2026-12")

    charge = Charge.objects.get(source="period")
    assert (charge.total, charge.customer, charge.user) == (Decimal("90.00"), lab.enterprise, lab.boss)


def test_the_monthly_run_closes_the_month_and_the_one_before(lab: Lab, clock: Any) -> None:
    priced(lab, PLAIN, FEE)
    used(lab, lab.book(9, 12), clock)
    clock.move_to(at(9, day=date(2027, 2, 5)))

    close_month(lab.institution, "2027-01")
    close_months(lab.institution, "2027-01")

    assert fees() == [Decimal("90.00")]


def test_one_instrument_can_be_closed_alone(lab: Lab, clock: Any) -> None:
    priced(lab, PLAIN, FEE)
    used(lab, lab.book(9, 12), clock)
    other = Lab()
    clock.move_to(JANUARY)

    assert close_period(institution=lab.institution, period="2026-12", instrument=other.instrument) == []
    assert len(close_period(institution=lab.institution, period="2026-12", instrument=lab.instrument)) == 1


def test_a_month_is_written_as_one(lab: Lab) -> None:
    with pytest.raises(Invalid):
        close_period(institution=lab.institution, period="December")
