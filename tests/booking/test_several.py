"""Several instruments of an experiment: all or none, every refusal named by its item, one time that fits all."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from backend.core.errors import Refused
from backend.outbox.models import Message
from booking.actions.policies import save_policy
from booking.actions.several import book_several, cancel_bundle
from booking.models import Booking, Bundle, Status
from booking.queries.several import arranged, first_fit, plan_several
from booking.queries.wishes import Wish
from instruments.models import Instrument, Occupancy
from invoices.models import Charge
from tests.booking.lab import APPROVAL, NOW, Lab
from tests.factories import DAY, at, make_instrument, make_price_list

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]


@pytest.fixture
def lab() -> Lab:
    return Lab()


@pytest.fixture
def second(lab: Lab) -> Instrument:
    return priced(make_instrument())


def priced(instrument: Instrument) -> Instrument:
    make_price_list(instrument)
    return instrument


def wish(lab: Lab, instrument: Instrument, start: int, end: int, day: date = DAY) -> Wish:
    return Wish(instrument, at(start, day=day), at(end, day=day), "self", lab.enterprise, lab.engineer)


def book(lab: Lab, *wishes: Wish) -> Bundle:
    return book_several(wishes=wishes, by=lab.engineer, purpose="Alloy study")


def found(caught: Any) -> list[tuple[str, str]]:
    return [(refusal.field, refusal.code) for refusal in caught.value.refusals]


def test_all_instruments_are_booked_at_once_with_one_message(lab: Lab, second: Instrument) -> None:
    bundle = book(lab, wish(lab, lab.instrument, 9, 10), wish(lab, second, 10, 12))

    rows = list(bundle.bookings.order_by("start"))
    assert [(row.instrument_id, row.status, row.quote["total"]) for row in rows] == [
        (lab.instrument.pk, Status.CONFIRMED, "100.00"),
        (second.pk, Status.CONFIRMED, "200.00"),
    ]
    told = Message.objects.filter(channel="mail")
    assert [(message.kind, message.recipient_id) for message in told] == [("bookings_made", lab.engineer.pk)]
    assert told[0].context["total"] == "300.00"
    assert told[0].path == f"/bookings/together/{bundle.pk}/"


def test_one_that_is_taken_stops_all_and_every_refusal_names_its_item(lab: Lab, second: Instrument) -> None:
    lab.book(9, 10)

    with pytest.raises(Refused) as caught:
        book(lab, wish(lab, second, 21, 22), wish(lab, second, 10, 12), wish(lab, lab.instrument, 9, 11))

    assert found(caught) == [("items.0", "closed"), ("items.2", "taken")]
    assert caught.value.refusals[1].params["item"] == 2
    assert (Bundle.objects.count(), Booking.objects.count(), Charge.objects.count()) == (0, 1, 1)


def test_items_on_one_instrument_do_not_overlap_unless_it_has_units_enough(lab: Lab) -> None:
    pair = priced(make_instrument(units=2))
    there = [wish(lab, lab.instrument, 9, 11), wish(lab, lab.instrument, 10, 12)]

    with pytest.raises(Refused) as caught:
        book(lab, *there)
    bundle = book(lab, wish(lab, pair, 9, 11), wish(lab, pair, 10, 12))
    with pytest.raises(Refused) as third:
        book(lab, *[wish(lab, pair, 13, 15)] * 3)

    assert found(caught) == [("items.1", "taken")]
    assert sorted(row.unit for row in bundle.bookings.all()) == [1, 2]
    assert found(third) == [("items.2", "taken")]


def test_quotas_see_the_earlier_items(lab: Lab) -> None:
    quota = {"id": "d", "kind": "quota", "measure": "hours", "over": "day", "per": ["organisation"], "max": 3}
    save_policy(instrument=lab.instrument, document={"rules": [quota]}, by=lab.manager)
    there = [wish(lab, lab.instrument, 9, 11), wish(lab, lab.instrument, 13, 15)]

    planned = plan_several(there, by=lab.engineer, now=NOW)
    with pytest.raises(Refused) as caught:
        book(lab, *there)

    assert [each.bookable for each in planned] == [True, False]
    assert found(caught) == [("items.1", "quota")]


def test_each_lab_is_asked_about_its_own_instrument_only(lab: Lab) -> None:
    strict = Lab(approval=True)

    bundle = book(lab, wish(lab, lab.instrument, 9, 10), wish(lab, strict.instrument, 10, 12))

    asked = Message.objects.filter(channel="mail", kind="booking_requested")
    assert [message.recipient_id for message in asked] == [strict.manager.pk]
    assert {row.status for row in bundle.bookings.all()} == {Status.CONFIRMED, Status.REQUESTED}


def test_cancelling_all_shows_and_takes_the_fees(lab: Lab, second: Instrument) -> None:
    document = {
        "name": "Fee",
        "currency": "CNY",
        "rules": [
            {"code": "t", "name": "T", "kind": "price", "required": True, "qty": ["booked"], "rate": 100,
             "when": {"event": "use"}},
            {"code": "l", "name": "L", "kind": "price", "qty": 1, "rate": 30, "when": {"event": "cancel"}},
        ],
    }  # fmt: skip
    make_price_list(lab.instrument, document, valid_from=date(2026, 2, 1))
    bundle = book(lab, wish(lab, lab.instrument, 9, 10), wish(lab, second, 10, 12))
    rows = list(bundle.bookings.all())

    with pytest.raises(Refused) as caught:
        cancel_bundle(bundle=bundle, rows=rows, by=lab.engineer, expected=Decimal("29.99"))
    done = cancel_bundle(bundle=bundle, rows=rows, by=lab.engineer, expected=Decimal(30))
    with pytest.raises(Refused) as again:
        cancel_bundle(bundle=bundle, rows=rows, by=lab.engineer)

    assert [each.code for each in caught.value.refusals] == ["fee_changed"]
    assert {row.status for row in done} == {Status.CANCELLED}
    assert sum(charge.total for charge in Charge.objects.all()) == Decimal("30.00")
    assert [each.code for each in again.value.refusals] == ["nothing_left"]
    assert Occupancy.objects.count() == 0


# --- the first time that fits all -----------------------------------------------------------------------------------


def fit(lab: Lab, wishes: list[Wish], *, chain: bool, gap: int = 0, since: datetime | None = None) -> list[str]:
    pieces = arranged(wishes, chain=chain, gap=timedelta(minutes=gap))
    planned = first_fit(pieces, by=lab.engineer, now=NOW, since=since)
    zone = lab.instrument.zone
    return [f"{each.start.astimezone(zone):%m-%d %H:%M}–{each.end.astimezone(zone):%H:%M}" for each in planned]


def test_the_first_time_for_a_chain_and_for_all_together(lab: Lab, second: Instrument) -> None:
    lab.book(9, 12, day=date(2026, 11, 24))
    wishes = [wish(lab, lab.instrument, 9, 11), wish(lab, second, 9, 10)]

    assert fit(lab, wishes, chain=True) == ["11-24 12:00–14:00", "11-24 14:00–15:00"]
    assert fit(lab, wishes, chain=True, gap=30) == ["11-24 12:00–14:00", "11-24 14:30–15:30"]
    assert fit(lab, wishes, chain=False) == ["11-24 12:00–14:00", "11-24 12:00–13:00"]
    assert fit(lab, wishes, chain=False, since=at(8, day=DAY)) == ["12-01 08:30–10:30", "12-01 08:30–09:30"]


def test_no_time_fits_where_two_are_never_free_together(lab: Lab) -> None:
    night = priced(make_instrument(hours=False))
    wishes = [wish(lab, lab.instrument, 9, 11), wish(lab, night, 9, 10)]

    assert fit(lab, wishes, chain=False) == []


def test_rules_that_look_at_the_time_are_kept(lab: Lab, second: Instrument) -> None:
    document = {"rules": [{"kind": "deadline", "earliest": "start -14d", "latest": "start -2d"}]}
    save_policy(instrument=second, document=document, by=lab.manager)

    found_ = fit(lab, [wish(lab, lab.instrument, 9, 10), wish(lab, second, 10, 11)], chain=True)

    assert found_[0].startswith("11-26")


def test_approval_is_asked_for_as_usual(lab: Lab) -> None:
    save_policy(instrument=lab.instrument, document=APPROVAL, by=lab.manager, valid_from=date(2026, 1, 1))

    assert fit(lab, [wish(lab, lab.instrument, 9, 10)], chain=True) == ["11-24 09:30–10:30"]
