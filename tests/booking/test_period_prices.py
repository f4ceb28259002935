"""Price lists with scopes in the application: what a party did before counts, and late facts become corrections."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from booking.actions.appealing import strike_out_violation
from booking.actions.changing import cancel_booking
from booking.actions.correcting import correct_usage
from booking.actions.no_shows import mark_no_show
from booking.actions.using import finish_booking, record_usage, verify_usage
from booking.models import Booking, Status, Usage, Violation
from booking.queries.owed import owed_for_booking
from booking.queries.quoting import quote_of
from booking.queries.wishes import Wish
from instruments.models import Mode
from instruments.pricing.engine import price
from instruments.pricing.reading import parse_price_list
from invoices.models import AsideLine, Charge, ChargeState
from tests.booking.lab import NOW, Lab
from tests.factories import DAY, at, make_price_list

MONTH = {"per": ["organisation"], "period": "month"}
USE = {"event": "use"}
FREE = {
    "code": "time",
    "name": "Time",
    "kind": "price",
    "when": USE,
    "qty": ["used"],
    "tiers": [{"from": 0, "rate": 0}, {"over": 4, "rate": 100}],
    "scope": MONTH,
}
PLAIN = {"code": "time", "name": "Time", "kind": "price", "when": USE, "qty": ["used"], "rate": 100}
CAP = {"code": "cap", "name": "Most", "kind": "limit", "limit": "max", "rate": 700, "on": ["time"], "scope": MONTH}


def document(*rules: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": "List", "currency": "CNY", "rules": list(rules), **more}


@pytest.fixture
def clock(db: None) -> Iterator[Any]:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def lab(clock: Any) -> Lab:
    return Lab()


def priced(lab: Lab, *rules: dict[str, Any], **more: Any) -> Lab:
    make_price_list(lab.instrument, document(*rules, **more), version=2)
    return lab


def used(lab: Lab, booking: Booking, clock: Any, hours: float | None = None, *, verified: bool = True) -> Usage:
    """As long as booked, or so many hours from its start; verified a minute after whatever was before."""
    end = booking.end if hours is None else booking.start + timedelta(hours=hours)
    clock.move_to(max(booking.end, end, timezone.now()) + timedelta(hours=1))
    usage = finish_booking(booking=booking, by=lab.manager, start=booking.start, end=end, by_lab=True)
    return verify(lab, usage, clock) if verified else usage


def verify(lab: Lab, usage: Usage, clock: Any) -> Usage:
    clock.shift(timedelta(minutes=1))
    return verify_usage(usage=usage, by=lab.manager)


def owed(booking: Booking) -> Decimal:
    found = owed_for_booking(booking)
    assert found is not None
    return found.total


def days(count: int) -> list[date]:
    return [DAY + timedelta(days=number) for number in range(count)]


def test_a_quote_counts_what_the_party_has_booked_before_it(lab: Lab, clock: Any) -> None:
    priced(lab, FREE)
    first, second = lab.book(9, 12), lab.book(13, 16)

    assert [row.quote["total"] for row in (first, second)] == ["0.00", "200.00"]
    assert "after 3 h before" in second.quote["lines"][0]["why"]


def test_another_party_begins_anew(lab: Lab, clock: Any) -> None:
    priced(lab, FREE)
    lab.book(9, 12)
    other = Lab()
    other.instrument = lab.instrument

    assert other.book(13, 16).quote["total"] == "0.00"


def test_the_next_month_begins_anew(lab: Lab, clock: Any) -> None:
    priced(lab, FREE)
    lab.book(9, 13)

    assert lab.book(9, 13, day=date(2027, 1, 4)).quote["total"] == "0.00"


def test_uses_are_charged_in_the_order_in_which_they_are_verified(lab: Lab, clock: Any) -> None:
    priced(lab, FREE)
    first, second = lab.book(9, 12), lab.book(13, 16)
    late = used(lab, first, clock, verified=False)
    used(lab, second, clock)

    assert owed(second) == Decimal("0.00")
    verify(lab, late, clock)
    assert (owed(first), owed(second)) == (Decimal("200.00"), Decimal("0.00"))
    charge = Charge.objects.get(source_uid=first.uid)
    assert "Other records of the same period were counted before this one." in charge.differences


def test_a_corrected_use_corrects_those_that_came_after_it(lab: Lab, clock: Any) -> None:
    priced(lab, PLAIN, CAP)
    bookings = [lab.book(9, 13, day=day) for day in days(2)]
    uses = [used(lab, booking, clock) for booking in bookings]
    assert [owed(row) for row in bookings] == [Decimal("400.00"), Decimal("300.00")]

    first = uses[0]
    clock.shift(timedelta(minutes=1))
    correct_usage(
        usage=first, by=lab.manager, start=first.start, end=first.start + timedelta(hours=2), samples=None,
        parameters={}, reason="The clock of the instrument was wrong.",
    )  # fmt: skip

    assert [owed(row) for row in bookings] == [Decimal("200.00"), Decimal("400.00")]
    charge = Charge.objects.get(source_uid=bookings[1].uid)
    assert charge.differences[-1].startswith("Another record of the same period came in later")


def test_what_is_invoiced_already_is_corrected_by_a_charge_of_its_own(lab: Lab, clock: Any) -> None:
    priced(lab, PLAIN, CAP)
    bookings = [lab.book(9, 13, day=day) for day in days(2)]
    uses = [used(lab, booking, clock) for booking in bookings]
    Charge.objects.filter(source_uid=bookings[1].uid).update(state=ChargeState.INVOICED)

    clock.shift(timedelta(minutes=1))
    correct_usage(
        usage=uses[0], by=lab.manager, start=uses[0].start, end=uses[0].start + timedelta(hours=2), samples=None,
        parameters={}, reason="The clock of the instrument was wrong.",
    )  # fmt: skip

    root = Charge.objects.get(source_uid=bookings[1].uid)
    later = Charge.objects.get(original=root)
    assert (root.total, later.total, later.state) == (Decimal("300.00"), Decimal("100.00"), ChargeState.FINAL)


def test_what_was_settled_by_hand_stays(lab: Lab, clock: Any) -> None:
    from invoices.actions.charges import finalise_charges

    priced(lab, PLAIN, CAP)
    bookings = [lab.book(9, 13, day=day) for day in days(2)]
    uses = [used(lab, booking, clock) for booking in bookings]
    finalise_charges(source="booking", source_uid=bookings[1].uid, lines=[], differences=["Goodwill."])

    correct_usage(
        usage=uses[0], by=lab.manager, start=uses[0].start, end=uses[0].start + timedelta(hours=2), samples=None,
        parameters={}, reason="The clock of the instrument was wrong.",
    )  # fmt: skip

    assert owed(bookings[1]) == Decimal("0.00")
    assert Charge.objects.get(source_uid=bookings[1].uid).differences == ["Goodwill."]


NO_SHOWS = {"history": {"when": {"event": "no_show"}, "per": ["person"], "period": "month"}}
MISSED = {
    "code": "missed", "name": "Missed", "kind": "price", "rate": 80,
    "when": {"event": "no_show", "before": {">=": 1}},
}  # fmt: skip


def test_the_second_no_show_costs_and_an_excused_first_takes_that_back(lab: Lab, clock: Any) -> None:
    priced(lab, PLAIN, MISSED, quantities={"before": NO_SHOWS})
    bookings = [lab.book(9, 13, day=day) for day in days(2)]
    for booking in bookings:
        clock.move_to(booking.start + timedelta(hours=3))
        mark_no_show(booking=booking, by=lab.manager)
    assert [owed(row) for row in bookings] == [Decimal("0.00"), Decimal("80.00")]

    finish_booking(booking=bookings[0], by=lab.manager, start=bookings[0].start, end=bookings[0].end, by_lab=True)

    assert owed(bookings[1]) == Decimal("0.00")


LATE = {
    "code": "late", "name": "Late", "kind": "percent", "on": ["time"], "as_if": {"event": "use", "used": None},
    "rate": 50, "when": {"event": "cancel"},
}  # fmt: skip
BOOKED = {**FREE, "qty": ["longer"]}


def test_a_cancellation_counts_in_the_allowance_of_its_period(lab: Lab, clock: Any) -> None:
    priced(lab, BOOKED, LATE)
    used(lab, lab.book(9, 13), clock)
    booking = lab.book(9, 11, day=days(3)[2])

    cancelled = cancel_booking(booking=booking, by=lab.engineer)

    assert (cancelled.status, owed(booking)) == (Status.CANCELLED, Decimal("100.00"))


def test_what_the_lab_cancels_counts_for_nothing(lab: Lab, clock: Any) -> None:
    third = {"code": "third", "name": "Often", "kind": "price", "rate": 30, "when": {"event": "cancel", "n": {">=": 1}}}
    count = {"history": {"when": {"event": "cancel"}, "per": ["person"], "period": "month"}}
    priced(lab, PLAIN, third, quantities={"n": count})
    first, second, last = (lab.book(9, 13, day=day) for day in days(3))
    cancel_booking(booking=first, by=lab.manager, by_lab=True, reason="The pump is broken.")

    cancel_booking(booking=second, by=lab.engineer)
    cancel_booking(booking=last, by=lab.engineer)

    assert (owed(second), owed(last)) == (Decimal("0.00"), Decimal("30.00"))


def test_uses_without_booking_count_too(lab: Lab, clock: Any) -> None:
    priced(lab, FREE)
    booking = lab.book(13, 16)
    clock.move_to(at(20))
    walk_in = record_usage(
        by=lab.manager, source_ref="log-1", instrument=lab.instrument, user=lab.engineer, organisation=lab.enterprise,
        start=at(8), end=at(12),
    )  # fmt: skip
    verify(lab, walk_in, clock)
    used(lab, booking, clock)

    assert owed(booking) == Decimal("300.00")


def test_credit_and_memo_lines_stand_beside_the_invoice(lab: Lab, clock: Any) -> None:
    points = {"code": "points", "name": "Points", "kind": "price", "when": USE, "qty": ["used"], "rate": 2}
    priced(lab, PLAIN, {**points, "account": "credit"})
    booking = lab.book(9, 12)
    usage = used(lab, booking, clock)
    assert (owed(booking), AsideLine.objects.get().amount) == (Decimal("300.00"), Decimal("6.00"))

    correct_usage(
        usage=usage, by=lab.manager, start=usage.start, end=usage.start + timedelta(hours=1), samples=None,
        parameters={}, reason="The clock of the instrument was wrong.",
    )  # fmt: skip

    assert [line.amount for line in AsideLine.objects.all()] == [Decimal("6.00"), Decimal("-4.00")]


def test_what_falls_due_later_is_a_charge_of_its_own_in_that_month(lab: Lab, clock: Any) -> None:
    care = {"code": "care", "name": "Care", "kind": "price", "when": USE, "rate": 40, "due": "quarter"}
    priced(lab, PLAIN, care)
    booking = lab.book(9, 12)
    used(lab, booking, clock)

    later = Charge.objects.get(source="later")
    assert (owed(booking), later.total, later.service_date) == (Decimal("300.00"), Decimal("40.00"), date(2027, 1, 1))
    assert later.state == ChargeState.FINAL


def test_a_list_without_scopes_asks_nothing_of_the_past(lab: Lab, clock: Any) -> None:
    with CaptureQueriesContext(connection) as caught:
        lab.book(9, 12)

    assert not [each for each in caught if "booking_usage" in each["sql"] or "periodclosing" in each["sql"]]


def test_the_past_is_read_in_a_constant_number_of_queries(lab: Lab, clock: Any) -> None:
    priced(lab, FREE)

    def asked() -> int:
        wish = Wish(
            instrument=lab.instrument, start=at(9, day=days(20)[19]), end=at(10, day=days(20)[19]),
            mode=Mode.SELF, organisation=lab.enterprise, user=lab.engineer,
        )  # fmt: skip
        with CaptureQueriesContext(connection) as caught:
            quote_of(wish, "enterprise")
        return len(caught)

    used(lab, lab.book(9, 10), clock)
    few = asked()
    for day in days(4)[1:]:
        used(lab, lab.book(9, 10, day=day), clock)
    lab.book(9, 10, day=days(9)[8])

    assert asked() == few


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
def test_in_whatever_order_uses_are_verified_the_month_costs_the_same(
    lab: Lab, clock: Any, order: tuple[int, ...]
) -> None:
    priced(
        lab, {**FREE, "tiers": [{"from": 0, "rate": 0}, {"over": 2, "rate": 100.01}, {"over": 6, "rate": 33.33}]}, CAP
    )
    uses = [
        used(lab, lab.book(9, 9 + length, day=day), clock, length - 0.25, verified=False)
        for length, day in zip((3, 2, 4), days(3), strict=True)
    ]
    clock.move_to(at(20, day=days(5)[4]))
    for number in order:
        verify(lab, uses[number], clock)

    total = sum((charge.total for charge in Charge.objects.all()), Decimal(0))
    # 8.25 h: two are free, four at 100.01, the rest at 33.33; together below the cap.
    assert total == Decimal("475.03")


def test_corrections_end_where_the_right_facts_would_have(lab: Lab, clock: Any) -> None:
    priced(lab, FREE, CAP)
    uses = [used(lab, lab.book(9, 14, day=day), clock) for day in days(3)]
    for usage, hours in zip(uses, (1, 6, 2), strict=True):
        clock.shift(timedelta(minutes=1))
        correct_usage(
            usage=usage, by=lab.manager, start=usage.start, end=usage.start + timedelta(hours=hours), samples=None,
            parameters={}, reason="The clock of the instrument was wrong.",
        )  # fmt: skip

    records = [
        {
            "id": str(n),
            "organisation": "e",
            "booked": [[at(9, day=day), at(14, day=day)]],
            "used": [[at(9, day=day), at(9 + hours, day=day)]],
        }
        for n, (day, hours) in enumerate(zip(days(3), (1, 6, 2), strict=True))
    ]
    fresh = price(parse_price_list(document(FREE, CAP)), records, tz=lab.instrument.zone)
    assert [charge.total for charge in Charge.objects.order_by("service_date")] == [
        sum((line.amount for line in fresh.lines if line.record == str(n)), Decimal(0)) for n in range(3)
    ]


def test_a_no_show_that_is_struck_out_counts_no_more(lab: Lab, clock: Any) -> None:
    priced(lab, PLAIN, MISSED, quantities={"before": NO_SHOWS})
    bookings = [lab.book(9, 13, day=day) for day in days(2)]
    for booking in bookings:
        clock.move_to(booking.start + timedelta(hours=3))
        mark_no_show(booking=booking, by=lab.manager)
    entry = Violation.objects.create(
        name="no_show", cause="never", rule="x", at=bookings[0].start, booking=bookings[0], person=lab.engineer,
        organisation=lab.enterprise, instrument=lab.instrument, institution=lab.institution,
    )  # fmt: skip

    strike_out_violation(violation=entry, by=lab.manager, reason="The door was locked.")

    bookings[0].refresh_from_db()
    assert bookings[0].excused
    assert owed(bookings[1]) == Decimal("0.00")
