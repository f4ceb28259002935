"""What is struck out costs nothing either: the fee for it goes back, also when it stands on an invoice already."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from backend.accounts.models import Role
from backend.audit.models import Entry
from backend.outbox.models import Message
from booking.actions.appealing import appeal_violation, decide_appeal, record_violation, strike_out_violation
from booking.actions.changing import cancel_booking
from booking.actions.no_shows import mark_no_show
from booking.actions.policies import save_policy
from booking.models import Booking, Violation
from booking.queries.owed import owed_for_booking
from invoices.actions.invoices import draft_invoice, issue_invoice
from invoices.models import Charge, ChargeState
from tests.booking.lab import Lab, browser, html
from tests.factories import SIMPLE_PRICES, at, make_member, make_price_list

pytestmark = pytest.mark.django_db
HALF = {"kind": "percent", "on": ["time"], "as_if": {"event": "use"}, "rate": 50}
FEES = {
    **SIMPLE_PRICES,
    "rules": [
        *SIMPLE_PRICES["rules"],
        {"code": "missed", "name": "No-show", "when": {"event": "no_show"}, **HALF},
        {"code": "late", "name": "Cancelled", "when": {"event": "cancel"}, **HALF},
    ],
}
RULES = [
    {"id": "absent", "kind": "event", "on": "never", "after": "start +30min", "name": "no_show"},
    {"id": "cancel", "kind": "event", "on": "cancel", "after": "start -8d", "name": "late_cancel"},
]


@pytest.fixture
def lab(clock: Any) -> Lab:
    lab = Lab()
    make_price_list(lab.instrument, FEES)
    save_policy(instrument=lab.instrument, document={"rules": RULES}, by=lab.manager, valid_from=date(2026, 1, 1))
    return lab


def missed(lab: Lab, clock: Any) -> Booking:
    booking = lab.book()
    clock.move_to(at(10))
    return mark_no_show(booking=booking, by=lab.manager)


def cancelled(lab: Lab, clock: Any) -> Booking:
    return cancel_booking(booking=lab.book(), by=lab.engineer)


def owed(booking: Booking) -> Decimal:
    found = owed_for_booking(booking)
    assert found is not None
    return found.total


@pytest.mark.parametrize("happened", [missed, cancelled])
def test_an_upheld_appeal_takes_the_fee_back(lab: Lab, clock: Any, happened: Callable[[Lab, Any], Booking]) -> None:
    booking = happened(lab, clock)
    violation = Violation.objects.get()
    before = owed(booking)

    appeal_violation(violation=violation, by=lab.engineer, reason="The door was locked.")
    decide_appeal(violation=violation, by=lab.manager, upheld=True, answer="It was.")

    assert (before, owed(booking)) == (Decimal(150), Decimal(0))
    assert Charge.objects.get().state == ChargeState.RELEASED
    told = Message.objects.get(kind="appeal_decided", channel="mail", recipient=lab.engineer)
    assert told.context["waived"] == "150.00 CNY"
    assert Entry.objects.get(action="violation.decide").after["waived"] == "150.00 CNY"
    assert "Nothing is charged." in html(browser(lab.engineer).get(f"/bookings/{booking.pk}/"))


def test_a_dismissed_one_leaves_it(lab: Lab, clock: Any) -> None:
    booking = missed(lab, clock)
    violation = Violation.objects.get()

    appeal_violation(violation=violation, by=lab.engineer, reason="The door was locked.")
    decide_appeal(violation=violation, by=lab.manager, upheld=False, answer="It was open.")

    assert owed(booking) == Decimal(150)


def test_what_is_invoiced_is_credited_with_the_next_statement(lab: Lab, clock: Any) -> None:
    booking = missed(lab, clock)
    finance = make_member(lab.institution, Role.FINANCE)
    ids = {"institution_id": lab.institution.pk, "customer_id": lab.enterprise.pk}
    issue_invoice(invoice=draft_invoice(**ids, period="2026-12", by=finance), by=finance)

    strike_out_violation(violation=Violation.objects.get(), by=lab.manager, reason="The door was locked.")

    first, later = Charge.objects.order_by("pk")
    assert (first.state, first.total) == (ChargeState.INVOICED, Decimal(150))
    assert (later.state, later.total) == (ChargeState.FINAL, Decimal(-150))
    assert owed(booking) == Decimal(0)


def test_an_entry_that_the_fee_is_not_for_leaves_it(lab: Lab, clock: Any) -> None:
    booking = missed(lab, clock)
    other = record_violation(by=lab.manager, name="untidy", reason="Left dirty", booking=booking)

    strike_out_violation(violation=other, by=lab.manager, reason="It was clean.")

    assert owed(booking) == Decimal(150)
